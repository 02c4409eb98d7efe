"""Pages on payments: what the operator and the customer see and do, and who may."""

from decimal import Decimal

import pytest
from django.test import Client

from apps.accounts.models import AuditEvent, Role
from apps.billing.models import Payment, PaymentEvent, PaymentProviderSettings, Wallet
from apps.billing.parties import details_of, seller_of
from apps.billing.payments.keys import keys_in
from apps.billing.services.payment_settings import set_up_stripe
from apps.customers.models import CustomerRole
from apps.keys.services.rotation import rotate_vault
from tests.billing.payments.conftest import NOW, a_stored_card
from tests.billing.payments.fake_stripe import SECRET_KEY, WEBHOOK_SECRET
from tests.billing.payments.test_payments import a_paid_top_up, a_top_up, a_transfer, an_invoice
from tests.cast import Cast, a_customer_member, a_member, reread

PAYMENTS, STRIPE = "/console/billing/payments/", "/console/billing/payments/settings/"
PORTAL = "/portal/billing/payments/"


def page(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.content.decode()


@pytest.fixture
def olivia(client: Client, cast: Cast) -> Client:
    client.force_login(cast.olivia)
    return client


@pytest.fixture
def gina(client: Client, cast: Cast) -> Client:
    client.force_login(cast.gina)
    return client


class TestStripeKeys:
    def test_they_go_into_the_vault_and_are_not_shown(self, olivia: Client, cast: Cast, caplog):
        answer = olivia.post(
            STRIPE, {"secret_key": SECRET_KEY, "webhook_secret": WEBHOOK_SECRET, "collects": "charge", "is_on": "on"}
        )
        assert answer.status_code == 302
        row = PaymentProviderSettings.objects.get()
        assert (row.key_hint, row.webhook_hint, row.collects, row.is_on) == ("test …4242", "…5678", "charge", True)
        assert keys_in(row.open()) == (SECRET_KEY, WEBHOOK_SECRET)
        shown = page(olivia, STRIPE) + page(olivia, PAYMENTS)
        told = (
            str(list(AuditEvent.objects.values())) + caplog.text + str(list(PaymentProviderSettings.objects.values()))
        )
        for secret in (SECRET_KEY, WEBHOOK_SECRET):
            assert secret not in shown
            assert secret not in told
        assert f"/billing/webhooks/stripe/{cast.acme.pk}" in shown

    def test_what_is_left_empty_stays(self, olivia: Client, cast: Cast):
        set_up_stripe(cast.acme, secret_key=SECRET_KEY, webhook_secret=WEBHOOK_SECRET, by=None)
        olivia.post(STRIPE, {"webhook_secret": "whsec_another_one_9999", "collects": "link"})
        row = PaymentProviderSettings.objects.get()
        assert keys_in(row.open()) == (SECRET_KEY, "whsec_another_one_9999")
        assert not row.is_on

    @pytest.mark.parametrize(
        "wrong", [{"secret_key": "pk_test_of_acme_4242"}, {"secret_key": SECRET_KEY, "webhook_secret": "we_1"}, {}]
    )
    def test_what_is_no_key_is_refused(self, olivia: Client, wrong):
        answer = olivia.post(STRIPE, wrong | {"collects": "link", "is_on": "on"})
        assert answer.status_code == 200
        assert not PaymentProviderSettings.objects.exists()

    def test_they_move_with_the_vaults_keys(self, cast: Cast, settings):
        set_up_stripe(cast.acme, secret_key=SECRET_KEY, by=None)
        settings.VAULT_KEYS = f"new:bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LW5ldy0=,{settings.VAULT_KEYS}"
        assert rotate_vault().sealed == 1
        assert keys_in(PaymentProviderSettings.objects.get().open()).secret_key == SECRET_KEY

    def test_one_organizations_open_at_no_other(self, cast: Cast):
        row = set_up_stripe(cast.acme, secret_key=SECRET_KEY, by=None)
        row.organization = cast.evil_corp
        with pytest.raises(Exception, match="does not open"):
            row.open()

    def test_they_are_tested_against_stripe(self, olivia: Client, local, acme):
        answer = olivia.post(f"{STRIPE}test/", follow=True)
        assert "Stripe takes the key." in answer.content.decode()
        assert PaymentProviderSettings.objects.get().checked_at is not None

    def test_real_keys_know_none_of_the_customers_and_cards_of_those_for_tests(self, local, acme, cast: Cast):
        card = a_stored_card(local, cast.globex)
        set_up_stripe(acme, secret_key="sk_test_another_of_acme", by=None)
        assert (reread(card).removed_at, bool(details_of(cast.globex).stripe_id)) == (None, True)
        set_up_stripe(acme, secret_key="sk_live_of_acme_4242", by=None)
        assert reread(card).removed_at is not None
        assert details_of(cast.globex).stripe_id == ""

    def test_they_can_be_forgotten(self, olivia: Client, cast: Cast):
        set_up_stripe(cast.acme, secret_key=SECRET_KEY, by=None)
        olivia.post(f"{STRIPE}remove/")
        assert not PaymentProviderSettings.objects.exists()


class TestOperator:
    def test_an_empty_page_says_how_to_begin(self, olivia: Client):
        assert "Nothing was paid yet" in page(olivia, PAYMENTS)

    def test_payments_are_listed_and_chosen_by_state_and_name(self, olivia: Client, cast: Cast):
        a_paid_top_up(cast.globex)
        a_top_up(cast.initech, "70")
        assert all(name in page(olivia, PAYMENTS) for name in ("Globex", "Initech", "$50.00", "$70.00"))
        pending = page(olivia, f"{PAYMENTS}?state=pending")
        assert "Initech" in pending
        assert "Globex" not in pending
        assert "No payment matches." in page(olivia, f"{PAYMENTS}?q=nobody")

    def test_a_transfer_is_put_down_for_an_invoice(self, olivia: Client, cast: Cast):
        invoice = an_invoice(cast.globex)
        assert 'value="100"' in page(olivia, f"{PAYMENTS}transfer/?invoice={invoice.pk}")
        wanted = {
            "customer": cast.globex.pk,
            "invoice": invoice.pk,
            "amount": "100",
            "currency": "usd",
            "reference": "B1",
        }
        for _ in range(2):  # a double click
            assert olivia.post(f"{PAYMENTS}transfer/", wanted).status_code == 302
        assert reread(invoice).state == "paid"
        assert Payment.objects.count() == 1

    WRONG = (
        {"currency": "XXQ"},
        {"currency": "EUR"},
        {"amount": "0"},
        {"amount": "1.005"},
        {"reference": ""},
        {"customer": "initech"},
    )

    @pytest.mark.parametrize("wrong", WRONG, ids=str)
    def test_a_transfer_that_makes_no_sense_is_refused(self, olivia: Client, cast: Cast, wrong):
        invoice = an_invoice(cast.globex)
        wanted = {
            "customer": cast.globex.pk,
            "invoice": invoice.pk,
            "amount": "100",
            "currency": "USD",
            "reference": "B1",
        }
        wanted |= {name: getattr(cast, value).pk if name == "customer" else value for name, value in wrong.items()}
        assert olivia.post(f"{PAYMENTS}transfer/", wanted).status_code == 200
        assert not Payment.objects.exists()

    def test_another_organizations_customer_is_no_choice(self, olivia: Client, cast: Cast):
        wanted = {"customer": cast.shady.pk, "amount": "100", "currency": "USD", "reference": "B1"}
        assert olivia.post(f"{PAYMENTS}transfer/", wanted).status_code == 200
        assert not Payment.objects.exists()

    def test_a_top_up_that_was_waited_for_is_marked_as_paid(self, olivia: Client, cast: Cast):
        payment = a_top_up(cast.globex)
        assert payment.provider_id in page(olivia, f"{PAYMENTS}{payment.pk}/")
        olivia.post(f"{PAYMENTS}{payment.pk}/receive/", {"amount": "50"})
        assert (reread(payment).state, Wallet.objects.get().balance) == ("succeeded", 50)
        assert AuditEvent.objects.get(action="payment.receive").actor_label == cast.olivia.email

    def test_a_refund_is_made_on_the_payments_page(self, olivia: Client, cast: Cast):
        payment = a_paid_top_up(cast.globex)
        answer = olivia.post(f"{PAYMENTS}{payment.pk}/refund/", {"amount": "20", "reason": "Asked for"}, follow=True)
        assert "Paid back." in answer.content.decode()
        answer = olivia.post(f"{PAYMENTS}{payment.pk}/refund/", {"amount": "31", "reason": "More"}, follow=True)
        assert "At most 30 USD" in answer.content.decode()
        assert (Wallet.objects.get().balance, reread(payment).refunded) == (30, 20)

    def test_what_is_over_is_shown_and_pays_another_invoice(self, olivia: Client, cast: Cast):
        payment = a_transfer(cast.globex, "120", invoice=an_invoice(cast.globex))
        assert "$20.00" in page(olivia, f"{PAYMENTS}{payment.pk}/")
        other = an_invoice(cast.globex, "15", "2")
        olivia.post(f"{PAYMENTS}{payment.pk}/apply/")
        assert reread(other).state == "paid"

    def test_money_that_nobody_waits_for_is_shown_until_it_is_seen_to(self, olivia: Client, cast: Cast):
        PaymentEvent.objects.create(
            organization=cast.acme,
            provider="stripe",
            event_id="evt_1",
            kind="payment_intent.succeeded",
            payload={"subject": "", "subject_id": ""},
            processed_at=NOW,
            outcome="unmatched",
        )
        assert "1 message" in page(olivia, PAYMENTS)
        assert "evt_1" in page(olivia, f"{PAYMENTS}events/")
        olivia.post(f"{PAYMENTS}events/evt_1/retry/")
        assert "Nothing to see to" in page(olivia, f"{PAYMENTS}events/")

    def test_a_viewer_sees_and_changes_nothing(self, client: Client, cast: Cast):
        payment = a_paid_top_up(cast.globex)
        client.force_login(a_member(cast.acme, Role.VIEWER).user)
        assert "Refund</button>" not in page(client, f"{PAYMENTS}{payment.pk}/")
        assert client.post(f"{PAYMENTS}{payment.pk}/refund/", {"amount": "1", "reason": "x"}).status_code == 403
        assert client.get(STRIPE).status_code == 403


class TestCustomer:
    def test_an_empty_page_says_how_to_begin(self, gina: Client):
        assert "Nothing was paid yet" in page(gina, PORTAL)

    def test_the_price_of_credit_is_shown_before_it_is_paid(self, gina: Client, cast: Cast):
        shown = page(gina, "/portal/billing/top-up/?credit=50")
        assert "Pay $50.00" in shown
        assert not Payment.objects.exists()

    def test_credit_is_announced_and_paid_by_transfer(self, gina: Client, cast: Cast):
        seller = seller_of(cast.acme)
        seller.payment_terms = "IBAN DE89 3704 0044 0532 0130 00"
        seller.save()
        answer = gina.post("/portal/billing/top-up/", {"credit": "50", "way": "transfer"})
        payment = Payment.objects.get()
        assert answer.headers["Location"] == f"{PORTAL}{payment.pk}/"
        shown = page(gina, f"{PORTAL}{payment.pk}/")
        assert payment.provider_id in shown
        assert "IBAN DE89" in shown
        gina.post(f"{PORTAL}{payment.pk}/cancel/")
        assert (reread(payment).state, reread(payment).error) == ("failed", "Cancelled.")

    @pytest.mark.parametrize("credit", ["0", "-5", "0.5", "100001", "1.005", "much", ""])
    def test_what_is_no_amount_of_credit_is_not_sold(self, gina: Client, credit: str):
        assert gina.post("/portal/billing/top-up/", {"credit": credit, "way": "transfer"}).status_code == 200
        assert not Payment.objects.exists()

    def test_a_stored_card_pays_at_once_for_credit_and_for_an_invoice(self, gina: Client, local, acme, cast: Cast):
        card = a_stored_card(local, cast.globex)
        assert "Visa …4242" in page(gina, PORTAL)
        gina.post("/portal/billing/top-up/", {"credit": "50", "way": str(card.pk)})
        assert Wallet.objects.get().balance == 50
        invoice = an_invoice(cast.globex)
        assert "Pay $100.00" in page(gina, f"/portal/billing/invoices/{invoice.pk}/pay/")
        gina.post(f"/portal/billing/invoices/{invoice.pk}/pay/", {"way": str(card.pk)})
        assert reread(invoice).state == "paid"
        assert "nothing to pay" in page(gina, f"/portal/billing/invoices/{invoice.pk}/pay/")

    def test_another_customers_card_does_not_pay(self, gina: Client, local, acme, cast: Cast):
        card = a_stored_card(local, cast.initech)
        assert gina.post("/portal/billing/top-up/", {"credit": "50", "way": str(card.pk)}).status_code == 200
        assert not Payment.objects.exists()

    def test_cards_are_made_default_and_removed(self, gina: Client, local, acme, cast: Cast):
        first, second = a_stored_card(local, cast.globex), a_stored_card(local, cast.globex)
        gina.post(f"/portal/billing/methods/{second.pk}/default/")
        assert [reread(first).is_default, reread(second).is_default] == [False, True]
        gina.post(f"/portal/billing/methods/{second.pk}/remove/")
        assert reread(second).removed_at is not None
        assert reread(first).is_default
        assert gina.post(f"/portal/billing/methods/{second.pk}/default/").status_code == 404

    def test_forms_may_lead_to_stripe_and_nowhere_else(self, gina: Client):
        policy = gina.get("/portal/billing/top-up/").headers["Content-Security-Policy"]
        (form_action,) = [each for each in policy.split("; ") if each.startswith("form-action")]
        assert form_action == "form-action 'self' https://checkout.stripe.com https://*.stripe.com"

    def test_who_is_no_admin_sees_and_pays_nothing(self, client: Client, cast: Cast):
        client.force_login(a_customer_member(cast.globex, CustomerRole.VIEWER).user)
        assert "Add credit" not in page(client, PORTAL)
        assert client.get("/portal/billing/top-up/").status_code == 403

    def test_a_declined_card_says_so_and_the_price_is_still_there(self, gina: Client, local, acme, cast: Cast):
        card = a_stored_card(local, cast.globex, "4000000000000341")
        answer = gina.post("/portal/billing/top-up/", {"credit": "50", "way": str(card.pk)}, follow=True)
        shown = answer.content.decode()
        assert "Your card was declined." in shown
        assert "Pay $50.00" in shown
        assert Decimal(50) == Payment.objects.get(state="failed").credit

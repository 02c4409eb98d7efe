"""Payments by API: transfers, credit that is bought, cards, refunds; what the provider told of."""

from decimal import Decimal

import pytest

from apps.billing.models import Payment, PaymentEvent, PaymentMethod, Refund
from apps.billing.payments.base import Declined, ProviderError, Reading, Started, State
from apps.billing.payments.manual import ManualPayments
from apps.billing.services.collecting import start_top_up
from tests.api.v1.conftest import NOW, Program
from tests.billing.making import an_invoice
from tests.billing.wallets import a_wallet, assert_adds_up
from tests.cast import Cast, an_api_token, at_once, reread

pytestmark = pytest.mark.usefixtures("noon")


def a_card(customer, name: str = "1", **fields) -> PaymentMethod:
    return PaymentMethod.objects.create(
        customer=customer, provider="stripe", provider_id=f"pm_{name}", label="Visa …4242", **fields
    )


class Bank(ManualPayments):
    """A provider that charges cards as it is told, and counts."""

    name = "stripe"
    has_methods = True

    def __init__(self, *outcomes):
        self.outcomes, self.charged = list(outcomes), []

    def start_payment(self, order):
        return Started(f"cs_{order.id}", f"https://pay.example/{order.id}?back={order.return_url}")

    def charge(self, order, method):
        self.charged.append((order.id, order.amount))
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome is not None:
            raise outcome
        return Reading(f"pi_{order.id}", State.SUCCEEDED, order.amount, order.currency, our_id=order.id)

    def refund(self, payment_id, amount, currency, refund_id):
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome is not None:
            raise outcome
        return super().refund(payment_id, amount, currency, refund_id)

    def remove_method(self, method_id):
        self.charged.append(("removed", method_id))

    def set_default_method(self, payer_id, method_id):
        self.charged.append(("default", method_id))


@pytest.fixture
def bank(monkeypatch) -> Bank:
    """Whoever asks for a provider gets this one: it is the edge."""
    bank = Bank()
    for room in ("services.collecting", "services.refunds", "services.payment_methods"):
        monkeypatch.setattr(f"apps.billing.{room}.provider_of", lambda organization, name="": bank)
    monkeypatch.setattr("apps.api.v1.paying.provider_of", lambda organization, name="": bank)
    monkeypatch.setattr("apps.billing.services.collecting.known_payer", lambda customer, provider: _payer(customer))
    monkeypatch.setattr(
        "apps.billing.services.payment_methods.known_payer", lambda customer, provider: _payer(customer)
    )
    return bank


def _payer(customer):
    from apps.billing.services.payments import payer_of

    return payer_of(customer)


def test_transfers_are_put_down_once_a_reference(acmes: Program, cast: Cast):
    invoice = an_invoice(cast.globex)
    body = {"customer": str(cast.globex.pk), "amount": "120", "currency": "USD", "reference": "RF18"}
    told = acmes.does("POST", "payments", body | {"invoice": str(invoice.pk)}, status=201)
    assert (told["state"], told["amount"], told["surplus"], told["reference"]) == ("succeeded", "120", "20", "RF18")
    assert acmes.does("POST", "payments", body, status=201)["id"] == told["id"]
    acmes.does("POST", "payments", body | {"amount": "121"}, status=409)
    assert reread(invoice).state == "paid"
    later = an_invoice(cast.globex, ("15",))
    assert acmes.does("POST", f"payments/{told['id']}/apply")["surplus"] == "5"
    assert reread(later).state == "paid"
    theirs = an_invoice(cast.initech)
    acmes.does("POST", "payments", body | {"reference": "X", "invoice": str(theirs.pk)}, status=400)
    acmes.does("POST", "payments", body | {"reference": "X", "customer": str(cast.shady.pk)}, status=404)
    euros = body | {"reference": "X", "currency": "EUR", "invoice": str(invoice.pk)}
    assert acmes.does("POST", "payments", euros, status=400)["errors"][0]["pointer"] == "#/currency"
    assert Payment.objects.count() == 1


def test_a_transfer_that_is_waited_for_comes_in_or_is_cancelled(acmes: Program, globexs: Program, cast: Cast):
    first, second = (
        start_top_up(cast.globex, Decimal(10), by=None, at=NOW, provider=ManualPayments()) for _ in range(2)
    )
    told = acmes.does("POST", f"payments/{first.pk}/receive", {"amount": "5"})
    assert (told["state"], told["amount"], told["credit"]) == ("succeeded", "5", "5")
    assert acmes.does("POST", f"payments/{first.pk}/receive", {"amount": "10"})["amount"] == "5"  # it was before
    assert globexs.does("POST", f"payments/{second.pk}/ask")["state"] == "pending"
    told = globexs.does("POST", f"payments/{second.pk}/cancel")
    assert (told["state"], told["error"]) == ("failed", "Cancelled.")
    globexs.does("POST", f"payments/{second.pk}/cancel", status=409)
    globexs.does("POST", f"payments/{first.pk}/receive", {"amount": "5"}, status=403)
    assert reread(cast.globex.wallet).balance == 5


def test_credit_is_quoted_and_bought_on_the_providers_page(globexs: Program, cast: Cast, bank: Bank, settings):
    path = f"customers/{cast.globex.pk}/wallet"
    assert globexs.get(f"{path}/quote", credit="50") == {
        "credit": "50", "currency": "USD", "per_dollar": "1", "net": "50", "tax": "0", "total": "50"
    }  # fmt: skip
    globexs.does("GET", f"{path}/quote", credit="0.5", status=400)
    back = "https://globex.example/paid/{payment}"
    told = globexs.does("POST", f"{path}/buy", {"credit": "50", "return_url": back}, key="1", status=201)
    payment = Payment.objects.get()
    assert told["url"] == f"https://pay.example/{payment.pk}?back=https://globex.example/paid/{payment.pk}"
    assert (told["id"], told["state"], told["credit"]) == (str(payment.pk), "pending", "50")
    assert globexs.does("POST", f"{path}/buy", {"credit": "50", "return_url": back}, key="1", status=201) == told
    globexs.does("POST", f"{path}/buy", {"credit": "60"}, key="1", status=409)
    assert globexs.get(f"payments/{payment.pk}") == told


def test_a_card_is_charged_once(globexs: Program, cast: Cast, bank: Bank):
    card = a_card(cast.globex, is_default=True)
    body = {"credit": "50", "method": str(card.pk)}
    path = f"customers/{cast.globex.pk}/wallet/buy"
    told = globexs.does("POST", path, body, key="1", status=201)
    assert (told["state"], told["credit"]) == ("succeeded", "50")
    assert globexs.does("POST", path, body, key="1", status=201) == told
    assert bank.charged == [(told["id"], Decimal(50))]
    assert reread(cast.globex.wallet).balance == 50
    foreign = a_card(cast.initech, "2")
    globexs.does("POST", path, body | {"method": str(foreign.pk)}, key="2", status=400)
    globexs.does("POST", path, body | {"is_transfer": True}, key="3", status=400)


def test_a_card_that_is_declined_stays_so_and_one_that_nobody_knows_of_is_asked_for_again(
    globexs: Program, cast: Cast, bank: Bank
):
    card = a_card(cast.globex)
    body, path = {"credit": "50", "method": str(card.pk)}, f"customers/{cast.globex.pk}/wallet/buy"
    bank.outcomes = [Declined("Insufficient funds.")]
    for _ in range(2):
        assert globexs.does("POST", path, body, key="1", status=409)["detail"] == "Insufficient funds."
    assert len(bank.charged) == 1
    bank.outcomes = [ProviderError("It does not answer.")]
    assert globexs.does("POST", path, body, key="2", status=503)["detail"] == "It does not answer."
    told = globexs.does("POST", path, body, key="2", status=201)
    assert told["state"] == "succeeded"
    assert bank.charged[1] == bank.charged[2] == (told["id"], Decimal(50))  # under the same key of the provider's
    assert reread(cast.globex.wallet).balance == 50


@pytest.mark.django_db(transaction=True)
def test_several_at_once_are_one_payment(cast: Cast):
    ask = Program(an_api_token(cast.acme, cast.globex)[1])
    path, body = f"customers/{cast.globex.pk}/wallet/buy", {"credit": "50", "is_transfer": True}
    answers = at_once(5, lambda: Program(ask.plain)("POST", path, body, headers={"idempotency-key": "1"}).status_code)
    assert set(answers) <= {201, 409}
    assert 201 in answers
    assert Payment.objects.count() == 1


def test_a_refund_is_made_once(acmes: Program, globexs: Program, cast: Cast, bank: Bank):
    a_wallet(cast.globex)
    body = {"amount": "50", "reference": "T-1"}
    acmes.does("POST", f"customers/{cast.globex.pk}/wallet/top-up", body, status=201)
    payment = Payment.objects.get()
    path, back = f"payments/{payment.pk}/refunds", {"amount": "20", "reason": "By mistake"}
    told = acmes.does("POST", path, back, key="1", status=201)
    assert (told["state"], told["amount"], told["credit"], told["reason"]) == ("succeeded", "20", "20", "By mistake")
    assert acmes.does("POST", path, back, key="1", status=201) == told
    assert (Refund.objects.count(), reread(payment).refunded, reread(cast.globex.wallet).balance) == (1, 20, 30)
    acmes.does("POST", path, back | {"amount": "30.01"}, key="2", status=409)
    acmes.does("POST", path, back | {"amount": "1"}, key="1", status=409)
    globexs.does("POST", path, back, key="3", status=403)
    assert globexs.everything(path) == [told]
    bank.outcomes = [Declined("Too late.")]
    failed = acmes.does("POST", path, back, key="4", status=201)
    assert (failed["state"], failed["error"]) == ("failed", "Too late.")
    assert acmes.does("POST", path, back, key="4", status=201) == failed
    assert {each["state"] for each in acmes.everything(path, limit=1)} == {"failed", "succeeded"}
    assert globexs.everything(path) == [told]
    assert_adds_up(cast.globex.wallet)


@pytest.mark.django_db(transaction=True)
def test_refunds_at_once_are_one(cast: Cast):
    ask = Program(an_api_token(cast.acme)[1])
    ask.does("POST", f"customers/{cast.globex.pk}/wallet/top-up", {"amount": "50", "reference": "T"}, status=201)
    path, back = f"payments/{Payment.objects.get().pk}/refunds", {"amount": "20", "reason": "By mistake"}
    answers = at_once(5, lambda: Program(ask.plain).does("POST", path, back, key="1", status=201)["id"])
    assert set(answers) == {str(Refund.objects.get().pk)}, answers
    assert reread(cast.globex.wallet).balance == 30


def test_cards_are_listed_chosen_and_removed(globexs: Program, cast: Cast, bank: Bank):
    first, second = a_card(cast.globex, "1", is_default=True), a_card(cast.globex, "2")
    path = f"customers/{cast.globex.pk}/payment-methods"
    assert [each["id"] for each in globexs.get(path)["data"]] == [str(first.pk), str(second.pk)]
    assert globexs.does("POST", f"payment-methods/{second.pk}/default")["is_default"] is True
    assert [each["id"] for each in globexs.get(path)["data"]] == [str(second.pk), str(first.pk)]
    globexs.does("DELETE", f"payment-methods/{second.pk}", status=204)
    globexs.does("DELETE", f"payment-methods/{second.pk}", status=404)
    assert bank.charged == [("default", "pm_2"), ("removed", "pm_2")]
    assert [(each["id"], each["is_default"]) for each in globexs.get(path)["data"]] == [(str(first.pk), True)]


def test_without_a_provider_there_are_no_cards(globexs: Program, cast: Cast):
    path = f"customers/{cast.globex.pk}/payment-methods"
    globexs.does("POST", path, status=409)
    assert globexs.does("POST", f"{path}/read") == {"data": []}


def test_the_provider_is_set_and_its_secrets_are_in_no_answer(acmes: Program, globexs: Program, cast: Cast):
    acmes.does("GET", "payment-provider", status=404)
    acmes.does("POST", "payment-provider/test", status=404)
    body = {"secret_key": "sk_test_0123456789abcdef", "webhook_secret": "whsec_0123456789", "collects": "charge"}
    answer = acmes("PUT", "payment-provider", body)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    told = answer.json()
    assert (told["is_on"], told["collects"], told["checked_at"]) == (True, "charge", None)
    assert not any(secret in str(told) for secret in ("0123456789abc", "sk_test_0"))
    assert str(cast.acme.pk) in told["webhook_url"]
    assert acmes.does("PUT", "payment-provider", {"collects": "link"})["key_hint"] == told["key_hint"]
    assert acmes.does("PUT", "payment-provider", {"secret_key": "pk_wrong"}, status=400)["errors"][0]["pointer"] == (
        "#/secret_key"
    )
    globexs.does("GET", "payment-provider", status=403)
    acmes.does("DELETE", "payment-provider", status=204)
    assert not cast.acme.payment_providers.exists()
    events = str(list(cast.acme.audit_events.values()))
    assert "0123456789" not in events


def test_what_nobody_waited_for_is_dismissed(acmes: Program, globexs: Program, cast: Cast):
    event = PaymentEvent.objects.create(
        organization=cast.acme, provider="stripe", event_id="evt_1", kind="charge.updated",
        payload={"subject": "", "subject_id": ""}, outcome="unmatched",
    )  # fmt: skip
    PaymentEvent.objects.create(
        organization=cast.evil_corp, provider="stripe", event_id="evt_2", kind="charge.updated", payload={}
    )
    assert [each["id"] for each in acmes.everything("payment-events")] == ["evt_1"]
    acmes.does("POST", "payment-events/evt_1/take", status=409)
    acmes.does("POST", "payment-events/evt_2/dismiss", status=404)
    assert acmes.does("POST", "payment-events/evt_1/dismiss")["outcome"] == "ignored"
    assert reread(event).outcome == "ignored"
    assert acmes.everything("payment-events") == []
    globexs.does("GET", "payment-events", status=403)

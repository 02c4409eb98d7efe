"""Every page with every object of somebody else: it does not exist, and nothing happens to it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.apps import apps
from django.db import transaction
from django.test import Client
from django.utils import timezone

from apps.accounts.models import Organization, Role
from apps.accounts.services import invite_member
from apps.alerts.models import Delivery
from apps.alerts.owners import Owner
from apps.alerts.services.channels import add_subscription
from apps.alerts.terms import EventKind
from apps.analyses.services import save_analysis
from apps.billing.models import TaxRate, Voucher
from apps.billing.services.coupons import add_coupon
from apps.billing.services.vouchers import make_vouchers
from apps.customers.models import Customer
from apps.customers.services import invite_customer_member
from apps.exports.models import Export
from apps.limits.services import set_end_user_limits
from apps.pricing.rate_cards import add_rate_card
from tests.alerts.conftest import a_channel, a_finding, a_rule
from tests.billing.making import a_credit_note, an_invoice
from tests.billing.payments.objects import of_payments
from tests.billing.plans import a_plan
from tests.billing.wallets import a_lot, a_wallet
from tests.cast import Cast, a_customer_member, a_member, a_model_alias, a_provider_key, a_proxy_key, an_api_token
from tests.isolation.pages import Page, pages
from tests.used import a_request

OURS = (
    "accounts",
    "customers",
    "keys",
    "limits",
    "pricing",
    "usage",
    "billing",
    "exports",
    "analyses",
    "bodies",
    "alerts",
    "api",
)
PAGES = [page for page in pages() if page.arguments]
Objects = Mapping[str, object]


def of_operator(organization: Organization, customer: Customer) -> Objects:
    """Something of each kind that the console's addresses name."""
    invitation, _ = invite_member(organization, email=f"new@{organization.slug}.example", role=Role.VIEWER, by=None)
    invited, _ = invite_customer_member(customer, email=f"asked@{customer.slug}.example", by=None)
    return {
        "customer_id": customer.pk,
        "invited_id": invited.pk,
        "limit_id": a_limit(customer),
        "key_id": a_provider_key(organization).pk,
        "alias_id": a_model_alias(organization).pk,
        "member_id": a_member(organization).pk,
        "invitation_id": invitation.pk,
        "token_id": an_api_token(organization)[0].pk,
        "request_id": a_request(customer, timezone.now()).id,
        "export_id": an_export(organization, None).pk,
        "analysis_id": save_analysis(organization, None, name="Ours", asked={}, by=None).pk,
        "voucher_id": a_voucher(customer).pk,
        "card_id": a_rate_card(organization),
        **of_plans(organization),
        "rate_id": TaxRate.objects.create(organization=organization, name="VAT", percent=20).pk,
        **of_billing(customer),
        **of_alerts(Owner(organization), customer),
        **of_payments(customer),
    }


def of_plans(organization: Organization) -> Objects:
    """A plan that is offered, and a coupon."""
    coupon = add_coupon(organization, code="WELCOME", percent=Decimal(10), by=None, at=timezone.now())
    return {"plan_id": a_plan(organization).plan_id, "coupon_id": coupon.pk}


def of_customer(customer: Customer) -> Objects:
    """Something of each kind that the portal's addresses name."""
    invitation, _ = invite_customer_member(customer, email=f"new@{customer.slug}.example", by=None)
    return {
        "invitation_id": invitation.pk,
        "key_id": a_proxy_key(customer)[0].pk,
        "member_id": a_customer_member(customer).pk,
        "limit_id": a_limit(customer),
        "token_id": an_api_token(customer.organization, customer)[0].pk,
        "request_id": a_request(customer, timezone.now()).id,
        "export_id": an_export(customer.organization, customer).pk,
        "analysis_id": save_analysis(customer.organization, customer, name="Ours", asked={}, by=None).pk,
        **of_billing(customer),
        **of_alerts(Owner(customer.organization, customer), customer),
        **of_payments(customer),
    }


def of_billing(customer: Customer) -> Objects:
    """A final invoice, and a credit note to it."""
    invoice = an_invoice(customer)
    return {"invoice_id": invoice.pk, "note_id": a_credit_note(invoice).pk, "line_id": invoice.lines.first().pk}


def an_export(organization: Organization, customer: Customer | None) -> Export:
    """A file that is there to be downloaded."""
    now = timezone.now()
    fields = {"state": Export.State.DONE, "expires_at": now + timedelta(days=1), "format": "csv"}
    return Export.objects.create(organization=organization, customer=customer, **fields)


def a_voucher(customer: Customer) -> Voucher:
    """Of the customer's operator; and the customer has a wallet, with credit in it."""
    a_lot(a_wallet(customer), "10")
    [(voucher, _code)] = make_vouchers(customer.organization, Decimal(5), by=None, at=timezone.now())
    return voucher


def a_rate_card(organization: Organization) -> object:
    """The id of a card that nobody is on."""
    rules, name = [{"match": "*", "mode": "free"}], str(uuid4())
    return add_rate_card(organization, name=name, rules=rules, effective_from=timezone.now(), by=None).pk


def a_limit(customer: Customer) -> object:
    """The id of the limits of some end user."""
    return set_end_user_limits(customer, str(uuid4()), by=None, requests_per_day=5).pk


def of_alerts(owner: Owner, customer: Customer) -> Objects:
    """A rule, a channel that failed once, what it was told of, and a finding."""
    channel = a_channel(owner)
    rule = a_rule(owner, channel)
    message = {"channel": channel, "kind": "test", "event_key": "test", "title": "Test", "attempts": 1}
    delivery = Delivery.objects.create(organization=owner.organization, payload={}, state="failed", **message)
    kinds, percent = [EventKind.KEY_CREATED], Decimal(100)
    told = add_subscription(owner, name="Keys", channel=channel, kinds=kinds, sample_percent=percent, by=None)
    return {
        "rule_id": rule.pk,
        "channel_id": channel.pk,
        "delivery_id": delivery.pk,
        "subscription_id": told.pk,
        "finding_id": a_finding(customer, subject_id=str(uuid4())).pk,
    }


@pytest.fixture
def everybodys(cast: Cast) -> Mapping[str, Objects]:
    return {
        "Acme": of_operator(cast.acme, cast.globex),
        "Evil Corp": of_operator(cast.evil_corp, cast.shady),
        "Globex": of_customer(cast.globex),
        "Initech": of_customer(cast.initech),
        "Shady": of_customer(cast.shady),
    }


def everything() -> dict[str, list[object]]:
    """All rows of all our tables."""
    models = [model for label in OURS for model in apps.get_app_config(label).get_models()]
    return {model._meta.label: list(model._default_manager.order_by("pk").values()) for model in models}


@contextmanager
def undone() -> Iterator[None]:
    """What is done here has not been done afterwards."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture(params=["console", "portal"])
def face(request) -> list[Page]:
    """The pages of a face that name an object. All in one test: what they name costs more than to ask for them."""
    found = [page for page in PAGES if page.face == request.param]
    assert found
    return found


@pytest.mark.parametrize("method", ["get", "post"])
def test_what_is_somebody_elses_does_not_exist_and_stays_as_it_is(
    client: Client, cast: Cast, everybodys, face: list[Page], method: str
):
    is_console = face[0].face == "console"
    client.force_login(cast.olivia if is_console else cast.gina)
    before = everything()
    for page in face:
        for owner in ["Evil Corp"] if is_console else ["Initech", "Shady"]:
            answer = getattr(client, method)(page.url_of(everybodys[owner]))
            assert answer.status_code in (404, 405), (page.name, owner)
    assert everything() == before


def test_what_is_ones_own_does(client: Client, cast: Cast, everybodys, face: list[Page]):
    """Or the test above would prove nothing."""
    is_console = face[0].face == "console"
    client.force_login(cast.olivia if is_console else cast.gina)
    for page in face:
        url = page.url_of(everybodys["Acme" if is_console else "Globex"])
        for method in ("get", "post"):
            with undone():
                assert getattr(client, method)(url).status_code in (200, 302, 405), (page.name, method)


CHOICES = [  # a page, and the field of its form in which a provider key is chosen
    pytest.param("/console/customers/add/", "key_openai", id="for a new customer"),
    pytest.param("/console/customers/{customer_id}/keys/", "openai", id="for a customer"),
]


@pytest.mark.parametrize(("path", "field"), CHOICES)
@pytest.mark.parametrize("whose", ["Acme", "Evil Corp"])
def test_only_ones_own_provider_key_can_be_chosen(client: Client, cast: Cast, everybodys, path, field, whose):
    client.force_login(cast.olivia)
    before = everything()
    answer = client.post(path.format(**everybodys["Acme"]), {"name": "Hooli", field: everybodys[whose]["key_id"]})
    is_chosen = whose == "Acme"
    assert answer.status_code == (302 if is_chosen else 200)
    assert (everything() != before) is is_chosen

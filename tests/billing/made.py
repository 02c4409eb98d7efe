"""What tests of billing make: customers who used something, and their invoices."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from apps.billing.invoicing.runs import Run, billing_run
from apps.billing.models import CreditLot, Invoice, Plan, PlanVersion, Subscription, TaxRate, Wallet
from apps.billing.services.lots import grant_credit
from apps.billing.services.wallets import open_wallet
from apps.customers.models import Customer
from apps.pricing.models import ModelPrice
from tests.used import an_hour

OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
AFTER = datetime(2026, 11, 3, 9, tzinfo=UTC)  # October's days of grace are over
DECEMBER = datetime(2026, 12, 3, 9, tzinfo=UTC)
# Input costs a fifth of output, for each token.
MINI = {"input": "1", "output": "5"}


def a_price(model: str = "gpt-4o-mini", rates: Mapping[str, str] = MINI, provider: str = "openai") -> ModelPrice:
    """A list price from long ago on."""
    return ModelPrice.objects.create(
        provider=provider, model=model, match={"equals": model}, rates=dict(rates), source="test",
        effective_from=datetime(2020, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def used(customer: Customer, day: int = 3, price: str = "3", month: int = 10, hour: int = 12, **fields: Any) -> None:
    """Usage in an hour of a day of 2026."""
    an_hour(customer, datetime(2026, month, day, hour, tzinfo=UTC), price=Decimal(price), **fields)


def run(customer: Customer, at: datetime = AFTER, **options: Any) -> Run:
    """A billing run for the customer's organization."""
    return billing_run(customer.organization, at=at, **options)


def invoices(customer: Customer) -> list[Invoice]:
    return list(Invoice.objects.filter(customer=customer).order_by("period_start", "version"))


def the_invoice(customer: Customer) -> Invoice:
    [invoice] = invoices(customer)
    return invoice


def lines(invoice: Invoice) -> list[tuple[str, str, str]]:
    """Kind, description and amount of each."""
    return [(line.kind, line.description, f"{line.amount:.2f}") for line in invoice.lines.all()]


def a_wallet(customer: Customer, credit: str, settlement: str = "prepaid", at: datetime = OCTOBER) -> Wallet:
    """With so much credit, from October on."""
    wallet = open_wallet(customer, by=None, at=at, settlement=Wallet.Settlement(settlement))
    grant_credit(wallet, Decimal(credit), key="first", at=at, by=None, source=CreditLot.Source.GRANT)
    return wallet


def a_tax(customer: Customer, percent: str = "20", *, name: str = "VAT", is_inclusive: bool = False) -> TaxRate:
    """On what the customer buys."""
    from apps.billing.parties import details_of

    rate = TaxRate.objects.create(
        organization=customer.organization, name=name, country="AT", percent=Decimal(percent),
        is_inclusive=is_inclusive, effective_from=datetime(2020, 1, 1, tzinfo=UTC).date(),
    )  # fmt: skip
    details = details_of(customer)
    details.country = "AT"
    details.save()
    return rate


def a_subscription(customer: Customer, *, starts: datetime = OCTOBER, ends: datetime | None = None, name: str = "Team",
                   **terms: Any) -> Subscription:  # fmt: skip
    """On a plan of its own with these terms."""
    number = Plan.objects.count() + 1
    plan = Plan.objects.create(organization=customer.organization, name=name, slug=f"plan-{number}")
    version = PlanVersion.objects.create(plan=plan, number=1, **terms)
    return Subscription.objects.create(
        customer=customer, version=version, starts_at=starts, ends_at=ends, anchor_on=starts.date(), time_zone="UTC"
    )

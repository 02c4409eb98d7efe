"""By which terms customers are invoiced: their currency, taxes, subscriptions and credit, read for many at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from uuid import UUID

from apps.accounts.models import Organization
from apps.billing import parties
from apps.billing.models import AppliedCoupon, BillingDetails, Seller, Subscription, TaxRate, Wallet
from apps.billing.queries.taxes import AppliedTax, rates_in_force
from apps.billing.taxes import TaxRate as Rate
from apps.billing.taxes import Treatment
from apps.customers.models import Customer

Status = BillingDetails.TaxStatus


@dataclass(frozen=True)
class Terms:
    """Of one customer."""

    customer: Customer
    details: BillingDetails
    seller: Seller
    subscriptions: list[Subscription] = field(default_factory=list)  # in order of start
    coupons: list[AppliedCoupon] = field(default_factory=list)  # that still hold, the oldest first
    wallet: Wallet | None = None

    @property
    def currency(self) -> str:
        return self.details.currency or self.seller.currency

    @property
    def net_days(self) -> int:
        own = self.details.net_days
        return self.seller.net_days if own is None else own

    @property
    def credit_is_taxed(self) -> bool:
        """Whether tax was paid when credit was bought: what it pays for is then not taxed again."""
        return self.seller.taxed_when == Seller.TaxedWhen.TOP_UP


class TermsOf:
    """The terms of an organization's customers, as they are now."""

    def __init__(self, organization: Organization) -> None:
        self.organization = organization
        self.seller = parties.seller_of(organization)
        self._rates: dict[tuple[str, date], Decimal] = {}
        self._in_force: dict[date, list[TaxRate]] = {}

    def of(self, customers: Sequence[Customer]) -> dict[UUID, Terms]:
        """Of each, by its id."""
        for customer in customers:
            customer.organization = self.organization
        details = _details(customers)
        wallets = {wallet.customer_id: wallet for wallet in Wallet.objects.filter(customer__in=customers)}
        subscriptions = subscriptions_of(customers)
        coupons: dict[UUID, list[AppliedCoupon]] = {}
        applied = AppliedCoupon.objects.filter(customer__in=customers, removed_at=None).exclude(periods_left=0)
        for each in applied.select_related("coupon").order_by("created_at", "pk"):
            coupons.setdefault(each.customer_id, []).append(each)
        return {
            customer.pk: Terms(
                customer,
                details[customer.pk],
                self.seller,
                subscriptions.get(customer.pk, []),
                coupons.get(customer.pk, []),
                wallets.get(customer.pk),
            )
            for customer in customers
        }

    def per_dollar(self, currency: str, on: date) -> Decimal:
        """As parties.per_dollar, each asked for once. Raises NotConfigured."""
        if (currency, on) not in self._rates:
            self._rates[currency, on] = parties.per_dollar(self.organization, currency, on)
        return self._rates[currency, on]

    def tax(self, terms: Terms, on: date) -> AppliedTax:
        """As queries.taxes.tax_for: what is in force on a day is read once, not for each customer."""
        details = terms.details
        if details.tax_status != Status.TAXED:
            return AppliedTax((), Treatment(details.tax_status))
        if on not in self._in_force:
            self._in_force[on] = rates_in_force(self.organization, on)
        if details.tax_rate_id is None:
            rows = [row for row in self._in_force[on] if details.country and row.country == details.country]
        else:
            by_hand = self._given[details.tax_rate_id]
            rows = [row for row in self._in_force[on] if (row.country, row.name) == (by_hand.country, by_hand.name)]
        is_within = bool(rows) and all(row.is_inclusive for row in rows)
        rates = tuple(Rate(row.name, row.percent) for row in rows)
        return AppliedTax(rates, Treatment.INCLUSIVE if is_within else Treatment.EXCLUSIVE)

    @cached_property
    def _given(self) -> dict[UUID, TaxRate]:
        return self.organization.tax_rates.in_bulk()


def subscriptions_of(customers: Iterable[Customer] | Iterable[UUID]) -> dict[UUID, list[Subscription]]:
    """Each customer's, in order of start."""
    found: dict[UUID, list[Subscription]] = {}
    rows = Subscription.objects.filter(customer__in=list(customers)).select_related("version__plan")
    for subscription in rows.order_by("starts_at"):
        found.setdefault(subscription.customer_id, []).append(subscription)
    return found


def _details(customers: Sequence[Customer]) -> dict[UUID, BillingDetails]:
    """Each customer's, made where it has none."""
    found = {each.customer_id: each for each in BillingDetails.objects.filter(customer__in=customers)}
    missing = [BillingDetails(customer=customer) for customer in customers if customer.pk not in found]
    if missing:
        BillingDetails.objects.bulk_create(missing, ignore_conflicts=True)
        found = {each.customer_id: each for each in BillingDetails.objects.filter(customer__in=customers)}
    return found

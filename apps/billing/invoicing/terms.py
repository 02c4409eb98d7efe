"""By which terms customers are invoiced: their currency, taxes, subscriptions and credit, read for many at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from uuid import UUID

from django.utils import timezone

from apps.accounts.models import Organization
from apps.billing import parties
from apps.billing.models import AppliedCoupon, BillingDetails, Seller, Subscription, TaxRate, Wallet
from apps.billing.taxes import Rates, Rounding, Treatment
from apps.billing.taxes import TaxRate as Rate
from apps.customers.models import Customer

Status = BillingDetails.TaxStatus


@dataclass(frozen=True)
class Taxation:
    """How a customer's invoice is taxed."""

    rates: Rates = ()
    treatment: Treatment = Treatment.EXCLUSIVE
    rounding: Rounding = Rounding.INVOICE

    @property
    def percent(self) -> Decimal:
        """Of all rates together."""
        return sum((rate.percent for rate in self.rates), Decimal(0))


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
                customer, details[customer.pk], self.seller, subscriptions.get(customer.pk, []),
                coupons.get(customer.pk, []), wallets.get(customer.pk),
            )
            for customer in customers
        }  # fmt: skip

    def per_dollar(self, currency: str, on: date) -> Decimal:
        """As parties.per_dollar, each asked for once. Raises NotConfigured."""
        if (currency, on) not in self._rates:
            self._rates[currency, on] = parties.per_dollar(self.organization, currency, on)
        return self._rates[currency, on]

    def taxation(self, terms: Terms, on: date) -> Taxation:
        """How the customer is taxed on a day: by the rate given to it by hand, else by those of its country."""
        rounding = Rounding(self.seller.tax_rounding)
        rates = self._tax_rates(terms.details, on)
        known = tuple(Rate(rate.name, rate.percent) for rate in rates)
        if terms.details.tax_status != Status.TAXED:
            return Taxation(known, Treatment(terms.details.tax_status), rounding)
        is_within = bool(rates) and all(rate.is_inclusive for rate in rates)
        return Taxation(known, Treatment.INCLUSIVE if is_within else Treatment.EXCLUSIVE, rounding)

    def _tax_rates(self, details: BillingDetails, on: date) -> list[TaxRate]:
        by_hand = next((rate for rate in self._all_rates if rate.pk == details.tax_rate_id), None)
        if by_hand is not None:
            return [self._latest(by_hand.name, by_hand.country, on) or by_hand]
        if not details.country:
            return []
        names = dict.fromkeys(rate.name for rate in self._all_rates if rate.country == details.country)
        found = (self._latest(name, details.country, on) for name in names)
        return [rate for rate in found if rate is not None]

    def _latest(self, name: str, country: str, on: date) -> TaxRate | None:
        """The one in force of those with a name: a later row takes the place of the ones before it."""
        rows = [
            rate
            for rate in self._all_rates
            if (rate.name, rate.country) == (name, country) and rate.effective_from <= on
        ]
        latest = max(rows, key=lambda rate: rate.effective_from, default=None)
        is_retired = latest is not None and latest.retired_at is not None and latest.retired_at <= timezone.now()
        return None if is_retired else latest

    @cached_property
    def _all_rates(self) -> list[TaxRate]:
        return list(self.organization.tax_rates.order_by("name", "effective_from"))


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


def local_day(at: datetime, organization: Organization) -> date:
    """The day that it is for the organization."""
    from zoneinfo import ZoneInfo

    return at.astimezone(ZoneInfo(organization.time_zone)).date()

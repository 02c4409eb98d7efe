"""What credit costs a customer: in its currency, with its tax, at today's exchange rate."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from apps.billing.models import Seller
from apps.billing.money import converted
from apps.billing.parties import currency_of, per_dollar, seller_of
from apps.billing.queries.taxes import AppliedTax, tax_for
from apps.billing.taxes import Rounding, Treatment
from apps.billing.totals import Line, Totals, total_up
from apps.customers.models import Customer

UNTAXED = AppliedTax((), Treatment.EXCLUSIVE)


@dataclass(frozen=True)
class Quote:
    """So much credit (USD), for `total` in `currency`, of which `tax` is tax."""

    credit: Decimal
    currency: str
    per_dollar: Decimal
    totals: Totals
    treatment: Treatment

    @property
    def total(self) -> Decimal:
        return self.totals.total

    @property
    def tax(self) -> Decimal:
        return self.totals.tax

    @property
    def net(self) -> Decimal:
        return self.totals.net

    @property
    def is_inclusive(self) -> bool:
        return self.treatment is Treatment.INCLUSIVE

    def as_details(self) -> dict[str, Any]:
        """As a payment keeps it: what its receipt is made of, whatever rates and taxes are by then."""
        taxes = [
            {"name": tax.name, "percent": tax.percent, "base": tax.base, "amount": tax.amount}
            for tax in self.totals.taxes
        ]
        return {
            "per_dollar": self.per_dollar,
            "credit": self.credit,
            "net": self.net,
            "tax": self.tax,
            "total": self.total,
            "taxes": taxes,
            "treatment": self.treatment.value,
        }


def quote_top_up(customer: Customer, credit: Decimal, *, at: datetime) -> Quote:
    """What `credit` dollars cost. Taxed now only if the organization taxes credit when it is bought.

    Raises NotConfigured where the customer's currency has no exchange rate.
    """
    on = at.astimezone(ZoneInfo(customer.organization.time_zone)).date()
    seller, currency = seller_of(customer.organization), currency_of(customer)
    rate = per_dollar(customer.organization, currency, on)
    tax = tax_for(customer, on) if seller.taxed_when == Seller.TaxedWhen.TOP_UP else UNTAXED
    line = Line(converted(credit, rate), tax.rates)
    totals = total_up([line], currency, treatment=tax.treatment, rounding=Rounding(seller.tax_rounding))
    return Quote(credit, currency, rate, totals, tax.treatment)

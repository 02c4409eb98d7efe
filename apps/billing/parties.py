"""How an organization bills, and how a customer is billed."""

from datetime import date
from decimal import Decimal

from apps.accounts.models import Organization
from apps.billing.errors import NotConfigured
from apps.billing.models import BillingDetails, ExchangeRate, Seller
from apps.billing.models.parties import USD
from apps.customers.models import Customer


def seller_of(organization: Organization) -> Seller:
    """How the organization bills; made with what is usual when it is first looked for."""
    seller, _ = Seller.objects.get_or_create(organization=organization)
    return seller


def details_of(customer: Customer) -> BillingDetails:
    """How the customer is billed; made when it is first looked for."""
    details, _ = BillingDetails.objects.get_or_create(customer=customer)
    return details


def currency_of(customer: Customer) -> str:
    """The currency of the customer's invoices: its own, else the seller's."""
    return details_of(customer).currency or seller_of(customer.organization).currency


def per_dollar(organization: Organization, currency: str, on: date) -> Decimal:
    """What a US dollar is worth in `currency` on that day. Raises NotConfigured where nobody said."""
    if currency == USD:
        return Decimal(1)
    rates = ExchangeRate.objects.filter(organization=organization, currency=currency, effective_from__lte=on)
    rate = rates.order_by("-effective_from").first()
    if rate is None:
        raise NotConfigured(f"There is no exchange rate of {currency} for {on}: add one under Billing, Settings.")
    return rate.per_dollar

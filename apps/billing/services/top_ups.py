"""Credit that was paid for by other ways than a payment provider: somebody says that the money came in."""

from datetime import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.billing.errors import NotPossible
from apps.billing.models import CreditLot, Payment
from apps.billing.models.parties import USD
from apps.billing.money import round_half_away
from apps.billing.services.lots import MOST
from apps.billing.services.payments import key_of_lot, record_payment
from apps.customers.models import Customer
from apps.customers.services import lock as lock_customer

BY_HAND = "manual"


@transaction.atomic
def top_up_by_hand(
    customer: Customer, amount: Decimal, *, reference: str, by: User | None, at: datetime
) -> tuple[CreditLot, bool]:
    """Credit for money that came in, in USD, rounded to cents: what was paid is what is credited.

    reference: the bank's, an order's: the organization has one payment of it. The same again gives the first's lot,
    and False. A customer without a wallet gets one, which pays first and leaves the rest for the invoice.
    Raises ValidationError; NotPossible where the reference is of another payment.
    """
    paid = round_half_away(amount, USD)
    if not 0 < paid <= MOST:
        raise ValidationError({"amount": _("An amount above zero, and not above a billion dollars.")})
    customer = lock_customer(customer)
    organization = customer.organization
    payment, _is_new = Payment.objects.get_or_create(
        organization=organization,
        provider=BY_HAND,
        provider_id=reference,
        defaults={
            "customer": customer,
            "currency": USD,
            "amount": paid,
            "credit": paid,
            "created_by": by,
            "created_at": at,
        },
    )
    if (payment.customer_id, payment.amount, payment.credit) != (customer.pk, paid, paid):
        raise NotPossible(_("The reference “%(reference)s” is of another payment already.") % {"reference": reference})
    # As for every payment: the credit, the ledger and the receipt, once.
    is_new = record_payment(payment, at=at, by=by)
    return CreditLot.objects.get(wallet__customer=customer, key=key_of_lot(payment)), is_new

"""Money that a person says came in: for an invoice, for credit that was asked for, or on account."""

from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.billing.errors import NotPossible
from apps.billing.models import Invoice, Payment
from apps.billing.models.payments import MANUAL
from apps.billing.money import round_half_away
from apps.billing.services.payments import record_payment
from apps.customers.models import Customer
from apps.kit.ids import uuid7


@transaction.atomic
def record_transfer(
    customer: Customer,
    *,
    amount: Decimal,
    currency: str,
    reference: str,
    by: User | None,
    at: datetime,
    invoice: Invoice | None = None,
) -> tuple[Payment, bool]:
    """A transfer for an invoice, or for whatever is due: the oldest first, what is more stays the customer's.

    reference: the bank's, of which there is one: a second call gives the first's payment, and False.
    Raises NotPossible for an amount that the currency doesn't have, or a reference that was for something else.
    """
    if amount <= 0 or amount != round_half_away(amount, currency):
        raise NotPossible(_("Give an amount above zero, in whole minor units of its currency."))
    known = Payment.objects.filter(organization=customer.organization, provider=MANUAL, provider_id=reference).first()
    if known is not None:
        return _same(known, customer, amount, currency), False
    payment = Payment(
        id=uuid7(),
        organization=customer.organization,
        customer=customer,
        invoice=invoice,
        provider=MANUAL,
        provider_id=reference,
        currency=currency,
        amount=amount,
        created_by=by,
        created_at=at,
    )
    try:
        with transaction.atomic():
            payment.save(force_insert=True)
    except IntegrityError:  # somebody else put it down just now
        known = Payment.objects.get(organization=customer.organization, provider=MANUAL, provider_id=reference)
        return _same(known, customer, amount, currency), False
    record_payment(payment, at=at, by=by)
    return Payment.objects.get(pk=payment.pk), True


def receive_transfer(payment: Payment, *, amount: Decimal, by: User | None, at: datetime) -> bool:
    """The transfer that a pending payment waits for came in. Less or more money buys less or more credit.

    Returns False if it was put down before. Raises NotPossible for a payment that a provider tells of.
    """
    if payment.provider != MANUAL:
        raise NotPossible(_("The payment provider tells by itself when this is paid."))
    if amount <= 0 or amount != round_half_away(amount, payment.currency):
        raise NotPossible(_("Give an amount above zero, in whole minor units of its currency."))
    return record_payment(payment, amount=amount, by=by, at=at)


def _same(known: Payment, customer: Customer, amount: Decimal, currency: str) -> Payment:
    is_same = known.customer_id == customer.pk and known.currency == currency and known.amount == amount
    if not is_same or known.state != Payment.State.SUCCEEDED:
        raise NotPossible(
            _("The reference %(reference)s is of another payment already.") % {"reference": known.provider_id}
        )
    return known

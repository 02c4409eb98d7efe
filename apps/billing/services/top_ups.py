"""Credit that was paid for by other ways than a payment provider: somebody says that the money came in."""

from datetime import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts import audit
from apps.accounts.models import User
from apps.billing.errors import NotPossible
from apps.billing.models import CreditLot, LedgerAccount, Payment, Wallet
from apps.billing.models.parties import USD
from apps.billing.money import round_half_away
from apps.billing.services.ledger import account_of
from apps.billing.services.lots import MOST, add_lot
from apps.billing.services.wallets import open_wallet
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
    payment, is_new = Payment.objects.get_or_create(
        organization=organization,
        provider=BY_HAND,
        provider_id=reference,
        defaults={
            "customer": customer,
            "state": Payment.State.SUCCEEDED,
            "currency": USD,
            "amount": paid,
            "credit": paid,
            "paid_at": at,
            "created_by": by,
            "created_at": at,
        },
    )
    if (payment.customer_id, payment.amount, payment.credit) != (customer.pk, paid, paid):
        raise NotPossible(_("The reference “%(reference)s” is of another payment already.") % {"reference": reference})
    wallet = open_wallet(customer, settlement=Wallet.Settlement.CREDIT_FIRST, by=by, at=at)
    lot, _is_new = add_lot(
        wallet,
        paid,
        key=f"top_up:{payment.pk}",
        at=at,
        source=CreditLot.Source.TOP_UP,
        against={account_of(organization, LedgerAccount.Kind.CASH, USD): -paid},
        note=reference[:200],
        told={"payment": str(payment.pk), "reference": reference},
    )
    if is_new:
        changes: audit.Changes = {"amount": (None, paid), "reference": (None, reference)}
        audit.record(organization, "credit.top_up", payment, actor=by, changes=changes, customer=customer)
    return lot, is_new

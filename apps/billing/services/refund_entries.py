"""What a refund comes to: how much of a payment can go back, what credit and tax are in it, what it is booked as."""

from decimal import Decimal
from fractions import Fraction

from apps.billing.models import CreditLot, CreditNote, LedgerAccount, Payment, Refund
from apps.billing.models.parties import USD
from apps.billing.money import minor_units, precise, round_half_away, rounded
from apps.billing.services.ledger import account_of
from apps.billing.services.payments import key_of_lot, set_aside
from apps.customers.models import Customer

Kind = LedgerAccount.Kind
Entries = dict[LedgerAccount, Decimal]


def most_refundable(payment: Payment) -> Decimal:
    """What can go back now: of a top-up, as much as is left of its credit, rounded down to whole minor units."""
    if not payment.is_top_up or not payment.refundable:
        return payment.refundable
    lot = lot_of(payment)
    left = lot.remaining if lot else Decimal(0)
    if left >= credit_for(payment, payment.refundable):
        return payment.refundable
    share = Fraction(left) * Fraction(payment.amount) / Fraction(payment.credit)
    places = minor_units(payment.currency)
    nearest = round_half_away(share, payment.currency)
    return nearest if Fraction(nearest) <= share else nearest - rounded(Decimal(1).scaleb(-places), places)


def credit_for(payment: Payment, amount: Decimal) -> Decimal:
    """The credit that goes with a refund of `amount`: all that is left of it, with the last of the money."""
    if not payment.is_top_up or not payment.amount:
        return Decimal(0)
    taken = sum(
        (each.credit + each.unrecovered for each in payment.refunds.exclude(state=Refund.State.FAILED)), Decimal(0)
    )
    if amount == payment.refundable:
        return payment.credit - taken
    return min(precise(Fraction(payment.credit) * Fraction(amount) / Fraction(payment.amount)), payment.credit - taken)


def split(payment: Payment, amount: Decimal) -> tuple[Decimal, Decimal]:
    """Net and tax of a refund, as its credit note rounds them; together at most `amount`, at best equal to it."""
    if not payment.tax:
        return amount, Decimal(0)
    before = list(payment.refunds.exclude(state=Refund.State.FAILED))
    net_left = payment.amount - payment.tax - sum((each.net for each in before), Decimal(0))
    tax_left = payment.tax - sum((each.tax for each in before), Decimal(0))
    if amount == payment.refundable:
        return net_left, tax_left
    percent = Fraction(sum((Decimal(tax["percent"]) for tax in payment.details["taxes"]), Decimal(0)))
    unit = Decimal(1).scaleb(-minor_units(payment.currency))
    net = round_half_away(Fraction(amount) * 100 / (100 + percent), payment.currency) + unit
    while True:
        tax = min(round_half_away(Fraction(net) * percent / 100, payment.currency), tax_left)
        if net + tax <= amount and net <= net_left:
            return net, tax
        net -= unit


def credit_entries(refund: Refund, payment: Payment) -> Entries:
    """The other side of the credit: what left the till, the revenue that was set aside, what could not be had back.

    The customer owes the amount until the credit note takes it back, and the tax with it. What the note lacks of it,
    because the two cannot be split into whole cents, is written off.
    """
    organization, currency = payment.organization, payment.currency
    noted, whole = refund.net + refund.tax, refund.credit + refund.unrecovered
    entries: Entries = {
        account_of(organization, Kind.CASH, currency): refund.amount,
        account_of(organization, Kind.RECEIVABLE, currency, payment.customer): -noted,
    }
    earned = refund.net if payment.tax_on_top else noted
    for account, amount in set_aside(payment, earned, whole).items():
        entries[account] = -amount
    for code, amount in ((currency, refund.amount - noted), (USD, refund.unrecovered)):
        lost = account_of(organization, Kind.WRITTEN_OFF, code)
        entries[lost] = entries.get(lost, Decimal(0)) - amount
    return entries


def invoice_entries(refund: Refund, payment: Payment, customer: Customer) -> Entries:
    """What the customer paid is owed again, or, where nothing was owed, what we owed is paid."""
    return {
        account_of(customer.organization, Kind.CASH, payment.currency): refund.amount,
        account_of(customer.organization, Kind.RECEIVABLE, payment.currency, customer): -refund.amount,
    }


def waiting_note(payment: Payment, amount: Decimal) -> CreditNote | None:
    """A credit note on what it paid, of which so much is still to be paid back."""
    notes = CreditNote.objects.filter(
        invoice__in=payment.allocations.values("invoice"), settlement=CreditNote.Settlement.REFUND
    )
    for note in notes.order_by("sequence"):
        gone = note.refunds.exclude(state=Refund.State.FAILED).values_list("amount", flat=True)
        if note.total - sum(gone, Decimal(0)) >= amount:
            return note
    return None


def lot_of(payment: Payment) -> CreditLot | None:
    """The credit that it bought."""
    return CreditLot.objects.filter(wallet__customer_id=payment.customer_id, key=key_of_lot(payment)).first()


def lots_of(payment: Payment) -> list[CreditLot]:
    """The credit that it bought, and what of it was given back after a refund or a lost dispute came to nothing."""
    keys = [key_of_lot(payment), *(f"refund_failed:{pk}" for pk in payment.refunds.values_list("pk", flat=True))]
    return list(CreditLot.objects.filter(wallet__customer_id=payment.customer_id, key__in=keys).order_by("pk"))

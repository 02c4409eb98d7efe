"""What came to earlier periods since their invoices became final.

More usage is on the next invoice, as such. Less (requests were priced anew) is a credit note of the invoice that has
it, and never an edit. What credit paid of it, or got back, is counted in: of a prepaid customer nothing is left.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from apps.billing.invoicing.days import Used
from apps.billing.invoicing.lines import Drafted, Kind, Weights, credit_line, usage_lines
from apps.billing.invoicing.plans import Part, terms_of
from apps.billing.invoicing.terms import Terms
from apps.billing.models import CreditedDay, CreditNote, Invoice, InvoicedDay, Subscription
from apps.billing.money import summed
from apps.billing.services.credit_notes import credit_amount, lock_invoice, net_of

LIVE = (Invoice.State.OPEN, Invoice.State.PAID, Invoice.State.UNCOLLECTIBLE)


@dataclass(frozen=True)
class Late:
    """What differs from what the customer's earlier invoices have, for the invoice that is being built."""

    invoice: Invoice
    terms: Terms
    days: Sequence[Used]
    credit: dict[UUID, Decimal]  # by earlier invoice: paid by credit and not taken off yet, USD
    at: datetime


def settle_late(late: Late, weights: Weights) -> tuple[list[Drafted], int]:
    """The lines for the invoice, and how many credit notes were made."""
    if not late.days and not late.credit:
        return [], 0
    earlier = list(late.terms.customer.invoices.filter(kind=Invoice.Kind.PERIOD, state__in=LIVE))
    lines, notes = [], 0
    for invoice, days in _by_invoice(earlier, late):
        credit = late.credit.get(invoice.pk, Decimal(0)) if invoice else Decimal(0)
        less = credit - summed(each.price for each in days)
        if invoice is not None and less > 0 and _credited(invoice, days, credit, less, late.at):
            notes += 1
            continue
        lines += _lines(late, invoice, days, credit, weights)
        _note_days(late.invoice, days)
    return lines, notes


def charged_late(late: Late, parts: Sequence[Part]) -> tuple[list[Used], Late]:
    """Late usage that a charge of the plan covers, then as now, as usage of the last part; and what is left.

    Tiers price a whole period: what comes late to one that is final is counted in the one that is invoiced next.
    """
    now = next((part for part in reversed(parts) if part.subscription), None)
    if now is None or now.subscription is None or not late.days or not now.subscription.version.charges:
        return [], late
    covers = _covering(now.subscription)
    then = {each.pk: _covering(each) for each in late.terms.subscriptions}
    charged: list[Used] = []
    rest: list[Used] = []
    for each in late.days:
        was_on = next((one for one in late.terms.subscriptions if _is_on(one, each.since)), None)
        is_charged = was_on is not None and then[was_on.pk](each.sold_as) and covers(each.sold_as)
        (charged if is_charged else rest).append(each)
    _note_days(late.invoice, charged)
    return [replace(each, since=now.since) for each in charged], replace(late, days=rest)


def _covering(subscription: Subscription) -> Callable[[str], bool]:
    charges = terms_of(subscription.version).charges
    return lambda model: any(charge.covers(model) for charge in charges)


def _is_on(subscription: Subscription, at: datetime) -> bool:
    return subscription.starts_at <= at and (subscription.ends_at is None or at < subscription.ends_at)


def _by_invoice(earlier: Iterable[Invoice], late: Late) -> list[tuple[Invoice | None, list[Used]]]:
    """The days of each earlier invoice, and those of none: nothing was used in that period until now."""
    left, found = list(late.days), []
    for invoice in sorted(earlier, key=lambda each: each.period_start or late.at):
        since, until = invoice.period_start, invoice.period_end
        assert since is not None and until is not None
        days = [each for each in left if since <= each.since < until]
        left = [each for each in left if not since <= each.since < until]
        if days or invoice.pk in late.credit:
            found.append((invoice, days))
    return [*found, (None, left)] if left else list(found)


def _lines(
    late: Late, earlier: Invoice | None, days: Sequence[Used], credit: Decimal, weights: Weights
) -> list[Drafted]:
    rate = late.invoice.per_dollar
    span = _span(earlier, days)
    label = f"late, of {earlier.number}" if earlier else "late"
    lines = usage_lines(days, weights, rate, kind=Kind.LATE_USAGE, label=label, since=span[0], until=span[1])
    lines = [line for line in lines if line.precise]
    if credit:
        taxed = late.terms.credit_is_taxed
        lines.append(credit_line(credit, rate, is_taxed=taxed, since=span[0], until=span[1], label=label))
    late_of = {"late_of": earlier.number if earlier else ""}
    return [replace(line, details=line.details | late_of) for line in lines]


def _span(earlier: Invoice | None, days: Sequence[Used]) -> tuple[datetime | None, datetime | None]:
    if earlier is not None:
        return earlier.period_start, earlier.period_end
    return min(each.since for each in days), None


def _note_days(invoice: Invoice, days: Iterable[Used]) -> None:
    InvoicedDay.objects.bulk_create(
        InvoicedDay(
            invoice=invoice,
            customer_id=invoice.customer_id,
            day=each.since,
            provider=each.provider,
            model=each.model,
            sold_as=each.sold_as,
            requests=each.requests,
            tokens=each.tokens,
            price=each.price,
        )
        for each in days
    )


def _credited(invoice: Invoice, days: Sequence[Used], credit: Decimal, less: Decimal, at: datetime) -> bool:
    """Whether a credit note could be made; not, where nothing of the invoice is left."""
    invoice = lock_invoice(invoice)
    note = credit_amount(
        invoice,
        Fraction(less) * _worth(invoice),
        description="Usage that became cheaper since",
        reason="Requests of this period were priced anew.",
        key=f"late:{invoice.credit_notes.count() + 1}",
        at=at,
    )
    if note is None:
        return False
    _note_credited(note, invoice, days, credit, at)
    return True


def _worth(invoice: Invoice) -> Fraction:
    """Of a dollar of usage in the invoice's currency, without the discount and the tax that was in it."""
    usage = list(invoice.lines.filter(kind__in=(Kind.USAGE, Kind.CHARGE)))
    amount = sum((Fraction(line.amount) for line in usage), Fraction())
    net = sum((Fraction(net_of(line)) for line in usage), Fraction())
    return Fraction(invoice.per_dollar) * (net / amount if amount else 1)


def _note_credited(note: CreditNote, invoice: Invoice, days: Sequence[Used], credit: Decimal, at: datetime) -> None:
    """What went back to the wallet is noted with the first of the days."""
    rows = [
        CreditedDay(
            credit_note=note,
            customer_id=invoice.customer_id,
            day=each.since,
            provider=each.provider,
            model=each.model,
            sold_as=each.sold_as,
            requests=each.requests,
            tokens=each.tokens,
            price=each.price,
        )
        for each in days
    ]
    if credit and rows:
        rows[0].from_credit = credit
    elif credit:
        rows = [
            CreditedDay(
                credit_note=note,
                customer_id=invoice.customer_id,
                day=invoice.period_start or at,
                provider="",
                model="",
                sold_as="",
                requests=0,
                price=0,
                from_credit=credit,
            )
        ]
    CreditedDay.objects.bulk_create(rows)

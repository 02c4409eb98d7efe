"""What happens to an operator's money, for those who subscribed: payments that fail or are disputed, invoices overdue.

What happened to payments was put down by a trigger, in the change's own transaction, and is told in one transaction
with the note that it was. An invoice becomes overdue by itself: it is looked for, and told under a key of its own, of
which a channel gets one. So nothing is told twice, however often and in how many processes this runs.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.accounts.models import Organization
from apps.alerts.happenings import MOST_HAPPENINGS, subscriptions_to
from apps.alerts.messages import written
from apps.alerts.models import Delivery, EventSubscription, MoneyHappening
from apps.alerts.outbox import Message, put_out
from apps.alerts.terms import EventKind
from apps.billing.documents.figures import Figures
from apps.billing.documents.words import locale_of
from apps.billing.models import Dispute, Invoice
from apps.billing.queries.zones import today_of, zone_of

OVERDUE = EventKind.INVOICE_OVERDUE
LOOKED_BACK = timedelta(days=7)  # at due dates; less than what was sent is kept for (retention.py)


def tell_of_money(*, at: datetime) -> int:
    """Tell what happened and wasn't told. Returns how many happenings and overdue invoices it was."""
    told = 0
    while (some := _tell_of_payments(at)) > 0:
        told += some
    for subscription in subscriptions_to(OVERDUE):
        if not subscription.is_customers:
            told += _tell_of_overdue(subscription, at)
    return told


@transaction.atomic
def _tell_of_payments(at: datetime) -> int:
    rows = MoneyHappening.objects.select_for_update(skip_locked=True, of=("self",)).order_by("pk")
    rows = rows.select_related("payment__customer", "payment__organization", "payment__invoice", "dispute")
    happenings = list(rows[:MOST_HAPPENINGS])
    if not happenings:
        return 0
    subscriptions = subscriptions_to(EventKind.PAYMENT_FAILED, EventKind.PAYMENT_DISPUTED)
    for happening in happenings:
        kind = EventKind(happening.kind)
        channels = [
            each.channel
            for each in subscriptions
            if kind in each.kinds and each.organization_id == happening.organization_id and not each.is_customers
        ]
        put_out(channels, kind, f"{kind}:{happening.payment_id}:{happening.pk}", _of_payment(happening), at=at)
    MoneyHappening.objects.filter(pk__in=[happening.pk for happening in happenings]).delete()
    return len(happenings)


def _of_payment(happening: MoneyHappening) -> Message:
    payment = happening.payment
    figures = _figures(payment.organization, payment.currency)
    who = {"customer": payment.customer, "amount": figures.amount(payment.amount)}
    data = {
        "payment_id": str(payment.pk),
        "customer_id": str(payment.customer_id),
        "customer": payment.customer.name,
        "invoice": payment.invoice.number if payment.invoice else None,
        "amount": f"{payment.amount.normalize():f}",
        "currency": payment.currency,
        "provider": payment.provider,
        "state": happening.state,
    }
    if happening.dispute is None:
        title = _("A payment of %(amount)s by %(customer)s failed") % who
        lines, more = [payment.error], {"error": payment.error}
    else:
        state = Dispute.State(happening.state)
        title = _("A payment of %(amount)s by %(customer)s is disputed: %(state)s") % {**who, "state": state.label}
        lines, more = _of_dispute(happening.dispute, state, figures)
    about = _("Invoice %(number)s") % {"number": payment.invoice.number} if payment.invoice else ""
    return Message(title, list(filter(None, (about, *lines))), data | more, _link("payment-detail", payment.pk))


def _of_dispute(dispute: Dispute, state: Dispute.State, figures: Figures) -> tuple[list[str], dict[str, Any]]:
    lines = [_("Disputed: %(amount)s") % {"amount": figures.amount(dispute.amount)}]
    if dispute.reason:
        lines.append(_("Reason: %(reason)s") % {"reason": dispute.reason})
    if dispute.answer_by and state in (Dispute.State.OPEN, Dispute.State.INQUIRY):
        lines.append(_("Answer by %(at)s") % {"at": written(dispute.answer_by, figures.zone)})
    data = {
        "dispute_id": str(dispute.pk),
        "disputed": f"{dispute.amount.normalize():f}",
        "reason": dispute.reason,
        "answer_by": dispute.answer_by.isoformat() if dispute.answer_by else None,
    }
    return lines, data


def _tell_of_overdue(subscription: EventSubscription, at: datetime) -> int:
    """Those that were due since it subscribed, on the day after."""
    today = today_of(subscription.organization, at)
    since = max(subscription.created_at.astimezone(zone_of(subscription.organization)).date(), today - LOOKED_BACK)
    overdue = Invoice.objects.due().filter(organization=subscription.organization, due_on__gte=since, due_on__lt=today)
    known = set(Delivery.objects.filter(channel=subscription.channel, kind=OVERDUE).values_list("event_key", flat=True))
    told = 0
    for invoice in overdue.select_related("customer").order_by("due_on", "pk").iterator():
        key = f"{OVERDUE}:{invoice.pk}"
        if invoice.due and key not in known:
            put_out([subscription.channel], OVERDUE, key, _of_invoice(invoice, subscription), at=at)
            told += 1
    return told


def _of_invoice(invoice: Invoice, subscription: EventSubscription) -> Message:
    figures = _figures(subscription.organization, invoice.currency)
    title = _("Invoice %(number)s of %(customer)s is overdue") % {
        "number": invoice.number,
        "customer": invoice.customer,
    }
    lines = [
        _("Open: %(amount)s") % {"amount": figures.amount(invoice.due)},
        _("Due on %(day)s") % {"day": figures.day(invoice.due_on)},
    ]
    data = {
        "invoice_id": str(invoice.pk),
        "number": invoice.number,
        "customer_id": str(invoice.customer_id),
        "customer": invoice.customer.name,
        "due": f"{invoice.due.normalize():f}",
        "currency": invoice.currency,
        "due_on": str(invoice.due_on),
    }
    return Message(title, lines, data, _link("invoice-detail", invoice.pk))


def _figures(organization: Organization, currency: str) -> Figures:
    return Figures(locale_of("en"), currency, zone_of(organization))


def _link(page: str, pk: UUID) -> str:
    return f"{settings.PUBLIC_URL}{reverse(f'console:{page}', args=[pk])}"

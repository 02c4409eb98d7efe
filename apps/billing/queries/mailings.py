"""What is to be sent, and what was."""

from datetime import datetime

from django.db.models import Q, QuerySet

from apps.accounts.models import Organization
from apps.billing.models import Invoice, Mailing


def invoices_to_send(organization: Organization, *, since: datetime | None = None) -> QuerySet[Invoice]:
    """Final invoices that nobody queued yet, the oldest first. since: only those that are final since then.

    Not what was paid with nothing due from the start: credit paid for all of it, and there is nothing to do.
    """
    final = Invoice.objects.filter(organization=organization, state__in=(Invoice.State.OPEN, Invoice.State.PAID))
    unsent = final.filter(sent_at=None).exclude(mailings__kind=Mailing.Kind.INVOICE)
    if since is not None:
        unsent = unsent.filter(finalized_at__gte=since)
    return unsent.select_related("organization", "customer__organization").order_by("sequence")


def mailings_of(invoice: Invoice) -> QuerySet[Mailing]:
    """What was sent about an invoice, its credit notes too, the newest first."""
    about = Q(invoice=invoice)
    return Mailing.objects.filter(about).select_related("credit_note").order_by("-created_at", "-pk")

"""Documents by e-mail: queued in a row of their own, then sent by a task, once.

1. `queue_…` writes a Mailing in a transaction; whoever queues the same again gets the first.
2. After the commit a task claims it (`begun_at`), writes the e-mail and sends it. One claims, however many try.
3. What the mail server refused is let go of and tried again by beat, a few times. A process that died in between
   leaves it begun and not sent: that is shown, and a person sends it again.
"""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from apps.accounts import audit
from apps.accounts.models import Organization, User
from apps.billing.documents.content import credit_note_document, invoice_document
from apps.billing.documents.faces import file_name
from apps.billing.documents.figures import Figures
from apps.billing.documents.letters import letter
from apps.billing.documents.pdf import as_pdf
from apps.billing.documents.words import locale_of
from apps.billing.errors import NotConfigured, NotPossible
from apps.billing.models import CreditNote, Invoice, Mailing
from apps.billing.parties import details_of, seller_of
from apps.billing.queries.mailings import invoices_to_send
from apps.billing.queries.zones import zone_of
from apps.kit.after_commit import after_commit
from apps.kit.failpoints import reach

logger = logging.getLogger(__name__)

SEND = "billing.send_mailing"
MOST_ATTEMPTS = 5
RETRY_AFTER = timedelta(minutes=5)
Kind, State = Mailing.Kind, Invoice.State
SENDABLE = (State.OPEN, State.PAID, State.UNCOLLECTIBLE)


@transaction.atomic
def queue_invoice(invoice: Invoice, *, by: User | None, at: datetime, again: bool = False) -> Mailing:
    """Have the invoice sent to where the customer's invoices go: once, or once more with `again`.

    Raises NotPossible for a draft and one that is void; NotConfigured where there is no address.
    """
    invoice = _locked(invoice)
    if invoice.state not in SENDABLE:
        raise NotPossible(_("Only an invoice that is final, and not void, can be sent."))
    sent = invoice.mailings.filter(kind=Kind.INVOICE)
    if not again and (first := sent.first()):
        return first
    return _queue(invoice, Kind.INVOICE, sent.count() + 1, by=by, at=at)


@transaction.atomic
def queue_credit_note(note: CreditNote, *, by: User | None, at: datetime, again: bool = False) -> Mailing:
    """Likewise a credit note."""
    invoice = _locked(note.invoice)
    sent = invoice.mailings.filter(kind=Kind.CREDIT_NOTE, credit_note=note)
    if not again and (first := sent.first()):
        return first
    return _queue(invoice, Kind.CREDIT_NOTE, sent.count() + 1, note=note, by=by, at=at)


def queue_unsent(
    organization: Organization, *, at: datetime, since: datetime | None = None
) -> tuple[int, list[Invoice]]:
    """Queue all final invoices that were never sent. Returns how many, and those that nobody has an address for."""
    queued = 0
    nowhere: list[Invoice] = []
    for invoice in invoices_to_send(organization, since=since):
        try:
            queue_invoice(invoice, by=None, at=at)
        except NotConfigured:
            nowhere.append(invoice)
        except NotPossible:
            continue  # it was voided meanwhile
        else:
            queued += 1
    return queued, nowhere


def send_mailing(mailing_id: UUID, *, at: datetime) -> bool:
    """Send it, if nobody has begun to. Returns whether it went out."""
    claimed = Mailing.objects.waiting().filter(pk=mailing_id, attempts__lt=MOST_ATTEMPTS)
    if not claimed.update(begun_at=at, attempts=F("attempts") + 1, error=""):
        return False
    reach("mailing_claimed")
    mailing = Mailing.objects.select_related(
        "invoice__organization", "invoice__customer__organization", "credit_note__invoice"
    ).get(pk=mailing_id)
    try:
        message_of(mailing).send()
    except Exception as error:
        logger.warning("mailing %s was not sent: %s", mailing_id, type(error).__name__)
        is_last = mailing.attempts >= MOST_ATTEMPTS
        begun_at = at if is_last else None
        Mailing.objects.filter(pk=mailing_id).update(begun_at=begun_at, error=f"{type(error).__name__}: {error}"[:300])
        return False
    _note_sent(mailing, at)
    return True


def message_of(mailing: Mailing) -> EmailMessage:
    """The e-mail: in the language of the document, which is attached."""
    invoice, note = mailing.invoice, mailing.credit_note
    document = credit_note_document(note) if note else invoice_document(invoice)
    seller = seller_of(invoice.organization)
    language = str(invoice.buyer.get("language", "en"))
    figures = Figures(locale_of(language), invoice.currency, zone_of(invoice.organization))
    kind = "settled" if mailing.kind == Kind.INVOICE and not invoice.due else mailing.kind
    owed = invoice.due if mailing.kind in (Kind.REMINDER, Kind.SUSPENSION) else invoice.total
    said = {
        "seller": document.seller.name,
        "number": document.number,
        "amount": figures.amount(note.total if note else owed),
        "due_on": figures.day(invoice.due_on),
    }
    subject, text = letter(kind, language, said)
    is_to_be_paid = note is None and invoice.due
    parts = [text, seller.payment_terms if is_to_be_paid else "", document.seller.name]
    message = EmailMessage(subject, "\n".join(filter(None, parts)), None, [mailing.to])
    message.reply_to = [seller.email] if seller.email else []
    message.attach(f"{file_name(document.number)}.pdf", as_pdf(document), "application/pdf")
    return message


def waiting_mailing_ids(*, at: datetime) -> list[UUID]:
    """Those that nobody sends: the message to do so was lost, or the mail server refused a while ago."""
    waiting = Mailing.objects.waiting().filter(attempts__lt=MOST_ATTEMPTS, created_at__lt=at - RETRY_AFTER)
    return list(waiting.order_by("created_at").values_list("pk", flat=True)[:1000])


def _locked(invoice: Invoice) -> Invoice:
    rows = Invoice.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("organization", "customer__organization").get(pk=invoice.pk)


def _queue(
    invoice: Invoice, kind: Mailing.Kind, number: int, *, by: User | None, at: datetime, note: CreditNote | None = None
) -> Mailing:
    to = address_of(invoice)
    if not to:
        raise NotConfigured(_("%s has no address for invoices: add one to its billing details.") % invoice.customer)
    mailing = Mailing.objects.create(invoice=invoice, credit_note=note, kind=kind, number=number, to=to, created_at=at)
    if by is not None:
        changes = {"to": (None, to), "kind": (None, str(kind))}
        audit.record(
            invoice.organization, "invoice.send", invoice, actor=by, changes=changes, customer=invoice.customer
        )
    after_commit(SEND, str(mailing.pk))
    return mailing


def address_of(invoice: Invoice) -> str:
    """Where the customer's invoices go now."""
    return details_of(invoice.customer).email or invoice.customer.email


def _note_sent(mailing: Mailing, at: datetime) -> None:
    Mailing.objects.filter(pk=mailing.pk).update(sent_at=at)
    if mailing.kind == Kind.INVOICE:
        Invoice.objects.filter(pk=mailing.invoice_id, sent_at=None).update(sent_at=at)

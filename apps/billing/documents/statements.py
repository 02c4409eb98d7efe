"""A statement as a document: the same looks as an invoice, with dates and balances in its columns."""

from datetime import UTC, datetime

from apps.billing.documents.content import ACCENT, Document, Fact, Row, Sum, logo_of, party_of
from apps.billing.documents.figures import Figures
from apps.billing.documents.words import locale_of, words_of
from apps.billing.models import LedgerTransaction
from apps.billing.parties import details_of, seller_of
from apps.billing.queries.snapshots import buyer_snapshot, seller_snapshot
from apps.billing.queries.statements import Movement, Statement
from apps.billing.queries.zones import zone_of

Kind = LedgerTransaction.Kind
KINDS = {Kind.INVOICE: "invoice", Kind.CREDIT_NOTE: "credit_note", Kind.PAYMENT: "payment"}


def statement_document(statement: Statement) -> Document:
    """In the customer's language."""
    customer = statement.customer
    seller = seller_snapshot(seller_of(customer.organization))
    buyer = buyer_snapshot(details_of(customer))
    language = buyer["language"]
    words, figures = (
        words_of(language),
        Figures(locale_of(language), statement.currency, zone_of(customer.organization)),
    )
    days = f"{figures.day(statement.since)} – {figures.day(statement.until)}"
    until = statement.until
    return Document(
        title=words["statement"],
        number=days,
        language=figures.locale.language,
        stamp="",
        stamp_state="",
        accent=seller["accent"] or ACCENT,
        logo=logo_of(customer.organization_id, seller["logo"]),
        seller=party_of(words, figures, words["from"], seller),
        buyer=party_of(words, figures, words["to"], buyer),
        facts=(Fact(words["opening"], figures.amount(statement.opening)),
               Fact(words["closing"], figures.amount(statement.closing))),
        columns=(words["description"], words["date"], words["amount"], words["balance"]),
        rows=tuple(_row(each, words, figures) for each in statement.movements)
        or (Row(words["no_movements"], "", "", "", ""),),
        sums=(Sum(words["closing"], figures.amount(statement.closing), is_strong=True),),
        notes=(Fact(words["open_items"], _open_items(statement, words, figures)), *_pay(statement, seller, words)),
        footer=seller["footer"],
        page=words["page"],
        made_at=datetime(until.year, until.month, until.day, tzinfo=UTC),
    )  # fmt: skip


def _row(movement: Movement, words: dict[str, str], figures: Figures) -> Row:
    name = words[KINDS[movement.kind]] if movement.kind in KINDS else str(movement.kind.label)
    return Row(
        description=f"{name} {movement.number}".strip(),
        detail="",
        quantity=figures.day(movement.on),
        unit_price=figures.amount(movement.amount),
        amount=figures.amount(movement.balance),
    )


def _open_items(statement: Statement, words: dict[str, str], figures: Figures) -> str:
    lines = [
        f"{invoice.number} · {words['due_on']} {figures.day(invoice.due_on)} · {figures.amount(invoice.due)}"
        for invoice in statement.open_items
    ]
    total = [f"{words['due']}: {figures.amount(statement.due)}"] if len(lines) > 1 else []
    return "\n".join([*lines, *total]) or words["nothing_open"]


def _pay(statement: Statement, seller: dict[str, str], words: dict[str, str]) -> tuple[Fact, ...]:
    terms = seller["payment_terms"]
    return (Fact(words["payment"], terms),) if statement.open_items and terms else ()

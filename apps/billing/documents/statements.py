"""A statement as a document: the same looks as an invoice, with dates and balances in its columns."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from apps.billing.documents.content import ACCENT, Document, Fact, Row, Sum, logo_of, party_of
from apps.billing.documents.figures import Figures
from apps.billing.documents.words import locale_of, words_of
from apps.billing.models import LedgerTransaction
from apps.billing.money import round_half_away
from apps.billing.parties import details_of, seller_of
from apps.billing.queries.snapshots import buyer_snapshot, seller_snapshot
from apps.billing.queries.statements import Account, Movement, Statement
from apps.billing.queries.zones import zone_of

Kind = LedgerTransaction.Kind
DOCUMENTS = {Kind.INVOICE: "invoice", Kind.CREDIT_NOTE: "credit_note"}  # all others have words of their own


def statement_document(statement: Statement) -> Document:
    """In the customer's language. Each balance is rounded, and an amount is what lies between two of them: so lines
    add up on paper, too, where usage has more places than money.
    """
    customer = statement.customer
    seller = seller_snapshot(seller_of(customer.organization))
    buyer = buyer_snapshot(details_of(customer))
    language = buyer["language"]
    words, figures = (
        words_of(language),
        Figures(locale_of(language), statement.currency, zone_of(customer.organization)),
    )
    days = f"{figures.day(statement.since)} – {figures.day(statement.until)}"
    opening, closing = (
        figures.amount(round_half_away(each, statement.currency)) for each in (statement.opening, statement.closing)
    )
    until = statement.until
    return Document(
        title=words["credit_statement" if statement.account is Account.CREDIT else "statement"],
        number=days,
        language=figures.locale.language,
        stamp="",
        stamp_state="",
        accent=seller["accent"] or ACCENT,
        logo=logo_of(customer.organization_id, seller["logo"]),
        seller=party_of(words, figures, words["from"], seller),
        buyer=party_of(words, figures, words["for"], buyer),
        facts=(Fact(words["opening"], opening), *_totals(statement, words, figures),
               Fact(words["closing"], closing, is_strong=True)),
        columns=(words["description"], words["date"], words["amount"], words["balance"]),
        rows=tuple(_rows(statement, words, figures)) or (Row(words["no_movements"], "", "", "", ""),),
        sums=(Sum(words["closing"], closing, is_strong=True),),
        notes=_notes(statement, seller, words, figures),
        footer=seller["footer"],
        page=words["page"],
        made_at=datetime(until.year, until.month, until.day, tzinfo=UTC),
    )  # fmt: skip


def _rows(statement: Statement, words: Mapping[str, str], figures: Figures) -> Iterator[Row]:
    before = round_half_away(statement.opening, statement.currency)
    for movement in statement.movements:
        balance = round_half_away(movement.balance, statement.currency)
        name, told = _named(movement, words), movement.number
        days = f"{figures.day(movement.since)} – {figures.day(movement.on)}" if movement.since else ""
        is_credit = statement.account is Account.CREDIT  # what is told of it is no document's number, but a note
        yield Row(
            description=name if is_credit else f"{name} {told}".strip(),
            detail=days or (told if is_credit else ""),
            quantity=figures.day(movement.on),
            unit_price=figures.amount(balance - before),
            amount=figures.amount(balance),
        )
        before = balance


def _named(movement: Movement, words: Mapping[str, str]) -> str:
    return words[DOCUMENTS.get(movement.kind, f"moved_{movement.kind}")]


def _totals(statement: Statement, words: Mapping[str, str], figures: Figures) -> Iterator[Fact]:
    """Of credit: what came in and what went, as far as either did."""
    if statement.account is not Account.CREDIT:
        return
    came = sum(each.amount for each in statement.movements if each.amount > 0)
    went = sum(each.amount for each in statement.movements if each.amount < 0)
    for name, amount in (("came_in", came), ("went_out", went)):
        if amount:
            yield Fact(words[name], figures.amount(round_half_away(amount, statement.currency)))


def _notes(
    statement: Statement, seller: Mapping[str, str], words: Mapping[str, str], figures: Figures
) -> tuple[Fact, ...]:
    """Of invoices: which are open, and how they are paid."""
    if statement.account is Account.CREDIT:
        return ()
    lines = [
        f"{invoice.number} · {words['due_on']} {figures.day(invoice.due_on)} · {figures.amount(invoice.due)}"
        for invoice in statement.open_items
    ]
    if len(lines) > 1:
        lines.append(f"{words['due']}: {figures.amount(statement.due)}")
    open_items = Fact(words["open_items"], "\n".join(lines) or words["nothing_open"])
    terms = seller["payment_terms"]
    return (open_items, Fact(words["payment"], terms)) if statement.open_items and terms else (open_items,)

"""What stands on an invoice or a credit note, as text: PDF and page show the same structure, line by line.

Everything is written in the document's language and currency here, once. A final invoice is written from what it
kept when it became final, so that it reads alike however often and however late it is asked for.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from apps.billing.countries import country_name
from apps.billing.documents.figures import Figures
from apps.billing.documents.lines import described, price_unit_of, unit_of
from apps.billing.documents.words import locale_of, words_of
from apps.billing.models import CreditNote, CreditNoteLine, Invoice, InvoiceLine, Logo
from apps.billing.models.parties import USD
from apps.billing.parties import details_of, seller_of
from apps.billing.queries.snapshots import buyer_snapshot, seller_snapshot

ACCENT = "#1f5eff"
State, Kind = Invoice.State, InvoiceLine.Kind
STAMPS = {
    State.DRAFT: "stamp_draft",
    State.PAID: "stamp_paid",
    State.VOID: "stamp_void",
    State.UNCOLLECTIBLE: "stamp_uncollectible",
}


@dataclass(frozen=True)
class Party:
    """Who sells, or who buys."""

    heading: str
    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Fact:
    label: str
    value: str
    is_strong: bool = False


@dataclass(frozen=True)
class Row:
    """A line of the table. detail: below the description, such as the days of another period."""

    description: str
    detail: str
    quantity: str
    unit_price: str
    amount: str


@dataclass(frozen=True)
class Sum:
    """A line below the table."""

    label: str
    value: str
    is_strong: bool = False


@dataclass(frozen=True)
class Document:
    """An invoice or a credit note, ready to be shown."""

    title: str
    number: str
    language: str
    stamp: str  # "": none
    stamp_state: str  # for colour: an invoice's state
    accent: str
    logo: bytes | None
    seller: Party
    buyer: Party
    facts: tuple[Fact, ...]
    columns: tuple[str, ...]  # description, quantity, unit price, amount
    rows: tuple[Row, ...]
    sums: tuple[Sum, ...]
    notes: tuple[Fact, ...]
    footer: str
    page: str  # "Page {page} of {pages}"
    made_at: datetime  # when it became final: the PDF's own date, so that its bytes stay the same

    @property
    def parties(self) -> tuple[Party, Party]:
        return self.seller, self.buyer

    @property
    def text(self) -> str:
        """All that is written on it: which letters its fonts must have."""
        tables = (self.facts, self.rows, self.sums, self.notes)
        cells = (str(cell) for table in tables for each in table for cell in vars(each).values())
        parties = (text for party in self.parties for text in (party.heading, party.name, *party.lines))
        alone = (self.title, self.number, self.stamp, self.footer, self.page)
        return "\n".join((*alone, *parties, *self.columns, *cells))

    @property
    def logo_url(self) -> str:
        """For a page: it has the picture in itself."""
        return f"data:image/*;base64,{b64encode(self.logo).decode()}" if self.logo else ""


@dataclass(frozen=True)
class Kept:
    """What an invoice keeps of who sold and bought, and how it is written; a draft has what there is now."""

    seller: Mapping[str, Any]
    buyer: Mapping[str, Any]
    words: Mapping[str, str]
    figures: Figures

    @property
    def language(self) -> str:
        return self.figures.locale.language

    def facts(self, *pairs: tuple[str, str]) -> tuple[Fact, ...]:
        """Those that there is something to say of."""
        return tuple(Fact(self.words[name], value) for name, value in pairs if value)


def invoice_document(invoice: Invoice) -> Document:
    """The invoice as a document; a draft is stamped so."""
    kept = _kept(invoice)
    figures, words = kept.figures, kept.words
    stamp = STAMPS.get(State(invoice.state))
    is_open = invoice.state == State.OPEN
    at_a_glance = Fact(
        words["due" if is_open else "total"], figures.amount(invoice.due if is_open else invoice.total), is_strong=True
    )
    facts = (
        at_a_glance,
        *kept.facts(
            ("due_on", figures.day(invoice.due_on)),
            ("issued_on", figures.day(invoice.issued_on)),
            ("period", figures.period(invoice.period_start, invoice.period_end)),
            ("purchase_order", kept.buyer.get("purchase_order", "")),
        ),
    )
    return Document(
        title=words["invoice"],
        number=invoice.number,
        language=kept.language,
        stamp=words[stamp] if stamp else "",
        stamp_state=invoice.state,
        facts=facts,
        rows=tuple(_row(kept, invoice, line) for line in invoice.lines.all()),
        sums=tuple(_sums(kept, invoice)),
        notes=_notes(kept, invoice),
        made_at=invoice.finalized_at or invoice.built_at,
        **_looks(kept, invoice),
    )


def credit_note_document(note: CreditNote) -> Document:
    """What a credit note says; who sold and bought is what its invoice says."""
    invoice = note.invoice
    kept = _kept(invoice)
    figures, words = kept.figures, kept.words
    facts = kept.facts(
        ("issued_on", figures.day(note.issued_on)),
        ("of_invoice", f"{invoice.number} ({figures.day(invoice.issued_on)})"),
        ("purchase_order", kept.buyer.get("purchase_order", "")),
    )
    sums = [Sum(words["net"], figures.amount(note.subtotal))] if note.tax else []
    sums += [Sum(tax, figures.amount(note.tax)) for tax in [_names_of_taxes(kept, invoice)] if note.tax]
    sums.append(Sum(words["total"], figures.amount(note.total), is_strong=True))
    lines = note.lines.select_related("line").order_by("pk")
    notes = kept.facts(("reason", note.reason), ("payment", words[f"settled_{note.settlement}"]), *_tax_note(kept))
    return Document(
        title=words["credit_note"],
        number=note.number,
        language=kept.language,
        stamp="",
        stamp_state="",
        facts=(Fact(words["total"], figures.amount(note.total), is_strong=True), *facts),
        rows=tuple(_note_row(kept, line) for line in lines),
        sums=tuple(sums),
        notes=notes,
        made_at=datetime(note.issued_on.year, note.issued_on.month, note.issued_on.day, tzinfo=UTC),
        **_looks(kept, invoice) | {"columns": (words["description"], "", "", words["amount"])},
    )


def _kept(invoice: Invoice) -> Kept:
    seller = invoice.seller or seller_snapshot(seller_of(invoice.organization))
    buyer = invoice.buyer or buyer_snapshot(details_of(invoice.customer))
    language = buyer.get("language", "en")
    zone = ZoneInfo(seller.get("time_zone") or invoice.organization.time_zone)
    return Kept(seller, buyer, words_of(language), Figures(locale_of(language), invoice.currency, zone))


def _looks(kept: Kept, invoice: Invoice) -> dict[str, Any]:
    """What all documents about an invoice have alike."""
    words = kept.words
    return {
        "accent": kept.seller.get("accent") or ACCENT,
        "logo": logo_of(invoice.organization_id, kept.seller.get("logo", "")),
        "seller": party_of(words, kept.figures, words["from"], kept.seller),
        "buyer": party_of(words, kept.figures, words["to"], kept.buyer),
        "columns": (words["description"], words["quantity"], words["unit_price"], words["amount"]),
        "footer": kept.seller.get("footer", ""),
        "page": words["page"],
    }


def logo_of(organization_id: UUID, sha256: str) -> bytes | None:
    """The logo of that hash, which may not be the one of today."""
    if not sha256:
        return None
    logo = Logo.objects.filter(organization=organization_id, sha256=sha256).first()
    return bytes(logo.content) if logo else None


def party_of(words: Mapping[str, str], figures: Figures, heading: str, party: Mapping[str, Any]) -> Party:
    """Name, address, tax id and e-mail, of which each may be missing."""
    lines = [line.strip() for line in str(party.get("address", "")).splitlines()]
    if country := party.get("country"):
        lines.append(country_name(country, str(figures.locale)))
    if tax_id := party.get("tax_id"):
        lines.append(f"{words['tax_id']}: {tax_id}")
    lines.append(str(party.get("email", "")))
    return Party(heading, str(party.get("legal_name", "")), tuple(filter(None, lines)))


def _row(kept: Kept, invoice: Invoice, line: InvoiceLine) -> Row:
    figures, quantity, price = kept.figures, "", ""
    if line.quantity is not None:
        quantity = f"{figures.quantity(line.quantity)} {unit_of(line, kept.words)}".strip()
    if line.unit_price is not None:
        written = figures.unit_price(line.unit_price, line.quantity)
        price = f"{written} {price_unit_of(line, kept.words)}".strip()
    is_of_another_time = (line.period_start, line.period_end) != (invoice.period_start, invoice.period_end)
    has_days = is_of_another_time or line.kind == Kind.FEE
    return Row(
        description=described(line, kept.words),
        detail=figures.period(line.period_start, line.period_end) if has_days else "",
        quantity=quantity,
        unit_price=price,
        amount=figures.amount(line.amount),
    )


def _note_row(kept: Kept, line: CreditNoteLine) -> Row:
    """detail: the days that the line of the invoice was of."""
    of, figures = line.line, kept.figures
    is_as_billed = of is not None and of.description == line.description
    return Row(
        description=described(of, kept.words) if of is not None and is_as_billed else line.description,
        detail=figures.period(of.period_start, of.period_end) if of is not None and is_as_billed else "",
        quantity="",
        unit_price="",
        amount=figures.amount(line.amount),
    )


def _sums(kept: Kept, invoice: Invoice) -> Iterable[Sum]:
    words, amount = kept.words, kept.figures.amount
    taxes = list(invoice.taxes.order_by("name", "percent"))
    if invoice.discount or taxes:
        yield Sum(words["subtotal"], amount(invoice.subtotal))
    if invoice.discount:
        for name, taken in _discounts(kept, invoice):
            yield Sum(name, amount(-taken))
        if taxes and not any(tax.is_inclusive for tax in taxes):
            yield Sum(words["net"], amount(invoice.subtotal - invoice.discount))
    for tax in taxes:
        within = f", {words['contained']}" if tax.is_inclusive else ""
        percent = kept.figures.percent(tax.percent)
        yield Sum(f"{tax.name} {percent} {words['on_base']} {amount(tax.base)}{within}", amount(tax.amount))
    yield Sum(words["total"], amount(invoice.total), is_strong=True)
    if invoice.paid:
        yield Sum(words["paid"], amount(-invoice.paid))
    if invoice.credited:
        yield Sum(words["credited"], amount(-invoice.credited))
    if (invoice.paid or invoice.credited) and invoice.state in (State.OPEN, State.PAID):
        yield Sum(words["due"], amount(invoice.due), is_strong=True)


def _discounts(kept: Kept, invoice: Invoice) -> list[tuple[str, Decimal]]:
    """Each by its name, where they were kept apart."""
    named = getattr(invoice, "discounts", None) or []
    return [(each["name"], Decimal(each["amount"])) for each in named] or [(kept.words["discount"], invoice.discount)]


def _names_of_taxes(kept: Kept, invoice: Invoice) -> str:
    taxes = invoice.taxes.order_by("name", "percent")
    return ", ".join(f"{tax.name} {kept.figures.percent(tax.percent)}" for tax in taxes)


def _tax_note(kept: Kept) -> list[tuple[str, str]]:
    return [("note", kept.words.get(str(kept.buyer.get("tax_status")), ""))]


def _notes(kept: Kept, invoice: Invoice) -> tuple[Fact, ...]:
    exchange = ""
    if invoice.currency != USD:
        exchange = kept.words["exchange"].format(rate=kept.figures.rate(invoice.per_dollar))
    is_to_be_paid = invoice.state in (State.DRAFT, State.OPEN)
    return kept.facts(
        ("note", invoice.memo),
        *_tax_note(kept),
        ("note", exchange),
        ("payment", kept.seller.get("payment_terms", "") if is_to_be_paid else ""),
    )

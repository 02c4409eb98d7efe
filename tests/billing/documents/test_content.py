"""What stands on invoices and credit notes."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from apps.billing.documents.content import credit_note_document, invoice_document
from apps.billing.documents.figures import Figures
from apps.billing.documents.lines import described, price_unit_of, unit_of
from apps.billing.documents.words import _COLUMNS, _WORDS, LANGUAGES, locale_of, words_of
from apps.billing.models import InvoiceLine
from apps.billing.parties import details_of, seller_of
from apps.billing.services.sellers import set_logo, update_seller
from tests.billing.making import a_credit_note, a_draft, a_logo, an_invoice, made_final
from tests.cast import Cast, reread


def billed(cast: Cast, **fields) -> None:
    details = details_of(cast.globex)
    for name, value in fields.items():
        setattr(details, name, value)
    details.save()


def sums_of(invoice) -> list[tuple[str, str]]:
    return [(each.label, each.value) for each in invoice_document(invoice).sums]


def test_an_invoice_says_who_sold_what_to_whom(cast: Cast):
    seller = {"legal_name": "Acme GmbH", "address": "Hauptstraße 1\n10115 Berlin", "country": "DE"}
    update_seller(cast.acme, by=None, **seller, tax_id="DE136695976", payment_terms="IBAN DE02", footer="HRB 1")
    billed(cast, legal_name="Globex S.A.", address="1 rue X", country="FR", purchase_order="PO 7")
    document = invoice_document(an_invoice(cast.globex, ("100", "20.5")))
    assert (document.title, document.number, document.stamp) == ("Invoice", "INV-00001", "")
    assert document.seller.name == "Acme GmbH"
    assert document.seller.lines == ("Hauptstraße 1", "10115 Berlin", "Germany", "Tax id: DE136695976")
    assert (document.buyer.name, document.buyer.lines) == ("Globex S.A.", ("1 rue X", "France"))
    assert [(fact.label, fact.value) for fact in document.facts] == [
        ("Amount due", "$120.50"),
        ("Due", "Dec 2, 2026"),
        ("Date of issue", "Nov 2, 2026"),
        ("Period", "Oct 1, 2026 – Oct 31, 2026"),
        ("Purchase order", "PO 7"),
    ]
    assert [(row.quantity, row.unit_price, row.amount) for row in document.rows] == [
        ("36.363636 M tokens", "$2.75 / M", "$100.00"),
        ("36.363636 M tokens", "$2.75 / M", "$20.50"),
    ]
    assert [(note.label, note.value) for note in document.notes] == [("Payment", "IBAN DE02")]
    assert document.footer == "HRB 1"


def test_discounts_taxes_and_what_was_paid_are_told_apart(cast: Cast):
    given = {"discount": 20, "total": 119, "paid": 19, "credited": 40}
    invoice = an_invoice(cast.globex, ("120",), tax="19", **{name: Decimal(value) for name, value in given.items()})
    assert sums_of(invoice) == [
        ("Subtotal", "$120.00"),
        ("Discount", "-$20.00"),
        ("Net", "$100.00"),
        ("VAT 19 % on $120.00", "$19.00"),
        ("Total", "$119.00"),
        ("Paid", "-$19.00"),
        ("Credited", "-$40.00"),
        ("Amount due", "$60.00"),
    ]


STAMPS = [("open", ""), ("paid", "PAID"), ("void", "VOID"), ("uncollectible", "WRITTEN OFF")]


@pytest.mark.parametrize(("state", "stamp"), STAMPS)
def test_what_became_of_it_is_stamped_on_it(cast: Cast, state: str, stamp: str):
    assert invoice_document(an_invoice(cast.globex, state=state)).stamp == stamp


def test_a_draft_is_stamped_and_has_what_holds_now(cast: Cast):
    document = invoice_document(a_draft(cast.globex))
    assert (document.stamp, document.number, document.buyer.name) == ("DRAFT", "", "Globex")


def test_a_final_invoice_shows_nothing_of_what_is_changed_later(cast: Cast):
    set_logo(cast.acme, first := a_logo(), by=None)
    invoice = an_invoice(cast.globex)
    before = invoice_document(invoice)
    set_logo(cast.acme, a_logo(colour="#ff0000"), by=None)
    update_seller(cast.acme, by=None, legal_name="Other", accent="#000000", footer="x")
    billed(cast, legal_name="Another", language="de")
    assert invoice_document(reread(invoice)) == before
    assert before.logo == first


MONEY = [
    ("de", "EUR", "1234.5", "1.234,50\xa0€"),
    ("en", "JPY", "1234", "¥1,234"),
    ("en_GB", "KWD", "1.234", "KWD\xa01.234"),
    ("fr", "USD", "-1234.5", "-1\u202f234,50\xa0$US"),
    ("en", "RSD", "0.05", "RSD\xa00.05"),  # people don't pay so little; invoices have it
]


@pytest.mark.parametrize(("language", "currency", "amount", "written"), MONEY)
def test_amounts_are_written_in_the_documents_language_with_the_currencys_places(
    cast: Cast, language: str, currency: str, amount: str, written: str
):
    billed(cast, language=language, currency=currency)
    invoice = a_draft(cast.globex, (amount,), total=Decimal(0))
    assert invoice_document(invoice).rows[0].amount == written


UNIT_PRICES = [  # of so many, as it is written
    pytest.param("2.75", "36.363636", "$2.75", id="exact"),
    pytest.param("11.559625871527", "1.234567", "$11.5596", id="a-mean-of-prices"),
    pytest.param("0.000000037512", "1", "$0.000000037512", id="what-is-small-keeps-its-digits"),
    pytest.param("3067.238584579625", "1.242486", "$3,067.239", id="as-many-as-the-amount-takes"),
    pytest.param("0.123456789", "40000000", "$0.123456789", id="of-many-to-the-cent"),
    pytest.param("499", None, "$499.00", id="never-fewer-than-an-amount"),
]


@pytest.mark.parametrize(("price", "quantity", "written"), UNIT_PRICES)
def test_unit_prices_have_the_places_that_their_amount_takes(price: str, quantity: str | None, written: str):
    figures = Figures(locale_of("en"), "USD", ZoneInfo("UTC"))
    assert figures.unit_price(Decimal(price), quantity and Decimal(quantity)) == written


LINES = [  # kind, what is kept of it, as it reads in German
    ("usage", {"model": "gpt-4o", "token_kind": "cache_read"}, {}, "gpt-4o · Eingabe aus dem Cache"),
    ("usage", {"model": "", "unit": "request"}, {}, "ohne Modell"),
    ("late_usage", {"model": "gpt-4o"}, {"late_of": "INV-1"}, "gpt-4o · nachträglich zu INV-1"),
    ("late_usage", {"model": "gpt-4o"}, {}, "as it was built"),  # of before it was kept what it is late of
    ("credit", {}, {"usd": "3", "late_of": ""}, "Aus Guthaben bezahlt · nachträglich"),
    ("fee", {}, {"name": "Team", "days": 3, "of": 31}, "Team · 3 von 31 Tagen"),
    ("fee", {}, {"name": "Team", "days": 31, "of": 31}, "Team"),
    ("allowance", {}, {"name": "Tokens"}, "Tokens · enthalten"),
    ("minimum", {}, {"name": "Team"}, "Team · Mindestabnahme"),
    ("discount", {}, {"name": "Tokens"}, "Tokens · über dem Höchstpreis"),
    ("manual", {}, {}, "as it was built"),
]


@pytest.mark.parametrize(("kind", "fields", "details", "told"), LINES)
def test_lines_are_told_in_the_documents_language(kind: str, fields: dict, details: dict, told: str):
    given = {"unit": "1M tokens"} | fields
    line = InvoiceLine(kind=kind, description="as it was built", details=details, **given)
    assert described(line, words_of("de")) == told


def test_units_are_told_in_the_documents_language():
    tokens = InvoiceLine(unit="1M tokens", quantity=Decimal(2))
    assert (unit_of(tokens, words_of("de")), price_unit_of(tokens, words_of("de"))) == ("Mio. Tokens", "/ Mio.")
    assert unit_of(InvoiceLine(unit="request", quantity=Decimal(2)), words_of("fr")) == "requêtes"
    assert unit_of(InvoiceLine(unit="request", quantity=Decimal(1)), words_of("fr")) == "requête"


def test_a_fee_always_tells_its_days(cast: Cast):
    draft = a_draft(cast.globex)
    InvoiceLine.objects.create(
        invoice=draft, position=9, kind="fee", description="Team · 1 Oct to 31 Oct 2026", precise_amount=1, amount=1,
        period_start=draft.period_start, period_end=draft.period_end, details={"name": "Team", "days": 31, "of": 31},
    )  # fmt: skip
    fee = invoice_document(draft).rows[1]
    assert (fee.description, fee.detail) == ("Team", "Oct 1, 2026 – Oct 31, 2026")


def test_another_currency_is_told_with_its_rate(cast: Cast):
    billed(cast, language="de", currency="EUR")
    invoice = an_invoice(cast.globex, per_dollar=Decimal("0.925"))
    (note,) = invoice_document(invoice).notes
    assert note.value == "Die Nutzung wird in US-Dollar berechnet und wurde zu 1 USD = 0,925 EUR umgerechnet."


@pytest.mark.parametrize(
    ("status", "told"),
    [("reverse_charge", "Reverse charge: the customer is liable for the tax."), ("exempt", "Exempt from tax.")],
)
def test_why_no_tax_is_charged_is_told(cast: Cast, status: str, told: str):
    billed(cast, tax_status=status)
    assert [note.value for note in invoice_document(an_invoice(cast.globex)).notes] == [told]


def test_what_is_of_another_time_says_so(cast: Cast):
    draft = a_draft(cast.globex)
    since, until = datetime(2026, 9, 3, tzinfo=UTC), datetime(2026, 9, 4, tzinfo=UTC)
    InvoiceLine.objects.create(
        invoice=draft, position=9, kind="late_usage", description="late", precise_amount=1, amount=1,
        period_start=since, period_end=until,
    )  # fmt: skip
    late = invoice_document(made_final(draft)).rows[1]
    assert (late.detail, late.quantity, late.unit_price) == ("Sep 3, 2026", "", "")


def test_days_are_those_of_the_sellers_zone(cast: Cast):
    cast.acme.time_zone = "America/New_York"
    cast.acme.save()
    cast.globex.organization.refresh_from_db()
    since, until = datetime(2026, 10, 1, 4, tzinfo=UTC), datetime(2026, 11, 1, 4, tzinfo=UTC)  # summer time ends after
    facts = invoice_document(an_invoice(cast.globex, period_start=since, period_end=until)).facts
    assert ("Period", "Oct 1, 2026 – Oct 31, 2026") in [(fact.label, fact.value) for fact in facts]


def test_a_credit_note_names_its_invoice_and_adds_up(cast: Cast):
    note = a_credit_note(an_invoice(cast.globex, tax="19"), "40", "7.6", settlement="credit")
    document = credit_note_document(note)
    assert (document.title, document.number) == ("Credit note", "CN-00001")
    assert ("For invoice", "INV-00001 (Nov 2, 2026)") in [(fact.label, fact.value) for fact in document.facts]
    assert [(each.label, each.value) for each in document.sums] == [
        ("Net", "$40.00"), ("VAT 19 %", "$7.60"), ("Total", "$47.60")
    ]  # fmt: skip
    assert [note.value for note in document.notes] == ["Usage was rated anew", "Added to your prepaid credit."]


def test_no_language_lacks_a_word():
    assert {name for name, words in _WORDS.items() if len(words) != len(_COLUMNS) or not all(words)} == set()
    assert {locale_of(language).language for language in LANGUAGES} == set(_COLUMNS)
    assert words_of("tlh") == words_of("en")


def test_without_a_seller_it_is_the_organizations_name(cast: Cast):
    assert seller_of(cast.acme).legal_name == ""
    assert invoice_document(an_invoice(cast.globex)).seller.name == "Acme"

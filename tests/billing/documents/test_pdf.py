"""Documents as PDF: they are looked at by people; here, that nothing breaks them and bytes stay the same."""

import re
import zlib
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from django.test import Client
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from apps.billing.documents.content import Document, Party, Row, credit_note_document, invoice_document
from apps.billing.documents.fonts import Fonts, fonts
from apps.billing.documents.pdf import as_pdf
from apps.billing.services.sellers import set_logo
from tests.billing.making import a_credit_note, a_logo, an_invoice
from tests.cast import Cast, reread
from tests.pages import text_of as text_of_page

HELVETICA = Fonts()


@pytest.fixture
def document(cast: Cast) -> Document:
    return invoice_document(an_invoice(cast.globex, ("100", "20.5"), tax="19"))


def pages_of(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", pdf))


def text_of(pdf: bytes) -> str:
    """What Helvetica says in it: strings of its streams, in the order that they are drawn."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    drawn = b"".join(zlib.decompress(each) for each in streams if each[:1] == b"\x78")
    strings = re.findall(rb"\((.*?)(?<!\\)\) Tj", drawn, re.DOTALL)
    return "\n".join(each.replace(b"\\(", b"(").replace(b"\\)", b")").decode("cp1252") for each in strings)


def a_font(path: Path, chars: str) -> Path:
    """A font in which each of these is a box."""
    names = [".notdef", *(f"u{ord(char):04X}" for char in chars)]
    pen = TTGlyphPen(None)
    pen.moveTo((50, 0))
    for corner in ((450, 0), (450, 700), (50, 700)):
        pen.lineTo(corner)
    pen.closePath()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(char): f"u{ord(char):04X}" for char in chars})
    builder.setupGlyf(dict.fromkeys(names, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (500, 50)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Boxes", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800, sTypoDescender=-200, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    builder.save(path)
    return path


def test_what_the_document_says_is_in_it(document: Document):
    said = text_of(as_pdf(document, using=HELVETICA))
    for text in ("Invoice", "INV-00001", "Globex", "$2.75 / M", "$100.00", "VAT 19 % on $120.50", "$139.50"):
        assert text in said, text


def test_the_same_invoice_is_the_same_bytes(cast: Cast):
    set_logo(cast.acme, a_logo(), by=None)
    invoice = an_invoice(cast.globex)
    first = as_pdf(invoice_document(invoice))
    assert first == as_pdf(invoice_document(reread(invoice)))
    assert first != as_pdf(invoice_document(an_invoice(cast.globex)))


def rows(count: int) -> tuple[Row, ...]:
    return tuple(Row(f"line {number}.", "", "1", "$1.00", "$1.00") for number in range(1, count + 1))


@pytest.mark.parametrize(("count", "heads", "pages"), [(0, 1, 1), (3, 1, 1), (200, 6, 6)])
def test_many_lines_go_on_over_pages_that_repeat_the_head(document: Document, count: int, heads: int, pages: int):
    pdf = as_pdf(replace(document, rows=rows(count)), using=HELVETICA)
    said = text_of(pdf).splitlines()
    assert pages_of(pdf) == pages
    assert [line for line in said if line.startswith("line ")] == [row.description for row in rows(count)]
    assert said.count("Description") == heads
    assert said.count("Subtotal") == 1
    numbers = [line for line in said if line.startswith("Page ")]
    assert [line.strip() for line in numbers] == [f"Page {number} of" for number in range(1, pages + 1)]


def test_a_line_is_not_torn_apart_and_what_is_too_wide_is_written_smaller(document: Document):
    long = Row("word " * 60, "", "1", "$" + "9" * 60, "$1.00")
    assert pages_of(as_pdf(replace(document, rows=(long,) * 40), using=HELVETICA)) > 3


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("size", [(1, 1), (4000, 10), (10, 4000)])
def test_a_logo_of_any_shape_fits(document: Document, kind: str, size: tuple[int, int]):
    assert pages_of(as_pdf(replace(document, logo=a_logo(size, kind=kind)), using=HELVETICA)) == 1


@pytest.mark.parametrize("state", ["paid", "void", "uncollectible"])
def test_stamps_are_on_it(cast: Cast, state: str):
    document = invoice_document(an_invoice(cast.globex, state=state))
    assert document.stamp in text_of(as_pdf(document, using=HELVETICA))


def test_a_credit_note_is_printed_alike(cast: Cast):
    note = a_credit_note(an_invoice(cast.globex))
    said = text_of(as_pdf(credit_note_document(note), using=HELVETICA))
    assert "Credit note" in said
    assert "CN-00001" in said


# Letters of the world

NAMES = [
    ("Müller & Søn, 5 €", "Müller & Søn, 5 €"),  # which Helvetica has
    ("Łódź Żółw", "Lódz Zólw"),  # without accents that it lacks
    ("Ωmega Дом", "?mega ???"),
    ("株式会社", "????"),
    ("a\u202fb\u2011c", "a\xa0b-c"),
    ("e\u0301", "e"),  # an accent by itself
]


@pytest.mark.parametrize(("name", "shown"), NAMES)
def test_what_helvetica_lacks_is_replaced_and_seen_to_be(document: Document, name: str, shown: str):
    assert HELVETICA.shown(name) == shown
    as_pdf(replace(document, number=name, footer=name), using=HELVETICA)


def test_a_font_has_its_letters_and_others_have_what_it_lacks(document: Document, tmp_path: Path):
    latin = a_font(tmp_path / "latin.ttf", "".join(map(chr, range(32, 127))))
    chinese = a_font(tmp_path / "chinese.ttf", "株式会社")
    assert Fonts(latin, latin).shown("Ab 株") == "Ab ?"
    using = Fonts(latin, latin, (chinese,))
    assert using.shown("Ab 株 Ж") == "Ab 株 ?"
    pdf = as_pdf(replace(document, number="株式会社"), using=using)
    assert pdf.count(b"/FontFile2") == 3
    assert pdf == as_pdf(replace(document, number="株式会社"), using=using)


def fonts_in_force(pdf: bytes) -> list[tuple[str, bytes]]:
    """Of each text that is drawn: the font that it is drawn with, as the page's operators leave it."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    content = next(zlib.decompress(each) for each in streams if b" Tj" in zlib.decompress(each))
    drawn, kept, font = [], [], ""
    operators = re.finditer(
        rb"(?m)/(F\d+) [\d.]+ Tf|\((?P<text>(?:\\.|[^\\)])*)\) Tj|(?<!\S)(?P<state>[qQ])(?!\S)", content
    )
    for found in operators:
        if found["state"] == b"q":
            kept.append(font)
        elif found["state"] == b"Q":
            font = kept.pop()
        elif found[1]:
            font = found[1].decode()
        else:
            drawn.append((font, found["text"]))
    return drawn


def test_what_follows_letters_of_another_font_is_in_its_own_again(document: Document, tmp_path: Path):
    latin = a_font(tmp_path / "latin.ttf", "".join(map(chr, range(32, 127))))
    bold = a_font(tmp_path / "bold.ttf", "".join(map(chr, range(32, 127))))
    chinese = a_font(tmp_path / "chinese.ttf", "株式会社")
    address = Party("To", "株式会社", ("株式会社", "Japan"))
    pdf = as_pdf(replace(document, logo=None, buyer=address), using=Fonts(latin, bold, (chinese,)))
    drawn = fonts_in_force(pdf)
    names = [index for index, (font, _text) in enumerate(drawn) if font == "F3"]
    assert len(names) == 2
    assert drawn[names[1] + 1][0] == "F1"  # Japan, in regular


def test_what_no_font_has_is_logged(document: Document, caplog: pytest.LogCaptureFixture):
    as_pdf(replace(document, footer="株式 株"), using=HELVETICA)
    assert caplog.messages == ["Invoice INV-00001: no font has 株式: see TOLLGATE_DOCUMENT_FONTS"]


def test_east_asian_names_are_printed_without_anything_set(document: Document, caplog: pytest.LogCaptureFixture):
    name = "株式会社グローベックス 有限公司 주식회사"
    assert fonts().lacking(name) == ""
    pdf = as_pdf(replace(document, footer=name))
    assert caplog.messages == []
    assert len(pdf) < 120_000  # of a font with 65,000 letters, those that are there
    assert fonts().others_for(document.text) == ()  # it is not opened for nothing


def test_the_operators_page_tells_which_letters_are_lost(client: Client, cast: Cast):
    cast.globex.name = "Globex 😀"
    cast.globex.save()
    client.force_login(cast.olivia)
    page = f"/console/billing/invoices/{an_invoice(cast.globex).pk}/document/"
    assert "No font has 😀: the PDF has a question mark for each" in text_of_page(client.get(page))


def test_a_pdf_is_not_large(document: Document):
    assert len(as_pdf(document)) < 100_000
    assert as_pdf(document)[:5] == BytesIO(b"%PDF-").read()

"""A document as PDF. The same document is the same bytes: its date is its own, not today's."""

import logging
from io import BytesIO

from fpdf import FPDF
from fpdf.enums import Align, XPos, YPos
from PIL import Image

from apps.billing.documents.content import Document, Fact, Party, Row, Sum
from apps.billing.documents.fonts import CORE_ENCODING, Fonts, fonts

logger = logging.getLogger(__name__)

MARGIN = 18.0  # millimetres, as all lengths here
FOOT = 22.0
LINE = 4.6
SMALL, NORMAL, LARGE, TITLE = 7.5, 9.0, 13.0, 22.0  # points
LOGO = (58.0, 18.0)
GAP = 2.0  # between what stands beside each other
WIDTHS = (0.45, 0.2, 0.19, 0.16)  # of the table's columns
TEXT, MUTED, FAINT = (28, 32, 38), (104, 112, 122), (222, 226, 231)
STAMPS = {"paid": (22, 128, 75), "void": (190, 40, 40), "uncollectible": (190, 40, 40), "draft": (120, 128, 138)}

Colour = tuple[int, int, int]


def as_pdf(document: Document, *, using: Fonts | None = None) -> bytes:
    """using: the fonts; None: those that there are here. What none of them has is a question mark, and logged."""
    using = fonts() if using is None else using
    if lacking := using.lacking(document.text):
        logger.warning("%s %s: no font has %s: see TOLLGATE_DOCUMENT_FONTS", document.title, document.number, lacking)
    page = Paper(document, using)
    page.print_all()
    return bytes(page.output())


class Paper(FPDF):
    """One document on its way to pages."""

    def __init__(self, document: Document, using: Fonts) -> None:
        super().__init__(orientation="portrait", unit="mm", format="A4")
        self.document = document
        self.using = using
        self.accent: Colour = _colour(document.accent)
        self.has_head = False  # whether the table's head is repeated on a new page
        self.set_margins(MARGIN, MARGIN, MARGIN)
        self.c_margin = 0
        self.set_auto_page_break(True, FOOT)
        self.set_creation_date(document.made_at)
        self.set_producer("Tollgate")
        self.set_title(self.using.shown(f"{document.title} {document.number}".strip()))
        self.set_author(self.using.shown(document.seller.name))
        self.set_lang(document.language)
        self.alias_nb_pages("{pages}")
        self._add_fonts()

    def _add_fonts(self) -> None:
        if self.using.regular is None:
            self.core_fonts_encoding = CORE_ENCODING
            self.family = "helvetica"
            return
        self.family = "document"
        self.add_font("document", "", self.using.regular)
        self.add_font("document", "B", self.using.bold or self.using.regular)
        others = {f"other{number}": path for number, path in enumerate(self.using.others_for(self.document.text))}
        for name, path in others.items():
            self.add_font(name, "", path)
        if others:
            self.set_fallback_fonts(list(others), exact_match=False)

    # What every page has

    def header(self) -> None:
        """A bar in the seller's colour; from the second page on, whose it is and the table's head."""
        self.set_fill_color(*self.accent)
        self.rect(0, 0, self.w, 2.5, style="F")
        self.set_fill_color(255)  # in which nothing is written: what a line changes is then put back after it
        if self.document.stamp_state in ("void", "draft"):
            self._watermark()
        if self.page_no() > 1:
            self.set_y(9)
            self._say(f"{self.document.title} {self.document.number}", SMALL, MUTED)
            self.set_y(MARGIN)
            if self.has_head:
                self._table_head()

    def footer(self) -> None:
        """What the seller wants there, and which page it is."""
        self.set_y(-FOOT + 5)
        self._rule(FAINT)
        self.ln(2)
        top = self.get_y()
        page = self.using.shown(self.document.page.replace("{page}", str(self.page_no())))
        self._font(SMALL, MUTED)
        width = self.get_string_width(page.replace("{pages}", "0" if self.page_no() < 10 else "00"))
        self.set_x(self.w - self.r_margin - width)  # how many they are is filled in at the end
        self.cell(0, LINE, page)
        self.set_xy(self.l_margin, top)
        self._font(SMALL, MUTED)
        lines = self.using.shown(self.document.footer).splitlines()[:3]
        self.multi_cell(self.epw - 36, 3.4, "\n".join(lines), align=Align.L)

    def _watermark(self) -> None:
        self._font(84, (240, 241, 243), "B")
        text = self.using.shown(self.document.stamp)
        with self.rotation(38, self.w / 2, self.h / 2):
            self.text((self.w - self.get_string_width(text)) / 2, self.h / 2 + 12, text)

    # From the top down

    def print_all(self) -> None:
        self.add_page()
        self._letterhead()
        self._parties()
        self._table()
        self._sums()
        self._notes()

    def _letterhead(self) -> None:
        top = self.get_y()
        if self.document.logo:
            self.image(BytesIO(self.document.logo), self.l_margin, top, *_size(self.document.logo))
        else:
            self.set_xy(self.l_margin, top + 2)
            self._font(LARGE, self.accent, "B")
            self.multi_cell(self.epw * 0.55, 6, self.using.shown(self.document.seller.name), align=Align.L)
        self.set_xy(self.l_margin, top)
        self._cell(self.document.title, TITLE, TEXT, "B", width=self.epw, align=Align.R, height=10)
        self.set_xy(self.l_margin, top + 10.5)
        self._cell(self.document.number, NORMAL + 1, MUTED, width=self.epw, align=Align.R)
        if self.document.stamp_state in ("paid", "uncollectible"):
            self._stamp(top + 17.5)
        self.set_y(top + 31)

    def _stamp(self, y: float) -> None:
        colour = STAMPS[self.document.stamp_state]
        text = self.using.shown(self.document.stamp)
        self._font(12, colour, "B")
        width = self.get_string_width(text) + 7
        x = self.w - self.r_margin - width
        with self.rotation(4, x + width / 2, y + 4):
            self.set_draw_color(*colour)
            self.set_line_width(0.6)
            self.rect(x, y, width, 8.4, style="D", round_corners=True, corner_radius=1.4)
            self.text(x + 3.5, y + 5.9, text)
        self.set_line_width(0.2)

    def _parties(self) -> None:
        top, width = self.get_y(), self.epw * 0.32
        ends = [self._party(self.document.seller, self.l_margin, top, width)]
        ends.append(self._party(self.document.buyer, self.l_margin + self.epw * 0.34, top, width))
        ends.append(self._facts(self.l_margin + self.epw * 0.69, top, self.epw * 0.31))
        self.set_y(max(ends) + 9)

    def _party(self, party: Party, x: float, y: float, width: float) -> float:
        self.set_xy(x, y)
        self._cell(party.heading, SMALL, self.accent, "B", width=width)
        self._block(party.name, x, y + LINE, width, style="B")
        self._block("\n".join(party.lines), x, self.get_y() + 0.6, width, MUTED)
        return float(self.get_y())

    def _facts(self, x: float, y: float, width: float) -> float:
        for fact in self.document.facts:
            self.set_xy(x, y)
            self._cell(fact.label, SMALL, self.accent, "B", width=width)
            self._block(fact.value, x, y + LINE - 0.4, width, style="B" if fact.is_strong else "")
            y = self.get_y() + 1.6
        return y

    def _table(self) -> None:
        self._table_head()
        self.has_head = True
        for number, row in enumerate(self.document.rows):
            self._row(row, is_first=number == 0)
        self.has_head = False
        self._rule(self.accent)
        self.ln(3)

    def _table_head(self) -> None:
        self._columns(self.document.columns, SMALL, self.accent, "B", self.get_y())
        self.ln(LINE + 1)
        self._rule(self.accent)
        self.ln(1.6)

    def _row(self, row: Row, *, is_first: bool) -> None:
        """One that doesn't fit goes to the next page whole. A faint line is between two, not below the last."""
        width = self.epw * WIDTHS[0] - 3
        lines = self._lines(row.description, NORMAL, width)
        detail = self._lines(row.detail, SMALL, width) if row.detail else 0
        height = lines * LINE + detail * 3.6 + 1.8
        if self.get_y() + height > self.h - FOOT:
            self.add_page()
        elif not is_first:
            self._rule(FAINT)
            self.ln(0.9)
        top = self.get_y()
        self._block(row.description, self.l_margin, top, width)
        if row.detail:
            self._font(SMALL, MUTED)
            self.set_x(self.l_margin)
            self.multi_cell(width, 3.6, self.using.shown(row.detail), align=Align.L)
        self._columns(("", row.quantity, row.unit_price, row.amount), NORMAL, TEXT, "", top)
        self.set_y(top + height - 0.9)

    def _columns(self, texts: tuple[str, ...], size: float, colour: Colour, style: str, y: float) -> None:
        x = self.l_margin
        for index, (text, share) in enumerate(zip(texts, WIDTHS, strict=True)):
            width = self.epw * share
            if text:
                self.set_xy(x, y)
                self._cell(text, size, colour, style, width=width, align=Align.R if index else Align.L)
            x += width
        self.set_xy(self.l_margin, y)

    def _sums(self) -> None:
        height = len(self.document.sums) * (LINE + 1.6) + 4
        if self.get_y() + height > self.h - FOOT:
            self.add_page()
        for number, each in enumerate(self.document.sums):
            self._sum(each, has_rule=each.is_strong and number > 0)  # the first has the table's above it
        self.ln(6)

    def _sum(self, each: Sum, *, has_rule: bool) -> None:
        style, size = ("B", NORMAL + 1.5) if each.is_strong else ("", NORMAL)
        x, width = self.l_margin + self.epw * 0.4, self.epw * 0.6
        y = self.get_y()
        if has_rule:
            self.set_draw_color(*self.accent)
            self.line(x, y + 0.6, x + width, y + 0.6)
            y += 2.0
        self.set_xy(x, y)
        self._cell(each.label, size, TEXT if each.is_strong else MUTED, style, width=width * 0.68)
        self.set_xy(x + width * 0.5, y)
        self._cell(each.value, size, TEXT, style, width=width * 0.5, align=Align.R)
        self.set_y(y + LINE + 1.2)

    def _notes(self) -> None:
        said = ""
        for note in self.document.notes:
            self._note(note, has_label=note.label != said)
            said = note.label

    def _note(self, note: Fact, *, has_label: bool) -> None:
        height = self._lines(note.value, NORMAL, self.epw) * LINE + LINE
        if self.get_y() + min(height, 40) > self.h - FOOT:
            self.add_page()
        if has_label:
            self.set_x(self.l_margin)
            self._cell(note.label, SMALL, self.accent, "B", width=self.epw)
            self.ln(LINE)
        self._block(note.value, self.l_margin, self.get_y(), self.epw, MUTED)
        self.ln(2)

    # Writing

    def _font(self, size: float, colour: Colour = TEXT, style: str = "") -> None:
        """Also where the next text begins with a letter that only another font has: fpdf2 would set this one for
        that line alone, and write those after it in whichever was set before.
        """
        self.set_font(self.family, style, size)
        self.set_text_color(*colour)
        if self.page and self.current_font and not self.current_font_is_set_on_page:
            self._out(self._set_font_for_page(self.current_font, self.font_size_pt))

    def _say(self, text: str, size: float, colour: Colour) -> None:
        self.set_x(self.l_margin)
        self._cell(text, size, colour, width=self.epw)

    def _cell(
        self, text: str, size: float, colour: Colour = TEXT, style: str = "", *,
        width: float, align: Align = Align.L, height: float = LINE,
    ) -> None:  # fmt: skip
        """One line; what is too wide is written smaller, not over its neighbour."""
        shown = self.using.shown(text)
        self._font(size, colour, style)
        while size > 5 and self.get_string_width(shown) > width - GAP:
            size -= 0.5
            self._font(size, colour, style)
        self.cell(width, height, shown, align=align, new_x=XPos.RIGHT, new_y=YPos.TOP)

    def _block(self, text: str, x: float, y: float, width: float, colour: Colour = TEXT, style: str = "") -> None:
        """Lines below each other, broken where they are too wide; the next begins below."""
        self._font(NORMAL, colour, style)
        self.set_xy(x, y)
        self.multi_cell(width, LINE, self.using.shown(text), align=Align.L, new_x=XPos.LEFT, new_y=YPos.NEXT)

    def _lines(self, text: str, size: float, width: float) -> int:
        self._font(size)
        lines = self.multi_cell(width, LINE, self.using.shown(text), align=Align.L, dry_run=True, output="LINES")
        assert isinstance(lines, list)  # as asked for
        return len(lines)

    def _rule(self, colour: Colour) -> None:
        self.set_draw_color(*colour)
        self.line(self.l_margin, self.get_y(), self.w - self.r_margin, self.get_y())


def _size(logo: bytes) -> tuple[float, float]:
    """How wide and high it is drawn: as large as its box lets it be, in its own proportions."""
    with Image.open(BytesIO(logo)) as picture:
        width, height = picture.size
    scale = min(LOGO[0] / width, LOGO[1] / height)
    return width * scale, height * scale


def _colour(text: str) -> Colour:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)

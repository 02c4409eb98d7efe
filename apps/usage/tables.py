"""Rows as text: CSV that spreadsheets may open, and columns to look at."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

# What a spreadsheet takes for the beginning of a formula; the wide forms too, which some make narrow first.
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

Row = Mapping[str, object]


def as_csv(columns: Sequence[str], rows: Sequence[Row], *, has_names: bool = True) -> str:
    """RFC 4180. Text that would be a formula gets an apostrophe; numbers stay numbers.

    has_names: with a line of the columns' names first; without, the lines go on from others.
    """
    written = io.StringIO()
    writer = csv.writer(written)
    if has_names:
        writer.writerow(columns)
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)
    return written.getvalue()


def csv_lines(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """As `as_csv`, a line at a time: for as many rows as there are."""
    yield as_csv(columns, [])
    for row in rows:
        written = io.StringIO()
        csv.writer(written).writerow([_cell(row.get(name)) for name in columns])
        yield written.getvalue()


def as_table(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """Aligned columns: text on the left, numbers on the right."""
    heading = [name.replace("_", " ") for name in columns]
    lines = [heading, *([_shown(row.get(name)) for name in columns] for row in rows)]
    widths = [max(len(line[number]) for line in lines) for number in range(len(columns))]
    is_number = [all(isinstance(row.get(name), int | float | Decimal | None) for row in rows) for name in columns]
    return "\n".join(
        "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, is_number, strict=True)
        ).rstrip()
        for line in lines
    )


def plain(value: object) -> object:
    """As JSON has it: amounts as exact text, ids and dates as text, numbers as they are."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, float):
        return round(value, 1)
    if value is None or isinstance(value, int | str):
        return value
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def _cell(value: object) -> object:
    text = plain(value)
    if isinstance(value, str) and value.startswith(DANGEROUS):
        return f"'{value}"
    return "" if text is None else text


def _shown(value: object) -> str:
    if value is None:
        return "-"
    text = str(plain(value))
    return text if text.isprintable() else ascii(text)  # what strangers wrote moves no cursor

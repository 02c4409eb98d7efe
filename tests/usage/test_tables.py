import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from apps.usage.tables import as_csv, as_table

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠x"]
HARMLESS = ["ann", "a=b", "1-2", "", " =1", "'quoted'", 'say "hi", ann', "two\nlines"]


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("text", FORMULAS)
def test_text_that_would_be_a_formula_gets_an_apostrophe(text):
    assert read(as_csv(["name"], [{"name": text}]))[1] == [f"'{text}"]


@pytest.mark.parametrize("text", HARMLESS)
def test_other_text_is_as_it_is(text):
    assert read(as_csv(["name", "n"], [{"name": text, "n": 1}]))[1] == [text, "1"]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (-5, "-5"),
        (Decimal("-0.000000000001"), "-0.000000000001"),
        (Decimal("1E+3"), "1000"),
        (12.345, "12.3"),
        (None, ""),
        (date(2026, 3, 10), "2026-03-10"),
        (datetime(2026, 3, 10, 12, tzinfo=UTC), "2026-03-10T12:00:00+00:00"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
    ],
)
def test_values_that_are_no_text_are_written_plainly(value, written):
    assert read(as_csv(["name", "n"], [{"name": value, "n": 1}]))[1] == [written, "1"]


def test_table_has_numbers_on_the_right():
    rows = [{"user": "ann", "cost": Decimal("1.5")}, {"user": "robert", "cost": Decimal("10.25")}]
    assert as_table(["user", "cost"], rows).splitlines() == ["user     cost", "ann       1.5", "robert  10.25"]


def test_table_shows_what_is_not_printable_in_ascii():
    assert as_table(["user"], [{"user": "\x1b[2Jann"}]).splitlines() == ["user", "'\\x1b[2Jann'"]


def test_table_without_rows_has_its_heading():
    assert as_table(["end_user"], []) == "end user"

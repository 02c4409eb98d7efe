"""Sequences of requests, and what the users' table must say of them: worked out by hand, from docs/user-metrics.md.

A case has a zone, a range of days of that zone (both included), calls in the order in which they came in, and the rows
that come of them, dearest first. Times are in UTC. What a call leaves out is as in USUAL.
"""

from decimal import Decimal
from typing import Any, NamedTuple

SERVED, FAILED, REFUSED, CANCELLED, UNFINISHED = range(5)
USUAL = {
    "user": "ann",
    "result": SERVED,
    "status": 200,
    "cost": "1",
    "price": "2",
    "input": 100,
    "output": 10,
    "ms": 500,
}
LONG = "ü" * 200 + "…0123456789abcdef0123456789abcdef"  # as an id of more than 512 bytes is kept

Call = dict[str, Any]


class Case(NamedTuple):
    """`rows`: by user, (requests, refused, errors, active days, tokens, cost, price), in the order of the table."""

    name: str
    days: tuple[str, str]
    calls: list[Call]
    rows: list[tuple[str | None, int, int, int, int, int, str, str]]
    zone: str = "UTC"
    more: dict[str, Any] = {}  # noqa: RUF012 of the first row: averages, rates, first and last
    late: bool = False  # each call comes in a batch of its own, the last first


def c(at: str, **fields: Any) -> Call:
    return {"at": at} | fields


def refused(at: str, **fields: Any) -> Call:
    nothing = {"result": REFUSED, "status": 429, "cost": "0", "price": "0", "input": 0, "output": 0, "ms": 1}
    return c(at, **nothing | fields)


def failed(at: str, status: int = 500, **fields: Any) -> Call:
    return c(at, **{"result": FAILED, "status": status, "cost": "0", "price": "0", "input": 0, "output": 0} | fields)


def unpriced(at: str, **fields: Any) -> Call:
    return c(at, cost=None, price=None, **fields)


def unfinished(at: str, **fields: Any) -> Call:
    nothing = {"status": 0, "cost": None, "price": None, "input": 0, "output": 0, "ms": 0}
    return c(at, result=UNFINISHED, **nothing | fields)


MARCH = ("2026-03-01", "2026-03-31")
THE_10TH = ("2026-03-10", "2026-03-10")
NOON = "2026-03-10T12:00:00"

CASES = [
    # What counts
    Case("one-request", MARCH, [c(NOON)], [("ann", 1, 0, 0, 1, 110, "1", "2")]),
    Case("no-request", MARCH, [], []),
    Case(
        "three-in-a-day-are-one-active-day",
        MARCH,
        [c(NOON), c("2026-03-10T00:00:00"), c("2026-03-10T23:59:59.999999")],
        [("ann", 3, 0, 0, 1, 330, "3", "6")],
        more={"a_day": 3.0, "tokens_each": 110.0, "cost_each": Decimal(1)},
    ),
    Case(
        "five-on-two-days",
        MARCH,
        [c(NOON), c(NOON), c(NOON), c("2026-03-12T01:00:00"), c("2026-03-12T02:00:00", input=500, output=0)],
        [("ann", 5, 0, 0, 2, 940, "5", "10")],
        more={"a_day": 2.5, "tokens_each": 188.0, "first": NOON, "last": "2026-03-12T02:00:00"},
    ),
    Case(
        "first-and-last-are-to-the-microsecond",
        MARCH,
        [c("2026-03-10T12:59:59.999999"), c("2026-03-10T12:00:00.000001")],
        [("ann", 2, 0, 0, 1, 220, "2", "4")],
        more={"first": "2026-03-10T12:00:00.000001", "last": "2026-03-10T12:59:59.999999"},
    ),
    Case(
        "dearest-first",
        MARCH,
        [c(NOON, user="bob", cost="0.5"), c(NOON, cost="3"), c(NOON, user="cy", cost="2")],
        [("ann", 1, 0, 0, 1, 110, "3", "2"), ("cy", 1, 0, 0, 1, 110, "2", "2"), ("bob", 1, 0, 0, 1, 110, "0.5", "2")],
    ),
    Case(
        "sums-to-the-last-place",
        MARCH,
        [c(NOON, cost="0.000000000001", price="0.000000000003"), c(NOON, cost="0.1", price="0.2")],
        [("ann", 2, 0, 0, 1, 220, "0.100000000001", "0.200000000003")],
        more={"cost_each": Decimal("0.0500000000005"), "margin": Decimal("0.100000000002")},
    ),
    Case(
        "a-margin-below-zero",
        MARCH,
        [c(NOON, cost="5", price="2")],
        [("ann", 1, 0, 0, 1, 110, "5", "2")],
        more={"margin": Decimal(-3)},
    ),
    # Ties
    Case(
        "equals-come-by-name",
        MARCH,
        [c(NOON, user="cy"), c(NOON, user="ann"), c(NOON, user="bob")],
        [("ann", 1, 0, 0, 1, 110, "1", "2"), ("bob", 1, 0, 0, 1, 110, "1", "2"), ("cy", 1, 0, 0, 1, 110, "1", "2")],
    ),
    Case(
        "equals-nobody-comes-last",
        MARCH,
        [c(NOON, user=None), c(NOON, user="zoe")],
        [("zoe", 1, 0, 0, 1, 110, "1", "2"), (None, 1, 0, 0, 1, 110, "1", "2")],
    ),
    Case(
        "all-cost-nothing",
        MARCH,
        [c(NOON, user="b", cost="0", price="0"), c(NOON, user="a", cost="0", price="0")],
        [("a", 1, 0, 0, 1, 110, "0", "0"), ("b", 1, 0, 0, 1, 110, "0", "0")],
        more={"cost_each": Decimal(0)},
    ),
    Case(
        "two-requests-at-one-instant-are-two",
        MARCH,
        [c(NOON), c(NOON)],
        [("ann", 2, 0, 0, 1, 220, "2", "4")],
        more={"first": NOON, "last": NOON},
    ),
    # Who it is
    Case("nobody-is-a-row", MARCH, [c(NOON, user=None)], [(None, 1, 0, 0, 1, 110, "1", "2")]),
    Case(
        "nobody-is-not-a-user-called-undefined",
        MARCH,
        [c(NOON, user=None), c(NOON, user="undefined", cost="3"), c(NOON, user="null", cost="2")],
        [
            ("undefined", 1, 0, 0, 1, 110, "3", "2"),
            ("null", 1, 0, 0, 1, 110, "2", "2"),
            (None, 1, 0, 0, 1, 110, "1", "2"),
        ],
    ),
    Case(
        "upper-and-lower-case-are-two",
        MARCH,
        [c(NOON, user="Ann", cost="2"), c(NOON, user="ann")],
        [("Ann", 1, 0, 0, 1, 110, "2", "2"), ("ann", 1, 0, 0, 1, 110, "1", "2")],
    ),
    Case(
        "spaces-within-a-name-count",
        MARCH,
        [c(NOON, user="a b", cost="2"), c(NOON, user="a  b")],
        [("a b", 1, 0, 0, 1, 110, "2", "2"), ("a  b", 1, 0, 0, 1, 110, "1", "2")],
    ),
    Case(
        "unicode",
        MARCH,
        [c(NOON, user="日本語", cost="3"), c(NOON, user="🙂‍↔️", cost="2"), c(NOON, user="Ж\u202eא")],
        [
            ("日本語", 1, 0, 0, 1, 110, "3", "2"),
            ("🙂‍↔️", 1, 0, 0, 1, 110, "2", "2"),
            ("Ж\u202eא", 1, 0, 0, 1, 110, "1", "2"),
        ],
    ),
    Case(
        "composed-and-decomposed-are-two",  # kept as sent
        MARCH,
        [c(NOON, user="é", cost="2"), c(NOON, user="e\u0301")],
        [("é", 1, 0, 0, 1, 110, "2", "2"), ("e\u0301", 1, 0, 0, 1, 110, "1", "2")],
    ),
    Case(
        "very-long",
        MARCH,
        [c(NOON, user=LONG), c(NOON, user=LONG), c(NOON, user=LONG[:-1] + "0")],
        [(LONG, 2, 0, 0, 1, 220, "2", "4"), (LONG[:-1] + "0", 1, 0, 0, 1, 110, "1", "2")],
    ),
    Case(
        "what-looks-like-sql-is-a-name",
        MARCH,
        [c(NOON, user="'; DROP TABLE x; --"), c(NOON, user="%", cost="2")],
        [("%", 1, 0, 0, 1, 110, "2", "2"), ("'; DROP TABLE x; --", 1, 0, 0, 1, 110, "1", "2")],
    ),
    # Errors, refusals and what has no end
    Case(
        "a-refused-one-counts-and-is-in-no-average",
        MARCH,
        [c(NOON), refused(NOON)],
        [("ann", 2, 1, 0, 1, 110, "1", "2")],
        more={"a_day": 1.0, "tokens_each": 110.0, "cost_each": Decimal(1), "error_rate": 0.0},
    ),
    Case(
        "only-refused",
        MARCH,
        [refused(NOON), refused(NOON)],
        [("ann", 2, 2, 0, 1, 0, "0", "0")],
        more={"a_day": 0.0, "tokens_each": None, "cost_each": None, "error_rate": None},
    ),
    Case(
        "a-day-of-refusals-is-an-active-day",
        MARCH,
        [c(NOON), refused("2026-03-11T12:00:00")],
        [("ann", 2, 1, 0, 2, 110, "1", "2")],
        more={"a_day": 0.5},
    ),
    Case(
        "one-of-four-failed",
        MARCH,
        [c(NOON), c(NOON), c(NOON), failed(NOON)],
        [("ann", 4, 0, 1, 1, 330, "3", "6")],
        more={"error_rate": 0.25, "tokens_each": 82.5, "cost_each": Decimal("0.75")},
    ),
    Case(
        "errors-of-all-classes",
        MARCH,
        [failed(NOON, 400), failed(NOON, 429), failed(NOON, 503), failed(NOON, 0)],
        [("ann", 4, 0, 4, 1, 0, "0", "0")],
        more={"error_rate": 1.0},
    ),
    Case(
        "an-error-is-charged-what-it-reports",
        MARCH,
        [failed(NOON, 500, cost="0.25", price="0.5", input=40)],
        [("ann", 1, 0, 1, 1, 40, "0.25", "0.5")],
        more={"cost_each": Decimal("0.25")},
    ),
    Case(
        "a-cancelled-one-is-charged-and-no-error",
        MARCH,
        [c(NOON, result=CANCELLED)],
        [("ann", 1, 0, 0, 1, 110, "1", "2")],
        more={"error_rate": 0.0},
    ),
    Case(
        "one-without-an-end-is-an-error-of-no-known-cost",
        MARCH,
        [c(NOON), unfinished(NOON)],
        [("ann", 2, 0, 1, 1, 110, "1", "2")],
        more={"error_rate": 0.5, "cost_each": Decimal(1)},
    ),
    # Prices that nobody knows
    Case(
        "an-unknown-price-is-in-no-sum-of-money",
        MARCH,
        [c(NOON), unpriced(NOON)],
        [("ann", 2, 0, 0, 1, 220, "1", "2")],
        more={"cost_each": Decimal(1), "tokens_each": 110.0, "unpriced": 1},
    ),
    Case(
        "only-unknown-prices",
        MARCH,
        [unpriced(NOON), unpriced(NOON)],
        [("ann", 2, 0, 0, 1, 220, "0", "0")],
        more={"cost_each": None, "unpriced": 2},
    ),
    Case(
        "a-price-of-zero-is-known",
        MARCH,
        [c(NOON, cost="0", price="0"), c(NOON)],
        [("ann", 2, 0, 0, 1, 220, "1", "2")],
        more={"cost_each": Decimal("0.5"), "unpriced": 0},
    ),
    # Edges of days and months, in three zones
    Case(
        "the-range-has-its-last-day-whole-and-no-more",
        THE_10TH,
        [
            c("2026-03-09T23:59:59.999999"),
            c("2026-03-10T00:00:00"),
            c("2026-03-10T23:59:59.999999"),
            c("2026-03-11T00:00:00"),
        ],
        [("ann", 2, 0, 0, 1, 220, "2", "4")],
    ),
    Case(
        "a-month",
        ("2026-02-01", "2026-02-28"),
        [c("2026-01-31T23:59:59"), c("2026-02-01T00:00:00"), c("2026-02-28T23:59:59"), c("2026-03-01T00:00:00")],
        [("ann", 2, 0, 0, 2, 220, "2", "4")],
    ),
    Case(
        "midnight-in-new-york",
        THE_10TH,
        [c("2026-03-10T03:59:59"), c("2026-03-10T04:00:00"), c("2026-03-11T03:59:59"), c("2026-03-11T04:00:00")],
        [("ann", 2, 0, 0, 1, 220, "2", "4")],
        zone="America/New_York",
    ),
    Case(
        "clocks-go-forward-in-new-york",  # 23 hours, from 05:00 to 04:00
        ("2026-03-08", "2026-03-08"),
        [c("2026-03-08T04:59:59"), c("2026-03-08T05:00:00"), c("2026-03-09T03:59:59"), c("2026-03-09T04:00:00")],
        [("ann", 2, 0, 0, 1, 220, "2", "4")],
        zone="America/New_York",
    ),
    Case(
        "clocks-go-back-in-new-york",  # 25 hours; the hour from 1 to 2 comes twice
        ("2026-11-01", "2026-11-01"),
        [
            c("2026-11-01T04:00:00"),
            c("2026-11-01T05:30:00"),
            c("2026-11-01T06:30:00"),
            c("2026-11-02T04:59:59"),
            c("2026-11-02T05:00:00"),
        ],
        [("ann", 4, 0, 0, 1, 440, "4", "8")],
        zone="America/New_York",
    ),
    Case(
        "a-month-with-both-offsets",
        ("2026-03-01", "2026-03-31"),
        [c("2026-03-01T04:59:59"), c("2026-03-01T05:00:00"), c("2026-04-01T03:59:59"), c("2026-04-01T04:00:00")],
        [("ann", 2, 0, 0, 2, 220, "2", "4")],
        zone="America/New_York",
    ),
    Case(
        "midnight-in-kolkata-is-half-an-hour-off",
        THE_10TH,
        [c("2026-03-09T18:29:59"), c("2026-03-09T18:30:00"), c("2026-03-10T18:29:59"), c("2026-03-10T18:30:00")],
        [("ann", 2, 0, 0, 1, 220, "2", "4")],
        zone="Asia/Kolkata",
    ),
    Case(
        "two-days-there-are-one-in-utc",
        MARCH,
        [c("2026-03-10T18:29:59"), c("2026-03-10T18:30:00")],
        [("ann", 2, 0, 0, 2, 220, "2", "4")],
        zone="Asia/Kolkata",
        more={"a_day": 1.0},
    ),
    Case(
        "clocks-go-back-in-auckland",  # on the 5th of April, 25 hours
        ("2026-04-05", "2026-04-05"),
        [c("2026-04-04T10:59:59"), c("2026-04-04T11:00:00"), c("2026-04-05T11:59:59"), c("2026-04-05T12:00:00")],
        [("ann", 2, 0, 0, 1, 220, "2", "4")],
        zone="Pacific/Auckland",
    ),
    Case(
        "one-instant-is-another-month-there",
        ("2026-04-01", "2026-04-30"),
        [c("2026-03-31T11:00:00"), c("2026-03-31T10:59:59")],
        [("ann", 1, 0, 0, 1, 110, "1", "2")],
        zone="Pacific/Auckland",
    ),
    Case(
        "clocks-that-skip-midnight",  # in Santiago the 6th of September begins at one o'clock
        ("2026-09-06", "2026-09-06"),
        [c("2026-09-06T03:59:59"), c("2026-09-06T04:00:00"), c("2026-09-07T02:59:59"), c("2026-09-07T03:00:00")],
        [("ann", 2, 0, 0, 1, 220, "2", "4")],
        zone="America/Santiago",
    ),
    # Late arrivals
    Case(
        "what-comes-late-is-counted-where-it-belongs",
        THE_10TH,
        [c("2026-03-09T12:00:00"), c(NOON), c("2026-03-10T01:00:00"), c("2026-03-11T12:00:00")],
        [("ann", 2, 0, 0, 1, 220, "2", "4")],
        late=True,
        more={"first": "2026-03-10T01:00:00", "last": NOON},
    ),
    Case(
        "a-late-one-makes-the-first-earlier",
        MARCH,
        [c("2026-03-02T00:00:00"), c(NOON)],
        [("ann", 2, 0, 0, 2, 220, "2", "4")],
        late=True,
        more={"first": "2026-03-02T00:00:00", "last": NOON},
    ),
    Case(
        "late-over-a-change-of-clocks",
        ("2026-03-07", "2026-03-08"),
        [c("2026-03-08T04:59:59"), c("2026-03-08T05:00:00"), c("2026-03-09T04:00:00")],
        [("ann", 2, 0, 0, 2, 220, "2", "4")],
        zone="America/New_York",
        late=True,
    ),
    # Everything at once
    Case(
        "a-mixed-week",
        ("2026-03-09", "2026-03-15"),
        [
            c("2026-03-09T08:00:00", input=1000, output=200, cost="0.01", price="0.015"),
            c("2026-03-09T09:00:00", user="bob", cost="0.5", price="0.25"),
            refused("2026-03-09T09:00:01", user="bob"),
            failed("2026-03-11T10:00:00", 429),
            unpriced("2026-03-11T10:00:01", input=300, output=0),
            c("2026-03-15T23:59:59", user=None, cost="0.02", price="0.03"),
            c("2026-03-16T00:00:00", user="bob", cost="9", price="9"),
        ],
        [
            ("bob", 2, 1, 0, 1, 110, "0.5", "0.25"),
            (None, 1, 0, 0, 1, 110, "0.02", "0.03"),
            ("ann", 3, 0, 1, 2, 1500, "0.01", "0.015"),
        ],
        more={"a_day": 1.0, "margin": Decimal("-0.25")},
    ),
]

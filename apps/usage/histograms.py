"""Durations as histograms that add up: how many requests took how long, in steps of a tenth.

A bucket has a number: 0 are those of 0 ms, and n those above 1.1 ** (n - 2) up to 1.1 ** (n - 1) ms. A histogram is an
array of bigint in the order of the buckets, of those that are not empty: the bucket in the upper bits, how
many are in it in the lower 40. Any two have one sum, whoever adds them and in whatever order.

What is told of a bucket is off by 4.8 % at most.
"""

from collections.abc import Iterable, Sequence
from math import ceil

GROWTH = 1.1
SHIFT = 40
COUNT = (1 << SHIFT) - 1
NONE = "'{}'::bigint[]"


def bucket_byte(column: str) -> str:
    """SQL: the number of the bucket that a request's milliseconds are in, as one byte."""
    number = f"CASE WHEN {column} < 1 THEN 0 ELSE 1 + ceil(ln({column}::float8) / ln({GROWTH}::float8))::integer END"
    return rf"set_byte('\x00'::bytea, 0, {number})"


def listed(column: str, only: str) -> str:
    """SQL: an aggregate, the buckets of all requests for which `only` holds, a byte each."""
    return f"coalesce(string_agg({bucket_byte(column)}, ''::bytea) FILTER (WHERE {only}), ''::bytea)"


def counted(bytes_: str) -> str:
    """SQL: the histogram of buckets listed so. Most lists are of one or none, which need no sorting."""
    # A long list may be stored compressed: it is unpacked as a whole, not again for each of its bytes.
    whole = f"SELECT {bytes_} || ''::bytea AS list OFFSET 0"
    places = "LATERAL generate_series(0, length(list) - 1) AS place"
    bucket = f"SELECT get_byte(list, place)::bigint AS bucket FROM ({whole}) AS whole, {places}"  # noqa: S608 ours
    many = f"SELECT (bucket << {SHIFT}) + count(*) FROM ({bucket}) AS each GROUP BY bucket ORDER BY bucket"  # noqa: S608 ours
    one = f"(get_byte({bytes_}, 0)::bigint << {SHIFT}) + 1"
    return f"CASE length({bytes_}) WHEN 0 THEN {NONE} WHEN 1 THEN ARRAY[{one}] ELSE ARRAY({many}) END"


def merged(one: str, other: str) -> str:
    """SQL: the sum of two histograms."""
    bucket = f"c >> {SHIFT}"
    counts = f"(({bucket}) << {SHIFT}) + sum(c & {COUNT})::bigint"
    both = f"SELECT {counts} FROM unnest({one} || {other}) AS c GROUP BY {bucket} ORDER BY {bucket}"  # noqa: S608 ours
    return f"CASE WHEN {other} = {NONE} THEN {one} WHEN {one} = {NONE} THEN {other} ELSE ARRAY({both}) END"


def milliseconds(bucket: int) -> float:
    """What is told of a bucket: as far from its lower end as from its upper, in parts of either."""
    return 2 * GROWTH**bucket / (GROWTH * (GROWTH + 1)) if bucket else 0.0


def percentile(counts: Sequence[tuple[int, int]], share: float) -> float | None:
    """The time that `share` (0 to 1) of the requests took at most, in ms, within 5 %. None: there are none.

    counts: buckets in ascending order and how many are in each. By nearest rank: the value of a request, not
    one between two.
    """
    total = sum(count for _, count in counts)
    rank, seen = max(1, ceil(share * total)), 0
    for bucket, count in counts:
        seen += count
        if seen >= rank:
            return milliseconds(bucket)
    return None


def unpacked(histogram: Iterable[int]) -> list[tuple[int, int]]:
    """A stored histogram as its buckets and their counts."""
    return [(element >> SHIFT, element & COUNT) for element in histogram]

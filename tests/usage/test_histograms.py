"""Lists of durations become histograms, however long they are."""

from collections import Counter

import pytest
from django.db import connection

from apps.usage.histograms import COUNT, SHIFT, bucket_byte, counted, merged


def bucket(took: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT get_byte({bucket_byte('took')}, 0) FROM (SELECT %s AS took) AS one", [took])
        return cursor.fetchone()[0]


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("times", [[], [7], [7, 7], [900, 7, 900], [number % 50 for number in range(30_000)]])
def test_a_list_is_counted_also_where_it_is_stored_compressed(times):
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE listed ON COMMIT DROP AS "
            f"SELECT coalesce(string_agg({bucket_byte('took')}, ''::bytea), ''::bytea) AS list "
            "FROM unnest(%s::integer[]) AS took",
            [times],
        )
        cursor.execute(f"SELECT {counted('list')} FROM listed")
        (histogram,) = cursor.fetchone()
        cursor.execute(f"SELECT {merged('%s::bigint[]', '%s::bigint[]')}", [histogram] * 6)
        (twice,) = cursor.fetchone()
    found = {took: bucket(took) for took in set(times)}
    expected = Counter(found[took] for took in times)
    assert {each >> SHIFT: each & COUNT for each in histogram} == expected
    assert histogram == sorted(histogram)
    assert {each >> SHIFT: each & COUNT for each in twice} == {key: 2 * count for key, count in expected.items()}

"""Percentiles out of the roll-ups are within 5 % of those of the requests, however they are put together."""

from datetime import UTC, datetime, timedelta
from math import ceil
from random import Random
from zoneinfo import ZoneInfo

import pytest

from apps.usage.histograms import COUNT, SHIFT, milliseconds, percentile
from apps.usage.models import DailyTotal, DailyUsage, HourlyUsage
from apps.usage.queries import Scope, percentiles, percentiles_by, percentiles_of_users
from apps.usage.queries.latency import latency_and_parts, latency_of_values
from apps.usage.queries.periods import midnight
from apps.usage.queries.users import UserFilter, every_user, users
from apps.usage.record import FAILED, REFUSED
from apps.usage.rollup import roll_up
from tests.usage.conftest import NOON, a_call, write_spool

UTC_ZONE = ZoneInfo("UTC")


@pytest.fixture
def took(cast, root, ship):
    """Have Globex make calls that took so many ms, rolled up one after the other in so many parts."""

    def make(*latencies: int, parts: int = 1, **fields) -> None:
        for part in range(parts):
            calls = [
                a_call(cast.globex, outcome={"latency_ms": latency, "first_token_ms": latency // 2}, **fields)
                for latency in latencies[part::parts]
            ]
            write_spool(root, [payload for call in calls for payload in call])
            ship()
            roll_up()

    return make


def of_day(cast, **fields) -> Scope:
    day = NOON.date()
    since, until = (midnight(each, UTC_ZONE) for each in (day, day + timedelta(days=1)))
    return Scope(cast.acme.pk, since, until, **fields)


def of_hour(cast) -> Scope:
    return Scope(cast.acme.pk, NOON, NOON + timedelta(hours=1))


@pytest.mark.parametrize("value", [1, 2, 3, 7, 10, 11, 99, 100, 101, 850, 12_345, 599_999, 86_400_000, 2**31 - 1])
def test_a_bucket_tells_its_times_within_5_percent(cast, took, value):
    took(value)
    [element] = HourlyUsage.objects.get().latencies
    assert element & COUNT == 1
    assert milliseconds(element >> SHIFT) == pytest.approx(value, rel=0.05)


def test_no_time_at_all_is_told_exactly(cast, took):
    took(0)
    assert HourlyUsage.objects.get().latencies == [1]
    assert percentiles(of_day(cast)).latency[:3] == (0, 0, 0)


@pytest.mark.parametrize("parts", [1, 7])
@pytest.mark.parametrize("scope", [of_day, of_hour])
def test_percentiles_are_within_5_percent(cast, took, scope, parts):
    chance = Random(7)
    latencies = [round(chance.lognormvariate(6.5, 1.2)) for _ in range(700)]
    took(*latencies, parts=parts)
    ordered = sorted(latencies)
    found = percentiles(scope(cast)).latency
    assert found.requests == 700
    for told, share in zip(found, (0.5, 0.95, 0.99), strict=False):
        assert told == pytest.approx(ordered[ceil(share * 700) - 1], rel=0.05)


def test_all_levels_have_the_same_times(cast, took):
    took(10, 10, 500, 20_000, parts=3)
    [hour], [day], [total] = (model.objects.all() for model in (HourlyUsage, DailyUsage, DailyTotal))
    assert hour.latencies == day.latencies == total.latencies
    assert hour.first_token_times == day.first_token_times == total.first_token_times
    assert [element & COUNT for element in hour.latencies] == [2, 1, 1]
    assert hour.latencies == sorted(hour.latencies)


def test_what_we_refused_took_no_time(cast, root, ship):
    write_spool(root, a_call(cast.globex, outcome={"result": REFUSED, "latency_ms": 5, "first_token_ms": 4}))
    write_spool(root, a_call(cast.globex, outcome={"result": FAILED, "status": 500, "latency_ms": 1000}))
    ship()
    roll_up()
    found = percentiles(of_day(cast))
    assert (found.latency.requests, found.first_token.requests) == (1, 0)
    assert found.first_token.p95 is None
    assert found.latency.p50 == pytest.approx(1000, rel=0.05)


def test_groups_have_their_own(cast, took):
    took(100, 100, end_user="ann")
    took(900, end_user="bob")
    took(5000)
    found = {user: times.latency.p50 for user, times in percentiles_by(of_day(cast), "user").items()}
    assert found == {
        "ann": pytest.approx(100, rel=0.05),
        "bob": pytest.approx(900, rel=0.05),
        None: pytest.approx(5000, rel=0.05),
    }
    assert set(percentiles_by(of_day(cast), "user", ["ann", None])) == {"ann", None}
    assert set(percentiles_by(of_day(cast), "user", ["ann"])) == {"ann"}
    assert percentiles(of_day(cast, end_user="ann")).latency.requests == 2
    assert percentiles(of_day(cast, customer_id=cast.initech.pk)).latency == (None, None, None, 0)


def test_users_of_one_name_are_told_apart_by_customer(cast, took, root, ship):
    took(100, end_user="ann")
    took(300)
    write_spool(root, a_call(cast.initech, end_user="ann", outcome={"latency_ms": 9000}))
    ship()
    roll_up()
    users = [(cast.globex.pk, "ann"), (cast.initech.pk, "ann"), (cast.globex.pk, None), (cast.initech.pk, "zoe")]
    found = percentiles_of_users(of_day(cast), users)
    assert [found[user].latency.p95 for user in users] == [
        pytest.approx(100, rel=0.05),
        pytest.approx(9000, rel=0.05),
        pytest.approx(300, rel=0.05),
        None,
    ]


RANKS = [  # buckets with their counts, the share, the bucket that is told of
    ([(5, 1)], 0.5, 5),
    ([(5, 1), (9, 1)], 0.5, 5),
    ([(5, 1), (9, 2)], 0.5, 9),
    ([(5, 95), (9, 5)], 0.95, 5),
    ([(5, 94), (9, 6)], 0.95, 9),
    ([(5, 99), (9, 1)], 1.0, 9),
]


@pytest.mark.parametrize(("counts", "share", "bucket"), RANKS)
def test_nearest_rank(counts, share, bucket):
    assert percentile(counts, share) == milliseconds(bucket)


def test_of_none_there_is_no_percentile():
    assert percentile([], 0.5) is None


def test_scopes_of_days_are_those_from_midnight_to_midnight(cast):
    zone = ZoneInfo("Asia/Kolkata")
    start, end = (midnight(datetime(2026, 3, day).date(), zone) for day in (1, 3))  # noqa: DTZ001
    assert Scope(cast.acme.pk, start, end).is_of_days
    assert not Scope(cast.acme.pk, start, end + timedelta(hours=1)).is_of_days
    assert not Scope(cast.acme.pk, start.astimezone(UTC), end.astimezone(UTC)).is_of_days


def test_by_the_value_of_a_property(cast, took):
    """However they were rolled up, and whoever called; hours have none, and no other value counts."""
    chance = Random(7)
    pro, free = ([chance.randrange(1, 60_000) for _ in range(count)] for count in (60, 9))
    took(*pro[:40], parts=4, properties=[("Plan", "pro"), ("App", "x")], end_user="ann")
    took(*pro[40:], parts=2, properties=[("Plan", "pro")], end_user="bob")
    took(*free, properties=[("Plan", "free")])
    took(1, 2, 3)
    found = latency_of_values(of_day(cast), "PLAN", ["pro", "free", "none"])
    assert set(found) == {"pro", "free"}
    assert found["pro"].requests == 60
    for value, latencies in (("pro", pro), ("free", free)):
        for share, told in ((0.5, found[value].p50), (0.95, found[value].p95), (0.99, found[value].p99)):
            exact = sorted(latencies)[ceil(share * len(latencies)) - 1]
            assert told == pytest.approx(exact, rel=0.05)
    assert latency_of_values(of_hour(cast), "plan", ["pro"]) == {}
    of_ann = latency_of_values(of_day(cast, end_user="ann"), "plan", ["pro"])
    assert of_ann["pro"].requests == 40


def test_users_by_a_property_have_theirs(cast, took):
    took(10, 20, 30, properties=[("Plan", "pro")], end_user="ann")
    took(5000, properties=[("Plan", "pro")], end_user="bob")
    took(90_000, properties=[("Plan", "free")], end_user="ann")
    pro = UserFilter(property=("Plan", "pro"))
    for order, expected in (("latency_p95_ms", ["ann", "bob"]), ("-latency_p50_ms", ["bob", "ann"])):
        found = users(of_day(cast), UTC_ZONE, order=order, narrowed=pro).rows
        assert [row.end_user for row in found] == expected
        latency = {row.end_user: row.latency for row in found}
        assert latency["ann"].p95 == pytest.approx(30, rel=0.05)
        assert (latency["ann"].requests, latency["bob"].requests) == (3, 1)
    exported = list(every_user(of_day(cast), UTC_ZONE, order="-latency_p95_ms", narrowed=pro))
    assert [(each.key.end_user, each.latency.requests) for each in exported] == [("bob", 1), ("ann", 3)]
    hours = users(of_hour(cast), UTC_ZONE, order="-latency_p95_ms", narrowed=pro).rows
    assert [(row.end_user, row.latency.requests) for row in hours] == [("bob", 0), ("ann", 0)]


def test_all_and_each_model_of_a_user_in_one_query(cast, took, django_assert_num_queries):
    took(100, 200, 300, end_user="ann", alias="fast")
    took(9000, end_user="ann", alias="slow")
    took(1, end_user="bob", alias="fast")
    scope = of_day(cast, end_user="ann")
    with django_assert_num_queries(1):
        whole, parts = latency_and_parts(scope, "sold_as")
    assert whole == percentiles(scope).latency
    assert {name: latency.requests for name, latency in parts.items()} == {"fast": 3, "slow": 1}
    assert parts["slow"].p50 == pytest.approx(9000, rel=0.05)

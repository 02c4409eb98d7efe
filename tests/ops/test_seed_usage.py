"""Traffic that is made up is as many requests as asked for, and rolls up as real ones do; pages are measured on it."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.ops.pages import Measured, measure_pages
from apps.ops.seed.usage import seed_usage
from apps.usage.audit import audit
from apps.usage.models import Batch, DailyTotal, DailyUsage, PropertyName, Request, Result
from apps.usage.rollup import roll_up

AT = datetime(2026, 3, 10, 12, 34, tzinfo=UTC)
SIZES = {"requests": 3000, "customers": 4, "users": 60, "days": 3}


@pytest.fixture
def seeded(cast) -> int:
    return seed_usage(cast.acme, **SIZES, at=AT)


@pytest.mark.usefixtures("seeded")
def test_as_many_requests_as_asked_for_in_the_days_asked_for(cast):
    requests = Request.objects.filter(organization=cast.acme)
    assert requests.count() == 3000
    first, last = requests.earliest("started_at").started_at, requests.latest("started_at").started_at
    assert AT - timedelta(days=3, hours=1) <= first < last < AT.replace(minute=0)
    customers = set(requests.values_list("customer_id", flat=True))
    assert customers == set(cast.acme.customers.filter(slug__startswith="seeded-").values_list("pk", flat=True))
    assert len(customers) == 4
    assert 20 < requests.values("end_user").distinct().count() <= 61
    assert {Result.SERVED, Result.FAILED, Result.REFUSED} <= set(requests.values_list("result", flat=True))
    assert set(PropertyName.objects.values_list("label", flat=True)) == {"Plan", "Feature"}


@pytest.mark.usefixtures("seeded")
def test_few_customers_call_often(cast):
    counts = sorted(
        (Request.objects.filter(customer_id=each.pk).count() for each in cast.acme.customers.all()), reverse=True
    )
    assert counts[0] > 3000 / 4 > counts[3]


def test_it_waits_for_the_roll_up_which_is_exact(seeded):
    assert DailyUsage.objects.count() == 0
    assert sum(Batch.objects.filter(rolled_up_at=None).values_list("rows", flat=True)) == seeded == 3000
    assert roll_up() == 3000
    assert sum(DailyTotal.objects.values_list("requests", flat=True)) == 3000
    assert audit().is_equal


def test_a_second_run_adds_to_the_first(cast, seeded):
    seed_usage(cast.acme, **SIZES, at=AT, seed=2)
    assert Request.objects.count() == 6000
    assert cast.acme.customers.filter(slug__startswith="seeded-").count() == 4


def test_command(cast):
    answer = StringIO()
    sizes = [f"--{name}={value}" for name, value in (SIZES | {"requests": 50}).items()]
    call_command("seed_usage", "--organization", cast.acme.slug, "--json", *sizes, stdout=answer)
    assert json.loads(answer.getvalue())["requests"] == 50
    with pytest.raises(CommandError, match="no organization"):
        call_command("seed_usage", "--organization", "nobody", "--requests", "1")


@pytest.mark.usefixtures("seeded")
def test_pages_are_visited_and_measured(cast):
    roll_up()
    found = {page.page: page for page in measure_pages(cast.acme, visits=1, only="over")}
    assert found["overview, 30d"].status == 200
    assert 0 < found["overview, 30d"].queries <= 12
    answer = StringIO()
    call_command("measure_pages", "--organization", cast.acme.slug, "--visits=1", "--only=today", stdout=answer)
    assert answer.getvalue().splitlines()[1].startswith("overview, today")


@pytest.mark.parametrize(
    ("status", "p95", "queries", "is_met"),
    [(200, 150, 12, True), (200, 151, 12, False), (200, 10, 13, False), (500, 10, 1, False)],
)
def test_what_is_good_enough(status, p95, queries, is_met):
    assert Measured("a page", status, 1.0, 0, 1.0, 1.0, p95, 1.0, queries).is_met is is_met

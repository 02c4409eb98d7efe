"""The commands, as they are typed; what they do is tested beside the functions they call."""

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.usage.models import HourlyUsage
from tests.usage.conftest import a_call, write_spool


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def march(cast, root) -> None:
    """Three calls at noon of March 10: two of Globex, one of a stranger's customer."""
    calls = [a_call(cast.globex, end_user="ann", properties=[("Plan", "pro")]), a_call(cast.globex), a_call(cast.shady)]
    write_spool(root, [payload for call in calls for payload in call])


def test_rollup_ships_and_rolls_up(march):
    assert json.loads(run("rollup", "--json")) == {"shipped": 3, "rolled_up": 3}
    assert json.loads(run("rollup", "--json")) == {"shipped": 0, "rolled_up": 0}


def test_audit_of_equals_is_quiet(march):
    run("rollup")
    assert json.loads(run("audit", "--json")) == {
        "equal": True,
        "requests": 3,
        "waiting": 0,
        "dead_letters": 0,
        "differences": [],
        "wrong_batches": [],
    }


def test_audit_names_the_difference_and_fails(march):
    run("rollup")
    HourlyUsage.objects.filter(end_user="ann").update(output_tokens=299)
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("audit", "--json", stdout=out)
    assert ended.value.code == 1
    [difference] = json.loads(out.getvalue())["differences"]
    assert (difference["measure"], difference["in_requests"], difference["in_rollups"]) == ("output_tokens", 300, 299)
    assert difference["keys"]["end_user"] == "ann"


# usage


def usage(*arguments: str) -> dict:
    return json.loads(run("usage", "--organization", "acme", "--json", *arguments))


MARCH = ("--since", "2026-03-01", "--until", "2026-03-31")


def test_usage_of_all_is_one_row_of_the_organization_alone(march):
    run("rollup")
    answer = usage(*MARCH)
    assert (answer["organization"], answer["since"], answer["until"]) == (
        "acme",
        "2026-03-01T00:00:00+00:00",
        "2026-04-01T00:00:00+00:00",
    )
    [row] = answer["rows"]
    assert row == answer["total"]
    assert row == {
        "requests": 2,
        "refused": 0,
        "failed": 0,
        "cancelled": 0,
        "unfinished": 0,
        "input_tokens": 2400,
        "cache_read_tokens": 400,
        "output_tokens": 600,
        "reasoning_tokens": 0,
        "cost": "0.000690000000",
        "price": "0.000828000000",
        "unpriced": 0,
        "estimated": 0,
        "average_latency_ms": 800.0,
        "average_first_token_ms": None,
    }


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("user", [{"user": "ann", "requests": 1}, {"user": None, "requests": 1}]),
        ("model", [{"model": "gpt-4o-mini-2024-07-18", "requests": 2}]),
        ("provider", [{"provider": "openai", "requests": 2}]),
        ("property:PLAN", [{"value": "pro", "requests": 1}]),
    ],
)
def test_usage_by(march, by, expected):
    run("rollup")
    rows = [{name: row[name] for name in expected[0]} for row in usage(*MARCH, "--by", by)["rows"]]
    assert sorted(rows, key=str) == sorted(expected, key=str)


def test_usage_by_customer_names_the_customer(march, cast):
    run("rollup")
    [row] = usage(*MARCH, "--by", "customer")["rows"]
    assert (row["customer"], row["name"], row["requests"]) == (str(cast.globex.pk), "Globex", 2)


def test_usage_by_user_has_what_the_table_has(march, cast):
    run("rollup")
    ann = next(row for row in usage(*MARCH, "--by", "user")["rows"] if row["user"] == "ann")
    wanted = ("customer", "active_days", "requests_per_active_day", "tokens_per_request", "error_rate")
    assert [ann[name] for name in wanted] == ["Globex", 1, 1.0, 1500.0, "0.0000"]


def test_usage_by_day_has_a_row_for_each_day_asked_for(march):
    run("rollup")
    rows = usage("--by", "day", "--since", "2026-03-09", "--until", "2026-03-11")["rows"]
    assert [(row["day"], row["requests"]) for row in rows] == [("2026-03-09", 0), ("2026-03-10", 2), ("2026-03-11", 0)]


def test_usage_of_a_customer_without_requests_is_zero(march):
    run("rollup")
    assert usage(*MARCH, "--customer", "initech")["total"]["requests"] == 0


def test_usage_as_csv_has_a_line_of_names_and_no_formulas(cast, root):
    write_spool(root, a_call(cast.globex, end_user="=1+1"))
    run("rollup")
    text = run("usage", "--organization", "acme", "--by", "user", "--format", "csv", *MARCH)
    names, row = text.splitlines()
    assert names.startswith("user,requests,refused,")
    assert row.startswith("'=1+1,1,0,")


def test_usage_as_table_ends_with_the_total(march):
    run("rollup")
    lines = run("usage", "--organization", "acme", "--by", "user", *MARCH).splitlines()
    assert lines[0].split()[:2] == ["user", "requests"]
    assert lines[-1].split()[:2] == ["total", "2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--organization", "nobody"], "There is no organization “nobody”."),
        (["--organization", "acme", "--customer", "shady"], "Acme has no customer “shady”."),
        (["--organization", "acme", "--since", "2026-03-02", "--until", "2026-03-01"], "is after --until"),
        (["--organization", "acme", "--since", "yesterday"], "invalid day value: 'yesterday'"),
        (["--organization", "acme", "--by", "moon"], "invalid grouping value: 'moon'"),
    ],
)
def test_usage_refuses_what_it_cannot_answer(cast, arguments, message):
    with pytest.raises(CommandError, match=message):
        run("usage", *arguments)

"""Metrics, users, properties and exports, by token: exact figures, and what a customer isn't told."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.api.v1.conftest import NOW, Program
from tests.cast import Cast, a_proxy_key
from tests.used import a_property_hour, a_request, an_hour

HOUR = NOW - timedelta(hours=1)
YESTERDAY = NOW - timedelta(days=1)
SECRETS = {"cost", "margin", "cost_per_request", "provider", "model_served", "markup_percent", "provider_cost"}
SECRETS |= {"price_id", "rate_rule_id", "attempts", "cost_usd", "cost_per_user"}

pytestmark = pytest.mark.usefixtures("at_noon")


def names_in(told: object) -> set[str]:
    """The names of all members, however deep."""
    if isinstance(told, dict):
        return set(told) | {name for inner in told.values() for name in names_in(inner)}
    return {name for inner in told for name in names_in(inner)} if isinstance(told, list) else set()


@pytest.fixture
def used(cast: Cast) -> None:
    """Globex: ada, twice, and somebody without a name; Initech and Shady: much else."""
    an_hour(cast.globex, HOUR, requests=10, cost=Decimal("0.1"), price=Decimal("0.15"))
    an_hour(
        cast.globex, YESTERDAY, model="o4-mini-2025", sold_as="smart", requests=4, cost=Decimal(1), price=Decimal(2)
    )
    an_hour(cast.globex, HOUR, end_user=None, requests=1, refused=1, cost=Decimal(0), price=Decimal(0))
    an_hour(cast.initech, HOUR, end_user="ada", requests=100, cost=Decimal(7), price=Decimal(9))
    an_hour(cast.shady, HOUR, requests=5000, cost=Decimal(70), price=Decimal(90))


def test_usage_by_the_day(acmes: Program, globexs: Program, used):
    query = {"since": "2026-03-09T00:00:00Z", "until": "2026-03-11T00:00:00Z"}
    told = acmes.get("metrics", **query)
    [series] = told.pop("data")
    assert told == {
        "since": "2026-03-09T00:00:00Z",
        "until": "2026-03-11T00:00:00Z",
        "zone": "UTC",
        "interval": "day",
        "group_by": None,
        "next": None,
    }
    points = [(each["start"], each["figures"]["requests"], each["figures"]["price"]) for each in series["points"]]
    assert points == [("2026-03-09T00:00:00Z", 4, "2"), ("2026-03-10T00:00:00Z", 111, "9.15")]
    totals = series["totals"]
    assert (totals["requests"], totals["refused"], totals["cost"], totals["margin"]) == (115, 1, "8.1", "3.05")
    mine = globexs.get("metrics", **query)
    assert [each["figures"]["requests"] for each in mine["data"][0]["points"]] == [4, 11]
    assert not names_in(mine) & SECRETS


BY = [
    pytest.param("customer", [("initech", 100), ("globex", 15)], id="customer"),
    pytest.param("user", [("ada", 114), (None, 1)], id="user"),
    pytest.param("model", [("gpt-4o-mini", 111), ("o4-mini-2025", 4)], id="model"),
    pytest.param("provider", [("openai", 115)], id="provider"),
]


@pytest.mark.parametrize(("by", "groups"), BY)
def test_usage_by_something(acmes: Program, cast: Cast, used, by, groups):
    names = {str(cast.globex.pk): "globex", str(cast.initech.pk): "initech"}
    found = acmes.everything("metrics", group_by=by, period="30d", interval="day", limit=1)
    assert [(names.get(each["group"], each["group"]), each["totals"]["requests"]) for each in found] == groups
    for each in found:
        assert len(each["points"]) == 30
        assert sum(point["figures"]["requests"] for point in each["points"]) == each["totals"]["requests"]


def test_a_customer_knows_models_by_the_names_it_buys(globexs: Program, used):
    told = globexs.get("metrics", group_by="model", interval="total")
    assert [(each["group"], each["totals"]["price"], each["points"]) for each in told["data"]] == [
        ("smart", "2", []),
        ("gpt-4o-mini", "0.15", []),
    ]


def test_a_model_is_asked_for_by_the_name_that_one_knows(acmes: Program, globexs: Program, used):
    def requests(ask: Program, model: str) -> int:
        return ask.get("metrics", model=model, interval="total")["data"][0]["totals"]["requests"]

    assert [requests(acmes, model) for model in ("o4-mini-2025", "smart")] == [4, 0]
    assert [requests(globexs, model) for model in ("o4-mini-2025", "smart")] == [0, 4]
    assert [each["user"] for each in globexs.everything("users", model="smart")] == ["ada"]


@pytest.mark.parametrize(
    "query",
    [
        {"group_by": "customer"},
        {"group_by": "provider"},
        {"provider": "openai"},
        {"group_by": "property"},
        {"property": "plan"},
        {"period": "7d", "since": "2026-03-01T00:00:00Z"},
        {"since": "2026-03-02T00:00:00Z", "until": "2026-03-01T00:00:00Z"},
        {"since": "1999-01-01T00:00:00Z"},
        {"since": "yesterday"},
        {"interval": "hour", "since": "2020-01-01T00:00:00Z"},
        {"interval": "minute"},
        {"zone": "Mars/Olympus"},
        {"key": "x"},
    ],
)
def test_what_cannot_be_asked(globexs: Program, query):
    answer = globexs("GET", "metrics", **query)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] in query


def test_days_are_those_of_the_zone_asked_for(acmes: Program, cast: Cast):
    """In Berlin, 23:30 UTC on 28 March is 00:30 on the 29th, a day of 23 hours."""
    for hour in ("2026-03-28T22:00", "2026-03-28T23:00", "2026-03-29T21:00", "2026-03-29T22:00"):
        an_hour(cast.globex, datetime.fromisoformat(f"{hour}:00+00:00"), requests=1)
    query = {"since": "2026-03-28T00:00:00Z", "until": "2026-03-30T00:00:00Z"}
    [utc] = acmes.get("metrics", **query)["data"]
    assert [point["figures"]["requests"] for point in utc["points"]] == [2, 2]
    [berlin] = acmes.get("metrics", zone="Europe/Berlin", **query)["data"]
    assert [(point["start"], point["figures"]["requests"]) for point in berlin["points"]] == [
        ("2026-03-27T23:00:00Z", 1),
        ("2026-03-28T23:00:00Z", 2),
        ("2026-03-29T22:00:00Z", 1),
    ]


def test_hours_are_hours(acmes: Program, used):
    told = acmes.get("metrics", interval="hour", since="2026-03-10T00:00:00Z", until="2026-03-11T00:00:00Z")
    counted = {point["start"]: point["figures"]["requests"] for point in told["data"][0]["points"]}
    assert len(counted) == 24
    assert {start: count for start, count in counted.items() if count} == {"2026-03-10T11:00:00Z": 111}


def test_properties_and_their_values(acmes: Program, globexs: Program, cast: Cast):
    a_property_hour(cast.globex, HOUR, name="plan", value="premium", requests=3, cost=Decimal(1), price=Decimal(2))
    a_property_hour(cast.globex, HOUR, name="plan", value="free", requests=7, cost=Decimal(1), price=Decimal(1))
    a_property_hour(cast.initech, HOUR, name="secret-project", value="x", requests=1)
    assert [each["name"] for each in globexs.everything("properties", limit=1)] == ["plan"]
    assert [each["name"] for each in acmes.everything("properties", limit=1)] == ["plan", "secret-project"]
    for days in ("today", "month"):
        assert globexs.everything("properties/values", name="nobody-has-it", period=days) == []
    values = globexs.everything("properties/values", name="Plan", limit=1)
    assert [(each["value"], each["figures"]["price"]) for each in values] == [("premium", "2"), ("free", "1")]
    assert [(each["users"], each["price_per_user"]) for each in values] == [(1, "2"), (1, "1")]
    assert not names_in(values) & SECRETS
    told = acmes.get("metrics", group_by="property", property="Plan", interval="day", period="today")
    assert [(each["group"], each["points"][0]["figures"]["requests"]) for each in told["data"]] == [
        ("premium", 3),
        ("free", 7),
    ]


def test_what_a_user_on_a_plan_costs_and_how_long_its_calls_take(acmes: Program, globexs: Program, cast: Cast):
    took = [(61 << 40) + 20]  # 300 ms, within 5 %
    amounts = {"requests": 20, "cost": Decimal(3), "price": Decimal(5)}
    for user in ("ada", "bob"):
        a_property_hour(cast.globex, HOUR, name="plan", value="pro", end_user=user, latencies=took, **amounts)
    a_property_hour(cast.globex, YESTERDAY, name="plan", value="pro", end_user="ada", **amounts)
    a_property_hour(cast.globex, HOUR, name="plan", value="pro", end_user=None, **amounts)
    a_property_hour(cast.globex, HOUR, name="plan", value="job", end_user=None, **amounts)
    a_property_hour(cast.initech, HOUR, name="plan", value="pro", end_user="ada", **amounts)
    pro, job = acmes.everything("properties/values", name="plan", order="-requests")
    assert (pro["users"], pro["cost_per_user"], pro["price_per_user"]) == (3, "5", "8.333333333333")
    assert (pro["latency_ms"]["requests"], round(pro["latency_ms"]["p95"] / 300, 1)) == (40, 1.0)
    assert (job["users"], job["cost_per_user"], job["price_per_user"]) == (0, None, None)
    assert job["latency_ms"] == {"p50": None, "p95": None, "p99": None, "requests": 0}
    mine, _ = globexs.everything("properties/values", name="plan", order="-requests")
    assert (mine["users"], mine["price_per_user"], "cost_per_user" in mine) == (2, "10", False)
    [hours] = acmes.everything("properties/values", name="plan", since="2026-03-10T00:30:00Z", user="ada")
    assert (hours["users"], hours["latency_ms"]["requests"]) == (2, 0)


def test_users_with_their_figures(acmes: Program, globexs: Program, cast: Cast, used):
    found = acmes.everything("users", order="-cost", limit=1)
    assert [(each["customer"], each["user"], each["figures"]["cost"]) for each in found] == [
        (str(cast.initech.pk), "ada", "7"),
        (str(cast.globex.pk), "ada", "1.1"),
        (str(cast.globex.pk), None, "0"),
    ]
    mine = globexs.everything("users")
    assert [(each["user"], each["active_days"], each["figures"]["price"]) for each in mine] == [
        ("ada", 2, "2.15"),
        (None, 1, "0"),
    ]
    assert not names_in(mine) & SECRETS
    assert globexs("GET", "users", order="-cost").status_code == 400
    assert globexs("GET", "users", min_cost="1").status_code == 400
    assert [each["user"] for each in acmes.everything("users", customer=cast.globex.pk, min_cost="1")] == ["ada"]


def test_one_user(acmes: Program, globexs: Program, cast: Cast, used):
    told = acmes.get("users/detail", customer=cast.globex.pk, user="ada")
    assert (told["figures"]["requests"], told["figures"]["margin"]) == (14, "1.05")
    assert told["days"] == [{"day": "2026-03-09", "requests": 4}, {"day": "2026-03-10", "requests": 10}]
    assert [(each["value"], each["figures"]["price"]) for each in told["models"]] == [
        ("o4-mini-2025", "2"),
        ("gpt-4o-mini", "0.15"),
    ]
    mine = globexs.get("users/detail", user="ada")
    assert [each["value"] for each in mine["models"]] == ["smart", "gpt-4o-mini"]
    assert not names_in(mine) & SECRETS
    assert globexs.get("users/detail", user="")["figures"]["refused"] == 1
    assert globexs("GET", "users/detail", user="bob").status_code == 404
    assert globexs("GET", "users/detail", user="ada", customer=cast.initech.pk).status_code == 404
    assert acmes("GET", "users/detail", user="ada").json()["errors"][0]["parameter"] == "customer"


@pytest.mark.parametrize("name", ["a/b?c=d&e#f", "../..", "Zoë 🦊", "x" * 500, " ", "%00", "'; DROP TABLE"])
def test_a_user_may_be_called_anything(globexs: Program, cast: Cast, name):
    an_hour(cast.globex, HOUR, end_user=name)
    assert globexs.get("users/detail", user=name)["user"] == name


def test_all_hours_as_a_stream(acmes: Program, globexs: Program, cast: Cast, used):
    key, _ = a_proxy_key(cast.globex)
    an_hour(cast.globex, HOUR, proxy_key_id=key.pk, end_user="=cmd()", requests=2, price=Decimal("0.000000000001"))
    answer = globexs("GET", "exports/usage", period="7d")
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    rows = [json.loads(line) for line in b"".join(answer).decode().splitlines()]
    assert [(row["hour"], row["sold_as"], row["end_user"], row["requests"]) for row in rows] == [
        ("2026-03-09T12:00:00Z", "smart", "ada", 4),
        ("2026-03-10T11:00:00Z", "gpt-4o-mini", "ada", 10),
        ("2026-03-10T11:00:00Z", "gpt-4o-mini", None, 1),
        ("2026-03-10T11:00:00Z", "gpt-4o-mini", "=cmd()", 2),
    ]
    assert not names_in(rows) & (SECRETS | {"model"})
    text = b"".join(acmes("GET", "exports/usage", period="7d", format="csv", customer=cast.globex.pk)).decode()
    table = list(csv.DictReader(io.StringIO(text)))
    assert [row["end_user"] for row in table] == ["ada", "ada", "", "'=cmd()"]
    assert Decimal(table[3]["price"]) == Decimal("0.000000000001")
    assert table[0]["model"] == "o4-mini-2025"
    assert acmes("GET", "exports/usage", since="2020-01-01T00:00:00Z").status_code == 400


def test_requests_and_sessions(acmes: Program, globexs: Program, cast: Cast):
    at = datetime(2026, 3, 10, 11, 30, 0, 123456, tzinfo=UTC)
    smart = a_request(
        cast.globex, at, alias="smart", session_id="s/1", cost=Decimal("0.25"), price=Decimal("0.3"), status=500
    )
    plain = a_request(cast.globex, at + timedelta(minutes=1), end_user=None, properties={"plan": "premium"})
    a_request(cast.initech, at, session_id="s/1")
    a_request(cast.shady, at)
    mine = globexs.everything("requests", limit=1)
    assert [each["id"] for each in mine] == [str(plain.id), str(smart.id)]
    assert not names_in(mine) & SECRETS
    assert (mine[1]["model"], mine[1]["price"], mine[1]["started_at"]) == (
        "smart",
        "0.3",
        "2026-03-10T11:30:00.123456Z",
    )
    theirs = acmes.get(f"requests/{smart.id}")
    assert (theirs["model"], theirs["model_served"], theirs["cost"]) == ("smart", "gpt-4o-mini-2024-07-18", "0.25")
    assert len(acmes.everything("requests")) == 3
    for query, found in (
        ({"user": ""}, [plain]),
        ({"user": "ada"}, [smart]),
        ({"status": "500"}, [smart]),
        ({"property": "Plan=premium"}, [plain]),
        ({"property": "plan=free"}, []),
        ({"model": "smart"}, [smart]),
        ({"price_above": "0.3"}, [plain]),
        ({"since": "2026-03-10T11:31:00Z"}, [plain]),
        ({"session": "s/1"}, [smart]),
    ):
        assert [each["id"] for each in globexs.everything("requests", **query)] == [str(each.id) for each in found]
    assert globexs("GET", "requests", cost_above="0").status_code == 400
    assert [each["requests"] for each in acmes.everything("sessions")] == [1, 1]
    assert len(acmes.everything("sessions", user="ada")) == 2
    assert acmes.everything("sessions", user="bob") == []
    session = globexs.get("sessions/detail", session="s/1")
    assert (session["price"], [step["id"] for step in session["steps"]]) == ("0.3", [str(smart.id)])
    assert not names_in(session) & SECRETS
    assert globexs("GET", "sessions/detail", session="s/2").status_code == 404


def test_prices_and_the_audit_log_are_the_operators(acmes: Program, globexs: Program, cast: Cast):
    told = acmes.everything("audit-events", limit=2)
    assert [each["id"] for each in told] == sorted((each["id"] for each in told), reverse=True)
    assert {each["action"] for each in told} >= {"customer.add", "api_token.add"}
    assert (
        acmes.everything("audit-events", action="customer.add", customer=cast.globex.pk)[0]["target_label"] == "Globex"
    )
    for path in ("prices", "audit-events"):
        assert globexs("GET", path).status_code == 403

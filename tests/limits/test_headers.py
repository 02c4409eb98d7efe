"""What answers say of the limits that their calls are under."""

from decimal import Decimal

import pytest

from apps.kit.ids import uuid7
from apps.limits.commands import entries_of
from apps.limits.headers import Form, duration
from apps.limits.policy import read_policy
from apps.limits.scopes import LimitKeys, Periods, Scoped, Scopes
from apps.limits.terms import Limits, Scope

DURATIONS = [(0, b"0ms"), (120, b"120ms"), (999, b"999ms"), (1000, b"1s"), (1001, b"2s"), (59_001, b"1m0s"),
             (60_000, b"1m0s"), (61_000, b"1m1s"), (3_600_000, b"1h0m0s"), (86_400_000, b"24h0m0s")]  # fmt: skip


@pytest.mark.parametrize(("ms", "written"), DURATIONS)
def test_durations(ms: int, written: bytes):
    assert duration(ms) == written


CUSTOMER, PROXY_KEY = uuid7().bytes, uuid7().bytes
LIMITS = Limits(requests_per_minute=100, requests_per_hour=50, tokens_per_minute=1000, max_concurrent=3)
NARROW = Limits(requests_per_minute=10, daily_cap=Decimal(5), tokens_per_minute=4000)


def filled(used: dict[str, int], policy: str = "") -> dict[str, str]:
    """The headers under limits of a customer and a key, with so much used of each of these; of others nothing."""
    keys = LimitKeys(CUSTOMER)
    each = (
        Scoped(Scope.CUSTOMER, keys, LIMITS),
        Scoped(Scope.KEY, LimitKeys.of_key(CUSTOMER, PROXY_KEY), NARROW, PROXY_KEY),
    )
    entries = list(entries_of(Scopes(keys, each, read_policy(policy) if policy else None), Periods("d", "m")))
    names = [f"{entry.scoped.scope}-{entry.name}" for entry in entries]
    assert set(used) <= set(names)
    headers = Form(entries).filled([used.get(name, 0) for name in names])
    return {name.decode(): value.decode() for name, value in headers}


def test_of_several_limits_that_is_told_of_which_least_is_left():
    told = filled({"customer-requests_per_hour": 45, "key-requests_per_minute": 4, "key-tokens_per_minute": 3500})
    assert {name: value for name, value in told.items() if name.startswith("x-")} == {
        "x-ratelimit-limit-requests": "50",
        "x-ratelimit-remaining-requests": "5",
        "x-ratelimit-reset-requests": "1h0m0s",
        "x-ratelimit-limit-tokens": "4000",
        "x-ratelimit-remaining-tokens": "500",
        "x-ratelimit-reset-tokens": "1m0s",
    }
    told = filled({"customer-requests_per_hour": 40, "key-requests_per_minute": 4})
    assert [told[f"x-ratelimit-{what}-requests"] for what in ("limit", "remaining", "reset")] == ["10", "6", "1m0s"]


def test_all_limits_are_told_but_caps():
    told = filled({"customer-max_concurrent": 2, "key-requests_per_minute": 12})
    assert told["ratelimit"] == (
        '"customer-requests-per-minute";r=100;t=60, "customer-requests-per-hour";r=50;t=3600, '
        '"customer-tokens-per-minute";r=1000;t=60, "customer-max-concurrent";r=1, '
        '"key-requests-per-minute";r=0;t=60, "key-tokens-per-minute";r=4000;t=60'
    )
    assert told["ratelimit-policy"].count("q=") == 6


def test_a_policy_of_money_is_told_in_whole_cents():
    told = filled({"policy-policy_spend": 2 * 10**7 + 1}, "10;w=60;u=cents")
    assert told["helicone-ratelimit-limit"] == "10"
    assert told["helicone-ratelimit-remaining"] == "7"  # of 7.9999999 cents
    assert told["ratelimit"].startswith('"policy-policy-spend";r=7;t=60, ')
    assert told["x-ratelimit-remaining-requests"] == "10"

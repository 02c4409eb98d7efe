"""Limits of end users and of keys: who may be given what, what the audit log has of it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from apps.customers.services import update_customer
from apps.keys.services.proxy_keys import NO_OVERLAP, limit_proxy_key, mint_proxy_key, rotate_proxy_key
from apps.limits import services
from apps.limits.book import load_book, scoped_of_customer, scoped_of_end_user
from apps.limits.models import EndUserLimit
from apps.limits.services import remove_end_user_limits, set_end_user_limits
from tests.cast import Cast, reread

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def changes(cast: Cast, action: str) -> list[dict[str, object]]:
    return [event.changes for event in cast.acme.audit_events.filter(action=action).order_by("pk")]


def test_end_users_have_exactly_what_was_set_last(cast: Cast):
    set_end_user_limits(cast.globex, "ann", by=cast.gina, requests_per_minute=5, daily_cap=Decimal(1))
    row = set_end_user_limits(cast.globex, " ann ", by=cast.gina, requests_per_minute=6)
    assert cast.globex.end_user_limits.get() == row
    assert (reread(row).requests_per_minute, reread(row).daily_cap) == (6, None)
    assert changes(cast, "end_user_limit.set") == [
        {"requests_per_minute": [None, 5], "daily_cap": [None, "1"]},
        {"requests_per_minute": [5, 6], "daily_cap": ["1", None]},
    ]


def test_there_is_one_default(cast: Cast):
    set_end_user_limits(cast.globex, None, by=None, max_concurrent=1)
    row = set_end_user_limits(cast.globex, None, by=None, max_concurrent=2)
    assert load_book(cast.globex, mint_proxy_key(cast.globex, name="k", by=None)[0]).scopes("x").each[-1].limits == (
        scoped_of_end_user(row, "x").limits
    )
    with pytest.raises(IntegrityError, match="end_user_limited_once"), transaction.atomic():
        EndUserLimit.objects.create(customer=cast.globex, end_user=None)
    remove_end_user_limits(row, by=None)
    assert not cast.globex.end_user_limits.exists()


@pytest.mark.parametrize(("end_user", "limits"), [("ann", {"daily_cap": Decimal(-1)}), ("", {}), (" ", {})])
def test_what_makes_no_sense_is_not_set(cast: Cast, end_user: str, limits: dict[str, Decimal]):
    with pytest.raises((ValidationError, IntegrityError)), transaction.atomic():
        set_end_user_limits(cast.globex, end_user, by=None, **limits)


def test_only_limits_can_be_set(cast: Cast):
    with pytest.raises(TypeError, match="customer"):
        set_end_user_limits(cast.globex, "ann", by=None, customer=cast.initech)
    with pytest.raises(TypeError, match="key_hash"):
        limit_proxy_key(mint_proxy_key(cast.globex, name="k", by=None)[0], by=None, key_hash=b"x")


def test_not_everybody_can_have_limits_of_their_own(cast: Cast, monkeypatch):
    monkeypatch.setattr(services, "MOST_OF_THEIR_OWN", 2)
    for name in (None, "a", "b"):
        set_end_user_limits(cast.globex, name, by=None)
    with pytest.raises(ValidationError, match="At most 2"):
        set_end_user_limits(cast.globex, "c", by=None)
    set_end_user_limits(cast.globex, "b", by=None, max_concurrent=1)


def test_a_rotated_key_hands_its_limits_on(cast: Cast):
    limits = {"requests_per_hour": 5, "total_cap": Decimal(3), "allowed_models": ["gpt-*"], "allowed_networks": ["::1"]}
    key, _ = mint_proxy_key(cast.globex, name="ci", by=None, **limits)
    new, _ = rotate_proxy_key(key, overlap=NO_OVERLAP, by=None)
    assert {name: getattr(reread(new), name) for name in limits} == limits
    assert changes(cast, "proxy_key.add")[-1]["total_cap"] == [None, "3"]


WRONG = [
    {"allowed_networks": ["10.0.0.0/33"]},
    {"allowed_networks": ["localhost"]},
    {"allowed_models": ["a b"]},
    {"allowed_models": ["x"] * 201},
    {"monthly_cap": Decimal(-1)},
]


@pytest.mark.parametrize("limits", WRONG)
def test_a_key_has_no_limits_that_make_no_sense(cast: Cast, limits: dict[str, object]):
    with pytest.raises(ValidationError):
        mint_proxy_key(cast.globex, name="ci", by=None, **limits)


def test_a_cap_is_counted_from_when_it_is_set_not_from_when_it_changes(cast: Cast):
    def counted_since() -> tuple[float, str]:
        scoped = scoped_of_customer(reread(cast.globex))
        return scoped.counted_since, scoped.mark

    assert counted_since() == (0.0, "")
    update_customer(cast.globex, by=None, monthly_cap=Decimal(5))
    first = counted_since()
    update_customer(cast.globex, by=None, monthly_cap=Decimal(6), requests_per_minute=3)
    assert counted_since() == first
    update_customer(cast.globex, by=None, monthly_cap=None)
    assert counted_since() == first
    update_customer(cast.globex, by=None, monthly_cap=Decimal(6))
    again = counted_since()
    assert again[0] > first[0]
    assert again[1] != first[1]
    assert again[0] > (datetime.now(UTC) + timedelta(seconds=3)).timestamp()  # until every process has heard

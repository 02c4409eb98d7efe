"""The demo's calls: believable, and the same each time."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from apps.ops.demo_customers import CUSTOMERS
from apps.ops.demo_history import EPOCH, Account, Habit, Rhythm, calls
from apps.pricing.rating import Rated, Tokens
from apps.usage.record import CANCELLED, FAILED, REFUSED, SERVED

UNTIL = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)  # a Friday
CHAT = Habit("openai", "chat.completions", "gpt-4o-mini", "-2024-07-18", "chat", 900, 200, streamed=0.5, cached=0.5)
ID = UUID(int=7)


def an_account(**rhythm) -> Account:
    return Account(ID, ID, [ID], {"openai": ID}, Decimal(20), {CHAT: 1}, Rhythm(**rhythm))


def a_price(provider, model, tokens, at):
    return Rated(Decimal(1), Decimal("1.2")), 42


def history(account=None, *, days=30, price_of=a_price, seed=1):
    return list(calls(account or an_account(), days=days, until=UNTIL, price_of=price_of, seed=seed))


def started_at(intent):
    return EPOCH + timedelta(microseconds=intent.started_at_us)


def test_a_seed_gives_the_same_calls_and_another_gives_others():
    assert history() == history()
    assert history() != history(seed=2)


def test_calls_lie_in_the_days_before_and_never_in_the_future():
    days = Counter(started_at(intent).date() for intent, _ in history())
    assert len(days) == 31
    assert max(started_at(intent) for intent, _ in history()) < UNTIL


def test_every_call_has_an_id_of_its_own_and_one_outcome():
    pairs = history()
    assert len({intent.id for intent, _ in pairs}) == len(pairs)
    assert all(intent.id == outcome.id for intent, outcome in pairs)


def test_growth_is_from_the_first_day_to_the_last():
    days = Counter(started_at(intent).date() for intent, _ in history(an_account(growth=3.0), days=60))
    first, last = (sum(days[day] for day in part) for part in (sorted(days)[:7], sorted(days)[-8:-1]))
    assert 2.5 < last / first < 4.5


def test_who_rests_at_weekends_calls_a_quarter_as_often():
    pairs = history(an_account(rests_at_weekends=True), days=56)
    at_weekends = sum(started_at(intent).weekday() >= 5 for intent, _ in pairs)
    assert 0.04 < at_weekends / len(pairs) < 0.14  # of 5.5 days' worth of calls, half a day's


def test_a_refused_call_used_nothing():
    refused = [outcome for _, outcome in history(an_account(refused=0.5)) if outcome.result == REFUSED]
    assert {(outcome.status, outcome.tokens, outcome.cost, outcome.price) for outcome in refused} == {
        (429, Tokens(), None, None)
    }


def test_results_are_those_of_real_life():
    results = Counter(outcome.result for _, outcome in history(days=61))
    assert set(results) == {SERVED, FAILED, CANCELLED}
    assert results[SERVED] > 0.97 * sum(results.values())


def test_a_served_call_has_tokens_and_the_price_that_applied():
    served = [(intent, outcome) for intent, outcome in history() if outcome.result == SERVED]
    assert {(outcome.cost, outcome.price, outcome.price_id) for _, outcome in served} == {
        (Decimal(1), Decimal("1.2"), 42)
    }
    assert all(outcome.tokens.input and outcome.tokens.output for _, outcome in served)
    assert all((outcome.first_token_ms is None) != intent.is_streamed for intent, outcome in served)


def test_a_session_is_some_calls_of_one_user_after_each_other():
    writing = replace(CHAT, steps=("/article", "/article/draft", "/article/draft"))
    pairs = history(replace(an_account(refused=0.1), habits={CHAT: 1, writing: 1}))
    sessions: dict[str | None, list] = {}
    for intent, outcome in pairs:
        sessions.setdefault(intent.session_id, []).append((intent, outcome))
    assert len(sessions.pop(None)) > 100 < len(sessions)
    for (first, ended), (second, _) in [called[:2] for called in sessions.values() if len(called) > 1]:
        assert first.started_at_us + ended.latency_ms * 1000 < second.started_at_us
        assert (first.end_user or second.end_user or "", first.properties) == (
            second.end_user or first.end_user or "",
            second.properties,
        )
        assert (first.session_path, second.session_path) == ("/article", "/article/draft")


def test_a_model_without_a_price_has_no_cost():
    _, outcome = history(price_of=lambda *_: None)[0]
    assert (outcome.cost, outcome.price, outcome.price_id) == (None, None, None)


@pytest.mark.parametrize("customer", CUSTOMERS, ids=lambda customer: customer.name)
def test_the_demos_customers_call_all_that_they_do(customer):
    keys = {habit.provider: ID for habit in customer.habits}
    account = Account(ID, ID, [ID], keys, Decimal(0), customer.habits, customer.rhythm)
    models = {(intent.provider, intent.model) for intent, _ in history(account, days=61)}
    assert models == {(habit.provider, habit.model) for habit in customer.habits}

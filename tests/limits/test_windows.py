"""Windows, holds and periods over time, with Redis's clock in our hands."""

from decimal import Decimal

import pytest

from apps.kit.ids import uuid7
from apps.limits.holds import Hold
from apps.limits.limiter import Limiter
from apps.limits.scopes import LimitKeys, Periods
from apps.limits.terms import LimitName, LimitReached, Limits
from tests.limits.clock import scripts_by_test_clock, set_clock
from tests.limits.scoping import under

NOON = 1_795_262_400_000  # a whole second, and a whole minute
LIFETIME_MS = 30_000


class Gate:
    """One customer's limiter at a time of our choice, in ms after noon."""

    def __init__(self, limiter: Limiter) -> None:
        self.limiter = limiter
        self.keys = LimitKeys(uuid7().bytes)

    async def at(self, ms: int) -> None:
        await set_clock(self.limiter.pipe, NOON + ms)

    async def admit(self, limits: Limits, *, tokens: int = 0, spend: int = 0) -> Hold | LimitReached:
        try:
            return await self.limiter.admit(
                uuid7().hex, under(self.keys, limits), Periods("d", "m"), tokens=tokens, spend=spend
            )
        except LimitReached as reached:
            return reached

    async def renew(self, hold: Hold) -> None:
        await self.limiter.pipe.call_packed(hold.commands.renew.packed(hold.id))


@pytest.fixture
async def gate(new_limiter) -> Gate:
    return Gate(await new_limiter(scripts=scripts_by_test_clock(), lifetime_ms=LIFETIME_MS))


# What came when, and from when on the next is let in: a bucket of a second counts until all of it is a minute old
OPENS = [
    pytest.param([0], 61_000, id="from-the-start-of-a-second"),
    pytest.param([999], 61_000, id="from-its-end"),
    pytest.param([1000], 62_000, id="from-the-next"),
    pytest.param([0, 500], 61_000, id="both-leave-at-once"),
    pytest.param([0, 30_000], 61_000, id="the-oldest-leaves-first"),
    pytest.param([30_000, 59_999], 91_000, id="later-ones"),
]


@pytest.mark.parametrize(("came", "opens"), OPENS)
async def test_a_full_window_opens_when_it_says(gate: Gate, came: list[int], opens: int):
    limits = Limits(requests_per_minute=len(came))
    for ms in came:
        await gate.at(ms)
        assert isinstance(await gate.admit(limits), Hold)
    for ms in (came[-1], opens - 1):
        await gate.at(ms)
        reached = await gate.admit(limits)
        assert (reached.name, reached.used, reached.retry_after_ms) == (LimitName.REQUESTS, len(came), opens - ms)
    await gate.at(opens)
    assert isinstance(await gate.admit(limits), Hold)


async def test_no_minute_wherever_it_begins_sees_more_than_the_limit(gate: Gate):
    limits, let_in = Limits(requests_per_minute=7), []
    for ms in range(0, 300_000, 337):
        await gate.at(ms)
        if isinstance(await gate.admit(limits), Hold):
            let_in.append(ms)
    assert all(sum(start <= ms < start + 60_000 for ms in let_in) <= 7 for start in let_in)
    assert len(let_in) >= 7 * 5 - 1  # and hardly less: a second is lost at most each minute


async def test_tokens_open_when_enough_of_them_have_left(gate: Gate):
    limits = Limits(tokens_per_minute=100)
    for ms, tokens in ((0, 10), (5_000, 40), (20_000, 50)):
        await gate.at(ms)
        assert isinstance(await gate.admit(limits, tokens=tokens), Hold)
    waits = {tokens: (await gate.admit(limits, tokens=tokens)).retry_after_ms for tokens in (1, 10, 11, 50, 51, 100)}
    assert waits == {1: 41_000, 10: 41_000, 11: 46_000, 50: 46_000, 51: 61_000, 100: 61_000}
    assert (await gate.admit(limits, tokens=101)).retry_after_ms is None  # never


async def test_tokens_are_corrected_where_they_were_held(gate: Gate):
    limits = Limits(tokens_per_minute=100)
    await gate.at(0)
    hold = await gate.admit(limits, tokens=100)
    await gate.at(40_000)
    gate.limiter.settle(hold, spend=0, tokens=30)
    assert isinstance(await gate.admit(limits, tokens=70), Hold)
    await gate.at(61_000)  # the 30 have left, the 70 have not
    assert isinstance(await gate.admit(limits, tokens=30), Hold)
    assert (await gate.admit(limits, tokens=1)).used == 100


async def test_tokens_of_a_call_longer_than_the_window_are_not_counted_late(gate: Gate):
    limits = Limits(tokens_per_minute=100)
    await gate.at(0)
    hold = await gate.admit(limits, tokens=10)
    await gate.at(70_000)
    assert isinstance(await gate.admit(limits, tokens=50), Hold)
    gate.limiter.settle(hold, spend=0, tokens=90)
    assert (await gate.admit(limits, tokens=51)).used == 50


async def test_a_window_that_was_idle_for_long_is_empty(gate: Gate):
    limits = Limits(requests_per_minute=1)
    await gate.at(0)
    await gate.admit(limits)
    await gate.at(10_000_000)
    assert isinstance(await gate.admit(limits), Hold)
    assert (await gate.admit(limits)).used == 1


async def test_a_clock_that_goes_back_lets_no_more_in(gate: Gate):
    limits = Limits(requests_per_minute=2)
    await gate.at(100_000)
    await gate.admit(limits)
    await gate.at(0)  # another Redis took over
    await gate.admit(limits)
    assert (await gate.admit(limits)).used == 2


async def test_a_hold_lasts_its_lifetime_and_a_renewed_one_longer(gate: Gate):
    limits = Limits(max_concurrent=2, monthly_cap=Decimal("1e-9"))
    await gate.at(0)
    renewed = await gate.admit(limits, spend=600)
    await gate.admit(limits, spend=400)
    await gate.at(20_000)
    await gate.renew(renewed)
    await gate.at(LIFETIME_MS - 1)
    assert (await gate.admit(limits, spend=1)).name == LimitName.CONCURRENT
    await gate.at(LIFETIME_MS)
    assert isinstance(await gate.admit(limits, spend=400), Hold)
    assert (await gate.admit(limits, spend=0)).used == 2
    await gate.at(20_000 + LIFETIME_MS)
    assert isinstance(await gate.admit(limits, spend=600), Hold)


async def test_a_hold_that_expired_is_taken_again_when_it_is_renewed(gate: Gate):
    limits = Limits(max_concurrent=1, monthly_cap=Decimal("1e-9"))
    await gate.at(0)
    late = await gate.admit(limits, spend=1000)
    await gate.at(LIFETIME_MS)
    assert (await gate.admit(limits, spend=1001)).name == LimitName.MONTHLY  # makes it expire, and isn't let in
    await gate.renew(late)
    assert (await gate.admit(limits, spend=1)).name == LimitName.CONCURRENT
    gate.limiter.settle(late, spend=10, tokens=0)
    assert isinstance(await gate.admit(limits, spend=990), Hold)


async def test_a_settled_hold_cannot_be_renewed(gate: Gate):
    limits = Limits(max_concurrent=1)
    await gate.at(0)
    hold = await gate.admit(limits)
    gate.limiter.settle(hold, spend=0, tokens=0)
    await gate.renew(hold)
    assert isinstance(await gate.admit(limits), Hold)


async def test_however_many_holds_a_process_left_they_are_all_given_back(gate: Gate):
    await gate.at(0)
    for _ in range(1500):
        await gate.admit(Limits(max_concurrent=1500, daily_cap=Decimal(1)), spend=1)
    await gate.at(LIFETIME_MS)
    assert isinstance(await gate.admit(Limits(max_concurrent=1, daily_cap=Decimal("1e-12")), spend=1), Hold)

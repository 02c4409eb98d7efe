"""A process of its own that lets calls in: what `test_processes` starts several of.

    python -m tests.limits.process calls|money URL CUSTOMER SEED [AHEAD]

AHEAD: seconds by which its clock is ahead of everybody else's.
Waits for a line on stdin, so that all begin together, and prints what came of it as JSON.
"""

import asyncio
import json
import random
import sys
import time
from decimal import Decimal

import time_machine
import uvloop

from apps.limits.limiter import Limiter
from apps.limits.scopes import LimitKeys, Periods
from apps.limits.terms import LimitReached, Limits, to_pico
from tests.limits.scoping import under

CALLS = Limits(requests_per_minute=100, tokens_per_minute=10**6, max_concurrent=1000)
CAP = Decimal("0.10")
MONEY = Limits(daily_cap=CAP, monthly_cap=CAP)


async def call(limiter: Limiter, keys: LimitKeys, limits: Limits, hold_id: str, held: int, price: int) -> int | None:
    """Let in, wait a little, settle. What it was charged; None if it was refused."""
    try:
        began_us = int(time.time() * 1_000_000)
        hold = await limiter.admit(
            hold_id, under(keys, limits), Periods("d", "m"), tokens=1, spend=held, began_us=began_us
        )
    except LimitReached:
        return None
    await asyncio.sleep(random.random() / 100)
    limiter.settle(hold, spend=price, tokens=1)
    return price


async def main(what: str, url: str, customer: str, seed: int) -> None:
    random.seed(seed)
    limiter, keys = Limiter(url), LimitKeys(bytes.fromhex(customer))
    limiter.start()
    while limiter.pipe.state.name != "OPEN":  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await asyncio.to_thread(sys.stdin.readline)
    limits = CALLS if what == "calls" else MONEY
    amounts = [to_pico(Decimal(random.randint(1, 50)) / 1000) for _ in range(100)]  # a tenth of a cent to 5 cents
    charged = await asyncio.gather(
        *(
            call(limiter, keys, limits, f"{seed}-{number}", held, random.randint(0, held))
            for number, held in enumerate(amounts)
        )
    )
    await limiter.stop()
    print(json.dumps([price for price in charged if price is not None]))


def run(what: str, url: str, customer: str, seed: str, ahead: str = "0") -> None:
    """All that asks for the time of day in this process is told another."""
    with time_machine.travel(time.time() + float(ahead), tick=True):
        uvloop.run(main(what, url, customer, int(seed)))


if __name__ == "__main__":
    run(*sys.argv[1:])

"""Responses in the background, from OpenAI's SDK to the record: charged once, when it is told what they cost."""

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import openai
import pytest
from redis import Redis

from apps.limits.scopes import LimitKeys
from apps.limits.terms import from_pico
from tests.faults.size import some
from tests.rig.desk import MODELS
from tests.rig.installation import Installation, Tenant
from tests.rig.processes import listen, port_of, wait_until
from tests.wire.conftest import Proxied

MODEL = MODELS["openai"]
QUICK = {"TOLLGATE_BACKGROUND_LEASE": "3"}
IN, OUT, MARKUP = Decimal("1.7"), Decimal("7.9"), Decimal("1.2")  # the desk's, USD a million


@pytest.fixture
def tenant(installation: Installation) -> Tenant:
    return installation.tenant(total_cap="100")


@pytest.fixture(scope="module", autouse=True)
def shipping(installation: Installation) -> Iterator[None]:
    installation.env |= QUICK  # of the shipper, too: it is the one who begins a lease
    with installation.shipping():
        yield
    for name in QUICK:
        del installation.env[name]


def sdk(url: str, tenant: Tenant) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key=tenant.key, max_retries=0)


def responses(proxied: Proxied, tenant: Tenant) -> Any:
    return sdk(proxied.url, tenant).responses


def ended(to: Any, made: Any) -> Any:
    wait_until(lambda: to.retrieve(made.id).status not in ("queued", "in_progress"), "the response ends")
    return to.retrieve(made.id)


def rows(installation: Installation, tenant: Tenant) -> list[dict[str, Any]]:
    """Of what was charged: reading again is free."""
    return installation.rows(
        "SELECT * FROM usage_request WHERE customer_id = %s AND endpoint = 'responses'"
        " AND provider_request_id IS NOT NULL AND (input_tokens > 0 OR result <> 0) ORDER BY started_at",
        tenant.customer,
    )


def charged(installation: Installation, tenant: Tenant, number: int = 1) -> list[dict[str, Any]]:
    wait_until(lambda: len(rows(installation, tenant)) >= number, "it is charged")
    wait_until(lambda: not awaited(installation, tenant), "nothing is awaited any more")
    return rows(installation, tenant)


def awaited(installation: Installation, tenant: Tenant) -> list[dict[str, Any]]:
    return installation.rows("SELECT * FROM usage_awaitedcall WHERE customer_id = %s", tenant.customer)


def price_of(usage: Any) -> Decimal:
    return (usage.input_tokens * IN + usage.output_tokens * OUT) / 1_000_000 * MARKUP


def standing(installation: Installation, tenant: Tenant) -> tuple[Decimal, Decimal]:
    """What is used and held of the cap, as Redis counts it."""
    with Redis.from_url(installation.redis.url) as redis:
        settled, held = redis.hmget(f"{LimitKeys(UUID(tenant.customer).bytes).spend}total", "settled", "held")
    return from_pico(int(settled or 0)), from_pico(int(held or 0))


def test_it_is_held_for_while_it_runs_and_charged_once_when_it_ends(installation, proxied, tenant):
    to = responses(proxied, tenant)
    made = to.create(model=MODEL, input="Hello sandbox:tokens=40 sandbox:runs=6000", background=True)
    assert (made.status, made.usage) == ("in_progress", None)
    wait_until(lambda: len(awaited(installation, tenant)) == 1, "it is known to be awaited")
    used, held = standing(installation, tenant)
    assert used == 0
    assert held > 0
    whole = ended(to, made)
    assert whole.output_text
    (row,) = charged(installation, tenant)
    assert (row["input_tokens"], row["output_tokens"]) == (whole.usage.input_tokens, whole.usage.output_tokens)
    assert (row["price"], row["provider_request_id"]) == (price_of(whole.usage), made.id)
    assert (row["status"], row["result"], row["usage_source"]) == (200, 0, 1)
    assert row["latency_ms"] >= 6000
    assert standing(installation, tenant) == (price_of(whole.usage), 0)


def test_a_stream_of_one_is_charged_by_its_end(installation, proxied, tenant):
    to = responses(proxied, tenant)
    events = list(to.create(model=MODEL, input="Hello sandbox:tokens=9", background=True, stream=True))
    assert events[-1].type == "response.completed"
    (row,) = charged(installation, tenant)
    assert (row["price"], row["is_streamed"]) == (price_of(events[-1].response.usage), True)
    assert standing(installation, tenant) == (row["price"], 0)


def test_a_stream_that_breaks_off_goes_on_at_the_provider_and_is_charged_whole(installation, proxied, tenant):
    asked = "Hello sandbox:tokens=30 sandbox:pace=20 sandbox:drop"
    events = list(responses(proxied, tenant).create(model=MODEL, input=asked, background=True, stream=True))
    assert events[-1].type == "error"
    (row,) = charged(installation, tenant)
    assert (row["output_tokens"], row["usage_source"]) == (30, 1)


def test_one_that_was_cancelled_costs_what_its_usage_says(installation, proxied, tenant):
    to = responses(proxied, tenant)
    made = to.create(model=MODEL, input="Hello sandbox:tokens=40 sandbox:runs=60000", background=True)
    cancelled = to.cancel(made.id)
    assert cancelled.status == "cancelled"
    (row,) = charged(installation, tenant)
    assert (row["output_tokens"], row["price"], row["result"]) == (20, price_of(cancelled.usage), 3)
    assert standing(installation, tenant) == (row["price"], 0)


def test_one_that_failed_costs_nothing(installation, proxied, tenant):
    to = responses(proxied, tenant)
    made = to.create(model=MODEL, input="Hello sandbox:fail", background=True)
    assert ended(to, made).status == "failed"
    (row,) = charged(installation, tenant)
    assert (row["price"], row["result"], row["error_code"]) == (0, 1, "server_error")
    assert standing(installation, tenant) == (0, 0)


def test_it_cannot_be_deleted_before_it_is_charged(installation, proxied, tenant):
    to = responses(proxied, tenant)
    made = to.create(model=MODEL, input="Hello sandbox:runs=1000", background=True)
    with pytest.raises(openai.ConflictError, match="wait for its end"):
        to.delete(made.id)
    charged(installation, tenant)
    to.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        to.retrieve(made.id)


def test_it_is_its_makers_like_any_other(installation, proxied, tenant):
    stranger = responses(proxied, Tenant(**installation.desk("add_neighbour", customer=tenant.customer)))
    made = responses(proxied, tenant).create(model=MODEL, input="Hello.", background=True)
    for call in (stranger.retrieve, stranger.cancel, stranger.delete):
        with pytest.raises(openai.NotFoundError, match="of this account"):
            call(made.id)


def test_nothing_but_responses_runs_in_the_background(proxied, tenant):
    with pytest.raises(openai.BadRequestError) as caught:
        sdk(proxied.url, tenant).chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Hello."}], extra_body={"background": True}
        )
    assert caught.value.param == "background"


def test_one_whose_end_nobody_tells_costs_what_was_held_and_is_marked(installation):
    """The provider has forgotten it: such as one that its operator deleted there."""
    tenant = installation.tenant(total_cap="10")
    with listen() as listener:
        (process,) = installation.proxies(fd=listener.fileno(), env={"TOLLGATE_BACKGROUND_MOST": "2"})
        to = sdk(f"http://127.0.0.1:{port_of(listener)}", tenant).responses
        to.create(model=MODEL, input="Hello sandbox:runs=600000", background=True, max_output_tokens=100)
        (row,) = charged(installation, tenant)
        process.stop()
    assert (row["output_tokens"], row["usage_source"], row["error_code"]) == (100, 2, "usage_not_told")
    assert row["input_tokens"] > 1024  # the bytes of its body, and what providers put around it
    assert row["price"] == (row["input_tokens"] * IN + 100 * OUT) / 1_000_000 * MARKUP


@pytest.mark.timeout(300)  # it starts two proxies, one after the other
@pytest.mark.parametrize("dies", some(["after_charge:kill:1", "before_charge:kill:1", ""], 1))
def test_another_process_takes_over_when_its_own_dies(installation, dies):
    """Killed while it runs, just before it was to be charged, and just after: charged once, and nothing stays held."""
    tenant = installation.tenant(total_cap="100")
    with listen() as first, listen() as second:
        (process,) = installation.proxies(fd=first.fileno(), env={"TOLLGATE_FAIL": dies})
        to = sdk(f"http://127.0.0.1:{port_of(first)}", tenant).responses
        made = to.create(model=MODEL, input="Hello sandbox:tokens=40 sandbox:runs=2000", background=True)
        if dies:
            wait_until(lambda: not process.is_running, "it dies")
        else:
            process.kill()
        (other,) = installation.proxies(fd=second.fileno())
        url = f"http://127.0.0.1:{port_of(second)}"
        (row,) = charged(installation, tenant)
        whole = sdk(url, tenant).responses.retrieve(made.id)
        assert (row["price"], row["output_tokens"]) == (price_of(whole.usage), 40)
        time.sleep(5)  # another turn of those who look after them
        assert charged(installation, tenant) == [row]
        if not dies.startswith("after"):  # then nobody takes over: the hold ends like any dead process's, in 2 minutes
            wait_until(lambda: standing(installation, tenant) == (row["price"], 0), "it is settled")
        other.stop()

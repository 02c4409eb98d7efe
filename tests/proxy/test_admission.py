"""What is held before a call: tokens, tools and service tier, so that none of them takes a customer past a cap."""

from decimal import Decimal
from types import MappingProxyType
from zoneinfo import ZoneInfo

import pytest

from apps.kit.ids import uuid7
from apps.limits.access import Access
from apps.limits.limiter import Limiter
from apps.limits.scopes import LimitBook, LimitKeys, Scoped, Scopes
from apps.limits.terms import Limits, Scope, to_pico
from apps.pricing.rating import Price
from apps.proxy.admission import Admission, Admitted, Demand
from apps.proxy.grant import Calendar, Grant, LimiterOutage
from apps.proxy.stops import Stop
from tests.limits.conftest import keys as keys  # the fixtures
from tests.limits.conftest import limiter as limiter
from tests.limits.conftest import new_limiter as new_limiter
from tests.limits.scoping import under

NOON = 1_795_262_400.0  # 21 November 2026
PRICE = Price.parse(
    1,
    {"input": "1", "output": "10"},
    units={"web_search": "0.01", "grounded_prompt": "0.035"},
    services={
        "flex": {"rates": {"input": "0.5", "output": "5"}},
        "priority": {"rates": {"input": "2", "output": "20"}},
    },
)
TOKENS = Decimal("0.011")  # 1,000 in, 1,000 out


def demand(**asked: object) -> Demand:
    return Demand(4000, lambda: 1000, 1000, 1, True, **asked)


def a_grant(*, shortens_output: bool = False) -> Grant:
    keys = LimitKeys(uuid7().bytes)
    unlimited = Scoped(Scope.CUSTOMER, keys, Limits())
    return Grant(
        organization_id=uuid7().bytes,
        customer_id=uuid7().bytes,
        proxy_key_id=uuid7().bytes,
        bar=None,
        ends_at=None,
        book=LimitBook(keys, unlimited, unlimited),
        access=Access((), ()),
        shortens_output=shortens_output,
        calendar=Calendar(ZoneInfo("UTC")),
        markup_percent=Decimal(0),
        on_limiter_outage=LimiterOutage.REFUSE_CAPPED,
        routes=MappingProxyType({}),
        loaded_at=0.0,
    )


def capped(keys: LimitKeys, cap: str) -> Scopes:
    return under(keys, Limits(total_cap=Decimal(cap)))


async def admit(limiter: Limiter, scopes: Scopes, asked: Demand, *, shortens_output: bool = False) -> Admitted:
    grant = a_grant(shortens_output=shortens_output)
    return await Admission(limiter).admit(uuid7().hex, grant, scopes, PRICE, asked, NOON)


HELD = [  # what the call asks for, USD that are held
    pytest.param(demand(), TOKENS, id="tokens"),
    pytest.param(demand(units=(("web_search", 20),)), TOKENS + Decimal("0.2"), id="and its tools"),
    pytest.param(demand(units=(("web_search", 2), ("grounded_prompt", 1))), TOKENS + Decimal("0.055"), id="two kinds"),
    pytest.param(demand(units=(("unheard_of", 9),)), TOKENS, id="a tool that is free"),
    pytest.param(demand(service_tier="flex"), TOKENS, id="flex may be given as the usual tier"),
    pytest.param(demand(service_tier="priority"), 2 * TOKENS, id="priority"),
    pytest.param(demand(service_tier="auto"), 2 * TOKENS, id="any tier"),
    pytest.param(demand(service_tier="priority", units=(("web_search", 1),)), 2 * TOKENS + Decimal("0.01"), id="both"),
]


@pytest.mark.parametrize(("asked", "held"), HELD)
async def test_the_most_that_a_call_can_cost_is_held(limiter: Limiter, keys: LimitKeys, asked: Demand, held: Decimal):
    """A cap of just that lets it in; a cap that is the smallest amount less does not."""
    with pytest.raises(Stop) as caught:
        await admit(limiter, capped(keys, f"{held - Decimal('1e-12'):f}"), asked)
    assert (caught.value.status, caught.value.code) == (402, "spend_cap_reached")
    admitted = await admit(limiter, capped(keys, f"{held:f}"), asked)
    assert admitted.hold.spend == to_pico(held)


async def test_what_is_left_beside_the_tools_is_the_answers(limiter: Limiter, keys: LimitKeys):
    """$0.021 less $0.01 of a search and $0.002 of input leaves 450 tokens at priority's $20."""
    asked = demand(service_tier="priority", units=(("web_search", 1),))
    admitted = await admit(limiter, capped(keys, "0.021"), asked, shortens_output=True)
    assert admitted.output_limit == 450
    assert admitted.hold.spend == to_pico(Decimal("0.021"))


INPUTS = [  # what the body tells, the model's context window, and what is held for
    pytest.param(1000, 400_000, 1000, id="the-body-tells"),
    pytest.param(None, 400_000, 400_000, id="the-model-takes-no-more"),
    pytest.param(None, None, 128_000, id="nobody-knows"),
    pytest.param(900_000, 400_000, 900_000, id="a-body-that-is-longer-is-the-providers-to-refuse"),
]


@pytest.mark.parametrize(("told", "window", "expected"), INPUTS)
def test_input_of_unknown_size_is_bounded_by_the_models_window(told, window, expected):
    price = Price.parse(1, {"input": "1", "output": "10"}, context_window=window)
    assert Demand(4000, lambda: told, 10, 1).most_input(price) == expected

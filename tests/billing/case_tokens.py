"""Adapters for what tokens cost: through the same rating as every request. A weight is USD a million tokens."""

from decimal import Decimal
from typing import Any

from apps.billing.money import rounded
from apps.pricing.rating import Price, Tokens, ceiling, dollars, rate

Case = dict[str, Any]
KINDS = {"image": "input_image", "long": "input"}
MILLION = 1_000_000
NO_MARKUP = Decimal(0)


def llm_tokens(case: Case) -> Case:
    given = case["inputs"]
    if "weights" in given:
        cost = rate(Tokens(**given["billable_split"]), Price.parse(1, given["weights"]), NO_MARKUP).cost
        return {"quota": int(rounded(cost * MILLION, 0))}
    if "threshold" in given or "threshold" in given.get("usd_per_million", {}):
        return long_context(case)
    return split_of_prompt(case)


def long_context(case: Case) -> Case:
    given, wanted = case["inputs"], case["expected"]
    rates = given.get("usd_per_million", {"standard": {"input": "1"}, "long": {"input": "2"}})
    above = rates.get("threshold", given.get("threshold"))
    price = Price.parse(1, rates["standard"], [{"above": above, "rates": rates["long"]}])
    tokens = Tokens(
        input=given.get("input_len", given.get("input_uncached")),
        cache_read=given.get("cache_read", 0),
        output=given.get("output", 0),
    )
    tier = "standard" if price.rates_for(tokens.all_input) == price.base else "long"
    answer = {"tier": tier, "usd": f"{rate(tokens, price, NO_MARKUP).cost.normalize():f}"}
    return {name: answer[name] for name in wanted}


def split_of_prompt(case: Case) -> Case:
    """Kinds without a price of their own are counted, and cost what input costs."""
    given = case["inputs"]
    rest = given["prompt"] - given["cached"] - given["image"]
    tokens = Tokens(input=rest, cache_read=given["cached"], input_image=given["image"])
    usd = rate(tokens, Price.parse(1, given["usd_per_million"]), NO_MARKUP).cost
    return {"billable": {"input": tokens.all_input}, "usd": f"{usd.normalize():f}"}


def tools(case: Case) -> Case:
    given = case["inputs"]
    price = Price.parse(1, {}, units={"image": given["price_usd"]})
    most = dollars(ceiling(price, 0, 0, NO_MARKUP, (("image", given["requested"]),)))
    made = rate(Tokens(), price, NO_MARKUP, (("image", given["actual"]),)).cost
    return {"estimate": most * given["quota_per_usd"], "settled": made * given["quota_per_usd"]}


ADAPTERS = {"rating.llm_tokens": llm_tokens, "rating.llm_tools": tools}

"""Adapters for what quantities cost. Expected amounts are text: an answer is given as the case writes it."""

from decimal import Decimal
from typing import Any

import pytest

from apps.billing.commitments import over_maximum, true_up
from apps.billing.money import round_half_away, rounded
from apps.billing.tiers import BadTiers, Mode, Tariff, Tier, packages, per_package, tariff
from apps.pricing.rating import PICOS, Tokens, dollars
from apps.pricing.selling import CostPlus

Case = dict[str, Any]
HUNDRED = Decimal(100)


def amount(value: Decimal, like: str) -> str:
    """With as many places as the case has, and only if that loses nothing."""
    places = -int(Decimal(like).as_tuple().exponent)
    assert value == rounded(value, places), f"{value} has more places than {like}"
    return str(rounded(value, places))


def number(given: Case, name: str, otherwise: str = "0") -> Decimal:
    return Decimal(str(given.get(name) or otherwise))


def tier(given: Case) -> Tier:
    up_to = given["up_to"]
    return Tier(None if up_to is None else Decimal(str(up_to)), number(given, "unit"), number(given, "flat"))


def tariff_of(case: Case) -> Tariff:
    given = case["inputs"]
    mode = Mode.VOLUME if given.get("model") == "volume" else Mode.GRADUATED
    # OpenMeter's tables say it of themselves: the first tier's flat fee is owed for nothing, too.
    flat_at_zero = given.get("zero_units_charge_flat", case["id"].startswith("vol-om"))
    return tariff([tier(each) for each in given["tiers"]], mode, flat_at_zero=flat_at_zero)


def by_tiers(case: Case) -> Case:
    if case["inputs"].get("policy") == "top_tier":
        return by_capacities(case)
    return {"amount": amount(tariff_of(case).price_of(Decimal(case["inputs"]["units"])), case["expected"]["amount"])}


def by_capacities(case: Case) -> Case:
    """Kill Bill's tiers tell how much each holds; above the last, the last goes on."""
    given, bounds, top = case["inputs"], [], Decimal()
    for each in given["tiers"]:
        top += each["capacity"]
        bounds.append(Tier(top, Decimal(each["unit"])))
    bounds[-1] = Tier(None, bounds[-1].unit)
    price = tariff(bounds, Mode.VOLUME).price_of(Decimal(given["units"]))
    return {"amount": amount(price, case["expected"]["amount"])}


def by_blocks(case: Case) -> Case:
    given, tiers, top = case["inputs"], [], Decimal()
    for each in given["tiers"]:
        top += each["block"] * each["max_blocks"]
        tiers.append(Tier(top, Decimal(each["price"]), size=Decimal(each["block"])))
    tiers[-1] = Tier(None, tiers[-1].unit, size=tiers[-1].size)
    units = Decimal(given["units"])
    if given["policy"] == "all_tiers":
        return {"parts": [f"{part.normalize():f}" for part in tariff(tiers).parts(units)]}
    return {"amount": amount(tariff(tiers, Mode.VOLUME).price_of(units), case["expected"]["amount"])}


def graduated_progressive(case: Case) -> Case:
    given, wanted, of = case["inputs"], case["expected"], tariff_of(case)
    before, now = Decimal(given["units_before"]), Decimal(given["units_now"])
    more = of.price_of(before + now) - of.price_of(before)  # as what comes late is billed
    answer = {"amount_now": amount(more, wanted["amount_now"])}
    if "running_total" in wanted:
        answer["running_total"] = amount(of.price_of(before + now), wanted["running_total"])
    return answer


def validation(case: Case) -> Case:
    with pytest.raises(BadTiers) as refusal:
        tariff([tier(each) for each in case["inputs"]["tiers"]])
    return {"error": refusal.value.code}


def min_commit(case: Case) -> Case:
    given, wanted = case["inputs"], case["expected"]
    answer = {}
    counted = number(given, "billed_before") + number(given, "new_usage_amount")
    if "units" in given:
        counted = tariff_of(case).price_of(Decimal(given["units"]))
        answer["usage"] = amount(counted, wanted["usage"])
    missing = true_up(Decimal(given["min_amount"]), counted, is_last=given.get("last_in_period", True))
    return answer | {"true_up": amount(missing, wanted["true_up"])}


def package(case: Case) -> Case:
    given, wanted = case["inputs"], case["expected"]
    units, size = Decimal(given["units"]), Decimal(given["size"])
    if "packages" in wanted:
        return {"packages": str(packages(units, size))}
    sold = per_package(size, Decimal(given["amount"]), free=number(given, "free"))
    return {"amount": amount(sold.price_of(units), wanted["amount"])}


def rebill_delta(case: Case) -> Case:
    given = case["inputs"]
    sold = per_package(Decimal(given["block"]), Decimal(given["price"]))
    missing = [
        sold.price_of(sum(map(Decimal, period["usage"]))) - Decimal(period["billed"]) for period in given["periods"]
    ]
    return {"missing": [f"{each.normalize():f}" for each in missing]}


def sold(
    cost: Decimal, markup_percent: Decimal, *, fixed: Decimal = Decimal(0), least: object = None, most: object = None
) -> Decimal:
    """What a call of this cost is sold for, by the rule of a rate card that says so."""
    sale = CostPlus(
        1, markup_percent, per_request=pico(fixed), floor=pico(least or 0), most=None if most is None else pico(most)
    )
    return dollars(sale.total(sale.charge(Tokens(), None, pico(cost), (), "")))


def pico(value: object) -> int:
    return int(Decimal(str(value)) * PICOS)


def markup(case: Case) -> Case:
    given, wanted = case["inputs"], case["expected"]
    if "rate_percent" in given:
        return {"amount": amount(percentage(given), wanted["amount"])}
    if "metered_cost" in given:
        return dynamic(given, wanted)
    if "markup" in given:
        percent = (Decimal(given["markup"]) - 1) * HUNDRED
        return {"price": amount(sold(Decimal(given["cost"]), percent), wanted["price"])}
    return discount_then_margin(given, wanted)


def percentage(given: Case) -> Decimal:
    """So many percent of an amount is its cost, marked down to them."""
    markup_percent = Decimal(given["rate_percent"]) - HUNDRED
    bounds = {"fixed": number(given, "fixed_per_event"), "least": given.get("min_each"), "most": given.get("max_each")}
    bases = given.get("bases", [given.get("base")])
    return sum((sold(Decimal(base), markup_percent, **bounds) for base in bases), Decimal(0))


def dynamic(given: Case, wanted: Case) -> Case:
    percent = (Decimal(given["multiplier"]) - 1) * HUNDRED
    gross = round_half_away(sold(Decimal(given["metered_cost"]), percent), "USD")
    if "max_amount" not in given:
        return {"amount": str(gross)}
    off = over_maximum(Decimal(given["max_amount"]), gross, billed=Decimal(given["billed_before"]))
    return {
        "gross": amount(gross, wanted["gross"]),
        "discount": amount(off, wanted["discount"]),
        "net": amount(gross - off, wanted["net"]),
    }


def discount_then_margin(given: Case, wanted: Case) -> Case:
    """What the operator pays is the cost: a discount of the provider's is in its own rate."""
    margin = given.get("provider_margin", {"percentage": given.get("margin_percent")})  # not on top of the global one
    cost = Decimal(given["cost"]) * (1 - Decimal(given["discount"]))
    price = sold(cost, Decimal(margin["percentage"]) * HUNDRED, fixed=number(margin, "fixed_amount"))
    answer = {"after_discount": cost, "price": price}
    return {name: amount(answer[name], wanted[name]) for name in wanted}


def unit(case: Case) -> Case:
    given = case["inputs"]
    assert given["cap_cents"] is None
    each = tariff([Tier(None, Decimal(given["unit_cents"]))])
    return {"cents": int(rounded(each.price_of(Decimal(given["units"])), 0))}


def allowance(case: Case) -> Case:
    given, wanted = case["inputs"], case["expected"]
    before, now = Decimal(given["used_before"]), Decimal(given["used_now"])
    beyond = tariff([Tier(None, Decimal(1))], free=Decimal(given["allowance"])).price_of
    billable = beyond(before + now) - beyond(before)
    answer = {"billable_now": billable, "allowance_used_now": now - billable, "net_before": beyond(before)}
    return {name: answer[name] for name in wanted}


ADAPTERS = {
    "rating.graduated": by_tiers,
    "rating.graduated_markup": by_tiers,
    "rating.volume": by_tiers,
    "rating.graduated.progressive": graduated_progressive,
    "rating.validation": validation,
    "rating.min_commit": min_commit,
    "rating.package": package,
    "rating.package_tiered": by_blocks,
    "correction.rebill_delta": rebill_delta,
    "rating.markup": markup,
    "rating.unit": unit,
    "rating.allowance": allowance,
}

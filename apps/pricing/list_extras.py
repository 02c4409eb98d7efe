"""What providers charge beside what genai-prices knows: tools, images, service tiers, hours, corrections.

The figures, each with its date and the page it is published on, are in list_extras.toml.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from apps.pricing.list_prices import ALWAYS, CACHED, ListPrice, ListPrices, exact

Extra = Mapping[str, Any]

_FILE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
CHECKED_ON = _FILE["checked_on"]  # the last day on which the pages were looked at
EXTRAS: Sequence[Extra] = _FILE["extra"]
MODELS: Sequence[Extra] = _FILE["model"]

NEVER = datetime.max.replace(tzinfo=UTC)


def extended(found: ListPrices) -> ListPrices:
    """The list prices with what we know beside them, and the models that only we know at the end."""
    prices = dict(found)
    for model in MODELS:
        key = model["provider"], model["model"]
        if key not in prices:
            prices[key] = [_with(ListPrice(_begin(model), model["match"], {}, [], {}, {}, []), model)]
    return {key: _with_all(versions, _meant(*key)) for key, versions in prices.items()}


def _meant(provider: str, model: str) -> list[Extra]:
    return [
        extra for extra in EXTRAS if extra["provider"] == provider and re.fullmatch(extra["models"], model) is not None
    ]


def _begin(extra: Extra) -> datetime:
    begin: datetime = extra.get("from", ALWAYS)
    return begin


def _end(extra: Extra) -> datetime:
    end: datetime = extra.get("until", NEVER)
    return end


def _with_all(versions: list[ListPrice], extras: list[Extra]) -> list[ListPrice]:
    """A version for each instant at which the source or an extra begins or ends."""
    if not extras:
        return versions
    first = versions[0].effective_from
    starts = {version.effective_from for version in versions} | {*map(_begin, extras), *map(_end, extras)}
    told = []
    for start in sorted(start for start in starts if first <= start < NEVER):
        price = next(version for version in reversed(versions) if version.effective_from <= start)
        price = price._replace(effective_from=start)
        for extra in extras:
            if _begin(extra) <= start < _end(extra):
                price = _with(price, extra)
        told.append(price)
    return told


def _with(price: ListPrice, extra: Extra) -> ListPrice:
    units = {name: each for name, each in price.units.items() if name not in extra.get("drop", ())}
    price = price._replace(
        rates={**price.rates, **extra.get("rates", {})},
        tiers=extra.get("tiers", price.tiers),
        units={**units, **extra.get("units", {})},
        hours=extra.get("hours", price.hours),
        context_window=extra.get("context_window", price.context_window),
    )
    for kind, half in extra.get("doubled", {}).items():
        price = _with_double(price, kind, half)
    services = dict(price.services)
    for name, copied in extra.get("copied", {}).items():
        if copied in services:
            services[name] = services[copied]
    for name, factor in extra.get("scaled", {}).items():
        services |= _scaled(price, name, Decimal(factor))
    for name, service in extra.get("services", {}).items():
        known = services.get(name, {})
        services[name] = {**known, **service, "rates": {**known.get("rates", {}), **service.get("rates", {})}}
    return price._replace(services=services)


def _with_double(price: ListPrice, kind: str, half: str) -> ListPrice:
    """The price with a kind of token that costs twice what another does, wherever that has a rate."""

    def doubled(told: Mapping[str, Any]) -> dict[str, Any]:
        rates = told["rates"]
        if half in rates:
            rates = {**rates, kind: exact(2 * Decimal(rates[half]))}
        return {**told, "rates": rates}

    def tiers(told: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        return [doubled(tier) for tier in told]

    services = {
        name: {**doubled(service), "tiers": tiers(service.get("tiers", ()))} for name, service in price.services.items()
    }
    rates = doubled({"rates": price.rates})["rates"]
    return price._replace(rates=rates, tiers=tiers(price.tiers), services=services)


def _scaled(price: ListPrice, name: str, factor: Decimal) -> dict[str, Any]:
    """The service tier that costs so many times the usual; with each that says where or how fast, both."""
    usual = {"rates": price.rates, "tiers": price.tiers, "units": price.units}
    scaled = {name: _times(usual, factor)}
    if name == "us":
        for other, service in price.services.items():
            whole = {**usual, **service, "rates": {**price.rates, **service.get("rates", {})}}
            scaled[f"{other}+{name}"] = _times(whole, factor)
    return scaled


def _times(price: Mapping[str, Any], factor: Decimal) -> dict[str, Any]:
    tiers = [{"above": tier["above"], "rates": _times_rates(tier["rates"], factor)} for tier in price["tiers"]]
    service: dict[str, Any] = {"rates": _times_rates(price["rates"], factor), "tiers": tiers}
    cached = {name: each for name, each in price["units"].items() if name in CACHED.values()}
    if cached:  # they are tokens, too; the fees of tools are the same in all tiers
        service["units"] = {name: f"{(Decimal(each) * factor).normalize():f}" for name, each in cached.items()}
    return service


def _times_rates(rates: Mapping[str, str], factor: Decimal) -> dict[str, str]:
    return {kind: exact(Decimal(rate) * factor) for kind, rate in rates.items()}

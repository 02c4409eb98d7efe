"""What changes the price book, beside the list prices that `sync` brings."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from apps.accounts import audit
from apps.accounts.models import Organization, User
from apps.pricing.models import ModelPrice
from apps.pricing.rating import Price
from apps.pricing.units import is_known


@transaction.atomic
def set_price(
    organization: Organization,
    *,
    provider: str,
    model: str,
    rates: Mapping[str, str],
    effective_from: datetime,
    by: User | None,
    units: Mapping[str, str] | None = None,
    services: Mapping[str, Mapping[str, Any]] | None = None,
    max_output_tokens: int | None = None,
    context_window: int | None = None,
) -> ModelPrice:
    """What the provider charges this organization for a model, from an instant on, in place of the list price.

    rates: USD a million tokens by kind (rating.KINDS), and "request": USD a call.
    units: USD for one of what is charged by the piece (units.UNITS); those that are left out are free.
    services: {"flex": {"rates": {…}, "units": {…}}}: what differs in a service tier.
    Requests that were rated before keep their cost. Raises ValidationError.
    """
    units, services = dict(units or {}), dict(services or {})
    try:
        Price.parse(0, rates, (), max_output_tokens, units, services)
        check_units([*units, *(name for service in services.values() for name in service.get("units", ()))])
        with transaction.atomic():
            price = ModelPrice.objects.create(
                organization=organization,
                provider=provider,
                model=model,
                match={"equals": model.lower()},
                rates=dict(rates),
                units=units,
                services=services,
                max_output_tokens=max_output_tokens,
                context_window=context_window,
                effective_from=effective_from,
                source="operator",
            )
    except (ValueError, ArithmeticError) as error:
        raise ValidationError({"rates": str(error)}) from error
    except IntegrityError as error:
        raise ValidationError("There is a price of this model from that very instant already.") from error
    told = {**rates, **units, **_flat(services)}
    audit.record(
        organization, "price.set", price, actor=by, changes={name: (None, rate) for name, rate in told.items()}
    )
    return price


def _flat(services: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """As the command takes them: {"flex:input": "1"}."""
    return {
        f"{service}:{name}": str(rate)
        for service, told in services.items()
        for name, rate in {**told.get("rates", {}), **told.get("units", {})}.items()
    }


def check_units(names: Iterable[str]) -> None:
    """Raise ValueError for a name that no answer is ever counted under."""
    if unknown := sorted({name for name in names if not is_known(name)}):
        raise ValueError(f"nothing is charged by the piece under {', '.join(unknown)}")

"""How quantities are written on pages."""

from decimal import Decimal, InvalidOperation

from django import template

register = template.Library()

PLACES = 2  # what is included is spread over models, and leaves parts of tokens
MILLION = "1M "  # how the unit of a line begins that has a price a million


@register.filter
def quantity(value: Decimal | str | None) -> str:
    """With commas, and at most two places: 1,000,000. What is no number stays as it is."""
    try:
        number = round(Decimal(str(value)), PLACES)
    except InvalidOperation:
        return "" if value is None else str(value)
    return f"{number:,f}".rstrip("0").rstrip(".") if "." in f"{number:f}" else f"{number:,f}"


@register.filter
def unit_behind(unit: str) -> str:
    """How a line's unit is called behind a number, as documents have it: 36.4 M tokens, not 36.4 1M tokens."""
    return unit.replace(MILLION, "M ", 1)


@register.filter
def per_unit(unit: str) -> str:
    """What stands behind the price of a unit; "" where it is of one."""
    return "/ M" if unit.startswith(MILLION) else ""

"""How quantities are written on pages."""

from decimal import Decimal, InvalidOperation

from django import template

register = template.Library()

PLACES = 2  # what is included is spread over models, and leaves parts of tokens


@register.filter
def quantity(value: Decimal | str | None) -> str:
    """With commas, and at most two places: 1,000,000. What is no number stays as it is."""
    try:
        number = round(Decimal(str(value)), PLACES)
    except InvalidOperation:
        return "" if value is None else str(value)
    return f"{number:,f}".rstrip("0").rstrip(".") if "." in f"{number:f}" else f"{number:,f}"

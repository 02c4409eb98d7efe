"""How quantities are written on pages."""

from decimal import Decimal, InvalidOperation

from django import template

from apps.billing.documents.figures import MILLION, per_unit, unit_behind

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


@register.filter
def quantity_of(value: Decimal, unit: str) -> str:
    """Of a line: millions of tokens to the last token, of anything else at most two places."""
    return f"{value.normalize():,f}" if unit.startswith(MILLION) else quantity(value)


register.filter("unit_behind", unit_behind)
register.filter("per_unit", per_unit)

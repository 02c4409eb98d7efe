"""How amounts in any currency are written on pages."""

from decimal import Decimal

from babel.numbers import format_currency
from django import template
from django.utils.translation import get_language, to_locale

from apps.billing.money import UnknownCurrency, minor_units

register = template.Library()


@register.filter
def in_currency(amount: Decimal | None, currency: str) -> str:
    """With the currency's sign and all of its decimal places: €1,234.50, ¥1,235. None: a dash."""
    if amount is None:
        return "–"
    try:
        places = minor_units(currency)
    except UnknownCurrency:
        return f"{amount.normalize():f} {currency}"
    pattern = "¤#,##0" + ("." + "0" * places if places else "")
    locale = to_locale(get_language() or "en")
    return str(format_currency(amount, currency, pattern, locale=locale, currency_digits=False))

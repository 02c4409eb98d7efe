"""Amounts, quantities and dates as a document writes them, in its language and currency. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal, get_currency_symbol

from apps.billing.money import minor_units, rounded

MOST_PLACES = 12
DIGITS = 6  # of a unit price, at least
MILLION = "1M "  # how the unit of a line begins that has a price a million
MANY = {"request": "requests"}


def unit_behind(unit: str, quantity: Decimal | None) -> str:
    """How a line's unit is called behind a number: 36.4 M tokens, not 36.4 1M tokens; 2 requests."""
    if unit.startswith(MILLION):
        return unit.replace(MILLION, "M ", 1)
    return unit if quantity == 1 else MANY.get(unit, unit)


def per_unit(unit: str) -> str:
    """What stands behind the price of a unit; "" where it is of one."""
    return "/ M" if unit.startswith(MILLION) else ""


@dataclass(frozen=True)
class Figures:
    """How one document writes them."""

    locale: Locale
    currency: str
    zone: ZoneInfo

    def amount(self, amount: Decimal) -> str:
        """With all places that the currency has, also where people in shops leave them out."""
        places = minor_units(self.currency)
        return self._money(amount, "0" * places)

    def unit_price(self, price: Decimal, quantity: Decimal | None = None) -> str:
        """With as many places as it takes for `quantity` of it to come to the amount, and six digits at least:
        what is a mean of several prices has no end. No fewer places than an amount.
        """
        places = minor_units(self.currency)
        for_digits = DIGITS - 1 - price.adjusted() if price else places
        for_amount = places + 1 + quantity.adjusted() if quantity else places
        most = min(max(places, for_digits, for_amount), MOST_PLACES)
        return self._money(rounded(price, most), "0" * places + "#" * (most - places))

    def quantity(self, quantity: Decimal) -> str:
        """Exactly, without zeros behind."""
        return str(format_decimal(quantity.normalize(), locale=self.locale, decimal_quantization=False))

    def percent(self, percent: Decimal) -> str:
        return f"{self.quantity(percent)} %"

    def rate(self, per_dollar: Decimal) -> str:
        """What a dollar is worth, with the currency's code: a symbol may be that of several."""
        return f"{self.quantity(per_dollar)} {self.currency}"

    def day(self, day: date | None) -> str:
        return format_date(day, "medium", locale=self.locale) if day else ""

    def period(self, since: datetime | None, until: datetime | None) -> str:
        """Days from the first to the last, in the seller's zone: the instant `until` itself is not part of it."""
        if since is None or until is None:
            return ""
        first = since.astimezone(self.zone).date()
        last = max((until - timedelta(microseconds=1)).astimezone(self.zone).date(), first)
        return self.day(first) if first == last else f"{self.day(first)} – {self.day(last)}"

    def _money(self, amount: Decimal, places: str) -> str:
        pattern = self.locale.currency_formats["standard"].pattern.replace("0.00", f"0.{places}" if places else "0")
        if pattern.startswith("¤#") and get_currency_symbol(self.currency, self.locale)[-1:].isalpha():
            pattern = pattern.replace("¤", "¤\u00a0", 1)  # KWD 1.234, not KWD1.234
        written = format_currency(
            amount, self.currency, pattern, locale=self.locale, currency_digits=False, decimal_quantization=False
        )
        return str(written)

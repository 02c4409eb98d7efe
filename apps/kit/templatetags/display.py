"""How values are written on pages: money, counts, durations, and charts as SVG."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django import template
from django.utils.safestring import SafeString

register = template.Library()

CENT = Decimal("0.01")
SUFFIXES = ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "k"))
CHART_WIDTH, CHART_HEIGHT, CHART_LEFT, CHART_BOTTOM = 540, 190, 44, 24
MOST_LABELS = 7  # below the bars of a chart


@register.filter
def money(amount: Decimal | int | None) -> str:
    """USD: from a cent on with two places, below with all the digits that count. None: not known."""
    if amount is None:
        return "unknown"
    amount = Decimal(amount)
    if not amount or abs(amount) >= 1:
        return f"{'-' if amount < 0 else ''}${abs(amount):,.2f}"
    if abs(amount) >= CENT:
        return f"{'-' if amount < 0 else ''}${abs(amount):.4f}"
    return f"{'-' if amount < 0 else ''}${abs(amount).normalize():f}"


@register.filter
def plain_amount(amount: Decimal) -> str:
    """For a field of a form: 25, not 25.000000000000."""
    return f"{amount.normalize():f}"


@register.filter
def money_short(amount: Decimal | int | None) -> str:
    """As `money`, but small amounts by their first two digits, with all of them in the title."""
    if amount is None or not amount or abs(amount) >= CENT:
        return money(amount)
    places = 1 - Decimal(amount).adjusted()
    sign = "-" if amount < 0 else ""
    return _titled(money(amount), f"≈ {sign}${abs(amount):.{places}f}")


@register.filter
def compact(number: int | None) -> str:
    """A count in few characters, in a tag whose title has all of them."""
    if number is None:
        return "–"
    return _titled(f"{number:,}", compact_text(number))


def _titled(title: str, text: str) -> SafeString:
    """Of figures alone, which have nothing to escape: a page has a thousand of them."""
    return SafeString(f'<span title="{title}">{text}</span>')


def compact_text(number: int) -> str:
    """The same without a tag, for charts."""
    return next((f"{number / size:.3g}{suffix}" for size, suffix in SUFFIXES if abs(number) >= size), f"{number:,}")


@register.filter
def average(number: float | None) -> str:
    """A count by something: with a decimal place where it is small."""
    if number is None:
        return "–"
    return f"{number:.1f}".removesuffix(".0") if abs(number) < 100 else compact(round(number))


@register.filter
def all_digits(amount: Decimal | None) -> str:
    """An amount with all its places, and no zeros after them."""
    return "–" if amount is None else f"{amount.normalize():,f}"


@register.filter
def whole(number: int) -> str:
    """A count to the last one."""
    return f"{number:,}"


@register.filter
def percent(share: float | None) -> str:
    return "–" if share is None else f"{share * 100:.1f}%"


@register.filter
def milliseconds(duration: float | None) -> str:
    if duration is None:
        return "–"
    return f"{duration / 1000:.2f} s" if duration >= 1000 else f"{duration:.0f} ms"


@register.filter
def duration(length_ms: float | None) -> str:
    """Of something that may take days: its two largest units."""
    if length_ms is None or length_ms < 60_000:
        return milliseconds(length_ms)
    minutes, seconds = divmod(round(length_ms / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


class Bar(NamedTuple):
    """A bar of a chart: what stands below it, how high it is, and what it says when pointed at."""

    label: str
    value: float
    title: str


@register.inclusion_tag("components/_chart.html")
def bar_chart(bars: Iterable[Bar], name: str, unit: str = "") -> dict[str, Any]:
    """Bars over time, as SVG: works without scripts, in print, and for a screen reader by its titles."""
    bars = list(bars)
    most = max((bar.value for bar in bars), default=0) or 1
    ceiling = _round_up(most)
    room = (CHART_WIDTH - CHART_LEFT) / max(1, len(bars))
    plot = CHART_HEIGHT - CHART_BOTTOM - 8
    every = max(1, -(-len(bars) // MOST_LABELS))
    return {
        "name": name,
        "width": CHART_WIDTH,
        "height": CHART_HEIGHT,
        "left": CHART_LEFT,
        "is_empty": not any(bar.value for bar in bars),
        "lines": [{"y": 8 + plot * (1 - step / 2), "label": f"{unit}{_axis(ceiling * step / 2)}"} for step in range(3)],
        "bars": [
            {
                "x": round(CHART_LEFT + place * room + room * 0.12, 2),
                "y": round(8 + plot * (1 - bar.value / ceiling), 2),
                "width": round(room * 0.76, 2),
                "height": round(plot * bar.value / ceiling, 2),
                "title": bar.title,
                "label": bar.label if place % every == 0 else "",
                "middle": round(CHART_LEFT + (place + 0.5) * room, 2),
            }
            for place, bar in enumerate(bars)
        ],
        "label_y": CHART_HEIGHT - 4,
    }


@register.inclusion_tag("components/_meter.html")
def meter(share: float, name: str) -> dict[str, Any]:
    """How much of a limit is used, from 0 to 1."""
    level = "full" if share >= 1 else "high" if share >= 0.8 else "fine"
    return {"width": round(100 * min(1.0, share), 2), "level": level, "name": name, "percent": round(share * 100)}


@register.filter
def date_label(start: datetime, interval: str) -> str:
    """What stands below a bar."""
    return start.strftime({"hour": "%H:%M", "day": "%-d %b", "month": "%b %Y"}[interval])


def _round_up(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** len(str(int(value))) / 10 if value >= 1 else 1.0
    while power > value:
        power /= 10
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)


def _axis(value: float) -> str:
    for size, suffix in SUFFIXES:
        if value >= size:
            return f"{value / size:g}{suffix}"
    return f"{value:g}"

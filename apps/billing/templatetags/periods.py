"""How periods are written on pages."""

from datetime import date, datetime, timedelta

from django import template
from django.utils import timezone

register = template.Library()


@register.filter
def last_day(until: date | datetime) -> date:
    """The last day of a period that goes up to `until`, not including it: 31 October where November begins it.

    An instant is taken in the page's zone, as all its times are.
    """
    if isinstance(until, datetime):
        return timezone.localtime(until - timedelta(microseconds=1)).date()
    return until - timedelta(days=1)

"""What can be asked in a query string: checked, and refused where it isn't known."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request

from apps.api.v1.fields import Id, Instant, Query, Text, Whole
from apps.api.v1.problems import InvalidParameters
from apps.usage.queries import PERIODS, Period, named_period

LIMIT, MOST = 50, 200


class Params(Query):
    """The parameters of an operation. OPERATORS: those that a customer's token does not have."""

    OPERATORS: tuple[str, ...] = ()

    @classmethod
    def of(cls, request: Request) -> dict[str, Any]:
        """What was asked for, with defaults in place. Raises InvalidParameters."""
        asked = request.query_params
        if twice := sorted(name for name, values in asked.lists() if len(values) > 1):
            raise InvalidParameters(dict.fromkeys(twice, "It is there more than once."))
        params = cls(data=asked.dict())
        hidden = set(cls.OPERATORS) if request.auth.customer_id else set()
        if unknown := sorted(set(asked) - (set(params.fields) - hidden)):
            raise InvalidParameters(dict.fromkeys(unknown, "There is no such parameter."))
        if not params.is_valid():
            raise InvalidParameters(params.errors)
        clean: dict[str, Any] = params.validated_data
        return clean


class Paged(Params):
    """For lists."""

    limit = Whole(min_value=1, max_value=MOST, default=LIMIT, help_text="How many there are on a page.")
    cursor = Text(required=False, max_length=300, help_text="`next` of the page before; none: the first page.")


class Spanned(Params):
    """For what is of a time: `since` and `until`, or one of the usual periods in the organization's time zone."""

    period = serializers.ChoiceField(
        choices=PERIODS,
        required=False,
        help_text="A usual period in the organization's time zone, instead of `since` and `until`; `30d` if none.",
    )
    since = Instant(required=False, help_text="From this time on.")
    until = Instant(required=False, help_text="Before this time; if not told, now.")


class ForCustomer(Params):
    """For what can be narrowed to a customer."""

    customer = Id(required=False, help_text="Of this customer only. Operators.")


def span_of(params: dict[str, Any], zone: ZoneInfo) -> Period:
    """The stretch of time that is asked for. Raises InvalidParameters."""
    now = timezone.now()
    named, since, until = params.get("period"), params.get("since"), params.get("until")
    if named and (since or until):
        raise InvalidParameters({"period": "It goes without since and until."})
    if since is None:
        usual = named_period(named or "30d", now, zone)
        since, until = usual.since, until or usual.until
    until = until or max(now, since)
    if until < since:
        raise InvalidParameters({"until": "It is before since."})
    return Period(since, until)


def bounds_of(params: dict[str, Any]) -> dict[str, datetime]:
    """`since` and `until` as they were asked for; what wasn't is not there."""
    return {name: params[name] for name in ("since", "until") if params.get(name)}

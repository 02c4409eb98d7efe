"""Usage over time, and by what somebody chooses."""

from itertools import islice
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.fields import Instant, Text, Told, Whole, Zone
from apps.api.v1.figures import EXAMPLE as FIGURES
from apps.api.v1.figures import FiguresSerializer
from apps.api.v1.paging import cut, offset_of
from apps.api.v1.params import Paged, span_of
from apps.api.v1.problems import InvalidParameters
from apps.api.v1.schema import operation
from apps.api.v1.usage import UsageParams, UsageView, in_hours
from apps.usage.queries import Group, Period, Scope, grouped_by, grouped_by_property, over_time, totals
from apps.usage.queries.grouped_series import By, grouped_over_time
from apps.usage.queries.periods import steps

TAG = "Metrics"
MOST_POINTS = 10_000
GROUPS = ("customer", "user", "model", "key", "provider", "property")
OF_OPERATORS = ("customer", "provider")
ORDERS = (
    "-price",
    "price",
    "-requests",
    "requests",
    "-input_tokens",
    "input_tokens",
    "-output_tokens",
    "output_tokens",
)
EXAMPLE = {
    "since": "2026-03-09T00:00:00Z",
    "until": "2026-03-11T00:00:00Z",
    "zone": "UTC",
    "interval": "day",
    "group_by": "user",
    "data": [
        {
            "group": "ada",
            "totals": FIGURES,
            "points": [{"start": "2026-03-09T00:00:00Z", "figures": FIGURES}],
        }
    ],
    "next": None,
}


class PointSerializer(Told):
    """One step of a series."""

    start = Instant(help_text="When it begins; it ends where the next begins.")
    figures = FiguresSerializer()


class SeriesSerializer(Told):
    """The figures of one group."""

    group = serializers.CharField(allow_null=True, help_text="null: no user was named, or nothing is grouped.")
    totals = FiguresSerializer()
    points = PointSerializer(many=True, help_text="Empty where the interval is `total`.")


class MetricsSerializer(Told):
    """Series of figures."""

    since = Instant()
    until = Instant()
    zone = serializers.CharField()
    interval = serializers.CharField()
    group_by = serializers.CharField(allow_null=True)
    data = SeriesSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text="The cursor of the next page of groups; null: the last.")


class MetricsParams(Paged, UsageParams):
    limit = Whole(min_value=1, max_value=100, default=20, help_text="How many groups on a page.")
    interval = serializers.ChoiceField(choices=["total", "hour", "day", "month"], default="day")
    zone = Zone(required=False, help_text="In whose days and months; if not told, the organization's.")
    group_by = serializers.ChoiceField(
        choices=GROUPS, required=False, help_text="`customer` and `provider`: operators. `property` needs `property`."
    )
    property = Text(required=False, min_length=1, max_length=200, help_text="The property's name.")
    order = serializers.ChoiceField(choices=ORDERS, default="-price", help_text="Of the groups; `-`: largest first.")


class Metrics(UsageView):
    @operation(
        "usage:read",
        "Get usage over time",
        name="get_metrics",
        tag=TAG,
        params=MetricsParams,
        answer=MetricsSerializer,
        example=EXAMPLE,
        errors=(404,),
    )
    def get(self, request: Request) -> Response:
        """In total, by hour, day or month; by customer, user, model, key, provider or the value of a property."""
        params = MetricsParams.of(request)
        zone, interval, by = params.get("zone") or self.zone, params["interval"], self._by(params)
        asked = span_of(params, self.zone)
        period = in_hours(asked) if interval == "hour" else self.in_days(asked, zone)
        self._check_length(params, period, zone)
        scope = self.scope(params, period)
        groups, after = self._groups(params, scope, by)
        told = {
            "since": scope.since,
            "until": scope.until,
            "zone": str(zone),
            "interval": interval,
            "group_by": params.get("group_by"),
            "data": self._series(groups, scope, by, interval, zone),
            "next": after,
        }
        return Response(MetricsSerializer(told, context={"is_operators": self.is_operators}).data)

    def _by(self, params: dict[str, Any]) -> By | None:
        by, name = params.get("group_by"), params.get("property")
        if (by == "property") is not (name is not None):
            raise InvalidParameters({"property" if name else "group_by": "group_by=property goes with property."})
        if by in OF_OPERATORS and not self.is_operators:
            raise InvalidParameters({"group_by": "That is for operators."})
        if by == "property":
            if any(params.get(each) for each in ("key", "model", "provider")):
                raise InvalidParameters({"property": "It goes without key, model and provider."})
            return By(named=name or "")
        if by == "model" and not self.is_operators:
            by = "sold_as"  # as the customer knows them
        return By(by) if by else None

    def _groups(self, params: dict[str, Any], scope: Scope, by: By | None) -> tuple[list[Group], str | None]:
        if by is None:
            return [Group(None, totals(scope))], None
        offset = offset_of(params)
        how: dict[str, Any] = {"order": params["order"], "limit": params["limit"] + 1, "offset": offset}
        if by.dimension is None:
            return cut(grouped_by_property(scope, by.named, **how), params, offset)
        return cut(grouped_by(scope, by.dimension, **how), params, offset)

    def _series(
        self, groups: list[Group], scope: Scope, by: By | None, interval: Any, zone: ZoneInfo
    ) -> list[dict[str, Any]]:
        if interval == "total":
            points: dict[UUID | str | None, list[Any]] = {}
        elif by is None:
            points = {None: over_time(scope, interval, zone)}
        else:
            points = grouped_over_time(scope, by, [group.value for group in groups], interval, zone)
        return [
            {
                "group": None if group.value is None else str(group.value),
                "totals": group.figures,
                "points": points.get(group.value, []),
            }
            for group in groups
        ]

    @staticmethod
    def _check_length(params: dict[str, Any], period: Period, zone: ZoneInfo) -> None:
        if params["interval"] == "total":
            return
        series = params["limit"] if params.get("group_by") else 1
        points = sum(1 for _ in islice(steps(period, params["interval"], zone), MOST_POINTS + 1))
        if points * series > MOST_POINTS:
            raise InvalidParameters({"interval": f"That would be more than {MOST_POINTS:,} points."})

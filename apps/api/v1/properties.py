"""Properties that requests carry, such as `Plan`, and their values."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.fields import Amount, Text, Told
from apps.api.v1.figures import EXAMPLE as FIGURES
from apps.api.v1.figures import FiguresSerializer
from apps.api.v1.metrics import ORDERS
from apps.api.v1.paging import as_cursor, cut, offset_of, page, parts_of
from apps.api.v1.params import ForCustomer, Paged, Spanned
from apps.api.v1.schema import operation, page_of
from apps.api.v1.usage import UsageView
from apps.api.v1.users import PercentilesSerializer
from apps.usage.models import PropertyName
from apps.usage.queries import Group, Percentiles, Scope, grouped_by_property
from apps.usage.queries.latency import latency_of_values
from apps.usage.queries.values import users_of_values

TAG = "Properties"
NOBODY = {"cost_per_user": None, "price_per_user": None}
VALUE = {
    "value": "premium",
    "users": 12,
    "cost_per_user": "0.12785",
    "price_per_user": "0.15342",
    "latency_ms": {"p50": 640.2, "p95": 1930.0, "p99": 3105.7, "requests": 1188},
    "figures": FIGURES,
}


class PropertySerializer(Told):
    """A property."""

    name = serializers.CharField(help_text="In lower case: names are the same whatever their case.")
    label = serializers.CharField(help_text="As it was first written.")


class PropertyValueSerializer(Told):
    """A value of a property, and the requests that had it."""

    OPERATORS = ("cost_per_user",)

    value = serializers.CharField()
    users = serializers.IntegerField(help_text="Who called with it. A user with two values counts for both.")
    cost_per_user = Amount(required=False, allow_null=True, help_text="Operators, in USD. null: nobody was named.")
    price_per_user = Amount(allow_null=True, help_text="In USD. null: nobody was named.")
    latency_ms = PercentilesSerializer(help_text="Known of whole days of the organization's time zone.")
    figures = FiguresSerializer()


class PropertyParams(Paged, Spanned, ForCustomer):
    user = Text(required=False, allow_blank=True, help_text="Of this end user only; empty: requests that name none.")


class ValueParams(PropertyParams):
    name = Text(min_length=1, max_length=200, help_text="The property's name, in whatever case.")
    order = serializers.ChoiceField(choices=ORDERS, default="-price", help_text="`-`: largest first.")


class PropertyList(UsageView):
    @operation(
        "usage:read",
        "List properties",
        name="list_properties",
        tag=TAG,
        params=PropertyParams,
        answer=page_of(PropertySerializer),
        example={"data": [{"name": "plan", "label": "Plan"}], "next": None},
        errors=(404,),
    )
    def get(self, request: Request) -> Response:
        """Those that requests in the time asked for had, by name."""
        params = PropertyParams.of(request)
        used = self.scope(params).all_property_rows()
        if parts := parts_of(params, str):
            used = used.filter(name__gt=parts[0])
        limit = params["limit"]
        names = list(used.order_by("name").values_list("name", flat=True).distinct()[: limit + 1])
        labels = PropertyName.objects.filter(organization=self.organization, name__in=names)
        labelled: dict[str, Any] = dict(labels.values_list("name", "label"))
        after = as_cursor(names[limit - 1]) if len(names) > limit else None
        # How it was first written may be another customer's: a customer is told what it is called by.
        return page(
            [
                {"name": name, "label": labelled.get(name, name) if self.is_operators else name}
                for name in names[:limit]
            ],
            after,
        )


class PropertyValues(UsageView):
    @operation(
        "usage:read",
        "List a property's values",
        name="list_property_values",
        tag=TAG,
        params=ValueParams,
        answer=page_of(PropertyValueSerializer),
        example={"data": [VALUE], "next": None},
        errors=(404,),
    )
    def get(self, request: Request) -> Response:
        """With the figures of the requests that had them, and what each user of one costs on average."""
        params = ValueParams.of(request)
        offset, scope = offset_of(params), self.scope(params)
        groups = grouped_by_property(
            scope, params["name"], order=params["order"], limit=params["limit"] + 1, offset=offset
        )
        found, after = cut(groups, params, offset)
        told = PropertyValueSerializer(
            self._values(scope, params["name"], found), many=True, context={"is_operators": self.is_operators}
        )
        return page(told.data, after)

    @staticmethod
    def _values(scope: Scope, name: str, groups: list[Group]) -> list[dict[str, Any]]:
        shown = [str(group.value) for group in groups]
        users, times = users_of_values(scope, name, shown), latency_of_values(scope, name, shown)
        rows = []
        for group, value in zip(groups, shown, strict=True):
            figures, count = group.figures, users.get(value, 0)
            each = {"cost_per_user": figures.cost / count, "price_per_user": figures.price / count} if count else NOBODY
            latency = times.get(value, Percentiles())
            rows.append({"value": value, "users": count, "latency_ms": latency, "figures": figures} | each)
        return rows

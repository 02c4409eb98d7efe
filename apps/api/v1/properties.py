"""Properties that requests carry, such as `Plan`, and their values."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.fields import Text, Told
from apps.api.v1.figures import EXAMPLE as FIGURES
from apps.api.v1.figures import FiguresSerializer, told_figures
from apps.api.v1.metrics import ORDERS
from apps.api.v1.paging import as_cursor, cut, offset_of, page, parts_of
from apps.api.v1.params import ForCustomer, Paged, Spanned
from apps.api.v1.schema import operation, page_of
from apps.api.v1.usage import UsageView
from apps.usage.models import PropertyName
from apps.usage.queries import grouped_by_property

TAG = "Properties"


class PropertySerializer(Told):
    """A property."""

    name = serializers.CharField(help_text="In lower case: names are the same whatever their case.")
    label = serializers.CharField(help_text="As it was first written.")


class PropertyValueSerializer(Told):
    """A value of a property, and the requests that had it."""

    value = serializers.CharField()
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
        example={"data": [{"value": "premium", "figures": FIGURES}], "next": None},
        errors=(404,),
    )
    def get(self, request: Request) -> Response:
        """With the figures of the requests that had them."""
        params = ValueParams.of(request)
        offset = offset_of(params)
        groups = grouped_by_property(
            self.scope(params), params["name"], order=params["order"], limit=params["limit"] + 1, offset=offset
        )
        found, after = cut(groups, params, offset)
        told = [
            {"value": group.value, "figures": told_figures(group.figures, is_operators=self.is_operators)}
            for group in found
        ]
        return page(told, after)

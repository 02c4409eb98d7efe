"""End users: who calls, how much, what it costs and brings."""

from typing import Any

from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.fields import Amount, Text, Told
from apps.api.v1.figures import EXAMPLE as FIGURES
from apps.api.v1.figures import FiguresSerializer
from apps.api.v1.paging import cut, offset_of, page
from apps.api.v1.params import ForCustomer, Paged, Spanned
from apps.api.v1.problems import InvalidParameters
from apps.api.v1.schema import operation, page_of
from apps.api.v1.usage import UsageParams, UsageView
from apps.usage.queries import Scope, UserFilter, UserKey, UserRow, grouped_by, grouped_by_property
from apps.usage.queries.measures import COSTS
from apps.usage.queries.users import ORDERS, user_row, users

TAG = "Users"
MOST_GROUPS = 20
MOST_PROPERTIES = 20
DIRECTIONS = [f"{sign}{name}" for name in sorted(ORDERS) for sign in ("-", "")]
EXAMPLE = {
    "customer": "0192f3c1-6f5a-7c31-9f0e-2f4f7f1f9a11",
    "user": "ada",
    "active_days": 9,
    "requests_per_active_day": 132.0,
    "tokens_per_request": 787.9,
    "cost_per_request": "0.0012914",
    "price_per_request": "0.0015497",
    "figures": FIGURES,
    "latency_ms": {"p50": 640.2, "p95": 1930.0, "p99": 3105.7, "requests": 1188},
}


class PercentilesSerializer(Told):
    """In milliseconds, each within 5 %. null: there are no such requests."""

    p50 = serializers.FloatField(allow_null=True)
    p95 = serializers.FloatField(allow_null=True)
    p99 = serializers.FloatField(allow_null=True)
    requests = serializers.IntegerField(help_text="Of how many.")


class UserSerializer(Told):
    """An end user of a customer, and its figures in the time asked for."""

    OPERATORS = ("cost_per_request",)

    customer = serializers.UUIDField(source="customer_id")
    user = serializers.CharField(source="end_user", allow_null=True, help_text="null: requests that name none.")
    active_days = serializers.IntegerField(help_text="Days of the organization's time zone.")
    requests_per_active_day = serializers.FloatField(allow_null=True)
    tokens_per_request = serializers.FloatField(source="figures.tokens_per_request", allow_null=True)
    cost_per_request = Amount(
        source="figures.cost_per_request", required=False, allow_null=True, help_text="Operators, in USD."
    )
    price_per_request = Amount(source="figures.price_per_request", allow_null=True, help_text="In USD.")
    figures = FiguresSerializer()
    latency_ms = PercentilesSerializer(source="latency", help_text="By a property, of whole days only.")


class UserDaySerializer(Told):
    """A day with requests."""

    day = serializers.DateField()
    requests = serializers.IntegerField()


class UserGroupSerializer(Told):
    """What a user used of one model, or under one value of a property."""

    value = serializers.CharField()
    figures = FiguresSerializer()


class UserPropertySerializer(Told):
    """What a user used under each value of a property."""

    name = serializers.CharField()
    values = UserGroupSerializer(many=True)


class UserDetailSerializer(UserSerializer):
    """An end user, with its days, models and properties."""

    days = UserDaySerializer(many=True)
    models = UserGroupSerializer(many=True, help_text="Those that cost the user most; as the token may know them.")
    properties = UserPropertySerializer(many=True)


class UserParams(Paged, UsageParams):
    OPERATORS = (*UsageParams.OPERATORS, "min_cost")

    user = None
    search = Text(required=False, max_length=200, help_text="Part of the user's name.")
    property = Text(
        required=False,
        max_length=1000,
        help_text="`name=value`: only requests with it are counted. It goes without key, model and provider.",
    )
    min_cost = Amount(required=False, min_value=0, help_text="Those who cost as much, in USD. Operators.")
    min_price = Amount(required=False, min_value=0, help_text="Those who pay as much, in USD.")
    order = serializers.ChoiceField(choices=DIRECTIONS, default="-price", help_text="`-`: largest first.")


class UserDetailParams(Spanned, ForCustomer):
    user = Text(max_length=1000, allow_blank=True, help_text="Empty: requests that name none.")


class UserList(UsageView):
    @operation(
        "usage:read",
        "List users",
        name="list_users",
        tag=TAG,
        params=UserParams,
        answer=page_of(UserSerializer),
        example={"data": [EXAMPLE], "next": None},
        errors=(404,),
    )
    def get(self, request: Request) -> Response:
        """Those who called in the time asked for. A user is a name at a customer."""
        params = UserParams.of(request)
        order, offset = params["order"], offset_of(params)
        if not self.is_operators and order.removeprefix("-") in COSTS:
            raise InvalidParameters({"order": "That is for operators."})
        scope, narrowed = self.scope(params), self._filter(params)
        found = users(scope, self.zone, order=order, narrowed=narrowed, limit=params["limit"] + 1, offset=offset)
        rows, after = cut(found.rows, params, offset)
        return page(_told(rows, is_operators=self.is_operators), after)

    def _filter(self, params: dict[str, Any]) -> UserFilter:
        named: tuple[str, str] | None = None
        if told := params.get("property"):
            name, separator, value = told.partition("=")
            if not (name and separator):
                raise InvalidParameters({"property": "It looks like name=value."})
            if any(params.get(each) for each in ("key", "model", "provider")):
                raise InvalidParameters({"property": "It goes without key, model and provider."})
            named = (name, value)
        return UserFilter(
            search=params.get("search", ""),
            property=named,
            min_cost=params.get("min_cost"),
            min_price=params.get("min_price"),
        )


class UserDetail(UsageView):
    @operation(
        "usage:read",
        "Get a user",
        name="get_user",
        tag=TAG,
        params=UserDetailParams,
        answer=UserDetailSerializer,
        example={
            **EXAMPLE,
            "days": [{"day": "2026-03-10", "requests": 131}],
            "models": [{"value": "gpt-4o-mini", "figures": FIGURES}],
            "properties": [{"name": "plan", "values": [{"value": "premium", "figures": FIGURES}]}],
        },
        errors=(404,),
    )
    def get(self, request: Request) -> Response:
        """Its figures, days, models and properties. An operator's token says of which `customer`.

        A name is asked for in the query string: it may be anything, slashes too.
        """
        params = UserDetailParams.of(request)
        customer_id = self.customer_in(params)
        if customer_id is None:
            raise InvalidParameters({"customer": "Say whose user it is."})
        key = UserKey(customer_id, params["user"] or None)
        scope = self.scope(params)
        row = user_row(scope, self.zone, key)
        if not row.figures.requests:
            raise Http404
        [told] = _told([row], is_operators=self.is_operators)
        return Response(told | self._more(row, scope))

    def _more(self, row: UserRow, scope: Scope) -> dict[str, Any]:
        audience = {"is_operators": self.is_operators}
        models = grouped_by(scope, "model" if self.is_operators else "sold_as", limit=MOST_GROUPS)
        names = scope.all_property_rows().order_by("name").values_list("name", flat=True).distinct()
        properties = [
            {"name": name, "values": grouped_by_property(scope, name, limit=MOST_GROUPS)}
            for name in names[:MOST_PROPERTIES]
        ]
        return {
            "days": [{"day": day.isoformat(), "requests": count} for day, count in row.days],
            "models": UserGroupSerializer(models, many=True, context=audience).data,
            "properties": UserPropertySerializer(properties, many=True, context=audience).data,
        }


def _told(rows: list[UserRow], *, is_operators: bool) -> list[dict[str, Any]]:
    """As the audience may see them."""
    data: list[dict[str, Any]] = UserSerializer(rows, many=True, context={"is_operators": is_operators}).data
    return data

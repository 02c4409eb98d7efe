"""Who and what brings most and least; whose calls are slow, and whose are dear."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.fields import Amount, Text, Told, Whole
from apps.api.v1.paging import page
from apps.api.v1.params import ForCustomer, Spanned
from apps.api.v1.problems import InvalidParameters
from apps.api.v1.schema import operation, page_of
from apps.api.v1.usage import UsageView
from apps.usage.queries import Scope
from apps.usage.queries.crowd import Amount as AmountOf
from apps.usage.queries.insights import Terms, profits_of_customers, terms_of
from apps.usage.queries.profits import Plan, Profit, operations, plans, profits_by, profits_of_users
from apps.usage.queries.users import UserKey
from apps.usage.queries.values import Operation, values_of
from apps.usage.ranges import CHOSEN, MOST_DAYS, Range

TAG = "Insights"
LIMIT, MOST = 10, 100
OF_OPERATORS = ("customer", "model")
GLOBEX = "0192f3c1-6f5a-7c31-9f0e-2f4f7f1f9a11"
PROFIT = {
    "customer": GLOBEX,
    "user": "ada",
    "value": None,
    "price": "1.84104",
    "cost": "1.5342",
    "fee": "20",
    "profit": "20.30684",
}
OPERATION = {
    "customer": GLOBEX,
    "user": "ada",
    "value": "gpt-4o-mini",
    "requests": 1188,
    "latency_ms": 812.4,
    "cost": "0.0012914",
    "price": "0.0015497",
}


class ProfitSerializer(Told):
    """What a user, a customer, a model or a value of a property brought, in USD."""

    OPERATORS = ("cost",)

    customer = serializers.UUIDField(allow_null=True)
    user = serializers.CharField(allow_null=True)
    value = serializers.CharField(allow_null=True, help_text="The model, or the value of the property.")
    price = Amount()
    cost = Amount(required=False, help_text="Operators.")
    fee = Amount(help_text="Subscriptions of the days asked for: of customers, or of users by their plan.")
    profit = Amount(help_text="Price and fee, less cost. For a customer's token: fee, less price.")


class OperationSerializer(Told):
    """The calls of a user to a model, or with a value of a property: a request of them, on average."""

    OPERATORS = ("cost",)

    customer = serializers.UUIDField()
    user = serializers.CharField(allow_null=True, help_text="null: requests that name none.")
    value = serializers.CharField(help_text="The model, as the token may know it, or the value of the property.")
    requests = serializers.IntegerField(help_text="That went to a provider; 5 or more.")
    latency_ms = serializers.FloatField(allow_null=True)
    cost = Amount(required=False, allow_null=True, help_text="Operators, in USD.")
    price = Amount(allow_null=True, help_text="In USD. null: none of them has a price that is known.")


class TopParams(Spanned, ForCustomer):
    limit = Whole(min_value=1, max_value=MOST, default=LIMIT, help_text="How many.")
    property = Text(required=False, min_length=1, max_length=200, help_text="The property's name.")


class ProfitParams(TopParams):
    group_by = serializers.ChoiceField(
        choices=("user", "customer", "model", "property"),
        default="user",
        help_text="`customer` and `model`: operators. `property` needs `property`.",
    )
    order = serializers.ChoiceField(choices=("-profit", "profit"), default="-profit", help_text="`-`: most first.")


class OperationParams(TopParams):
    user = Text(required=False, allow_blank=True, help_text="Of this end user only; empty: requests that name none.")
    order = serializers.ChoiceField(
        choices=("-latency_ms", "-cost", "-price"), default="-latency_ms", help_text="`-cost`: operators."
    )


class ProfitList(UsageView):
    @operation(
        "usage:read",
        "List profits",
        name="list_profits",
        tag=TAG,
        params=ProfitParams,
        answer=page_of(ProfitSerializer),
        example={"data": [PROFIT], "next": None},
        errors=(404,),
    )
    def get(self, request: Request) -> Response:
        """The most profitable, or the least. Requests that name nobody are no user's.

        For a customer's token, its users' fees are what comes in, and the price is what goes out. Of a property, the 50
        values that cost most are compared.
        """
        params = ProfitParams.of(request)
        by, scope = self._by(params), self.scope(params)
        whose = None if self.is_operators else scope.customer_id  # the fees: each side sets its own
        terms = terms_of(self.organization.pk, whose, self._months(scope))
        rows = self._rows(by, scope, terms, params)
        told = ProfitSerializer(rows, many=True, context={"is_operators": self.is_operators}).data
        return page(told, None)

    def _by(self, params: dict[str, Any]) -> str:
        by: str = params["group_by"]
        if (by == "property") is not (params.get("property") is not None):
            raise InvalidParameters({"property": "group_by=property goes with property."})
        if by in OF_OPERATORS and not self.is_operators:
            raise InvalidParameters({"group_by": "That is for operators."})
        return by

    def _months(self, scope: Scope) -> Any:
        first = scope.since.astimezone(self.zone).date()
        last = (max(scope.until, scope.since) - timedelta(microseconds=1)).astimezone(self.zone).date()
        if (last - first).days >= MOST_DAYS:
            raise InvalidParameters({"since": f"At most {MOST_DAYS} days."})
        return Range(CHOSEN, first, max(first, last), self.zone).months

    def _rows(self, by: str, scope: Scope, terms: Terms, params: dict[str, Any]) -> list[dict[str, Any]]:
        is_least, most = params["order"] == "profit", params["limit"]
        how: dict[str, Any] = {"fees": terms.fees, "months": terms.months, "is_operator": self.is_operators}
        if by == "user":
            found = profits_of_users(scope, most=most, **how)[is_least]
            return [_profit(each, each.whose.customer_id, each.whose.end_user) for each in found]
        every: Iterable[dict[str, Any]]
        if by == "customer":
            every = (_profit(each, each.whose) for each in profits_of_customers(scope, terms))
        elif by == "model":
            every = (_profit(each, value=str(each.whose)) for each in profits_by(scope, "model"))
        else:
            every = map(_of_plan, plans(scope, params["property"], **how))
        return sorted(every, key=lambda row: row["profit"] if is_least else -row["profit"])[:most]


class OperationList(UsageView):
    @operation(
        "usage:read",
        "List slow or costly operations",
        name="list_operations",
        tag=TAG,
        params=OperationParams,
        answer=page_of(OperationSerializer),
        example={"data": [OPERATION], "next": None},
        errors=(404,),
    )
    def get(self, request: Request) -> Response:
        """Calls of users to models, or with values of a property such as `Feature`: the slowest, or the dearest each.

        Those of five requests or more.
        """
        params = OperationParams.of(request)
        order = params["order"]
        if order == "-cost" and not self.is_operators:
            raise InvalidParameters({"order": "That is for operators."})
        told = OperationSerializer(
            [_operation(each) for each in self._found(params, self.scope(params), order)],
            many=True,
            context={"is_operators": self.is_operators},
        )
        return page(told.data, None)

    def _found(self, params: dict[str, Any], scope: Scope, order: str) -> list[Operation]:
        most = params["limit"]
        if name := params.get("property"):
            values = values_of(scope, name, is_operator=order == "-cost", most=0, operations=most)
            return values.slow if order == "-latency_ms" else values.dear
        dear_by: AmountOf = "cost" if order == "-cost" else "price"
        slow, dear = operations(scope, is_operator=self.is_operators, dear_by=dear_by, most=most)
        return slow if order == "-latency_ms" else dear


def _profit(each: Profit[Any], customer: UUID | None = None, user: str | None = None, value: str | None = None) -> Any:
    told = {"customer": customer, "user": user, "value": value}
    return told | {"price": each.price, "cost": each.cost, "fee": each.fee, "profit": each.profit}


def _of_plan(plan: Plan) -> dict[str, Any]:
    money = {"price": plan.figures.price, "cost": plan.figures.cost, "fee": plan.paid, "profit": plan.profit}
    return {"customer": None, "user": None, "value": plan.value} | money


def _operation(each: Operation) -> dict[str, Any]:
    key: UserKey = each.key
    whose = {"customer": key.customer_id, "user": key.end_user, "value": each.model, "requests": each.requests}
    return whose | {"latency_ms": each.latency_ms, "cost": each.cost, "price": each.price}

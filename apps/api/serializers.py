"""What is told of usage: the price that the customer pays, never what it costs the operator."""

from typing import Any

from rest_framework import serializers

from apps.limits.state import LimitState
from apps.limits.terms import LimitName, Scope
from apps.usage.queries import Figures, Group


class FiguresSerializer(serializers.Serializer[Figures]):
    """Sums over requests. `spend` in USD, as a string: it is exact."""

    requests = serializers.IntegerField()
    refused = serializers.IntegerField()
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    spend = serializers.SerializerMethodField()

    def get_spend(self, figures: Figures) -> str:
        return f"{figures.price.normalize():f}"


class GroupSerializer(serializers.BaseSerializer[Group]):
    """The figures of one model."""

    def to_representation(self, group: Group) -> dict[str, Any]:
        return {"model": group.value, **FiguresSerializer(group.figures).data}


class LimitSerializer(serializers.BaseSerializer[tuple[Scope, LimitState]]):
    """Where one limit of a scope stands: amounts in its own unit, as strings."""

    def to_representation(self, limit: tuple[Scope, LimitState]) -> dict[str, Any]:
        scope, state = limit
        return {
            "scope": str(scope),
            "name": "prepaid_credit" if state.is_prepaid else str(state.name),
            "unit": "usd" if state.name.is_money else "tokens" if state.name is LimitName.TOKENS else "requests",
            **{amount: f"{getattr(state, amount).normalize():f}" for amount in ("limit", "used", "held", "left")},
            "resets_at": state.resets_at.isoformat() if state.resets_at else None,
        }

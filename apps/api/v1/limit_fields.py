"""Limits as the API has them: those that are set, and where somebody stands with them."""

from typing import Any, TypeAlias

from rest_framework import serializers

from apps.api.v1.fields import MOST_BIG_INTEGER, MOST_INTEGER, Amount, Asked, Instant, Text, Told, Whole
from apps.customers.limit_fields import CAPS, LIMITS, MOST_LISTED, LimitFields
from apps.limits.state import LimitState
from apps.limits.terms import LimitName

MOST_DIGITS = 36  # tokens can be many
Fields: TypeAlias = dict[str, serializers.Field[Any, Any, Any, Any]]

HELP = {
    "requests_per_minute": "Requests a minute.",
    "requests_per_hour": "Requests an hour.",
    "requests_per_day": "Requests in 24 hours.",
    "tokens_per_minute": "Tokens a minute.",
    "max_concurrent": "Requests at once.",
    "daily_cap": "USD a day, of what the customer pays.",
    "monthly_cap": "USD a month, of what the customer pays.",
    "total_cap": "USD in total, of what the customer pays.",
}


def _count(name: str, **options: Any) -> Whole:
    most = MOST_BIG_INTEGER if name == "tokens_per_minute" else MOST_INTEGER
    return Whole(min_value=0, max_value=most, allow_null=True, help_text=HELP[name], **options)


def _cap(name: str, **options: Any) -> Amount:
    return Amount(min_value=0, allow_null=True, help_text=HELP[name], **options)


def _limit_fields(**options: Any) -> Fields:
    return {name: _cap(name, **options) if name in CAPS else _count(name, **options) for name in LIMITS}


class LimitsSerializer(Told):
    """What is limited. null: nothing is; 0: nothing gets through."""

    def get_fields(self) -> Fields:
        return _limit_fields()


class LimitInputs(Asked):
    """Limits among what is sent; null: none."""

    def get_fields(self) -> Fields:
        return super().get_fields() | _limit_fields(required=False)


class LimitChangesSerializer(LimitInputs):
    """Limits to set. Those that are left out stay as they are; null takes one away."""


class UserLimitsSerializer(LimitInputs):
    """Limits of an end user that are to hold. Those that are left out are none."""

    user = Text(min_length=1, max_length=1000, allow_null=True, help_text="null: each who has no limits of their own.")


class AccessSerializer(serializers.Serializer[Any]):
    """What may be called, and from where. Empty: anything, from anywhere."""

    allowed_models = serializers.ListField(
        child=Text(max_length=200), max_length=MOST_LISTED, required=False, help_text="`*` stands for anything."
    )
    allowed_networks = serializers.ListField(
        child=Text(max_length=50), max_length=MOST_LISTED, required=False, help_text="Such as `203.0.113.0/24`."
    )


class ToldLimitState(Told):
    """Where one limit stands, in its own unit."""

    name = serializers.CharField()
    unit = serializers.ChoiceField(choices=["usd", "tokens", "requests"])
    limit = Amount(max_digits=MOST_DIGITS)
    used = Amount(max_digits=MOST_DIGITS)
    held = Amount(max_digits=MOST_DIGITS, help_text="By calls under way, which may cost less in the end.")
    left = Amount(max_digits=MOST_DIGITS)
    resets_at = Instant(allow_null=True, help_text="null: as calls end, as time passes, or never.")
    is_sure = serializers.BooleanField(help_text="Whether all that was used is counted already.")


class StandingSerializer(Told):
    """Limits that are set, and where they stand."""

    limits = LimitsSerializer()
    now = ToldLimitState(many=True, allow_null=True, help_text="null: not known at the moment.")


def standing(row: LimitFields, states: list[LimitState] | None) -> dict[str, Any]:
    """As StandingSerializer has it."""
    limits = LimitsSerializer(row, context={"is_operators": True}).data
    return {"limits": limits, "now": None if states is None else told_states(states)}


def told_states(states: list[LimitState]) -> list[dict[str, Any]]:
    """Each as ToldLimitState has it."""
    return [
        {
            "name": str(state.name),
            "unit": "usd" if state.name.is_money else "tokens" if state.name is LimitName.TOKENS else "requests",
            **{amount: f"{getattr(state, amount).normalize():f}" for amount in ("limit", "used", "held", "left")},
            "resets_at": Instant().to_representation(state.resets_at) if state.resets_at else None,
            "is_sure": state.is_sure,
        }
        for state in states
    ]

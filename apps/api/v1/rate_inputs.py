"""Rules of rate cards, as they are sent: numbers as text, which is exact."""

import re
from collections.abc import Sequence
from typing import Any

from drf_spectacular.drainage import set_override
from rest_framework import serializers

from apps.api.v1.fields import Asked, Flag, Id, Instant, Text
from apps.pricing.globs import LONGEST
from apps.pricing.rules import MOST_RULES, BadRules, Mode, RuleTold, clean_rules

NUMBER = r"^-?\d{1,12}(\.\d{1,12})?$"
NAME = r"^[a-z0-9_]{1,64}$"
PERIODS = ("last_month", "month")


class Number(Text):
    """A number as people write it, kept as it was written."""

    default_error_messages = {"number": "A number is a string such as 12.5."}  # noqa: RUF012  as the others

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": 26} | options)
        set_override(self, "field", {"type": "string", "pattern": NUMBER, "examples": ["12.5"]})

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not re.fullmatch(NUMBER, text, re.ASCII):
            self.fail("number")
        return text


class Numbers(serializers.DictField):
    """A number for each of some names."""

    child = Number()

    def to_internal_value(self, data: Any) -> dict[str, str]:
        if isinstance(data, dict) and any(not re.fullmatch(NAME, name) for name in data):
            raise serializers.ValidationError("Names are of small letters, digits and underscores.")
        numbers: dict[str, str] = super().to_internal_value(data)
        return numbers


class RuleInputSerializer(Asked):
    """How the models that `match` means are sold."""

    match = Text(max_length=LONGEST, help_text="Such as gpt-4o*, openai/* or *.")
    mode = serializers.ChoiceField(choices=[mode.value for mode in Mode])
    markup_percent = Number(required=False, help_text="Of cost_plus: on what the call costs; 0 sells at cost.")
    markups = Numbers(required=False, help_text="Of cost_plus: another markup for a kind of token, or a piece.")
    rates = Numbers(required=False, help_text="Of absolute: USD a million tokens, by kind.")
    units = Numbers(required=False, help_text="Of absolute: USD for one of what is charged by the piece.")
    per_request = Number(required=False, help_text="USD, added to each call.")
    floor = Number(required=False, help_text="USD: no call costs less.")
    ceiling = Number(required=False, help_text="USD: no call costs more.")


class RulesSerializer(Asked):
    """The rules of a version, and from when on they hold."""

    rules = serializers.ListField(child=RuleInputSerializer(), max_length=MOST_RULES)
    effective_from = Instant(required=False, help_text="Not in the past; now, if not told.")
    note = Text(max_length=200, required=False, allow_blank=True, help_text="Why. Customers don't see it.")


class NewRateCardSerializer(RulesSerializer):
    """A card that customers can be put on, with its first version."""

    name = Text(max_length=80, trim_whitespace=True)


class RateCardNameSerializer(Asked):
    """What a card is called."""

    name = Text(max_length=80, trim_whitespace=True)


class UseSerializer(Asked):
    """Which card, and from when on."""

    card = Id(allow_null=True, help_text="null: none.")
    effective_from = Instant(required=False, help_text="Not in the past; now, if not told.")


class TrialSerializer(Asked):
    """Rules that are tried out on a customer's requests."""

    customer = Id()
    rules = serializers.ListField(child=RuleInputSerializer(), max_length=MOST_RULES)
    is_own = Flag(default=False, help_text="As the customer's own rates, which go before its card.")
    period = serializers.ChoiceField(choices=PERIODS, default=PERIODS[0])


def cleaned(rules: Sequence[dict[str, Any]]) -> list[RuleTold]:
    """Raises ValidationError."""
    try:
        return clean_rules(rules)
    except BadRules as error:
        raise serializers.ValidationError({"rules": str(error)}) from None

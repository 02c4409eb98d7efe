"""Rules and channels of alerts, as they are sent."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.alerts.models import Channel
from apps.alerts.owners import Owner
from apps.alerts.terms import WINDOWS, Action, Comparison, Direction, FindingKind, Grouping, Metric
from apps.api.v1.fields import Amount, Asked, Flag, Id, Text, Whole
from apps.limits.terms import LimitName

LIMITS = [name.value for name in LimitName if name is not LimitName.CONCURRENT and not name.startswith("policy")]
RENAMED = {"user": "end_user", "key": "proxy_key"}  # here, and in a rule


@extend_schema_field({"type": "integer", "enum": list(WINDOWS)})
class Window(Whole):
    """Over how many minutes it looks: one of those that there are."""

    default_error_messages = {"window": "One of " + ", ".join(map(str, WINDOWS)) + "."}  # noqa: RUF012  as the others

    def to_internal_value(self, data: Any) -> int:
        minutes = super().to_internal_value(data)
        if minutes not in WINDOWS:
            self.fail("window")
        return minutes


def choice(words: Any, **options: Any) -> serializers.ChoiceField:
    """One of these words."""
    return serializers.ChoiceField(choices=[word for word in words if word], required=False, **options)


class RuleChangesSerializer(Asked):
    """What to change of a rule. Members that are left out stay as they are."""

    name = Text(max_length=80, required=False, trim_whitespace=True)
    metric = choice(Metric.values)
    customer = Id(required=False, allow_null=True, help_text="Operators. Whose usage; null: everybody's.")
    window_minutes = Window(required=False)
    model = Text(max_length=128, required=False, allow_blank=True, help_text="Empty: any.")
    user = Text(max_length=512, required=False, allow_blank=True, help_text="Empty: any.")
    key = Id(required=False, allow_null=True)
    property_name = Text(max_length=128, required=False, allow_blank=True)
    property_value = Text(max_length=512, required=False, allow_blank=True)
    group_by = choice(Grouping.values, allow_blank=True, help_text="Empty: all together.")
    min_requests = Whole(min_value=1, max_value=2**31 - 1, required=False)
    direction = choice(Direction.values)
    comparison = choice(Comparison.values)
    threshold = Amount(
        max_digits=24,
        decimal_places=6,
        required=False,
        allow_null=True,
        help_text="In the metric's own unit: USD, percent of requests, milliseconds.",
    )
    thresholds = serializers.ListField(
        child=Whole(min_value=1, max_value=100), required=False, max_length=10, help_text="Of a limit, in percent."
    )
    limit_name = choice(LIMITS, allow_blank=True, help_text="Empty: any spend cap.")
    finding_kinds = serializers.ListField(
        child=serializers.ChoiceField(choices=FindingKind.values),
        required=False,
        max_length=10,
        help_text="Empty: all.",
    )
    action = choice(Action.values, allow_blank=True, help_text="Empty: it only tells.")
    action_limit = Whole(min_value=0, max_value=2**31 - 1, required=False, allow_null=True)
    tells_resolved = Flag(required=False)
    channels = serializers.ListField(child=Id(), required=False, max_length=50, help_text="Where it is told.")


class NewRuleSerializer(RuleChangesSerializer):
    """A new rule."""

    name = Text(max_length=80, trim_whitespace=True)
    metric = serializers.ChoiceField(choices=Metric.values)


class NewChannelSerializer(Asked):
    """Where alerts are told."""

    kind = serializers.ChoiceField(choices=Channel.Kind.values)
    name = Text(max_length=80, trim_whitespace=True)
    address = Text(max_length=500, trim_whitespace=True, help_text="An e-mail address, or the webhook's URL.")


def rule_fields(sent: dict[str, Any], owner: Owner) -> dict[str, Any]:
    """What the service takes. What is somebody else's does not exist. Raises ValidationError."""
    found = {
        "customer": (owner.organization.customers, "customer"),
        "key": (owner.keys, "key"),
    }
    fields = {RENAMED.get(name, name): value for name, value in sent.items() if name not in (*found, "channels")}
    for name, (objects, called) in found.items():
        if name not in sent or (name == "customer" and owner.is_customer):
            continue
        fields[RENAMED.get(name, name)] = _one(objects, sent[name], name, called)
    if "channels" in sent:
        channels = list(owner.channels.filter(pk__in=sent["channels"]))
        if missing := set(sent["channels"]) - {channel.pk for channel in channels}:
            raise serializers.ValidationError({"channels": f"There is no channel {min(map(str, missing))}."})
        fields["channels"] = channels
    return fields


def _one(objects: Any, wanted: Any, name: str, called: str) -> Any:
    if wanted is None:
        return None
    one = objects.filter(pk=wanted).first()
    if one is None:
        raise serializers.ValidationError({name: f"There is no such {called}."})
    return one

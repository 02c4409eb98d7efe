"""Alerts, as the API has them."""

from rest_framework import serializers

from apps.alerts.anomalies.explaining import explanation
from apps.alerts.models import Finding
from apps.api.v1.fields import Amount, Instant, Told

RULE = {
    "id": "0192f3c1-aa00-7e02-b1d0-9f3c5a7d1e77",
    "name": "Spend of a user",
    "customer": None,
    "metric": "price",
    "window_minutes": 60,
    "model": "",
    "user": "",
    "key": None,
    "property_name": "",
    "property_value": "",
    "group_by": "user",
    "min_requests": 1,
    "direction": "above",
    "comparison": "absolute",
    "threshold": "25",
    "thresholds": [],
    "limit_name": "",
    "finding_kinds": [],
    "action": "",
    "action_limit": None,
    "tells_resolved": True,
    "muted_until": None,
    "paused_at": None,
    "evaluated_at": "2026-03-10T11:59:30Z",
    "problem": "",
    "created_at": "2026-03-01T09:30:00Z",
}
EVENT = {
    "id": "0192f3c1-bb00-7e02-b1d0-9f3c5a7d1e88",
    "rule": RULE["id"],
    "rule_name": "Spend of a user",
    "group": "ada",
    "group_label": "ada",
    "subject": "user",
    "subject_id": "ada",
    "customer": "0192f3c1-6f5a-7c31-9f0e-2f4f7f1f9a11",
    "value": "31.4",
    "threshold": "25",
    "baseline": None,
    "requests": 420,
    "since": "2026-03-10T11:00:00Z",
    "fired_at": "2026-03-10T11:59:30Z",
    "resolved_at": None,
    "is_told": True,
    "action": "",
    "action_result": "",
}
FINDING = {
    "id": "0192f3c1-cc00-7e02-b1d0-9f3c5a7d1e99",
    "customer": "0192f3c1-6f5a-7c31-9f0e-2f4f7f1f9a11",
    "kind": "burst",
    "subject": "user",
    "subject_id": "ada",
    "subject_label": "ada",
    "severity": 1,
    "state": "open",
    "sentences": ["900 requests in an hour; 40 are usual at this time."],
    "first_seen_at": "2026-03-10T11:00:00Z",
    "last_seen_at": "2026-03-10T11:59:30Z",
    "ended_at": None,
}
DIGITS = {"max_digits": 36}


class RuleSerializer(Told):
    """When somebody is told, and what is done."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    customer = serializers.UUIDField(source="customer_id", allow_null=True, help_text="Whose usage; null: everybody's.")
    metric = serializers.CharField()
    window_minutes = serializers.IntegerField()
    model = serializers.CharField(help_text="Empty: any.")
    user = serializers.CharField(source="end_user", help_text="Empty: any.")
    key = serializers.UUIDField(source="proxy_key_id", allow_null=True)
    property_name = serializers.CharField()
    property_value = serializers.CharField()
    group_by = serializers.CharField(help_text="Empty: all together.")
    min_requests = serializers.IntegerField()
    direction = serializers.CharField()
    comparison = serializers.CharField()
    threshold = Amount(allow_null=True, **DIGITS, help_text="In the metric's own unit.")
    thresholds = serializers.ListField(child=serializers.IntegerField(), help_text="Of a limit, in percent.")
    limit_name = serializers.CharField()
    finding_kinds = serializers.ListField(child=serializers.CharField(), help_text="Empty: all.")
    action = serializers.CharField(help_text="Empty: it only tells.")
    action_limit = serializers.IntegerField(allow_null=True)
    tells_resolved = serializers.BooleanField()
    muted_until = Instant(allow_null=True)
    paused_at = Instant(allow_null=True)
    evaluated_at = Instant(allow_null=True)
    problem = serializers.CharField(help_text="Why the last evaluation came to nothing; empty: it didn't.")
    created_at = Instant()


class AlertEventSerializer(Told):
    """That a rule fired for one of its groups."""

    id = serializers.UUIDField()
    rule = serializers.UUIDField(source="rule_id")
    rule_name = serializers.CharField(source="rule.name")
    group = serializers.CharField(help_text="Empty: all together.")
    group_label = serializers.CharField()
    subject = serializers.CharField(help_text="What it is about: a customer, key or user.")
    subject_id = serializers.CharField()
    customer = serializers.UUIDField(source="customer_id", allow_null=True)
    value = Amount(**DIGITS, help_text="In the metric's own unit.")
    threshold = Amount(**DIGITS)
    baseline = Amount(**DIGITS, allow_null=True)
    requests = serializers.IntegerField()
    since = Instant(help_text="When the window began.")
    fired_at = Instant()
    resolved_at = Instant(allow_null=True, help_text="null: it still fires.")
    is_told = serializers.BooleanField(help_text="false: it was muted.")
    action = serializers.CharField()
    action_result = serializers.CharField()


class FindingSerializer(Told):
    """What looks like abuse, and the figures that make it so."""

    id = serializers.UUIDField()
    customer = serializers.UUIDField(source="customer_id")
    kind = serializers.CharField()
    subject = serializers.CharField()
    subject_id = serializers.CharField()
    subject_label = serializers.CharField()
    severity = serializers.IntegerField(help_text="1: look at it; 2: act.")
    state = serializers.CharField()
    sentences = serializers.SerializerMethodField(help_text="What was found, in words.")
    first_seen_at = Instant()
    last_seen_at = Instant()
    ended_at = Instant(allow_null=True)

    def get_sentences(self, finding: Finding) -> list[str]:
        return explanation(finding)

"""The audit log: who changed what. Operators."""

from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils.dateparse import parse_datetime
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.base import ApiView
from apps.api.v1.fields import Instant, Text, Told
from apps.api.v1.paging import as_cursor, page, parts_of
from apps.api.v1.params import ForCustomer, Paged, bounds_of
from apps.api.v1.prices import row_id
from apps.api.v1.schema import operation, page_of

TAG = "Audit log"
EXAMPLE = {
    "id": 1208,
    "at": "2026-03-10T12:00:00Z",
    "actor": "olivia@acme.example",
    "action": "customer.update",
    "customer": "0192f3c1-6f5a-7c31-9f0e-2f4f7f1f9a11",
    "target_type": "customer",
    "target_id": "0192f3c1-6f5a-7c31-9f0e-2f4f7f1f9a11",
    "target_label": "Globex",
    "changes": {"monthly_cap": ["500", "750"]},
    "ip": "203.0.113.7",
}


class AuditEventSerializer(Told):
    """A change that matters."""

    id = serializers.IntegerField()
    at = Instant()
    actor = serializers.CharField(source="actor_label", help_text="A person's e-mail address, a token, a process.")
    action = serializers.CharField()
    customer = serializers.UUIDField(source="customer_id", allow_null=True, help_text="Whom it concerns.")
    target_type = serializers.CharField()
    target_id = serializers.CharField()
    target_label = serializers.CharField()
    changes = serializers.DictField(child=serializers.ListField(), help_text="By field: before, and after.")
    ip = serializers.CharField(allow_null=True)


class AuditParams(Paged, ForCustomer):
    action = Text(required=False, max_length=64, help_text="Such as `customer.update`.")
    since = Instant(required=False, help_text="From this time on.")
    until = Instant(required=False, help_text="Before this time.")


class AuditLog(ApiView):
    @operation(
        "audit:read",
        "List changes",
        name="list_audit_events",
        tag=TAG,
        params=AuditParams,
        answer=page_of(AuditEventSerializer),
        example={"data": [EXAMPLE], "next": None},
        errors=(404,),
    )
    def get(self, request: Request) -> Response:
        """The newest first."""
        params = AuditParams.of(request)
        events = self.organization.audit_events.all()
        if customer_id := self.customer_in(params):
            events = events.filter(customer_id=customer_id)
        if action := params.get("action"):
            events = events.filter(action=action)
        bounds = bounds_of(params)
        if "since" in bounds:
            events = events.filter(at__gte=bounds["since"])
        if "until" in bounds:
            events = events.filter(at__lt=bounds["until"])
        if parts := parts_of(params, instant_of, row_id):
            at, last = parts
            events = events.filter(at__lte=at).exclude(Q(at=at), pk__gte=last)
        limit = params["limit"]
        found = list(events.order_by("-at", "-pk")[: limit + 1])
        after = as_cursor(found[limit - 1].at.isoformat(), found[limit - 1].pk) if len(found) > limit else None
        return page(AuditEventSerializer(found[:limit], many=True).data, after)


def instant_of(text: Any) -> datetime:
    """The time in a cursor. Raises ValueError."""
    at = parse_datetime(text)
    if at is None or at.tzinfo is None:
        raise ValueError
    return at

"""Where alerts are told: channels, and the secrets that webhooks are signed with."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.alerts.models import Channel
from apps.alerts.services.channels import add_channel, delete_channel, send_test
from apps.api.v1.alert_inputs import NewChannelSerializer
from apps.api.v1.alerts import TAG, AlertView
from apps.api.v1.bodies import read_body
from apps.api.v1.fields import Instant, Told
from apps.api.v1.paging import newest_first, page
from apps.api.v1.params import Paged
from apps.api.v1.schema import operation, page_of

CHANNEL = {
    "id": "0192f3c1-dd00-7e02-b1d0-9f3c5a7d1eaa",
    "kind": "webhook",
    "name": "On call",
    "address": "https://hooks.example.com/tollgate",
    "is_paused": False,
    "failures": 0,
    "created_at": "2026-03-01T09:30:00Z",
}


class ChannelSerializer(Told):
    """Where alerts are told. Of Slack's address, its host and last four characters."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    name = serializers.CharField()
    address = serializers.CharField()
    is_paused = serializers.BooleanField()
    failures = serializers.IntegerField(help_text="In a row.")
    created_at = Instant()


class NewChannelToldSerializer(ChannelSerializer):
    """A channel with what its webhooks are signed with, which is shown this once."""

    secret = serializers.CharField(help_text="Empty: it is no webhook of its own.")


class ChannelList(AlertView):
    @operation(
        "alerts:read",
        "List alert channels",
        name="list_alert_channels",
        tag=TAG,
        params=Paged,
        answer=page_of(ChannelSerializer),
        example={"data": [CHANNEL], "next": None},
    )
    def get(self, request: Request) -> Response:
        """The newest first: the operator's own, or the customer's own."""
        found, after = newest_first(self.owner.channels, Paged.of(request))
        return page(ChannelSerializer(found, many=True).data, after)

    @operation(
        "alerts:write",
        "Add an alert channel",
        name="add_alert_channel",
        tag=TAG,
        body=NewChannelSerializer,
        answer=NewChannelToldSerializer,
        status=201,
        example=CHANNEL | {"secret": "tgwh_…"},
        sent={"kind": "email", "name": "On call", "address": "oncall@example.com"},
        errors=(409, 415),
    )
    def post(self, request: Request) -> Response:
        """The secret that a webhook is signed with is in the answer, and not to be had again."""
        channel, secret = add_channel(self.owner, by=None, **read_body(NewChannelSerializer, request))
        told: dict[str, Any] = {**ChannelSerializer(channel).data, "secret": secret}
        return Response(told, status=201, headers={"Cache-Control": "no-store"})


class ChannelDetail(AlertView):
    def channel_or_404(self, channel_id: UUID) -> Channel:
        return get_object_or_404(self.owner.channels, pk=channel_id)

    @operation(
        "alerts:read",
        "Get an alert channel",
        name="get_alert_channel",
        tag=TAG,
        answer=ChannelSerializer,
        example=CHANNEL,
        errors=(404,),
    )
    def get(self, request: Request, channel_id: UUID) -> Response:
        """One channel."""
        return Response(ChannelSerializer(self.channel_or_404(channel_id)).data)

    @operation(
        "alerts:write", "Delete an alert channel", name="delete_alert_channel", tag=TAG, status=204, errors=(404,)
    )
    def delete(self, request: Request, channel_id: UUID) -> Response:
        """Nothing is told there any more; what waits for it is not sent."""
        delete_channel(self.channel_or_404(channel_id), by=None)
        return Response(status=204)


class ChannelTest(ChannelDetail):
    http_method_names = ["post", "options"]  # noqa: RUF012  as Django's

    @operation(
        "alerts:write",
        "Test an alert channel",
        name="test_alert_channel",
        tag=TAG,
        answer=ChannelSerializer,
        example=CHANNEL,
        errors=(404, 409),
    )
    def post(self, request: Request, channel_id: UUID) -> Response:
        """A message that says that it is a test, tried once; ten an hour at most."""
        channel = self.channel_or_404(channel_id)
        send_test(channel, at=timezone.now())
        return Response(ChannelSerializer(channel).data)

"""Proxy keys: what customers call providers with. A key in clear is in the answer that makes it, and nowhere else."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.v1.base import ApiView
from apps.api.v1.bodies import read_body
from apps.api.v1.fields import Asked, Flag, Id, Instant, Text, Told, Whole
from apps.api.v1.limit_fields import AccessSerializer, LimitInputs, LimitsSerializer
from apps.api.v1.paging import newest_first, page
from apps.api.v1.params import ForCustomer, Paged
from apps.api.v1.schema import operation, page_of
from apps.customers.limit_fields import LIMITS
from apps.keys.models import ProxyKey
from apps.keys.services.proxy_keys import LONGEST_OVERLAP, mint_proxy_key, revoke_proxy_key, rotate_proxy_key

TAG = "Proxy keys"
EXAMPLE = {
    "id": "0192f3c1-7a00-7d44-8a51-0c9f5d1e2b33",
    "customer": "0192f3c1-6f5a-7c31-9f0e-2f4f7f1f9a11",
    "name": "production",
    "last_four": "x7Qa",
    "is_live": True,
    "created_at": "2026-03-01T09:30:00Z",
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": "2026-03-10T11:00:00Z",
    "replaced_by": None,
    "limits": dict.fromkeys(LIMITS) | {"daily_cap": "25"},
    "allowed_models": [],
    "allowed_networks": [],
}
NEW = {**EXAMPLE, "last_used_at": None, "key": "tg_live_…"}


class ProxyKeySerializer(AccessSerializer, Told):
    """A proxy key, without the key."""

    id = serializers.UUIDField()
    customer = serializers.UUIDField(source="customer_id")
    name = serializers.CharField()
    last_four = serializers.CharField()
    is_live = serializers.SerializerMethodField()
    created_at = Instant()
    expires_at = Instant(allow_null=True)
    revoked_at = Instant(allow_null=True, help_text="May be ahead: replaced, and good until then.")
    last_used_at = Instant(allow_null=True)
    replaced_by = serializers.UUIDField(source="replaced_by_id", allow_null=True)
    limits = LimitsSerializer(source="*")

    def get_is_live(self, key: ProxyKey) -> bool:
        return key.is_live(timezone.now())


class MadeKeySerializer(ProxyKeySerializer):
    """A proxy key, with the key in clear: it is not to be had again."""

    key = serializers.CharField()


class NewKeySerializer(AccessSerializer, LimitInputs):
    """A new key."""

    customer = Id(required=False, help_text="Whose; a customer's token needs not say.")
    name = Text(max_length=80, trim_whitespace=True)
    expires_at = Instant(required=False, allow_null=True, help_text="The first instant without it.")


class RotationSerializer(Asked):
    """How a key is replaced."""

    overlap_s = Whole(
        min_value=0,
        max_value=int(LONGEST_OVERLAP.total_seconds()),
        default=86_400,
        help_text="For how many seconds the old key goes on working.",
    )


class KeyParams(Paged, ForCustomer):
    is_live = Flag(required=False, help_text="Accepted now, or not.")


class KeyView(ApiView):
    def keys(self) -> QuerySet[ProxyKey]:
        """Those that the token shows."""
        keys = ProxyKey.objects.filter(organization=self.organization)
        return keys if self.is_operators else keys.filter(customer=self.token.customer_id)

    def key_or_404(self, key_id: UUID) -> ProxyKey:
        return get_object_or_404(self.keys().select_related("customer__organization"), pk=key_id)


class KeyList(KeyView):
    @operation(
        "keys:read",
        "List proxy keys",
        name="list_keys",
        tag=TAG,
        params=KeyParams,
        answer=page_of(ProxyKeySerializer),
        example={"data": [EXAMPLE], "next": None},
        errors=(404,),
    )
    def get(self, request: Request) -> Response:
        """The newest first, those that are over too."""
        params = KeyParams.of(request)
        keys = self.keys()
        if customer_id := self.customer_in(params):
            keys = keys.filter(customer=customer_id)
        if "is_live" in params:
            live = ProxyKey.objects.live(timezone.now())
            keys = keys.filter(pk__in=live) if params["is_live"] else keys.exclude(pk__in=live)
        found, after = newest_first(keys, params)
        return page([ProxyKeySerializer(key).data for key in found], after)

    @operation(
        "keys:write",
        "Make a proxy key",
        name="add_key",
        tag=TAG,
        body=NewKeySerializer,
        answer=MadeKeySerializer,
        status=201,
        example=NEW,
        sent={"customer": EXAMPLE["customer"], "name": "production", "daily_cap": "25"},
        errors=(404, 409, 415),
    )
    def post(self, request: Request) -> Response:
        """The key in clear is in this answer, and nowhere else."""
        fields = read_body(NewKeySerializer, request)
        customer_id = fields.pop("customer", None) or self.token.customer_id
        if customer_id is None:
            raise serializers.ValidationError({"customer": "Say whose key it is."})
        key, plain = mint_proxy_key(self.customer_or_404(customer_id), by=None, **fields)
        return made(key, plain, status=201)


class KeyDetail(KeyView):
    @operation(
        "keys:read",
        "Get a proxy key",
        name="get_key",
        tag=TAG,
        answer=ProxyKeySerializer,
        example=EXAMPLE,
        errors=(404,),
    )
    def get(self, request: Request, key_id: UUID) -> Response:
        """One key, without the key itself."""
        return Response(ProxyKeySerializer(self.key_or_404(key_id)).data)


class KeyRotate(KeyView):
    @operation(
        "keys:write",
        "Rotate a proxy key",
        name="rotate_key",
        tag=TAG,
        body=RotationSerializer,
        answer=MadeKeySerializer,
        status=201,
        example=NEW,
        sent={"overlap_s": 3600},
        errors=(404, 409, 415),
    )
    def post(self, request: Request, key_id: UUID) -> Response:
        """A new key of the same name, expiry and limits. One that is over or was replaced before is a conflict."""
        key = self.key_or_404(key_id)
        overlap = timedelta(seconds=read_body(RotationSerializer, request)["overlap_s"])
        return made(*rotate_proxy_key(key, overlap=overlap, by=None), status=201)


class KeyRevoke(KeyView):
    @operation(
        "keys:write",
        "Revoke a proxy key",
        name="revoke_key",
        tag=TAG,
        answer=ProxyKeySerializer,
        example=EXAMPLE | {"is_live": False, "revoked_at": "2026-03-10T12:00:00Z"},
        errors=(404,),
    )
    def post(self, request: Request, key_id: UUID) -> Response:
        """It is refused within a second. One that is refused stays as it is."""
        return Response(ProxyKeySerializer(revoke_proxy_key(self.key_or_404(key_id), by=None)).data)


def made(key: ProxyKey, plain: str, *, status: int) -> Response:
    """A new key, for no cache to keep."""
    data: dict[str, Any] = {**ProxyKeySerializer(key).data, "key": plain}
    return Response(data, status=status, headers={"Cache-Control": "no-store"})

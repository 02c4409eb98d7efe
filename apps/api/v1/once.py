"""Requests that may be sent again: with the same `Idempotency-Key` they are done once, and answered as the first time.

A key belongs to the organization of the token, or to its customer. The same key with anything else, another address
or another body, is a conflict. What was refused is not remembered: it may be tried again under its key.
"""

import json
import re
from collections.abc import Callable
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.db import transaction
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.models import KeyedRequest
from apps.api.v1.base import ApiView
from apps.api.v1.problems import Conflict, InvalidParameters
from apps.kit.locks import lock_name

HEADER = "Idempotency-Key"
FORM = r"^[!-~]{1,128}$"
LENGTH = 40  # digits of what services are given as the key
PARAMETER = OpenApiParameter(
    HEADER,
    {"type": "string", "pattern": FORM},  # type: ignore[arg-type]  # a schema of its own
    OpenApiParameter.HEADER,
    required=True,
    description="Yours, such as a UUID, for what is to be done once: sent again with it, the first answer comes again.",
)


def once(view: ApiView, request: Request, act: Callable[[str], Response]) -> Response:
    """What `act` answers, with all that it does in one transaction; sent again, the same answer.

    act: takes a key that services know the request by, for as long as there is what they make. `kept` on its answer
    is what is answered the next time, where there is something that is shown once.
    """
    key = _key_of(request)
    with transaction.atomic():
        lock_name(f"idempotency {view.organization.pk} {view.token.customer_id} {key}")
        if known := _known(view, request, key):
            return _again(known)
        answer = act(_digest(view, request, key))
        kept = getattr(answer, "kept", answer.data)
        _remember(view, request, key, status=answer.status_code, answer=kept)
    return answer


def claim(view: ApiView, request: Request) -> UUID:
    """The id of what the request makes, the same when it is sent again: for what asks others, outside a transaction."""
    key = _key_of(request)
    with transaction.atomic():
        lock_name(f"idempotency {view.organization.pk} {view.token.customer_id} {key}")
        known = _known(view, request, key) or _remember(view, request, key)
    return known.pk


def _key_of(request: Request) -> str:
    key: str = request.headers.get(HEADER, "")
    if not re.fullmatch(FORM, key):
        raise InvalidParameters({HEADER: "Send one: 1 to 128 visible characters of ASCII."})
    return key


def _known(view: ApiView, request: Request, key: str) -> KeyedRequest | None:
    whose = {"organization": view.organization, "customer_id": view.token.customer_id}
    known = KeyedRequest.objects.filter(**whose, key=key).first()
    if known is not None and bytes(known.content_hash) != _content_hash(request):
        raise Conflict(f"This {HEADER} was sent with something else before: take another.")
    return known


def _remember(view: ApiView, request: Request, key: str, **answered: Any) -> KeyedRequest:
    return KeyedRequest.objects.create(
        organization=view.organization,
        customer_id=view.token.customer_id,
        key=key,
        content_hash=_content_hash(request),
        **answered,
    )


def _again(known: KeyedRequest) -> Response:
    headers = {"Idempotency-Replayed": "true", "Cache-Control": "no-store"}
    return Response(known.answer, status=known.status, headers=headers)


def _content_hash(request: Request) -> bytes:
    body = json.dumps(request.data, sort_keys=True, separators=(",", ":"))
    return sha256(f"{request.method} {request.path}\n{body}".encode("utf-8", "surrogatepass")).digest()


def _digest(view: ApiView, request: Request, key: str) -> str:
    whose = f"{view.organization.pk} {view.token.customer_id}"
    return f"api:{sha256(f'{whose} {request.path} {key}'.encode()).hexdigest()[:LENGTH]}"

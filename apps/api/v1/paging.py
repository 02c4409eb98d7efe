"""Pages by cursor: where one ended is where the next goes on, however much is added meanwhile."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from rest_framework.response import Response

from apps.api.v1.problems import InvalidParameters

T = TypeVar("T")
M = TypeVar("M", bound=Model)
MOST_OFFSET = 10_000_000


def page(data: Sequence[Any], next_cursor: str | None) -> Response:
    """An answer with a page of things."""
    return Response({"data": data, "next": next_cursor})


def as_cursor(*parts: Any) -> str:
    """Some values as text for an address. It tells where a page ended, and isn't for anybody else to read."""
    return base64.urlsafe_b64encode(json.dumps(parts, default=str).encode()).decode().rstrip("=")


def parts_of(params: dict[str, Any], *kinds: Callable[[Any], Any]) -> list[Any] | None:
    """What the cursor that was sent is made of; None: there was none. Raises InvalidParameters for one not of ours."""
    cursor = params.get("cursor")
    if not cursor:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        parts = json.loads(raw)
        if not isinstance(parts, list) or len(parts) != len(kinds):
            raise no_cursor()
        return [kind(part) for kind, part in zip(kinds, parts, strict=True)]
    except (binascii.Error, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        raise no_cursor() from None


def no_cursor() -> InvalidParameters:
    return InvalidParameters({"cursor": "It is not the `next` of a page before."})


def newest_first(rows: QuerySet[M], params: dict[str, Any]) -> tuple[list[M], str | None]:
    """A page of rows whose ids tell their age, and the cursor after it."""
    if parts := parts_of(params, UUID):
        rows = rows.filter(pk__lt=parts[0])
    limit = params["limit"]
    found = list(rows.order_by("-pk")[: limit + 1])
    return found[:limit], as_cursor(found[limit - 1].pk) if len(found) > limit else None


def offset_of(params: dict[str, Any]) -> int:
    """How many come before, in an order that no key has: sums, which change under one's hands anyway."""
    parts = parts_of(params, _offset)
    return parts[0] if parts else 0


def cut(found: list[T], params: dict[str, Any], offset: int) -> tuple[list[T], str | None]:
    """Of one more than a page holds: the page, and the cursor after it."""
    limit = params["limit"]
    return found[:limit], as_cursor(offset + limit) if len(found) > limit else None


def _offset(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MOST_OFFSET:
        raise ValueError
    return value

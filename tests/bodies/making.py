"""Bodies as the proxy makes them, for tests of what becomes of them."""

import os
from datetime import UTC, datetime
from typing import Any

from apps.bodies.frame import BodiesFrame
from apps.bodies.kept import Kept
from apps.bodies.landing import land
from apps.bodies.making import frame_of
from apps.bodies.policy import Policy
from apps.bodies.queries import policy_for
from apps.customers.models import Customer
from apps.keys.sealing import make_data_key
from apps.usage.models import Request
from tests.used import a_request

REQUEST = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello."}]}'
ANSWER = '{"choices":[{"message":{"content":"Hi."}}]}'


def a_policy(**fields: Any) -> Policy:
    """All is kept for 30 days, nothing is taken out."""
    values = {"keeps_requests": True, "keeps_responses": True, "days": 30, "most_bytes": 64 * 1024, "ready_made": ()}
    return Policy(**values | fields)


def kept(
    request: str | bytes = REQUEST,
    answer: str | bytes = ANSWER,
    *,
    policy: Policy | None = None,
    extra: dict[bytes, bytes] | None = None,
    answer_type: bytes = b"application/json",
) -> Kept:
    """What a call kept, at its end."""
    made = Kept(policy or a_policy(), extra or {})
    made.request.describe(b"application/json")
    made.request.add(request.encode() if isinstance(request, str) else request)
    made.answer.describe(answer_type)
    made.answer.add(answer.encode() if isinstance(answer, str) else answer)
    made.id, made.organization_id, made.customer_id = os.urandom(16), os.urandom(16), os.urandom(16)
    made.started_at = datetime.now(UTC).timestamp()
    return made


def a_frame(request: Request, one: Kept) -> BodiesFrame:
    """The frame of the bodies of this request."""
    one.id, one.started_at = request.id.bytes, request.started_at.timestamp()
    one.organization_id, one.customer_id = request.organization_id.bytes, request.customer_id.bytes
    key = make_data_key(one.organization_id)
    return frame_of(one, key.key, key_id=key.id, wrapped_key=key.wrapped_key, kek_id=key.kek_id)


def stored(customer: Customer, at: datetime | None = None, **fields: Any) -> Request:
    """A request of the customer whose bodies are stored, by the customer's policy where it has one."""
    at = at or datetime.now(UTC)
    request = a_request(customer, at)
    fields.setdefault("policy", policy_for(customer) or a_policy())
    land([a_frame(request, kept(**fields))], at=at)
    return request

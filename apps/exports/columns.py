"""What a file has of each request. Pure: names that ids stand for are given.

A customer's file has no cost, no margin, no provider and nothing that stands behind an alias.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from apps.usage.models import TOKEN_KINDS, Request, Result, UsageSource
from apps.usage.sold import sold_as, told


@dataclass(frozen=True)
class Names:
    """What ids are called; those of what is gone aren't there."""

    customers: Mapping[UUID, str] = field(default_factory=dict)
    keys: Mapping[UUID, str] = field(default_factory=dict)
    provider_keys: Mapping[UUID, str] = field(default_factory=dict)


Column = Callable[[Request, Names], Any]

CUSTOMERS: dict[str, Column] = {
    "id": lambda request, names: request.id,
    "started_at": lambda request, names: request.started_at,  # in UTC, with the offset that says so
    "key": lambda request, names: names.keys.get(request.proxy_key_id, ""),
    "model": lambda request, names: sold_as(request),
    "operation": lambda request, names: request.endpoint,
    "is_streamed": lambda request, names: request.is_streamed,
    "end_user": lambda request, names: request.end_user,
    "result": lambda request, names: Result(request.result).name.lower(),
    "status": lambda request, names: request.status,
    "error_code": lambda request, names: request.error_code,
    "error_message": lambda request, names: told(request),
    "latency_ms": lambda request, names: request.latency_ms,
    "first_token_ms": lambda request, names: request.first_token_ms,
    "usage_source": lambda request, names: UsageSource(request.usage_source).name.lower(),
    **{
        f"{kind}_tokens": lambda request, names, column=f"{kind}_tokens": getattr(request, column)
        for kind in TOKEN_KINDS
    },
    "units": lambda request, names: request.units,
    "price_usd": lambda request, names: request.price,
    "properties": lambda request, names: request.properties,
    "session_id": lambda request, names: request.session_id,
    "session_path": lambda request, names: request.session_path,
    "session_name": lambda request, names: request.session_name,
    "client_request_id": lambda request, names: request.client_request_id,
    "service_tier": lambda request, names: request.service_tier,
}
OPERATORS: dict[str, Column] = CUSTOMERS | {
    "error_message": lambda request, names: request.error_message,
    "customer_id": lambda request, names: request.customer_id,
    "customer": lambda request, names: names.customers.get(request.customer_id, ""),
    "provider": lambda request, names: request.provider,
    "provider_key": lambda request, names: names.provider_keys.get(request.provider_key_id, ""),
    "model_asked": lambda request, names: request.model,
    "model_served": lambda request, names: request.model_served,
    "alias": lambda request, names: request.alias,
    "cost_usd": lambda request, names: request.cost,
    "markup_percent": lambda request, names: request.markup_percent,
    "price_id": lambda request, names: request.price_id,
    "rate_rule_id": lambda request, names: request.rate_rule_id,
    "provider_cost_usd": lambda request, names: request.provider_cost,
    "provider_request_id": lambda request, names: request.provider_request_id,
    "client_ip": lambda request, names: request.client_ip,
    "attempts": lambda request, names: request.attempts,
}


def columns_for(*, is_for_customer: bool) -> dict[str, Column]:
    """By name, in the order of the file."""
    return CUSTOMERS if is_for_customer else OPERATORS

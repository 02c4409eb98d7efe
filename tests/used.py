"""Usage as the roll-ups have it, for tests of pages: a few figures that are easy to add up."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Model

from apps.customers.models import Customer
from apps.kit.ids import uuid7
from apps.usage.measures import SUMS, TIMES
from apps.usage.models import (
    TOKEN_KINDS,
    DailyCustomer,
    DailyModel,
    DailyPropertyUsage,
    DailyTotal,
    DailyUsage,
    HourlyPropertyUsage,
    HourlyUsage,
    PropertyName,
    Request,
    Result,
    UsageSource,
)
from apps.usage.partitions import ensure_partitions, month_of


def an_hour(customer: Customer, hour: datetime, **fields: Any) -> HourlyUsage:
    """An hour in which `customer` made calls, also in its day; `hour` begins one of its organization's zone."""
    values = {
        "proxy_key_id": UUID(int=1),
        "provider": "openai",
        "model": "gpt-4o-mini",
        "end_user": "ada",
        "requests": 10,
        "input_tokens": 1000,
        "output_tokens": 500,
        "cost": Decimal(2),
        "price": Decimal(3),
        "latency_ms": 8000,
        "first_token_ms": 900,
        "first_tokens": 3,
        "first_at": hour,
        "last_at": hour,
    } | fields
    values = {"organization": customer.organization, "customer_id": customer.pk, "sold_as": values["model"]} | values
    day = _day_of(hour, customer)
    for model in (DailyUsage, DailyTotal, DailyCustomer, DailyModel):
        names = {each.name for each in model._meta.fields} | {each.attname for each in model._meta.fields}
        _add_to_day(model, {name: value for name, value in (values | {"day": day}).items() if name in names})
    return HourlyUsage.objects.create(**values, hour=hour)


def _day_of(hour: datetime, customer: Customer) -> datetime:
    zone = ZoneInfo(customer.organization.time_zone)
    return hour.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)


def _add_to_day(model: type[Model], values: dict[str, Any]) -> None:
    [once] = model._meta.constraints
    same = {name: values[name] for name in once.fields}
    row = model.objects.filter(**same).first()
    if row is None:
        model.objects.create(**values)
        return
    has = {each.name for each in model._meta.fields}
    for name in (*SUMS, *(name for name in TIMES if name in has)):
        setattr(row, name, getattr(row, name) + values.get(name, 0 if name in SUMS else []))
    row.first_at, row.last_at = min(row.first_at, values["first_at"]), max(row.last_at, values["last_at"])
    row.save()


def a_property_hour(customer: Customer, hour: datetime, name: str, value: str, **fields: Any) -> HourlyPropertyUsage:
    """An hour in which `customer` made calls with a property; `name` in lower case. Only its day has `latencies`."""
    values = {
        "end_user": "ada",
        "requests": 10,
        "input_tokens": 1000,
        "output_tokens": 500,
        "cost": Decimal(2),
        "price": Decimal(3),
        "first_at": hour,
        "last_at": hour,
    } | fields
    PropertyName.objects.get_or_create(
        organization=customer.organization, name=name, defaults={"label": name.capitalize()}
    )
    values |= {"organization": customer.organization, "customer_id": customer.pk, "name": name, "value": value}
    _add_to_day(DailyPropertyUsage, values | {"day": _day_of(hour, customer)})
    values.pop("latencies", None)
    return HourlyPropertyUsage.objects.create(hour=hour, **values)


def a_request(customer: Customer, at: datetime, **fields: Any) -> Request:
    """One call of `customer`."""
    ensure_partitions([month_of(at)])
    values = {
        **{f"{kind}_tokens": 0 for kind in TOKEN_KINDS},
        "error_code": "",
        "error_message": "",
        "properties": {},
        "proxy_key_id": UUID(int=1),
        "batch_id": 1,
        "provider": "openai",
        "endpoint": "chat.completions",
        "model": "gpt-4o-mini",
        "model_served": "gpt-4o-mini-2024-07-18",
        "is_streamed": False,
        "markup_percent": Decimal(50),
        "end_user": "ada",
        "result": Result.SERVED,
        "status": 200,
        "latency_ms": 800,
        "usage_source": UsageSource.REPORTED,
        "input_tokens": 1000,
        "output_tokens": 500,
        "cost": Decimal("0.25"),
        "price": Decimal("0.375"),
    }
    return Request.objects.create(
        id=uuid7(), organization=customer.organization, customer_id=customer.pk, started_at=at, **values | fields
    )

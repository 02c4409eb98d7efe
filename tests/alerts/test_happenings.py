"""What happens is told to who subscribed: once, to nobody else, and of a customer what it may know."""

from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction

from apps.alerts import happenings
from apps.alerts.happenings import is_sampled, tell_happenings
from apps.alerts.models import Channel, Delivery, EventSubscription, KeyHappening
from apps.alerts.owners import Owner
from apps.alerts.services.channels import add_subscription
from apps.customers.models import Customer
from apps.keys.services.proxy_keys import revoke_proxy_key, rotate_proxy_key
from apps.kit.ids import uuid7
from apps.usage.models import Batch, Request, Result, Spool
from tests.alerts.conftest import NOON, an_email
from tests.cast import a_proxy_key, at_once, reread
from tests.used import a_request

_starts = count(1)
LATER = NOON + timedelta(minutes=5)


def subscribe(owner: Owner, *kinds: str, percent: int = 100) -> EventSubscription:
    address = owner.customer.members.get().user.email if owner.customer else "ops@acme.example"
    channel = an_email(owner, address)
    row = add_subscription(owner, name="All", channel=channel, kinds=kinds, sample_percent=Decimal(percent), by=None)
    EventSubscription.objects.filter(pk=row.pk).update(created_at=NOON - timedelta(hours=1))
    return row


def a_batch(*requests: tuple[Customer, dict[str, Any]], rolled_up: bool = True) -> Batch:
    """Requests that were shipped, and rolled up, a minute after noon."""
    spool = Spool.objects.create(id=uuid4())
    start = next(_starts)
    batch = Batch.objects.create(
        spool=spool, segment=1, start=start, end=start + 1, rows=len(requests), keep_from=1, shipped_at=NOON,
        first_started_at=NOON, last_started_at=NOON + timedelta(seconds=len(requests)),
        rolled_up_at=NOON if rolled_up else None,
    )  # fmt: skip
    for number, (customer, fields) in enumerate(requests):
        a_request(customer, NOON + timedelta(seconds=number), batch_id=batch.pk, **fields)
    return batch


def told(kind: str) -> list[dict[str, Any]]:
    return [row.payload["data"] for row in Delivery.objects.filter(kind=kind).order_by("created_at", "pk")]


def test_a_key_that_is_made_or_revoked_is_told(cast):
    subscribe(Owner(cast.acme), "proxy_key.created", "proxy_key.revoked")
    key, plain = a_proxy_key(cast.globex, "production")
    a_proxy_key(cast.shady, "somebody else's")
    tell_happenings(at=NOON)
    (made,) = told("proxy_key.created")
    assert (made["proxy_key_id"], made["name"], made["revoked_at"]) == (str(key.pk), "production", None)
    new, _ = rotate_proxy_key(key, overlap=timedelta(hours=1), by=None)
    revoke_proxy_key(key, by=None)
    tell_happenings(at=NOON)
    replaced, revoked = told("proxy_key.revoked")
    assert replaced["proxy_key_id"] == revoked["proxy_key_id"] == str(key.pk)
    assert revoked["replaced_by"] == str(new.pk)
    assert [each["proxy_key_id"] for each in told("proxy_key.created")] == [str(key.pk), str(new.pk)]
    assert plain not in str(Delivery.objects.values_list("payload", flat=True))
    assert not KeyHappening.objects.exists()
    assert tell_happenings(at=NOON) == 0


def test_a_key_whose_change_is_rolled_back_is_not_told(cast):
    subscribe(Owner(cast.acme), "proxy_key.created")
    with transaction.atomic():
        a_proxy_key(cast.globex)
        transaction.set_rollback(True)
    assert not KeyHappening.objects.exists()


def test_without_subscriptions_nothing_is_put_down(cast):
    a_proxy_key(cast.globex)
    assert not KeyHappening.objects.exists()


def test_a_customer_is_told_of_its_own_alone_and_of_no_cost(cast):
    subscribe(Owner(cast.acme, cast.globex), "proxy_key.created", "request.recorded")
    key, _ = a_proxy_key(cast.globex)
    a_proxy_key(cast.initech)
    served = {"model_served": "gpt-4o-mini-2024-07-18", "alias": "our-best", "properties": {"plan": "pro"}}
    a_batch((cast.globex, served), (cast.initech, served))
    tell_happenings(at=LATER)
    assert [each["proxy_key_id"] for each in told("proxy_key.created")] == [str(key.pk)]
    (request,) = told("request.recorded")
    assert (request["customer_id"], request["model"], request["price"]) == (str(cast.globex.pk), "our-best", "0.375")
    assert request["tokens"] == {"input": 1000, "output": 500}
    assert request["properties"] == {"plan": "pro"}
    assert not {"cost", "provider", "model_served"} & set(request)
    assert "gpt-4o" not in str(request)


def test_the_operator_is_told_of_all_with_cost(cast):
    subscribe(Owner(cast.acme), "request.recorded")
    a_batch((cast.globex, {}), (cast.initech, {}), (cast.shady, {}))
    tell_happenings(at=LATER)
    assert [(each["cost"], each["provider"]) for each in told("request.recorded")] == [("0.25", "openai")] * 2


def test_each_batch_is_told_once_and_only_when_it_is_rolled_up(cast):
    subscribe(Owner(cast.acme), "request.recorded")
    a_batch((cast.globex, {}))
    waiting = a_batch((cast.globex, {}), rolled_up=False)
    assert (tell_happenings(at=LATER), Delivery.objects.count()) == (1, 1)
    assert tell_happenings(at=LATER) == 0
    Batch.objects.filter(pk=waiting.pk).update(rolled_up_at=NOON)
    assert (tell_happenings(at=LATER), Delivery.objects.count()) == (1, 2)


def test_who_subscribes_is_told_of_nothing_before(cast):
    row = subscribe(Owner(cast.acme), "request.recorded")
    EventSubscription.objects.filter(pk=row.pk).update(created_at=NOON + timedelta(seconds=1))
    a_batch((cast.globex, {}))
    assert tell_happenings(at=LATER) == 0


def test_a_limit_is_told_once_an_hour_for_each_key_user_and_reason(cast):
    subscribe(Owner(cast.acme), "limit.reached")
    rate = {"result": Result.REFUSED, "status": 429, "error_code": "rate_limit_exceeded", "error_message": "Slow down."}
    cap = {"result": Result.REFUSED, "status": 402, "error_code": "spend_cap_reached", "error_message": "Spent."}
    other = {"result": Result.REFUSED, "status": 400, "error_code": "invalid_body", "error_message": "What?"}
    ben = rate | {"end_user": "ben"}
    a_batch(*((cast.globex, fields) for fields in (rate, rate, cap, other, ben, {})))
    a_batch((cast.globex, rate))
    tell_happenings(at=LATER)
    assert sorted((each["end_user"], each["reason"], each["message"]) for each in told("limit.reached")) == [
        ("ada", "rate_limit_exceeded", "Slow down."),
        ("ada", "spend_cap_reached", "Spent."),
        ("ben", "rate_limit_exceeded", "Slow down."),
    ]


def test_samples_are_as_large_as_asked_for_and_within_each_other():
    ids = [str(uuid7()) for _ in range(20_000)]
    few, many = ({each for each in ids if is_sampled(each, Decimal(percent))} for percent in (1, 25))
    assert few < many
    assert 120 < len(few) < 280
    assert 4_700 < len(many) < 5_300
    assert all(is_sampled(each, Decimal(100)) for each in ids)
    assert not any(is_sampled(each, Decimal(0)) for each in ids)


def test_too_many_samples_are_counted_and_not_told(cast, monkeypatch):
    row = subscribe(Owner(cast.acme), "request.recorded")
    monkeypatch.setattr(happenings, "MOST_WAITING", 3)
    a_batch(*[(cast.globex, {})] * 5)
    tell_happenings(at=LATER)
    assert (Delivery.objects.count(), reread(row.channel).skipped) == (3, 2)


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_tell_each_once(cast):
    subscribe(Owner(cast.acme), "request.recorded", "proxy_key.created")
    for _ in range(4):
        a_batch((cast.globex, {}), (cast.initech, {}))
        a_proxy_key(cast.globex)
    outcomes = at_once(10, lambda: tell_happenings(at=LATER, clock=lambda: LATER))
    assert sum(outcomes) == 8
    assert (Delivery.objects.count(), Request.objects.count(), Channel.objects.get().skipped) == (12, 8, 0)

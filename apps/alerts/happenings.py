"""Things that happen, for those who subscribed to them: requests, limits that are reached, keys made and revoked.

What happened to keys was put down by a trigger, in the key's own transaction; requests come by the batch, once
they are in the roll-ups. Each is told in one transaction with the note that it was: killed or beside others,
none is told twice or not at all.
"""

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, F, Min, OuterRef, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.alerts.models import Channel, Delivery, EventSubscription, KeyHappening, ToldBatch
from apps.alerts.outbox import Message, put_out
from apps.alerts.terms import EventKind
from apps.keys.models import ProxyKey
from apps.usage.models import TOKEN_KINDS, Batch, Request, Result

LIMIT_CODES = ("rate_limit_exceeded", "spend_cap_reached", "credit_used_up")
MOST_HAPPENINGS = 200
MOST_BATCHES = 50  # in one run
MOST_OF_A_BATCH = 1_000  # requests told to one subscription
MOST_WAITING = 10_000  # messages for one channel: beyond, sampled requests are counted and not told
LOOKED_BACK = timedelta(hours=24)  # at batches: who was away for longer isn't told of what was before
TOLD = "INSERT INTO alerts_toldbatch (batch_id, told_at) VALUES (%s, %s) ON CONFLICT DO NOTHING RETURNING batch_id"


def tell_happenings(*, at: datetime, clock: Callable[[], datetime] = timezone.now) -> int:
    """Tell what happened and wasn't told. Returns how many happenings and batches it was."""
    told = 0
    while (some := _tell_of_keys(at)) > 0:
        told += some
    for batch in list(_batches_to_tell(at)):
        told += _tell_of_batch(batch, clock())
    return told


def is_sampled(request_id: str, percent: Decimal) -> bool:
    """Whether a request is in the sample: the same answer every time; a larger percentage has a smaller one's too."""
    place = int.from_bytes(hashlib.blake2b(request_id.encode(), digest_size=4).digest())
    return place < percent / 100 * 2**32


def subscriptions_to(*kinds: EventKind) -> list[EventSubscription]:
    """Those that want to hear of any of these, in all organizations."""
    rows = EventSubscription.objects.filter(is_paused=False, kinds__overlap=list(kinds))
    return list(rows.select_related("channel", "organization"))


def _wants(subscription: EventSubscription, kind: str, organization_id: Any, customer_id: Any) -> bool:
    if kind not in subscription.kinds or subscription.organization_id != organization_id:
        return False
    return not subscription.is_customers or subscription.customer_id == customer_id


@transaction.atomic
def _tell_of_keys(at: datetime) -> int:
    rows = KeyHappening.objects.select_for_update(skip_locked=True, of=("self",)).order_by("pk")
    happenings = list(rows.select_related("proxy_key__customer")[:MOST_HAPPENINGS])
    if not happenings:
        return 0
    subscriptions = subscriptions_to(EventKind.KEY_CREATED, EventKind.KEY_REVOKED)
    for happening in happenings:
        key, kind = happening.proxy_key, EventKind(happening.kind)
        wanted = [each for each in subscriptions if _wants(each, kind, key.organization_id, key.customer_id)]
        for subscription in wanted:
            message = _of_key(kind, key, is_customers=subscription.is_customers)
            put_out([subscription.channel], kind, f"{kind}:{key.pk}:{happening.pk}", message, at=at)
    KeyHappening.objects.filter(pk__in=[happening.pk for happening in happenings]).delete()
    return len(happenings)


def _of_key(kind: EventKind, key: ProxyKey, *, is_customers: bool) -> Message:
    told = _("Key “%(name)s” made") if kind is EventKind.KEY_CREATED else _("Key “%(name)s” revoked")
    title = told % {"name": key.name}
    data = {
        "proxy_key_id": str(key.pk),
        "name": key.name,
        "last_four": key.last_four,
        "customer_id": str(key.customer_id),
        "created_at": key.created_at.isoformat(),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
        "replaced_by": str(key.replaced_by_id) if key.replaced_by_id else None,
    }
    lines = [] if is_customers else [str(key.customer)]
    return Message(title, lines, data, _link("developer" if is_customers else "customers", is_customers))


def _batches_to_tell(at: datetime) -> Iterable[Batch]:
    """Those in the roll-ups that nobody was told of, from the time on at which somebody subscribed."""
    rows = EventSubscription.objects.filter(is_paused=False, kinds__overlap=[EventKind.REQUEST, EventKind.LIMIT])
    since = rows.aggregate(since=Min("created_at"))["since"]
    if since is None:
        return []
    batches = Batch.objects.filter(shipped_at__gte=max(since, at - LOOKED_BACK)).exclude(rolled_up_at=None)
    return batches.filter(~Exists(ToldBatch.objects.filter(batch_id=OuterRef("pk")))).order_by("pk")[:MOST_BATCHES]


@transaction.atomic
def _tell_of_batch(batch: Batch, at: datetime) -> int:
    """Tell of a batch, unless another did: the row in `told` is the claim, and the note that it was done."""
    with connection.cursor() as cursor:
        cursor.execute(TOLD, [batch.pk, at])
        if cursor.fetchone() is None:
            return 0
    subscriptions = [
        each for each in subscriptions_to(EventKind.REQUEST, EventKind.LIMIT) if each.created_at <= batch.shipped_at
    ]
    for subscription in subscriptions:
        if EventKind.LIMIT in subscription.kinds:
            _tell_of_limits(subscription, batch, at)
        if EventKind.REQUEST in subscription.kinds:
            _tell_of_requests(subscription, batch, at)
    return 1


def _requests(subscription: EventSubscription, batch: Batch) -> Any:
    rows = Request.objects.filter(
        batch_id=batch.pk,
        organization_id=subscription.organization_id,
        started_at__range=(batch.first_started_at, batch.last_started_at),
    )
    return rows.filter(customer_id=subscription.customer_id) if subscription.is_customers else rows


def _tell_of_requests(subscription: EventSubscription, batch: Batch, at: datetime) -> None:
    channel = subscription.channel
    room = MOST_WAITING - Delivery.objects.filter(channel=channel, state=Delivery.State.WAITING).count()
    told = skipped = 0
    for request in _requests(subscription, batch).order_by("started_at", "id").iterator(chunk_size=1000):
        if not is_sampled(str(request.id), subscription.sample_percent):
            continue
        if told >= min(room, MOST_OF_A_BATCH):
            skipped += 1
            continue
        told += 1
        message = _of_request(request, is_customers=subscription.is_customers)
        put_out([channel], EventKind.REQUEST, f"{EventKind.REQUEST}:{request.id}", message, at=at)
    if skipped:
        Channel.objects.filter(pk=channel.pk).update(skipped=F("skipped") + skipped)


def _of_request(request: Request, *, is_customers: bool) -> Message:
    """What a customer is told of: what it asked for and pays, not what was bought for it, or where."""
    data: dict[str, Any] = {
        "request_id": str(request.id),
        "started_at": request.started_at.isoformat(),
        "customer_id": str(request.customer_id),
        "proxy_key_id": str(request.proxy_key_id),
        "endpoint": request.endpoint,
        "model": request.alias or request.model_served or request.model,
        "result": Result(request.result).name.lower(),
        "status": request.status,
        "error_code": request.error_code or None,
        "latency_ms": request.latency_ms,
        "first_token_ms": request.first_token_ms,
        "tokens": {kind: count for kind in TOKEN_KINDS if (count := getattr(request, f"{kind}_tokens"))},
        "price": _amount(request.price),
        "end_user": request.end_user,
        "properties": request.properties,
        "session_id": request.session_id,
    }
    if not is_customers:
        served = {"provider": request.provider, "model_served": request.model_served, "cost": _amount(request.cost)}
        data |= served
    title = _("Request %(id)s: %(model)s") % {"id": request.id, "model": data["model"]}
    return Message(title, [], data)


def _amount(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount.normalize():f}"


def _tell_of_limits(subscription: EventSubscription, batch: Batch, at: datetime) -> None:
    """Once an hour for each key, end user and reason, at the first call that was refused for it."""
    refused = _requests(subscription, batch).filter(Q(result=Result.REFUSED, error_code__in=LIMIT_CODES))
    for request in refused.order_by("started_at", "id")[:MOST_OF_A_BATCH]:
        hour = f"{request.started_at:%Y-%m-%dT%H}"
        who = hashlib.blake2b((request.end_user or "").encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        key = f"{EventKind.LIMIT}:{request.proxy_key_id}:{who}:{request.error_code}:{hour}"
        put_out([subscription.channel], EventKind.LIMIT, key, _of_limit(request, subscription.is_customers), at=at)


def _of_limit(request: Request, is_customers: bool) -> Message:
    data = {
        "request_id": str(request.id),
        "at": request.started_at.isoformat(),
        "customer_id": str(request.customer_id),
        "proxy_key_id": str(request.proxy_key_id),
        "end_user": request.end_user,
        "reason": request.error_code,
        "status": request.status,
        "message": request.error_message,
    }
    return Message(_("A limit is reached"), [request.error_message], data, _link("limits", is_customers))


def _link(page: str, is_customers: bool) -> str:
    face = "portal" if is_customers else "console"
    return f"{settings.PUBLIC_URL}{reverse(f'{face}:{page}')}"

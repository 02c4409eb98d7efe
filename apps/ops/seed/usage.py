"""Made-up requests of an organization, by COPY and in batches, as if its proxies had metered them."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from os import urandom
from random import Random
from uuid import UUID

from django.db import connection, transaction

from apps.accounts.models import Organization
from apps.customers.models import Customer
from apps.keys.models import ProxyKey
from apps.kit.ids import uuid7
from apps.ops.seed.traffic import MODELS, OUTCOME, Call, callers, traffic
from apps.usage.models import TOKEN_KINDS, Batch, PropertyName, Spool
from apps.usage.partitions import ensure_partitions, month_of

BATCH_ROWS = 20_000
ROWS_AT_ONCE = 500
FIXED = {
    **{f"{kind}_tokens": "0" for kind in TOKEN_KINDS if kind not in ("input", "cache_read", "output", "reasoning")},
    "provider_key_id": r"\N",
    "price_id": r"\N",
    "markup_percent": "20",
    "session_path": "/",
    "session_name": "seeded",
    "client_request_id": r"\N",
    "provider_request_id": r"\N",
    "client_ip": "192.0.2.1",
    "alias": r"\N",
    "units": "{}",
    "service_tier": "",
    "provider_cost": r"\N",
    "attempts": "[]",
}
OF_CALL = ("id", "started_at", "customer_id", "proxy_key_id", "end_user", "properties", "session_id")
OF_MODEL = ("provider", "endpoint", "model", "model_served")
OF_BATCH = ("organization_id", "batch_id")
COLUMNS = (*OF_CALL, *OF_MODEL, *OUTCOME, *OF_BATCH, *FIXED)
OF_MODELS = tuple(f"{model.provider}\t{model.endpoint}\t{model.asked}\t{model.served}" for model in MODELS)
LABELS = ("Plan", "Feature")


def seed_usage(
    organization: Organization,
    *,
    requests: int,
    customers: int,
    users: int,
    days: int,
    at: datetime,
    seed: int = 1,
    told: Callable[[int], object] = lambda rows: None,
) -> int:
    """Make so many requests of the `days` that end with the hour of `at`; they wait for the roll-up then.

    Customers are made where the organization has not got so many seeded ones yet, each with a key that nobody
    holds. told: called with the number of rows after each batch. The same seed makes the same traffic, of new
    ids: a second run adds to the first.
    """
    chance = Random(seed)  # noqa: S311 nothing is guarded by it
    until = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    since = until - timedelta(days=days)
    crowd, weights = callers(_customers(organization, customers, since), users, chance)
    PropertyName.objects.bulk_create(
        [PropertyName(organization=organization, name=label.lower(), label=label) for label in LABELS],
        ignore_conflicts=True,
    )
    ensure_partitions(month_of(since + timedelta(days=day)) for day in range(days + 1))
    spool = Spool.objects.create(id=uuid7(), created_at=at, closed_at=at)  # of no process: there is nothing to ship
    made = 0
    hours = traffic(crowd, weights, requests=requests, since=since, days=days, chance=chance)
    for number, calls in enumerate(_batches(hours)):
        _copy(organization.pk, spool, number, calls, chance, at)
        made += len(calls)
        told(len(calls))
    return made


@transaction.atomic
def _customers(organization: Organization, number: int, since: datetime) -> list[tuple[UUID, UUID]]:
    """Customers with a key of each, made where missing."""
    names = [f"Seeded {each:04}" for each in range(1, number + 1)]
    Customer.objects.bulk_create(
        [
            Customer(organization=organization, name=name, slug=name.lower().replace(" ", "-"), created_at=since)
            for name in names
        ],
        ignore_conflicts=True,
    )
    found = list(organization.customers.filter(name__in=names).order_by("slug"))
    have = dict(ProxyKey.objects.filter(customer__in=found, name="seeded").values_list("customer_id", "pk"))
    made = [
        ProxyKey(
            customer=customer, organization=organization, name="seeded", key_hash=urandom(32), last_four="seed",
            created_at=since,
        )
        for customer in found
        if customer.pk not in have
    ]  # fmt: skip
    ProxyKey.objects.bulk_create(made)
    have |= {key.customer_id: key.pk for key in made}
    return [(customer.pk, have[customer.pk]) for customer in found]


def _batches(hours: Iterator[list[Call]]) -> Iterator[list[Call]]:
    batch: list[Call] = []
    for calls in hours:
        batch += calls
        while len(batch) >= BATCH_ROWS:
            yield batch[:BATCH_ROWS]
            del batch[:BATCH_ROWS]
    if batch:
        yield batch


@transaction.atomic
def _copy(
    organization_id: UUID, spool: Spool, number: int, calls: Sequence[Call], chance: Random, at: datetime
) -> None:
    batch = Batch.objects.create(
        spool=spool,
        segment=1,
        start=number,
        end=number + 1,
        rows=len(calls),
        keep_from=1,
        first_started_at=_moment(calls[0].at),
        last_started_at=_moment(calls[-1].at),
        shipped_at=at,
    )
    tail = "\t".join((str(organization_id), str(batch.pk), *FIXED.values()))
    sql = f"COPY usage_request ({', '.join(COLUMNS)}) FROM STDIN"
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(sql) as copy:
        for start in range(0, len(calls), ROWS_AT_ONCE):
            copy.write("".join([_row(call, chance, tail) for call in calls[start : start + ROWS_AT_ONCE]]))


def _row(call: Call, chance: Random, tail: str) -> str:
    caller, milliseconds = call.caller, int(call.at * 1000)
    bits = chance.getrandbits(74)
    id_ = f"{milliseconds:012x}7{bits & 0xFFF:03x}{8 + (bits >> 12 & 3):x}{bits >> 14 & 0xFFFFFFFFFFFFFFF:015x}"
    user, session = (caller.name, call.session) if call.is_of_user else (r"\N", r"\N")
    return (
        f"{id_}\t{_moment(call.at).isoformat()}\t{caller.customer_id}\t{caller.proxy_key_id}\t{user}\t"
        f'{{"plan": "{caller.plan}", "feature": "{call.feature}"}}\t{session}\t'
        f"{OF_MODELS[call.model]}\t{call.outcome}\t{tail}\n"
    )


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(int(at * 1000) / 1000, UTC)

"""The three records of an installation, gathered for the checker; and what every fault must leave behind."""

import json
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from redis import Redis

from apps.limits.scopes import LimitKeys
from apps.limits.terms import from_pico
from apps.usage.models import TOKEN_KINDS
from tests.faults.checker import ClientCall, ProviderCall, Record, Violation, check
from tests.rig.client import Seen
from tests.rig.desk import MARKUP, RATES
from tests.rig.installation import Installation, Tenant

SETTLED_WITHIN_S = 3.0


def assert_nothing_is_lost(installation: Installation, tenant: Tenant, seen: Iterable[Seen]) -> None:
    """Ship and roll up what there is; then every record agrees, and the roll-ups are the sum of the requests."""
    differences = installation.desk("roll_up")
    violations = violations_of(installation, tenant, seen)
    assert not violations, "\n".join(map(str, violations[:20]))
    assert differences == []


def violations_of(installation: Installation, tenant: Tenant, seen: Iterable[Seen]) -> list[Violation]:
    """What the checker finds in the calls of `seen`, all of them the tenant's."""
    clients = [ClientCall(one.nonce, tenant.customer, one.saw_end, one.status) for one in seen]
    nonces = {client.nonce for client in clients}
    provider = [
        ProviderCall(line["nonce"], line["wire"], line["usage"], line["end"] == "complete")
        for line in installation.provider_calls()
        if line["nonce"] in nonces
    ]
    return check(clients, provider, records_of(installation, nonces), rates=RATES, markup=MARKUP)


def records_of(installation: Installation, nonces: set[str]) -> list[Record]:
    """The rows of these calls, whoever's they are."""
    rows = installation.rows("SELECT * FROM usage_request WHERE end_user LIKE 'nonce-%'")
    return [
        Record(
            nonce=row["end_user"],
            customer=str(row["customer_id"]),
            result=row["result"],
            tokens={kind: row[f"{kind}_tokens"] for kind in TOKEN_KINDS if row[f"{kind}_tokens"]},
            cost=row["cost"],
            price=row["price"],
        )
        for row in rows
        if row["end_user"] in nonces
    ]


def open_holds(installation: Installation, tenant: Tenant) -> int:
    """Holds that Redis still has for calls of the tenant's customer: none, once none are under way.

    A call is settled after its answer, and nobody waits for that: it has a moment.
    """
    ends_at = time.monotonic() + SETTLED_WITHIN_S
    with Redis.from_url(installation.redis.url) as redis:
        while (holds := redis.zcard(LimitKeys(UUID(tenant.customer).bytes).holds)) and time.monotonic() < ends_at:
            time.sleep(0.02)
    return holds


def settled_spend(installation: Installation, tenant: Tenant) -> Decimal:
    """What Redis has counted against the customer's cap of this month."""
    return settled_of(installation, LimitKeys(UUID(tenant.customer).bytes))


def settled_of(installation: Installation, keys: LimitKeys) -> Decimal:
    """The same for any scope."""
    return _spend(installation, keys, "settled")


def committed_spend(installation: Installation, tenant: Tenant) -> Decimal:
    """The same, with what calls under way may still cost."""
    return _spend(installation, LimitKeys(UUID(tenant.customer).bytes), "settled", "held")


def committed_of(installation: Installation, keys: LimitKeys) -> Decimal:
    """The same for any scope."""
    return _spend(installation, keys, "settled", "held")


def _spend(installation: Installation, keys: LimitKeys, *parts: str) -> Decimal:
    with Redis.from_url(installation.redis.url) as redis:
        counted = redis.hmget(f"{keys.spend}{datetime.now(UTC):%Y-%m}", parts)
    return from_pico(sum(int(amount or 0) for amount in counted))


def summary(seen: list[Seen]) -> str:
    """How the calls ended, for the log of a long run."""
    ends: dict[str, int] = {}
    for one in seen:
        name = f"{one.status} {'whole' if one.saw_end else 'cut'}" if one.status else "no answer"
        ends[name] = ends.get(name, 0) + 1
    return json.dumps(dict(sorted(ends.items())))

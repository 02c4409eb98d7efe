"""The audit log: who changed what, from what to what. Written in the transaction of the change itself."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias
from uuid import UUID

from django.db import models

from apps.accounts.models import AuditEvent, Organization, User

Value: TypeAlias = str | int | Decimal | bool | date | datetime | UUID | None
Changes: TypeAlias = Mapping[str, tuple[Value, Value]]

NEVER_AUDITED = frozenset({"secret", "password", "token", "token_hash", "ciphertext", "wrapped_key", "key_hash"})

COMMAND_LINE = "command line"

acting: ContextVar[str] = ContextVar("acting", default=COMMAND_LINE)  # who does what no user does: an API token, say
client_address: ContextVar[str | None] = ContextVar("client_address", default=None)  # set by the middleware


@contextmanager
def acting_as(label: str) -> Iterator[None]:
    """What is done in here by no person is done by `label`, such as “alert rule Spend”."""
    token = acting.set(label)
    try:
        yield
    finally:
        acting.reset(token)


def record(
    organization: Organization,
    action: str,
    target: models.Model,
    *,
    actor: User | None,
    changes: Changes | None = None,
    customer: models.Model | None = None,
    actor_label: str = "",
) -> AuditEvent:
    """Note that `actor` did `action` ("customer.add") to `target`.

    actor: None for commands, tokens and processes, which `actor_label` then names; "": whoever is `acting`.
    changes: {"field": (before, after)}. The name of a secret raises ValueError: it is a bug.
    customer: the Customer it concerns, who may see the event; None: the organization alone.
    """
    changes = changes or {}
    if secrets := NEVER_AUDITED.intersection(changes):
        raise ValueError(f"never audited: {', '.join(sorted(secrets))}")
    return AuditEvent.objects.create(
        organization=organization,
        customer_id=customer.pk if customer else None,
        actor_id=actor.pk if actor else None,
        actor_label=actor.email if actor else (actor_label or acting.get())[:254],
        action=action,
        target_type=target._meta.model_name or "",
        target_id=str(target.pk),
        target_label=str(target)[:254],
        changes={name: [_plain(value) for value in pair] for name, pair in changes.items()},
        ip=client_address.get(),
    )


def fields_of(target: models.Model, names: Iterable[str]) -> dict[str, Value]:
    """The values that `names` have now, to be compared after a change."""
    return {name: getattr(target, name) for name in names}


def difference(before: Mapping[str, Value], after: Mapping[str, Value]) -> dict[str, tuple[Value, Value]]:
    """The fields that differ, as `record` takes them; a field that one side lacks counts as None."""
    names = [*before, *(name for name in after if name not in before)]
    pairs = {name: (before.get(name), after.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _plain(value: Value) -> Value:
    """Amounts as people write them: 25, not 25.000000000000."""
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value

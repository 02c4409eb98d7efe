"""When snapshots are taken, and when a page may show one.

A page whose figures take long to add up has a worker keep them, and shows them as of then from the next visit on. As
long as the totals of its days are the same, what was kept is what would be added up. Afterwards it is taken anew, not
more often than costs a twentieth of a processor; meanwhile the page says as of when its figures are.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any, Literal, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone

from apps.accounts.models import Organization
from apps.kit.after_commit import after_commit
from apps.kit.locks import try_lock_name
from apps.usage.gathering import FOR_SUMS
from apps.usage.models import DayCardinality, Snapshot
from apps.usage.queries import Scope, UserFilter, property_names, totals
from apps.usage.queries.distributions import every_distribution
from apps.usage.queries.insights import Terms, answers, terms_of, usual_property
from apps.usage.queries.periods import midnight
from apps.usage.queries.snapshot_users import store_users
from apps.usage.ranges import Range, chosen_range

SHAPE = 3  # raised with every change to what snapshots are like: those of before are not found then
SLOW_MS = 100  # what takes less is added up each time
SHARE = 20  # a snapshot is this many times as old as it took to take, before it is taken anew
AT_LEAST = timedelta(seconds=10)
TOO_OLD = timedelta(hours=1)  # nobody takes them, then: rather slow than wrong
RIGHT_FOR = timedelta(days=1)  # as long as the totals are the same: in case that users changed and those did not
LOOKED_AT_EVERY = timedelta(minutes=10)
KEPT_WARM = timedelta(days=7)  # after somebody looked
WARM_EVERY = timedelta(minutes=15)
LARGE = 100_000  # rows of days of end users in a month: more than these are kept before anybody looks
ALWAYS_WARM = ("30d", "90d", "month")  # the first that somebody looks at
AT_ONCE = 2  # of all workers: the others roll up meanwhile
SUPERSEDED_FOR = timedelta(minutes=1)  # who found it may still read it

Kind = Literal["users", "insights"]


@dataclass(frozen=True)
class Asked:
    """Whole days of somebody's usage, and what they are narrowed to: what a snapshot is of."""

    organization_id: UUID
    zone: str
    first: date
    last: date
    period: str = ""  # by which name the days were chosen; "": by themselves
    customer_id: UUID | None = None
    model: str | None = None
    sold_as: str | None = None
    kind: Kind = "users"
    name: str | None = None  # of a property, and its value
    value: str | None = None
    terms: str = ""  # of insights: what else they depend on

    @property
    def whole(self) -> Scope:
        """Its days, not narrowed: their totals are quick to add up."""
        zone = ZoneInfo(self.zone)
        since, until = midnight(self.first, zone), midnight(self.last + timedelta(days=1), zone)
        return Scope(self.organization_id, since, until, customer_id=self.customer_id)

    @property
    def scope(self) -> Scope:
        return replace(self.whole, model=self.model, sold_as=self.sold_as)

    @property
    def narrowed(self) -> UserFilter:
        return UserFilter(property=None if self.name is None else (self.name, self.value or ""))

    @property
    def key(self) -> str:
        return sha256(f"{SHAPE} {replace(self, period='').as_text()}".encode()).hexdigest()

    def as_of(self, at: datetime) -> Self:
        """The same, of the days that its period is about at that time, and on the terms that hold now."""
        if not self.period:
            return self
        chosen = chosen_range({"period": self.period}, at, ZoneInfo(self.zone))
        now = replace(self, first=chosen.first, last=chosen.last)
        return replace(now, terms=now.terms_now.digest if self.kind == "insights" else "")

    @property
    def terms_now(self) -> Terms:
        days = Range(self.period, self.first, self.last, ZoneInfo(self.zone))
        return terms_of(self.organization_id, self.customer_id, days.months)

    def as_text(self) -> str:
        return json.dumps(asdict(self), default=str, sort_keys=True)

    @classmethod
    def of_text(cls, text: str) -> Self:
        names = {each.name for each in fields(cls)}  # those of another version may be there
        told: dict[str, Any] = {name: value for name, value in json.loads(text).items() if name in names}
        told |= {name: date.fromisoformat(told[name]) for name in ("first", "last")}
        told |= {name: told[name] and UUID(told[name]) for name in ("organization_id", "customer_id")}
        return cls(**told)


def snapshot_to_show(asked: Asked, *, at: datetime) -> Snapshot | None:
    """What a page may show instead of adding up; None: it has to. Where it is behind, it is taken anew soon."""
    found = _newest(asked)
    if found is None:
        return None
    _note_look(found, at)
    age = at - found.as_of
    found.is_behind = found.totals != _totals(asked)
    if age >= _rests(found, is_right=not found.is_behind):
        _ask_for(asked)
    is_to_show = not found.is_behind or (found.took_ms >= SLOW_MS and age < TOO_OLD)
    return found if is_to_show else None


@contextmanager
def kept_if_slow(asked: Asked) -> Iterator[None]:
    """Around what adds up: where that takes long, a worker takes a snapshot for the next ones who ask."""
    began = time.monotonic()
    yield
    if (time.monotonic() - began) * 1000 >= SLOW_MS:
        _ask_for(asked)


def _ask_for(asked: Asked) -> None:
    after_commit("usage.take_snapshot", asked.as_text())


def take_snapshot(asked: Asked, *, looked_at: datetime | None = None) -> bool:
    """Take one, unless the newest is right, or too new, or somebody else is at it; returns whether it was taken.

    Nor where AT_ONCE are being taken: the next look asks again.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        is_free = try_lock_name(f"snapshot {asked.key}")
        if not is_free or not any(try_lock_name(f"snapshots, place {number}") for number in range(AT_ONCE)):
            return False
        at, newest = timezone.now(), _newest(asked)
        now = _totals(asked)  # before the rest: what comes between makes it behind, not wrong
        if newest and at - newest.as_of < _rests(newest, is_right=newest.totals == now):
            return False
        began = time.monotonic()
        cursor.execute(FOR_SUMS)
        taken = Snapshot.objects.create(
            organization_id=asked.organization_id,
            key=asked.key,
            asked=asked.as_text(),
            as_of=at,
            took_ms=0,
            totals=now,
            looked_at=looked_at or (newest.looked_at if newest else at),
        )
        if asked.kind == "users":
            taken.users = store_users(taken, asked.scope, asked.narrowed, ZoneInfo(asked.zone))
            taken.answer = every_distribution(taken)
        else:
            terms = asked.terms_now
            taken.answer = answers(asked.scope, ZoneInfo(asked.zone), terms, name=asked.name).as_text()
            taken.key = replace(asked, terms=terms.digest).key  # they may have changed since it was asked for
        taken.took_ms = round((time.monotonic() - began) * 1000)
        taken.save(update_fields=["users", "answer", "key", "took_ms"])
    return True


def keep_snapshots(*, at: datetime) -> None:
    """Take anew those that somebody looked at in the last days and that are behind, and forget the others.

    Of organizations where adding up takes long, what is looked at first is taken before anybody does.
    """
    wanted: dict[str, tuple[Asked, datetime | None]] = {asked.key: (asked, None) for asked in _always_warm(at)}
    for snapshot in Snapshot.objects.filter(looked_at__gte=at - KEPT_WARM).order_by("as_of"):
        asked = Asked.of_text(snapshot.asked).as_of(at)
        if asked.period:
            wanted[asked.key] = (asked, snapshot.looked_at)
    for asked, looked_at in wanted.values():
        newest = _newest(asked)
        if newest is None or at - newest.as_of >= WARM_EVERY:
            take_snapshot(asked, looked_at=looked_at)
    _forget(set(wanted), at)


def _always_warm(at: datetime) -> Iterator[Asked]:
    """The users and insights of large organizations, in the periods that are looked at first."""
    months = DayCardinality.objects.filter(day__gte=at - timedelta(days=30)).values_list("organization_id")
    large = months.annotate(rows=Sum("end_users")).filter(rows__gte=LARGE).values_list("organization_id", flat=True)
    for organization in Organization.objects.filter(pk__in=list(large)).order_by("pk"):
        name = usual_property(property_names(organization))
        for period in ALWAYS_WARM:
            chosen = chosen_range({"period": period}, at, ZoneInfo(organization.time_zone))
            users = Asked(organization.pk, *chosen.as_asked)
            yield users
            yield replace(users, kind="insights", name=name, terms=users.terms_now.digest)


def _forget(wanted: set[str], at: datetime) -> None:
    """Those that a newer one took the place of, and those that nobody looked at for long."""
    kept: set[str] = set()
    for snapshot in Snapshot.objects.order_by("-as_of").only("pk", "key", "looked_at", "as_of"):
        is_newest = snapshot.key not in kept
        kept.add(snapshot.key)
        is_of_use = snapshot.key in wanted or at - snapshot.looked_at < TOO_OLD
        if at - snapshot.as_of < SUPERSEDED_FOR or (is_newest and is_of_use):
            continue
        Snapshot.objects.filter(pk=snapshot.pk).delete()  # with its users


def _newest(asked: Asked) -> Snapshot | None:
    return Snapshot.objects.filter(organization_id=asked.organization_id, key=asked.key).order_by("-as_of").first()


def _totals(asked: Asked) -> str:
    return repr(totals(asked.whole))


def _rests(snapshot: Snapshot, *, is_right: bool) -> timedelta:
    """How old it gets before it is taken anew."""
    return RIGHT_FOR if is_right else max(AT_LEAST, SHARE * timedelta(milliseconds=snapshot.took_ms))


def _note_look(snapshot: Snapshot, at: datetime) -> None:
    if at - snapshot.looked_at > LOOKED_AT_EVERY:
        Snapshot.objects.filter(pk=snapshot.pk).update(looked_at=at)

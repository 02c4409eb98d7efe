"""Calls that go on at the provider: known while they do, charged once, looked after by one process at a time."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import pytest
from django.utils import timezone

from apps.customers.models import Customer
from apps.kit.ids import uuid7
from apps.usage import awaiting
from apps.usage.awaiting import LEASE
from apps.usage.models import AwaitedCall, DeadLetter, Request
from apps.usage.record import Intent, decode, encode
from apps.usage.tail import Tail, Waiting
from tests.cast import a_customer, an_organization, at_once
from tests.usage.conftest import an_awaited, an_intent, an_outcome, write_spool
from tests.usage.test_tail import START, ids, write

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = tmp_path / uuid7().hex
    directory.mkdir()
    (directory / "lock").touch()
    return directory


@pytest.fixture
def customer() -> Customer:
    return a_customer(an_organization())


CUSTOMER = SimpleNamespace(id=uuid7(), organization_id=uuid7())


def charged(intent: Intent) -> tuple[bytes, bytes]:
    """What is written in the end."""
    return encode(intent), encode(an_outcome(intent, was_awaited=True))


# Reading


def test_what_is_awaited_is_no_unfinished_call_of_a_dead_process(directory):
    intent = an_intent(CUSTOMER)
    write(directory, 1, encode(intent), encode(an_awaited(intent)))
    haul = Tail(directory, START, keep_from=1).read(100)
    assert haul.calls == haul.letters == []
    assert [encode(each.intent) for each in haul.waiting] == [encode(intent)]


def test_its_end_is_a_call_wherever_it_is_written(directory):
    intent = an_intent(CUSTOMER)
    write(directory, 1, encode(intent), encode(an_awaited(intent)), *charged(intent))
    haul = Tail(directory, START, keep_from=1).read(100)
    assert ids(haul.calls) == [encode(intent)]
    assert (len(haul.waiting), haul.letters) == (1, [])


def test_what_a_failing_disk_had_written_twice_is_awaited_once(directory):
    intent = an_intent(CUSTOMER)
    write(directory, 1, encode(intent), encode(an_awaited(intent)))
    write(directory, 2, encode(an_awaited(intent)), *charged(intent))
    tail = Tail(directory, START, keep_from=1)
    hauls = [tail.read(100), tail.read(100)]
    assert [len(haul.waiting) for haul in hauls] == [1, 0]
    assert [len(haul.calls) for haul in hauls] == [0, 1]
    assert not any(haul.letters for haul in hauls)


def test_without_its_intent_it_is_a_letter(directory):
    write(directory, 1, encode(an_awaited(an_intent(CUSTOMER))))
    (letter,) = Tail(directory, START, keep_from=1).read(100).letters
    assert letter.reason == "The intent of what is awaited is not there."


# Landing


def test_it_is_known_until_its_end_is_recorded(customer: Customer, live_spool, ship):
    intent = an_intent(customer)
    live_spool.write(encode(intent), encode(an_awaited(intent, held_spend=7)))
    assert ship() == 0
    row = AwaitedCall.objects.get()
    assert (row.pk, row.customer_id, row.object_id) == (UUID(bytes=intent.id), customer.pk, "resp_1")
    assert (decode(row.intent), decode(row.awaited)) == (intent, an_awaited(intent, held_spend=7))
    live_spool.write(*charged(intent))
    assert ship() == 1
    assert not AwaitedCall.objects.exists()
    assert Request.objects.get().price == an_outcome(intent).price


def test_charged_by_two_processes_it_is_one_request(customer: Customer, root: Path, ship):
    intent = an_intent(customer)
    write_spool(root, [encode(intent), encode(an_awaited(intent)), *charged(intent)])
    assert ship() == 1
    write_spool(root, charged(intent))
    assert ship() == 0
    assert Request.objects.count() == 1
    assert not AwaitedCall.objects.exists()
    assert not DeadLetter.objects.exists()


# Looking after them


def waiting(customer: Customer, number: int) -> list[Waiting]:
    intents = [an_intent(customer) for _ in range(number)]
    return [Waiting(intent, an_awaited(intent)) for intent in intents]


def test_those_that_nobody_looks_after_go_to_one_who_asks(customer: Customer):
    now = timezone.now()
    every = waiting(customer, 3)
    awaiting.begin(every, at=now)
    awaiting.begin(every, at=now + LEASE)  # shipped again: nothing changes
    assert awaiting.adopt(at=now, most=10) == []
    later = now + LEASE + timedelta(seconds=1)
    awaiting.keep([every[0].intent.id], at=later)
    assert len(awaiting.adopt(at=later, most=10)) == 2
    assert awaiting.adopt(at=later, most=10) == []


def test_ten_who_ask_at_once_get_each_one_once(customer: Customer):
    now = timezone.now()
    awaiting.begin(waiting(customer, 20), at=now - 2 * LEASE)
    found = [row.pk for rows in at_once(10, lambda: awaiting.adopt(at=now, most=5)) for row in rows]
    assert len(found) == len(set(found)) <= 20

"""Users blocked, let in again and noted: by whom, told to whom, and what stays as it is."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError

from apps.accounts.models import AuditEvent
from apps.customers import end_users
from apps.customers.end_users import BlockedByOperator, block_end_user, note_end_user, unblock_end_user
from apps.limits.book import load_book
from apps.limits.services import set_end_user_limits
from tests.cast import Cast, a_proxy_key, reread
from tests.heard import Heard

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ODD = "é\u202e日本 =cmd()\n'\""


def blocked(customer) -> set[str]:
    key, _ = a_proxy_key(customer)
    return set(load_book(customer, key).blocked)


def test_a_blocked_user_is_known_to_the_proxies_of_its_customer_alone(cast: Cast):
    block_end_user(cast.globex, "ann", by=cast.gina, at=NOON, reason="scripted")
    block_end_user(cast.globex, ODD, by=cast.gina, at=NOON)
    assert blocked(cast.globex) == {"ann", ODD}
    assert blocked(cast.initech) == set()
    unblock_end_user(cast.globex, "ann", by=cast.gina)
    assert blocked(cast.globex) == {ODD}


def test_each_change_is_in_the_audit_log_and_told_to_the_proxies(cast: Cast, heard: Heard):
    heard()
    block_end_user(cast.globex, "ann", by=cast.gina, at=NOON, reason="scripted")
    assert heard() == [f"customer:{cast.globex.pk}"]
    unblock_end_user(cast.globex, "ann", by=cast.gina)
    assert heard() == [f"customer:{cast.globex.pk}"]
    assert [event.action for event in AuditEvent.objects.order_by("pk")][-2:] == ["end_user.block", "end_user.unblock"]
    event = AuditEvent.objects.get(action="end_user.block")
    assert (event.actor_label, event.customer_id, event.target_label) == (cast.gina.email, cast.globex.pk, "ann")
    assert event.changes["reason"] == ["", "scripted"]


def test_blocking_twice_changes_nothing(cast: Cast):
    first = block_end_user(cast.globex, "ann", by=cast.gina, at=NOON, reason="one")
    events = AuditEvent.objects.count()
    again = block_end_user(cast.globex, "ann", by=cast.gina, at=NOON + HOUR, reason="two")
    assert (again.pk, again.blocked_at, again.block_reason) == (first.pk, NOON, "one")
    assert unblock_end_user(cast.globex, "bob", by=cast.gina).pk is not None
    assert AuditEvent.objects.count() == events


def test_what_the_operator_blocked_the_customer_cannot_let_in(cast: Cast):
    block_end_user(cast.globex, "ann", by=cast.gina, at=NOON, reason="ours")
    taken = block_end_user(cast.globex, "ann", by=cast.olivia, at=NOON + HOUR, reason="abuse", is_operator=True)
    assert (taken.blocked_at, taken.block_reason) == (NOON, "abuse")
    with pytest.raises(BlockedByOperator):
        unblock_end_user(cast.globex, "ann", by=cast.gina)
    assert reread(taken).is_blocked
    unblock_end_user(cast.globex, "ann", by=cast.olivia, is_operator=True)
    assert not reread(taken).is_blocked


def test_a_block_and_limits_of_its_own_do_not_touch_each_other(cast: Cast):
    row = set_end_user_limits(cast.globex, "ann", by=None, requests_per_day=5)
    block_end_user(cast.globex, "ann", by=cast.gina, at=NOON)
    unblock_end_user(cast.globex, "ann", by=cast.gina)
    assert reread(row).requests_per_day == 5


def test_there_are_not_more_than_a_process_can_have_in_memory(cast: Cast, monkeypatch):
    monkeypatch.setattr(end_users, "MOST_BLOCKED", 1)
    block_end_user(cast.globex, "ann", by=cast.gina, at=NOON)
    with pytest.raises(ValidationError, match="At most 1"):
        block_end_user(cast.globex, "bob", by=cast.gina, at=NOON)
    block_end_user(cast.initech, "bob", by=cast.ira, at=NOON)


def test_operator_and_customer_have_a_note_each(cast: Cast):
    note_end_user(cast.globex, "ann", " theirs ", by=cast.gina)
    row = note_end_user(cast.globex, "ann", "ours", by=cast.olivia, is_operator=True)
    assert (row.note, row.operator_note) == ("theirs", "ours")
    events = AuditEvent.objects.filter(action="end_user.note").order_by("pk")
    assert [(event.customer_id, event.changes) for event in events] == [
        (cast.globex.pk, {"note": ["", "theirs"]}),
        (None, {"note": ["", "ours"]}),
    ]
    note_end_user(cast.globex, "ann", "theirs", by=cast.gina)
    assert events.count() == 2
    with pytest.raises(ValidationError):
        note_end_user(cast.globex, "ann", "x" * 2001, by=cast.gina)

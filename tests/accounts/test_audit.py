import ast
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction

from apps.accounts import audit
from apps.accounts.actions import ACTIONS
from apps.accounts.models import AuditEvent, Organization, Role
from apps.accounts.services import invite_member
from apps.customers.models import Customer
from tests.cast import Cast, a_link, a_member, a_proxy_key
from tests.pages import text_of


def an_event(cast: Cast, **fields) -> AuditEvent:
    return audit.record(cast.acme, "customer.update", cast.globex, actor=cast.olivia, **fields)


def test_an_event_tells_who_did_what_to_what(cast: Cast):
    event = an_event(cast, customer=cast.globex, changes={"name": ("Globex", "Globex Inc")})
    event.refresh_from_db()
    assert (event.actor_id, event.actor_label) == (cast.olivia.pk, "olivia@example.com")
    assert (event.target_type, event.target_id, event.target_label) == (
        "customer",
        str(cast.globex.pk),
        "Globex",
    )
    assert (event.organization, event.customer_id) == (cast.acme, cast.globex.pk)
    assert event.changes == {"name": ["Globex", "Globex Inc"]}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("25.000000000000"), "25"),
        (Decimal("0.000000000001"), "0.000000000001"),
        (Decimal("1E+3"), "1000"),
        (Decimal(0), "0"),
        (None, None),
        (7, 7),
        (datetime(2026, 11, 20, tzinfo=UTC), "2026-11-20T00:00:00Z"),
    ],
)
def test_values_are_written_as_people_write_them(cast: Cast, value, written):
    event = an_event(cast, changes={"field": (value, None)})
    event.refresh_from_db()
    assert event.changes == {"field": [written, None]}


@pytest.mark.parametrize("name", sorted(audit.NEVER_AUDITED))
def test_secrets_are_never_written_down(cast: Cast, name):
    with pytest.raises(ValueError, match=name):
        an_event(cast, changes={"name": ("a", "b"), name: ("a", "b")})


def test_a_difference_has_only_what_differs():
    before, after = {"a": 1, "b": 2, "gone": 3}, {"a": 1, "b": 5, "new": 4}
    assert audit.difference(before, after) == {"b": (2, 5), "gone": (3, None), "new": (None, 4)}


def test_what_a_page_does_has_the_browsers_address(cast: Cast, client, settings):
    settings.TRUSTED_PROXIES = []
    client.force_login(cast.stranger)
    _, link = invite_member(cast.acme, email=cast.stranger.email, role=Role.VIEWER, by=cast.olivia)
    client.post(link.removeprefix(settings.PUBLIC_URL), REMOTE_ADDR="203.0.113.9")
    newest = cast.acme.audit_events.order_by("-pk").first()
    assert (newest.action, newest.ip) == ("member.add", "203.0.113.9")
    assert audit.client_address.get() is None


# Only added to


@pytest.mark.parametrize(
    "tampering",
    [
        lambda events: events.update(actor_label="somebody else"),
        lambda events: events.update(changes={}),
        lambda events: events.delete(),
        lambda events: events._raw_delete(events.db),
        lambda events: events.first().delete(),
    ],
)
def test_the_database_refuses_to_change_or_delete_events(cast: Cast, tampering):
    an_event(cast)
    before = list(AuditEvent.objects.order_by("pk").values())
    with pytest.raises(IntegrityError, match="only added to"), transaction.atomic():
        tampering(AuditEvent.objects.all())
    assert list(AuditEvent.objects.order_by("pk").values()) == before


def test_events_outlive_the_people_and_customers_they_are_about(cast: Cast):
    member = a_member(cast.acme)
    event = audit.record(cast.acme, "customer.update", cast.globex, actor=member.user, customer=cast.globex)
    email, globex_id = member.user.email, cast.globex.pk
    member.user.delete()
    Customer.objects.get(pk=globex_id).delete()
    event.refresh_from_db()
    assert (event.actor_label, event.customer_id) == (email, globex_id)


@pytest.mark.django_db(transaction=True)
def test_events_go_with_their_organization_and_no_others(cast: Cast):
    a_link(cast.globex)
    a_proxy_key(cast.globex)
    an_event(cast)
    others = cast.evil_corp.audit_events.count()
    Organization.objects.get(pk=cast.acme.pk).delete()
    assert AuditEvent.objects.count() == cast.evil_corp.audit_events.count() == others > 0


def test_an_event_needs_an_organization(cast: Cast):
    gone = Organization(name="Gone", slug="gone")
    with pytest.raises(IntegrityError), transaction.atomic():
        audit.record(gone, "customer.update", gone, actor=None)
        connection.check_constraints()


# What actions are called


def recorded_actions() -> set[str]:
    """All that the code has `audit.record` note, or hands to a helper that does."""
    found = set()
    for path in Path("apps").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            name = getattr(getattr(call, "func", None), "attr", "") or getattr(getattr(call, "func", None), "id", "")
            if name in ("record", "_record"):
                found |= {each.value for each in call.args if isinstance(each, ast.Constant)}
    return {action for action in found if isinstance(action, str) and "." in action}


def test_every_action_that_is_recorded_has_a_name():
    """Those that are put together while it runs are looked at wherever a test records one: tests/conftest.py."""
    assert len(recorded_actions()) > 60
    assert recorded_actions() - ACTIONS.keys() == set()


def test_a_page_says_what_was_done_in_words(cast: Cast, client):
    an_event(cast)
    client.force_login(cast.olivia)
    page = client.get("/console/audit/")
    assert "Customer changed Globex" in text_of(page)
    assert AuditEvent(action="of.long_ago").action_name == "of.long_ago"

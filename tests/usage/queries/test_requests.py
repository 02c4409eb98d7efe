from datetime import timedelta
from uuid import UUID

import pytest

from apps.usage.models import Request
from apps.usage.queries import recent_requests
from tests.usage.conftest import NOON, a_call, write_spool


@pytest.fixture
def history(cast, root, ship) -> list[UUID]:
    """Twelve requests of Globex, newest first; four each at the same time. Some of others."""
    for number in range(12):
        at = NOON + timedelta(days=40 * (number // 4))
        write_spool(root, a_call(cast.globex, at=at) + a_call(cast.initech, at=at) + a_call(cast.shady, at=at))
    ship()
    rows = Request.objects.filter(customer_id=cast.globex.pk).order_by("-started_at", "-id")
    return list(rows.values_list("id", flat=True))


@pytest.mark.parametrize("limit", [1, 3, 5, 12, 50])
def test_pages_have_every_request_once_newest_first(cast, history, limit):
    found, cursor = [], None
    for _ in range(100):
        page = recent_requests(cast.acme.pk, cast.globex.pk, before=cursor, limit=limit)
        assert len(page.requests) <= limit
        found += [request.id for request in page.requests]
        if (cursor := page.next) is None:
            break
    assert found == history


def test_requests_of_the_organization_are_those_of_its_customers(cast, history):
    found = recent_requests(cast.acme.pk).requests
    assert {request.customer_id for request in found} == {cast.globex.pk, cast.initech.pk}
    assert len(found) == 24


def test_customer_of_a_stranger_has_none(cast, history):
    assert recent_requests(cast.acme.pk, cast.shady.pk).requests == []


@pytest.mark.parametrize("cursor", ["", "x", "?" * 40, "A" * 32, "_" * 500])
def test_cursor_of_nonsense_is_the_first_page_or_none(cast, history, cursor):
    found = [request.id for request in recent_requests(cast.acme.pk, cast.globex.pk, before=cursor).requests]
    assert found in (history, [])

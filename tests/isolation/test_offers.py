"""No page offers what its reader may not open: every link and every form, for each role."""

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import resolve

from apps.accounts.models import Role
from apps.customers.models import CustomerRole
from tests.cast import Cast, a_customer_member, a_member
from tests.isolation.pages import pages
from tests.isolation.test_foreign_objects import of_customer, of_operator

READERS = [Role.BILLING, Role.VIEWER, CustomerRole.DEVELOPER, CustomerRole.VIEWER]


def offered(said: str, face: str) -> Iterator[tuple[str, object]]:
    """The names of what a page's links and forms lead to, and to which role each is open."""
    for address in re.findall(r'(?:href|action)="(/[^"]*)"', said):
        path = urlsplit(unescape(address)).path
        if path.startswith(f"/{face}/"):
            found = resolve(path)
            yield found.view_name, getattr(found.func, "open_to", None)


@pytest.mark.parametrize("role", READERS, ids=lambda role: f"{type(role).__name__} {role}")
def test_a_page_offers_only_what_its_reader_may_open(client: Client, cast: Cast, role):
    face = "console" if isinstance(role, Role) else "portal"
    objects = of_operator(cast.acme, cast.globex) if face == "console" else of_customer(cast.globex)
    reader = a_member(cast.acme, role) if face == "console" else a_customer_member(cast.globex, role)
    client.force_login(reader.user)
    looked_at, beyond = 0, set()
    for page in pages():
        if page.face != face or not role.includes(page.open_to):
            continue
        answer = client.get(page.url_of(objects))
        if answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/html"):
            looked_at += 1
            links = offered(answer.content.decode(), face)
            beyond |= {(page.name, name) for name, open_to in links if open_to and not role.includes(open_to)}
    assert looked_at > 20
    assert beyond == set()

"""Every page of the console and the portal, from the resolver: a new one is tested once it has a URL."""

from collections.abc import Iterator
from typing import NamedTuple
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.urls.converters import IntConverter, SlugConverter, StringConverter, UUIDConverter

from apps.accounts.models import Role
from apps.customers.models import CustomerRole
from tests.cast import Cast

ROLES = {"console": Role, "portal": CustomerRole}
MADE_UP = {UUIDConverter: uuid4(), IntConverter: 1, SlugConverter: "made-up", StringConverter: "made-up"}


class Page(NamedTuple):
    face: str
    name: str
    pattern: URLPattern

    @property
    def url(self) -> str:
        """The page's address, with ids that nobody has. A converter that is not in MADE_UP: add it there."""
        converters = self.pattern.pattern.converters
        return reverse(self.name, kwargs={name: MADE_UP[type(one)] for name, one in converters.items()})


def pages() -> Iterator[Page]:
    for resolver in get_resolver().url_patterns:
        if isinstance(resolver, URLResolver) and resolver.namespace in ROLES:
            for pattern in resolver.url_patterns:
                assert isinstance(pattern, URLPattern), f"look into {pattern} here too"
                yield Page(resolver.namespace, f"{resolver.namespace}:{pattern.name}", pattern)


@pytest.fixture(params=["console", "portal"])
def face(request) -> list[Page]:
    found = [page for page in pages() if page.face == request.param]
    assert found
    return found


def test_every_view_tells_which_role_it_is_open_to(face):
    told = {page.name: getattr(page.pattern.callback, "open_to", None) for page in face}
    assert {name: role for name, role in told.items() if not isinstance(role, ROLES[face[0].face])} == {}


@pytest.mark.parametrize("method", ["get", "post"])
def test_who_is_not_signed_in_gets_nothing_but_the_way_to_sign_in(face, client: Client, method):
    for page in face:
        answer = getattr(client, method)(page.url)
        assert answer.status_code in (302, 405), page.name
        if answer.status_code == 302:
            assert answer.headers["Location"] == f"/accounts/login/?next={page.url}", page.name


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("who", ["stranger", "of the other face"])
def test_for_who_does_not_belong_there_is_no_such_page(face, client: Client, cast: Cast, method, who):
    other = cast.gina if face[0].face == "console" else cast.olivia
    client.force_login(cast.stranger if who == "stranger" else other)
    for page in face:
        assert getattr(client, method)(page.url).status_code in (404, 405), page.name

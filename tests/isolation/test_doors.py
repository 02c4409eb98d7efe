"""Who gets through which door: every page, for everybody who has no business there."""

from collections import defaultdict
from collections.abc import Mapping
from uuid import uuid4

import pytest
from django.test import Client

from tests.cast import Cast, a_customer_member, a_member
from tests.isolation.pages import ROLES, Page, pages

NOBODYS: Mapping[str, object] = defaultdict(uuid4)  # an id of nothing, for whatever an address names


@pytest.fixture(params=ROLES)
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
        url = page.url_of(NOBODYS)
        answer = getattr(client, method)(url)
        assert answer.status_code in (302, 405), page.name
        if answer.status_code == 302:
            assert answer.headers["Location"] == f"/accounts/login/?next={url}", page.name


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("who", ["stranger", "of the other face"])
def test_for_who_does_not_belong_there_is_no_such_page(face, client: Client, cast: Cast, method, who):
    other = cast.gina if face[0].face == "console" else cast.olivia
    client.force_login(cast.stranger if who == "stranger" else other)
    for page in face:
        assert getattr(client, method)(page.url_of(NOBODYS)).status_code in (404, 405), page.name


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_page_is_open_to_its_role_and_those_above_it(face, client: Client, cast: Cast, method):
    for role in ROLES[face[0].face]:
        make = a_member if face[0].face == "console" else a_customer_member
        client.force_login(make(cast.acme if face[0].face == "console" else cast.globex, role).user)
        for page in face:
            status = getattr(client, method)(page.url_of(NOBODYS)).status_code
            if status != 405:
                assert (status == 403) is not role.includes(page.open_to), (page.name, role, status)

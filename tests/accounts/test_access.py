"""Who gets through the doors of the console and the portal, and as whom."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse

from apps.accounts import access
from apps.accounts.models import Role
from apps.accounts.services import add_member, change_role, remove_member
from apps.customers import access as customer_access
from apps.customers.models import CustomerRole
from apps.customers.queries import places_of
from apps.customers.services import add_customer_member, remove_customer_member
from tests.cast import Cast, a_customer_member, a_member, a_person


@pytest.fixture
def visit(rf):
    """Opens a page for `user`, with what the session has: the page answers with whom it was opened for."""

    def visit(page, user, **session):
        request = rf.get("/page/?a=1")
        request.user, request.session = user, session
        return page(request, "argument")

    return visit


def console_for(role: Role):
    @access.operator_page(role)
    def page(request, argument):
        assert argument == "argument"
        return HttpResponse(f"{request.organization.slug} {request.member.role}")

    return page


def portal_for(role: CustomerRole):
    @customer_access.portal_page(role)
    def page(request, argument):
        assert argument == "argument"
        return HttpResponse(f"{request.customer.slug} {request.customer_member.role}")

    return page


ANY, ANY_CUSTOMER = console_for(Role.VIEWER), portal_for(CustomerRole.VIEWER)


def test_who_is_not_signed_in_is_asked_to_and_comes_back(visit):
    for page in (ANY, ANY_CUSTOMER):
        answer = visit(page, AnonymousUser())
        assert (answer.status_code, answer.headers["Location"]) == (
            302,
            "/accounts/login/?next=/page/%3Fa%3D1",
        )


def test_members_work_at_their_own_organization(cast: Cast, visit):
    assert visit(ANY, cast.olivia).content == b"acme owner"
    assert visit(ANY, cast.mallory).content == b"evil-corp owner"


def test_customers_people_enter_their_own_portal(cast: Cast, visit):
    assert visit(ANY_CUSTOMER, cast.gina).content == b"globex admin"
    assert visit(ANY_CUSTOMER, cast.ira).content == b"initech admin"


@pytest.mark.parametrize(("page", "who"), [(ANY, "gina"), (ANY, "stranger"), (ANY_CUSTOMER, "olivia")])
def test_for_others_there_is_no_such_page(cast: Cast, visit, page, who):
    with pytest.raises(Http404):
        visit(page, getattr(cast, who))


@pytest.mark.parametrize("needed", Role)
@pytest.mark.parametrize("has", Role)
def test_a_role_opens_what_it_includes(cast: Cast, visit, has, needed):
    user = a_member(cast.acme, has).user
    if has.includes(needed):
        assert visit(console_for(needed), user).status_code == 200
    else:
        with pytest.raises(PermissionDenied):
            visit(console_for(needed), user)


@pytest.mark.parametrize("needed", CustomerRole)
@pytest.mark.parametrize("has", CustomerRole)
def test_a_customers_role_opens_what_it_includes(cast: Cast, visit, has, needed):
    user = a_customer_member(cast.globex, has).user
    if has.includes(needed):
        assert visit(portal_for(needed), user).status_code == 200
    else:
        with pytest.raises(PermissionDenied):
            visit(portal_for(needed), user)


def test_changes_of_membership_hold_for_the_next_click(cast: Cast, visit):
    member = a_member(cast.acme, Role.ADMIN)
    admins = console_for(Role.ADMIN)
    assert visit(admins, member.user).status_code == 200
    change_role(member, Role.VIEWER, by=None)
    with pytest.raises(PermissionDenied):
        visit(admins, member.user)
    remove_member(member, by=None)
    with pytest.raises(Http404):
        visit(ANY, member.user)
    guest = a_customer_member(cast.globex)
    remove_customer_member(guest, by=None)
    with pytest.raises(Http404):
        visit(ANY_CUSTOMER, guest.user)


def test_pages_are_kept_by_no_cache(cast: Cast, visit):
    for page, user in ((ANY, cast.olivia), (ANY_CUSTOMER, cast.gina)):
        assert "no-store" in visit(page, user).headers["Cache-Control"]


def test_a_page_tells_whom_it_is_open_to():
    assert console_for(Role.ADMIN).open_to == Role.ADMIN
    assert portal_for(CustomerRole.DEVELOPER).open_to == CustomerRole.DEVELOPER


# Members of several


def test_the_oldest_membership_counts_until_another_is_chosen(cast: Cast, visit):
    add_member(cast.evil_corp, cast.olivia, Role.VIEWER, by=None)
    assert visit(ANY, cast.olivia).content == b"acme owner"
    assert visit(ANY, cast.olivia, organization=str(cast.evil_corp.pk)).content == b"evil-corp viewer"


def test_somebody_elses_organization_cannot_be_chosen(cast: Cast, visit):
    for chosen in (cast.evil_corp.pk, uuid4()):
        assert visit(ANY, cast.olivia, organization=str(chosen)).content == b"acme owner"
    assert visit(ANY_CUSTOMER, cast.gina, customer=str(cast.initech.pk)).content == b"globex admin"


def test_switching_between_places(cast: Cast, client):
    person = a_person()
    for organization in (cast.acme, cast.evil_corp):
        add_member(organization, person, Role.VIEWER, by=None)
    add_customer_member(cast.globex, person, CustomerRole.VIEWER, by=None)
    client.force_login(person)
    client.post(f"/organizations/{cast.evil_corp.pk}/switch/")
    assert client.session["organization"] == str(cast.evil_corp.pk)
    client.post(f"/customers/{cast.globex.pk}/switch/")
    assert client.session["customer"] == str(cast.globex.pk)
    client.post(f"/organizations/{cast.acme.pk}/switch/")
    assert (client.session["organization"], "customer" in client.session) == (str(cast.acme.pk), False)


def test_switching_to_foreign_and_unknown_places_is_the_same_404(cast: Cast, client):
    client.force_login(cast.olivia)
    answers = [
        client.post(f"/{kind}/{place}/switch/")
        for kind, places in {
            "organizations": (cast.evil_corp.pk, uuid4()),
            "customers": (cast.globex.pk, cast.shady.pk, uuid4()),
        }.items()
        for place in places
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1


def test_switching_takes_a_post(cast: Cast, client):
    client.force_login(cast.olivia)
    assert client.get(f"/organizations/{cast.acme.pk}/switch/").status_code == 405


def test_places_are_ones_own(cast: Cast):
    add_customer_member(cast.globex, cast.olivia, CustomerRole.VIEWER, by=None)
    assert places_of(cast.olivia) == [
        ("organization", cast.acme.pk, "Acme"),
        ("customer", cast.globex.pk, "Globex"),
    ]
    assert places_of(cast.stranger) == []


def test_who_belongs_nowhere_is_told_so(cast: Cast, client):
    client.force_login(cast.stranger)
    answer = client.get("/")
    assert (answer.status_code, answer.templates[0].name) == (200, "account/nowhere.html")

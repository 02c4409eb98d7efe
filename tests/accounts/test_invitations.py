"""Coming in by a link, for members of an operator and for people of its customers alike."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from apps.accounts import services
from apps.accounts.errors import AccountExists, AlreadyMember, InvitationUnusable
from apps.accounts.models import BaseInvitation, Role, User
from apps.accounts.people import create_person
from apps.customers import services as customer_services
from apps.customers.models import CustomerRole
from tests.cast import Cast, a_person, at_once, reread

NEW = "ada@example.com"
PASSWORD = "correct horse battery"
FORM = {"name": "Ada", "password": PASSWORD}


@dataclass
class House:
    """Acme, or Globex's portal: what people are invited to."""

    invite: Callable[..., tuple[BaseInvitation, str]]
    withdraw: Callable
    accept: Callable
    accept_as_new: Callable
    people: Callable[[], list[tuple[str, str]]]  # e-mail addresses and roles, but for who was there before
    home: str


@pytest.fixture(params=["organization", "customer"])
def house(request, cast: Cast) -> House:
    if request.param == "organization":
        return House(
            invite=lambda email=NEW, **fields: services.invite_member(
                cast.acme, email=email, role=Role.BILLING, by=cast.olivia, **fields
            ),
            withdraw=services.withdraw_invitation,
            accept=services.accept_invitation,
            accept_as_new=services.accept_invitation_as_new,
            people=lambda: list(
                cast.acme.members.exclude(user=cast.olivia).values_list("user__email", "role").order_by("pk")
            ),
            home="/console/",
        )
    return House(
        invite=lambda email=NEW, **fields: customer_services.invite_customer_member(
            cast.globex, email=email, role=CustomerRole.DEVELOPER, by=cast.olivia, **fields
        ),
        withdraw=customer_services.withdraw_customer_invitation,
        accept=customer_services.accept_customer_invitation,
        accept_as_new=customer_services.accept_customer_invitation_as_new,
        people=lambda: list(
            cast.globex.members.exclude(user=cast.gina).values_list("user__email", "role").order_by("pk")
        ),
        home="/portal/",
    )


@pytest.fixture
def role(house: House) -> str:
    return "billing" if house.home == "/console/" else "developer"


def path_of(link: str) -> str:
    return link.removeprefix("http://localhost:8000")


# Inviting


def test_the_link_is_mailed_and_only_its_hash_is_stored(house: House, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        invitation, link = house.invite(f" {NEW.upper()} ")
    (sent,) = mail.outbox
    assert sent.to == [NEW]
    assert link in sent.body
    assert "Olivia" in sent.body
    token = link.rstrip("/").rpartition("/")[2]
    assert len(token) == 43  # 256 bits
    assert bytes(reread(invitation).token_hash) == hashlib.sha256(token.encode()).digest()


def test_the_mail_has_no_markup_in_it(house: House, cast: Cast, django_capture_on_commit_callbacks):
    cast.acme.name = cast.globex.name = "<b>R&D</b>"
    with django_capture_on_commit_callbacks(execute=True):
        house.invite()
    assert "<b>R&D</b>" in mail.outbox[0].subject
    assert "\n" not in mail.outbox[0].subject


def test_nothing_is_mailed_when_the_invitation_is_undone(house: House):
    house.invite()
    assert mail.outbox == []


@pytest.mark.parametrize("email", ["", "nobody", "a@b\r\nBcc: c@example.com"])
def test_what_is_no_address_is_not_invited(house: House, email):
    with pytest.raises(ValidationError):
        house.invite(email)


def test_who_is_in_is_not_invited(house: House, cast: Cast):
    invitation, _ = house.invite(cast.stranger.email)
    house.accept(invitation, cast.stranger, at=timezone.now())
    with pytest.raises(AlreadyMember):
        house.invite(cast.stranger.email.upper())


def test_a_second_invitation_ends_the_first(house: House, client: Client):
    _, first = house.invite()
    _, second = house.invite(NEW.upper())
    assert client.get(path_of(first)).status_code == 404
    assert client.get(path_of(second)).status_code == 200


# Accepting without an account


def test_a_new_person_sets_a_password_and_is_in(house: House, client: Client, role):
    _, link = house.invite()
    page = client.get(path_of(link))
    assert page.status_code == 200
    assert page.headers["Cache-Control"].count("no-store") == 1
    answer = client.post(path_of(link), FORM)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    assert client.get("/").headers["Location"].startswith(house.home)
    assert house.people() == [(NEW, role)]
    ada = User.objects.get(email=NEW)
    assert (ada.name, ada.check_password(PASSWORD)) == ("Ada", True)
    assert EmailAddress.objects.get(user=ada).verified


def test_the_link_works_once(house: House, client: Client, role):
    _, link = house.invite()
    client.post(path_of(link), FORM)
    other = Client()
    assert other.get(path_of(link)).status_code == 404
    assert other.post(path_of(link), {"name": "Eve", "password": PASSWORD}).status_code == 404
    assert house.people() == [(NEW, role)]


@pytest.mark.parametrize(
    "form",
    [
        {"name": "Ada", "password": "short"},
        {"name": "Ada", "password": "password123"},
        {"name": "Ada", "password": NEW},
        {"name": "", "password": PASSWORD},
        {"name": "x" * 121, "password": PASSWORD},
        {},
    ],
)
def test_a_form_that_is_not_filled_in_well_makes_nobody(house: House, client: Client, form):
    invitation, link = house.invite()
    assert client.post(path_of(link), form).status_code == 200
    assert not User.objects.filter(email=NEW).exists()
    assert reread(invitation).accepted_at is None


def test_the_form_decides_neither_address_nor_role(house: House, client: Client, role):
    _, link = house.invite()
    client.post(path_of(link), FORM | {"email": "eve@example.com", "role": "owner", "is_staff": "1"})
    assert house.people() == [(NEW, role)]
    assert not User.objects.get(email=NEW).is_staff


def test_signing_in_by_the_link_makes_a_new_session(house: House, client: Client):
    session = client.session
    session["planted"] = "by somebody else"
    session.save()
    before = client.cookies["tollgate_session"].value
    _, link = house.invite()
    client.post(path_of(link), FORM)
    assert client.cookies["tollgate_session"].value != before


# Accepting with an account


def test_who_has_an_account_is_asked_to_sign_in(house: House, client: Client, role):
    a_person(NEW, password=PASSWORD)
    invitation, link = house.invite()
    page = client.get(path_of(link))
    sign_in = re.search(r'href="(/accounts/login/\?next=[^"]+)"', page.content.decode())[1]
    assert client.post(path_of(link), FORM).status_code == 200
    assert reread(invitation).accepted_at is None
    answer = client.post(sign_in, {"login": NEW, "password": PASSWORD})
    assert answer.headers["Location"] == path_of(link)
    assert client.post(path_of(link)).headers["Location"] == "/"
    assert house.people() == [(NEW, role)]


def test_accepting_verifies_the_address(house: House):
    ada = create_person(NEW, is_verified=False)
    invitation, _ = house.invite()
    house.accept(invitation, ada, at=timezone.now())
    assert EmailAddress.objects.get(user=ada).verified


def test_an_invitation_is_for_the_invited_address_alone(house: House, client: Client, cast: Cast):
    invitation, link = house.invite()
    client.force_login(cast.mallory)
    assert NEW in client.get(path_of(link)).content.decode()
    client.post(path_of(link), FORM)
    with pytest.raises(InvitationUnusable, match=NEW):
        house.accept(invitation, cast.mallory, at=timezone.now())
    assert house.people() == []
    assert reread(invitation).accepted_at is None


def test_who_is_in_already_keeps_the_role_and_the_invitation_stays(house: House, cast: Cast):
    invitation, _ = house.invite(cast.stranger.email)
    first = house.accept(invitation, cast.stranger, at=timezone.now())
    type(invitation).objects.filter(pk=invitation.pk).update(accepted_at=None)
    with pytest.raises(AlreadyMember):
        house.accept(invitation, cast.stranger, at=timezone.now())
    assert reread(first).role == first.role


# Ends


def test_an_invitation_expires(house: House, client: Client, cast: Cast, settings, time_machine):
    invitation, link = house.invite(cast.stranger.email)
    end = invitation.expires_at
    time_machine.move_to(end - timedelta(seconds=1))
    assert client.get(path_of(link)).status_code == 200
    time_machine.move_to(end)
    assert client.get(path_of(link)).status_code == 404
    with pytest.raises(InvitationUnusable):
        house.accept(invitation, cast.stranger, at=end)


def test_a_withdrawn_invitation_is_gone(house: House, client: Client, cast: Cast):
    invitation, link = house.invite(cast.stranger.email)
    stale = reread(invitation)
    house.withdraw(invitation, by=cast.olivia)
    house.withdraw(stale, by=cast.olivia)
    assert client.get(path_of(link)).status_code == 404
    with pytest.raises(InvitationUnusable, match="withdrawn"):
        house.accept(stale, cast.stranger, at=timezone.now())
    assert cast.acme.audit_events.filter(action__endswith="withdraw_invitation").count() == 1


def test_an_accepted_invitation_is_not_withdrawn(house: House, cast: Cast):
    invitation, _ = house.invite(cast.stranger.email)
    house.accept(invitation, cast.stranger, at=timezone.now())
    house.withdraw(invitation, by=cast.olivia)
    assert reread(invitation).accepted_at is not None


@pytest.mark.parametrize("token", ["x", "%00", "..%2f", "A" * 43, "A" * 5000])
def test_a_token_that_never_was_is_a_404(client: Client, db, token):
    assert client.get(f"/invitations/{token}/").status_code == 404
    assert client.get(f"/portal-invitations/{token}/").status_code == 404


def test_a_token_of_one_kind_opens_no_other_door(client: Client, house: House):
    _, link = house.invite()
    path = path_of(link)
    other = path.replace("/portal-", "/") if "/portal-" in path else path.replace("/invit", "/portal-invit")
    assert client.get(other).status_code == 404


# Races


@pytest.mark.django_db(transaction=True)
def test_of_acceptances_at_once_one_lets_in(house: House, cast: Cast, role):
    invitation, _ = house.invite(cast.stranger.email)
    outcomes = at_once(5, lambda: house.accept(invitation, cast.stranger, at=timezone.now()))
    assert sum(isinstance(outcome, InvitationUnusable) for outcome in outcomes) == 4
    assert house.people() == [(cast.stranger.email, role)]


@pytest.mark.django_db(transaction=True)
def test_of_new_people_at_once_one_is_made(house: House, role):
    invitation, _ = house.invite()
    outcomes = at_once(4, lambda: house.accept_as_new(invitation, name="Ada", password=PASSWORD, at=timezone.now()))
    assert sum(isinstance(outcome, AccountExists) for outcome in outcomes) == 3
    assert User.objects.filter(email=NEW).count() == 1
    assert house.people() == [(NEW, role)]


def test_the_audit_log_tells_of_invitation_and_entry(house: House, cast: Cast):
    invitation, link = house.invite(cast.stranger.email)
    house.accept(invitation, cast.stranger, at=timezone.now())
    invited, entered = cast.acme.audit_events.order_by("-pk")[:2][::-1]
    assert (invited.action.rpartition(".")[2], invited.actor_id) == ("invite", cast.olivia.pk)
    assert (entered.action.rpartition(".")[2], entered.actor_id) == ("add", cast.stranger.pk)
    assert link.rstrip("/").rpartition("/")[2] not in str(list(cast.acme.audit_events.values()))


# On pages, by those who may


DOORS = [  # who signs in, the page that lists invitations, where an invitation's buttons are
    pytest.param("organization", "olivia", "/console/members/", "/console/invitations/", id="members"),
    pytest.param("customer", "gina", "/portal/members/", "/portal/invitations/", id="portal"),
    pytest.param("customer", "olivia", "/console/customers/{customer}/", "/console/customers/{customer}/invitations/",
                 id="a-customers-people"),
]  # fmt: skip


@pytest.mark.parametrize(("house", "who", "page", "buttons"), DOORS, indirect=["house"])
def test_an_invitation_is_sent_again_and_withdrawn(
    house: House, who: str, page: str, buttons: str, client: Client, cast: Cast, django_capture_on_commit_callbacks
):
    page, buttons = (each.format(customer=cast.globex.pk) for each in (page, buttons))
    first, link = house.invite()
    client.force_login(getattr(cast, who))
    assert f"{buttons}{first.pk}/withdraw/" in client.get(page).content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post(f"{buttons}{first.pk}/resend/").status_code == 302
    assert [sent.to for sent in mail.outbox] == [[NEW]]
    assert Client().get(path_of(link)).status_code == 404  # the earlier link ended
    second = type(first).objects.get()
    assert (second.email, second.role, second.pk != first.pk) == (NEW, first.role, True)
    assert client.post(f"{buttons}{second.pk}/withdraw/").status_code == 302
    assert not type(first).objects.exists()
    assert f"{buttons}{second.pk}/" not in client.get(page).content.decode()


@pytest.mark.parametrize(("house", "who", "page", "buttons"), DOORS, indirect=["house"])
def test_nobody_elses_invitation_is_there(house: House, who: str, page: str, buttons: str, client: Client, cast: Cast):
    buttons = buttons.format(customer=cast.globex.pk)
    foreign, _ = customer_services.invite_customer_member(cast.shady, email=NEW, by=None)
    theirs, _ = services.invite_member(cast.evil_corp, email=NEW, role=Role.BILLING, by=None)
    client.force_login(getattr(cast, who))
    for action in ("resend", "withdraw"):
        assert client.post(f"{buttons}{foreign.pk}/{action}/").status_code == 404
        assert client.post(f"{buttons}{theirs.pk}/{action}/").status_code == 404
    assert {reread(foreign).pk, reread(theirs).pk} == {foreign.pk, theirs.pk}

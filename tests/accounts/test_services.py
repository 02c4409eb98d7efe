from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from apps.accounts import services
from apps.accounts.errors import AlreadyMember, LastOwner, NameTaken, NotAllowed
from apps.accounts.models import Member, Organization, Role, User
from apps.accounts.people import create_person, user_of
from tests.cast import Cast, a_member, a_person, an_organization, at_once, reread


def actions(organization: Organization) -> list[str]:
    return list(organization.audit_events.order_by("pk").values_list("action", flat=True))


# Organizations


def test_a_new_organization_has_an_owner_who_is_made(db):
    acme = services.create_organization(" Acme ", owner_email="Olivia@Example.com", password="correct horse 1")
    olivia = user_of("olivia@example.com")
    assert (acme.name, acme.slug, acme.time_zone) == ("Acme", "acme", "UTC")
    assert olivia.check_password("correct horse 1")
    assert list(acme.members.values_list("user", "role")) == [(olivia.pk, "owner")]
    assert actions(acme) == ["organization.create", "member.add"]


def test_a_person_who_exists_keeps_the_password(db):
    olivia = a_person("olivia@example.com", password="hers")
    services.create_organization("Acme", owner_email="OLIVIA@example.com", password="another")
    assert User.objects.get().check_password("hers")
    assert olivia.memberships.count() == 1


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Acme", "acme-2"), ("ACME!", "acme-2"), ("Ünï Cödé", "uni-code"), ("株式会社", "organization")],
)
def test_a_slug_is_made_from_the_name(cast: Cast, name, slug):
    assert an_organization(name).slug == slug


def test_a_long_name_has_a_slug_that_fits(db):
    slugs = [an_organization("long " * 20).slug for _ in range(2)]
    assert [len(slug) <= 63 for slug in slugs] == [True, True]
    assert slugs[1] == slugs[0][:61].rstrip("-") + "-2" or slugs[1].endswith("-2")


def test_a_slug_that_was_asked_for_is_not_changed(cast: Cast):
    with pytest.raises(NameTaken, match="“acme”"):
        services.create_organization("Acme", owner=cast.stranger, slug="acme")
    assert Organization.objects.count() == 2


@pytest.mark.parametrize("bad", [{"name": " "}, {"name": "x" * 121}, {"name": "A", "time_zone": "Mars/Base"}])
def test_a_bad_organization_is_not_made_and_neither_is_its_owner(db, bad):
    with pytest.raises(ValidationError):
        services.create_organization(owner_email="olivia@example.com", **bad)
    assert not User.objects.exists()


def test_an_organization_without_an_owner_is_not_made(db):
    with pytest.raises(ValidationError):
        services.create_organization("Acme", owner_email="nonsense")
    assert not Organization.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_organizations_of_a_name_made_at_once_have_different_slugs():
    owner = a_person()
    made = at_once(5, lambda: services.create_organization("Acme", owner=owner))
    assert sorted(one.slug for one in made) == ["acme", "acme-2", "acme-3", "acme-4", "acme-5"]


def test_settings_are_changed_and_audited(cast: Cast):
    services.update_organization(cast.acme, by=cast.olivia, default_markup_percent=Decimal("12.50"), name="Acme")
    assert reread(cast.acme).default_markup_percent == Decimal("12.5")
    event = cast.acme.audit_events.get(action="organization.update")
    assert event.changes == {"default_markup_percent": ["0", "12.5"]}
    assert event.actor_id == cast.olivia.pk


def test_a_change_that_changes_nothing_is_not_audited(cast: Cast):
    services.update_organization(cast.acme, by=cast.olivia, name="Acme")
    assert "organization.update" not in actions(cast.acme)


def test_a_bad_setting_changes_nothing(cast: Cast):
    with pytest.raises(ValidationError):
        services.update_organization(cast.acme, by=cast.olivia, name="Other", time_zone="Mars/Base")
    assert reread(cast.acme).name == "Acme"


def test_what_is_no_setting_cannot_be_changed(cast: Cast):
    with pytest.raises(TypeError, match="slug"):
        services.update_organization(cast.acme, by=cast.olivia, slug="other")


# Members and roles


@pytest.mark.parametrize(("has", "may"), [("owner", 4), ("admin", 3), ("billing", 2), ("viewer", 1)])
def test_a_role_includes_those_after_it(has, may):
    roles = [Role.VIEWER, Role.BILLING, Role.ADMIN, Role.OWNER]
    assert [Role(has).includes(role) for role in roles] == [True] * may + [False] * (4 - may)


def test_nobody_is_a_member_twice(cast: Cast):
    with pytest.raises(AlreadyMember):
        services.add_member(cast.acme, cast.olivia, Role.VIEWER, by=None)
    assert reread(cast.acme.members.get()).role == Role.OWNER


def test_a_role_is_changed_and_audited(cast: Cast):
    member = a_member(cast.acme, Role.VIEWER)
    services.change_role(member, Role.BILLING, by=cast.olivia)
    services.change_role(member, Role.BILLING, by=cast.olivia)
    assert reread(member).role == Role.BILLING
    event = cast.acme.audit_events.get(action="member.change_role")
    assert event.changes == {"role": ["viewer", "billing"]}


def test_an_admin_makes_no_owner_and_unmakes_none(cast: Cast):
    admin, viewer, owner = (a_member(cast.acme, role) for role in (Role.ADMIN, Role.VIEWER, Role.OWNER))
    for attempt in (
        lambda: services.change_role(viewer, Role.OWNER, by=admin.user),
        lambda: services.change_role(admin, Role.OWNER, by=admin.user),
        lambda: services.change_role(owner, Role.VIEWER, by=admin.user),
        lambda: services.remove_member(owner, by=admin.user),
        lambda: services.invite_member(cast.acme, email="new@example.com", role=Role.OWNER, by=admin.user),
    ):
        with pytest.raises(NotAllowed):
            attempt()
    assert [reread(member).role for member in (admin, viewer, owner)] == ["admin", "viewer", "owner"]
    assert not cast.acme.invitations.exists()


def test_an_owner_of_another_organization_is_none_here(cast: Cast):
    owner = a_member(cast.acme, Role.OWNER)
    with pytest.raises(NotAllowed):
        services.change_role(owner, Role.VIEWER, by=cast.mallory)


def test_the_last_owner_stays(cast: Cast):
    only = cast.acme.members.get()
    with pytest.raises(LastOwner):
        services.change_role(only, Role.ADMIN, by=cast.olivia)
    with pytest.raises(LastOwner):
        services.remove_member(only, by=cast.olivia)
    assert reread(only).role == Role.OWNER


@pytest.mark.django_db(transaction=True)
def test_of_two_owners_who_leave_at_once_one_stays(cast: Cast):
    for _ in range(5):
        other = services.add_member(cast.acme, a_person(), Role.OWNER, by=None)
        members = iter([cast.acme.members.exclude(pk=other.pk).get(), other])

        def leave(members=members) -> None:
            member = next(members)
            services.remove_member(member, by=member.user)

        outcomes = at_once(2, leave)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["LastOwner", "NoneType"]
        assert cast.acme.members.get().role == Role.OWNER


def test_who_leaves_is_out_and_keeps_the_account(cast: Cast):
    member = a_member(cast.acme, Role.VIEWER)
    services.remove_member(member, by=member.user)
    assert not Member.objects.filter(pk=member.pk).exists()
    assert User.objects.filter(pk=member.user_id).exists()
    assert cast.acme.audit_events.get(action="member.remove").changes == {"role": ["viewer", None]}


# People


@pytest.mark.parametrize("email", ["Ada@Example.COM", "ada@example.com"])
def test_people_are_known_by_address_in_any_case(db, email):
    ada = create_person(email, is_verified=True)
    assert user_of("ADA@example.com") == ada
    with pytest.raises(ValidationError):
        create_person("aDa@example.com", is_verified=True)


def test_an_invitation_lives_as_long_as_the_settings_say(cast: Cast, settings):
    now = timezone.now()
    invitation, _ = services.invite_member(cast.acme, email="new@example.com", role=Role.VIEWER, by=cast.olivia, at=now)
    assert invitation.expires_at - now == settings.INVITATION_LIFETIME == timedelta(days=7)

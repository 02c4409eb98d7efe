from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts.errors import AlreadyMember, NameTaken
from apps.accounts.models import User
from apps.customers import services
from apps.customers.models import Customer, CustomerMember, CustomerRole
from apps.keys.errors import ProviderKeyRefused
from apps.keys.services.customers import add_customer_with_keys
from tests.cast import Cast, a_customer, a_customer_member, a_provider_key, at_once, reread

LIMITS = {
    "requests_per_minute": 100,
    "tokens_per_minute": 200_000,
    "max_concurrent": 8,
    "daily_cap": Decimal("25.50"),
    "monthly_cap": Decimal(500),
    "markup_percent": Decimal(20),
}


def events(cast: Cast, action: str) -> list:
    return list(cast.acme.audit_events.filter(action=action).order_by("pk"))


# Adding


def test_a_customer_is_added_with_its_limits(cast: Cast):
    customer = services.add_customer(
        cast.acme, name=" Umbrella ", email="ada@umbrella.example", by=cast.olivia, **LIMITS
    )
    umbrella = reread(customer)
    assert {name: getattr(umbrella, name) for name in LIMITS} == LIMITS
    assert (umbrella.name, umbrella.slug, umbrella.organization) == ("Umbrella", "umbrella", cast.acme)
    event = events(cast, "customer.add")[-1]
    assert (event.actor_id, event.customer_id) == (cast.olivia.pk, umbrella.pk)
    assert event.changes == {
        "name": [None, "Umbrella"],
        "email": [None, "ada@umbrella.example"],
        "markup_percent": [None, "20"],
        "requests_per_minute": [None, 100],
        "tokens_per_minute": [None, 200_000],
        "max_concurrent": [None, 8],
        "daily_cap": [None, "25.5"],
        "monthly_cap": [None, "500"],
    }


def test_nothing_and_zero_are_different_limits(cast: Cast):
    none, zero = a_customer(cast.acme), a_customer(cast.acme, **dict.fromkeys(Customer.LIMITS, 0))
    assert [getattr(reread(none), limit) for limit in Customer.LIMITS] == [None] * 8
    assert [getattr(reread(zero), limit) for limit in Customer.LIMITS] == [0] * 8


def test_customers_of_one_name_are_told_apart(cast: Cast):
    assert [a_customer(cast.acme, "Globex").slug for _ in range(2)] == ["globex-2", "globex-3"]
    assert a_customer(cast.evil_corp, "Globex").slug == "globex"
    with pytest.raises(NameTaken):
        services.add_customer(cast.acme, name="Globex", slug="globex", by=None)


@pytest.mark.django_db(transaction=True)
def test_customers_of_a_name_added_at_once_have_different_slugs(cast: Cast):
    added = at_once(4, lambda: a_customer(cast.acme, "Umbrella"))
    assert sorted(one.slug for one in added) == ["umbrella", "umbrella-2", "umbrella-3", "umbrella-4"]


BAD = [
    {"name": ""},
    {"name": "x" * 121},
    {"email": "nobody"},
    {"requests_per_minute": -1},
    {"requests_per_minute": 2**31},
    {"tokens_per_minute": 2**63},
    {"max_concurrent": "many"},
    {"daily_cap": Decimal("-0.01")},
    {"daily_cap": Decimal("NaN")},
    {"monthly_cap": Decimal("0.0000000000001")},
    {"monthly_cap": Decimal("1e12")},
    {"markup_percent": Decimal("-100.01")},
    {"markup_percent": Decimal("0.00001")},
]


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_what_makes_no_sense_is_neither_added_nor_changed(cast: Cast, bad):
    with pytest.raises(ValidationError):
        services.add_customer(cast.acme, **({"name": "Umbrella", "by": None} | bad))
    with pytest.raises(ValidationError):
        services.update_customer(cast.globex, by=None, **({"requests_per_minute": 7} | bad))
    assert cast.acme.customers.count() == 2
    assert reread(cast.globex).requests_per_minute is None


@pytest.mark.parametrize("field", ["suspended_at", "organization", "id", "slug_", "is_staff"])
def test_only_fields_of_a_customer_can_be_given(cast: Cast, field):
    with pytest.raises(TypeError, match=field):
        services.update_customer(cast.globex, by=None, **{field: None})


@pytest.mark.parametrize(
    "row", [{"daily_cap": -1}, {"monthly_cap": -1}, {"markup_percent": -101}, {"requests_per_minute": -1}]
)
def test_the_database_refuses_limits_that_make_no_sense(cast: Cast, row):
    with pytest.raises(IntegrityError), transaction.atomic():
        Customer.objects.filter(pk=cast.globex.pk).update(**row)


# Changing


def test_a_change_is_audited_with_before_and_after(cast: Cast):
    services.update_customer(cast.globex, by=cast.olivia, daily_cap=Decimal(10), name="Globex Inc")
    services.update_customer(cast.globex, by=cast.olivia, daily_cap=None)
    assert reread(cast.globex).name == "Globex Inc"
    assert [event.changes for event in events(cast, "customer.update")] == [
        {"name": ["Globex", "Globex Inc"], "daily_cap": [None, "10"]},
        {"daily_cap": ["10", None]},
    ]


def test_a_change_that_changes_nothing_is_not_audited(cast: Cast):
    services.update_customer(cast.globex, by=cast.olivia, name="Globex", daily_cap=None)
    assert events(cast, "customer.update") == []


@pytest.mark.django_db(transaction=True)
def test_changes_at_once_do_not_undo_each_other(cast: Cast):
    changes = iter([{"daily_cap": 1}, {"monthly_cap": 2}, {"max_concurrent": 3}])
    at_once(3, lambda: services.update_customer(cast.globex, by=None, **next(changes)))
    globex = reread(cast.globex)
    assert (globex.daily_cap, globex.monthly_cap, globex.max_concurrent) == (1, 2, 3)


def test_a_suspended_customer_can_be_resumed(cast: Cast):
    now = timezone.now()
    services.suspend_customer(cast.globex, by=cast.olivia, at=now)
    services.suspend_customer(cast.globex, by=cast.olivia, at=now + timedelta(days=1))
    assert reread(cast.globex).suspended_at == now
    assert list(cast.acme.customers.live()) == [cast.initech]
    services.resume_customer(cast.globex, by=cast.olivia)
    services.resume_customer(cast.globex, by=cast.olivia)
    assert set(cast.acme.customers.live()) == {cast.globex, cast.initech}
    assert [len(events(cast, f"customer.{action}")) for action in ("suspend", "resume")] == [1, 1]


# People


def test_nobody_is_a_member_twice(cast: Cast):
    with pytest.raises(AlreadyMember):
        services.add_customer_member(cast.globex, cast.gina, CustomerRole.VIEWER, by=None)
    assert cast.globex.members.get().role == CustomerRole.ADMIN


def test_a_role_is_changed_and_audited(cast: Cast):
    member = a_customer_member(cast.globex, CustomerRole.VIEWER)
    services.change_customer_role(member, CustomerRole.DEVELOPER, by=cast.gina)
    services.change_customer_role(member, CustomerRole.DEVELOPER, by=cast.gina)
    assert reread(member).role == CustomerRole.DEVELOPER
    (event,) = events(cast, "customer_member.change_role")
    assert (event.changes, event.customer_id) == ({"role": ["viewer", "developer"]}, cast.globex.pk)


def test_who_is_removed_is_out_and_keeps_the_account(cast: Cast):
    member = a_customer_member(cast.globex)
    services.remove_customer_member(member, by=cast.gina)
    assert not CustomerMember.objects.filter(user=member.user).exists()
    assert User.objects.filter(pk=member.user_id).exists()


# With keys, in one step


def test_a_customer_with_its_keys_and_its_admin_invited(cast: Cast):
    keys = [a_provider_key(cast.acme, provider) for provider in ("openai", "anthropic")]
    customer, link = add_customer_with_keys(
        cast.acme, name="Umbrella", email="ada@umbrella.example", by=cast.olivia, provider_keys=keys
    )
    assert {row.provider_key for row in customer.provider_key_links.all()} == set(keys)
    invitation = customer.invitations.get()
    assert (invitation.email, invitation.role) == ("ada@umbrella.example", CustomerRole.ADMIN)
    assert link.startswith("http://localhost:8000/portal-invitations/")


def test_without_an_address_nobody_is_invited(cast: Cast):
    customer, link = add_customer_with_keys(cast.acme, name="Umbrella", by=None)
    assert (link, customer.invitations.count()) == ("", 0)


@pytest.mark.parametrize("wrong", ["two for one provider", "another operator's"])
def test_it_is_all_or_nothing(cast: Cast, wrong):
    second = a_provider_key(cast.acme if wrong.startswith("two") else cast.evil_corp)
    keys = [a_provider_key(cast.acme), second]
    with pytest.raises(ProviderKeyRefused):
        add_customer_with_keys(cast.acme, name="Umbrella", by=None, provider_keys=keys)
    assert cast.acme.customers.count() == 2

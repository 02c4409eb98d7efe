"""Plans are offered by versions that stay as they are."""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction

from apps.accounts.models import AuditEvent
from apps.billing.models import Plan, PlanVersion
from apps.billing.services.plans import add_plan, change_plan, newest_version, offer_plan, rename_plan, retire_plan
from tests.billing.plans import NOON, TIERS, a_plan
from tests.cast import an_organization, at_once, reread

D = Decimal


@pytest.fixture
def organization(db):
    return an_organization()


def audited(plan):
    return list(AuditEvent.objects.filter(target_id=str(plan.pk)).order_by("pk").values_list("action", flat=True))


def test_a_plan_begins_with_its_first_version(organization):
    version = a_plan(organization, "Team & Co", fee=D("49.90"), charges=TIERS)
    assert (version.number, version.plan.slug, version.fee) == (1, "team-co", D("49.90"))
    assert audited(version.plan) == ["plan.add"]


def test_a_change_is_the_next_version_and_the_one_before_stays(organization):
    first = a_plan(organization, fee=D(10), minimum=D(5))
    second = change_plan(first.plan, by=None, at=NOON, fee=D(12))
    assert (second.number, second.fee, second.minimum) == (2, 12, 5)
    assert (reread(first).fee, newest_version(first.plan)) == (10, second)
    assert audited(first.plan) == ["plan.add", "plan.change"]


def test_the_same_terms_make_no_version(organization):
    first = a_plan(organization, fee=D(10), charges=TIERS)
    assert change_plan(first.plan, by=None, at=NOON, fee=D("10.00"), charges=TIERS) == first
    assert first.plan.versions.count() == 1
    assert audited(first.plan) == ["plan.add"]


def test_the_database_refuses_to_edit_a_version(organization):
    version = a_plan(organization)
    with pytest.raises(DatabaseError, match="only added to"), transaction.atomic():
        PlanVersion.objects.filter(pk=version.pk).update(fee=1)
    assert reread(version).fee == 31


@pytest.mark.django_db(transaction=True)
def test_ten_changes_at_once_make_ten_versions():
    plan = a_plan(an_organization()).plan
    fees = iter(range(100, 110))
    at_once(10, lambda: change_plan(plan, by=None, at=NOON, fee=D(next(fees))))
    assert sorted(plan.versions.values_list("number", flat=True)) == list(range(1, 12))


BAD = [
    pytest.param({"charges": [{"name": "X"}]}, "charges", id="a charge without a metric"),
    pytest.param({"charges": TIERS * 2}, "charges", id="two of a name"),
    pytest.param({"allowances": [{"name": "A", "metric": "tokens"}]}, "allowances", id="an allowance of nothing"),
    pytest.param({"charges": TIERS, "settlement": "prepaid"}, "settlement", id="tiers from credit"),
    pytest.param({"currency": "XYZ"}, "currency", id="no such currency"),
    pytest.param({"rate_card_id": uuid4()}, "rate_card_id", id="no such rate card"),
    pytest.param({"interval": "fortnight"}, "interval", id="no such interval"),
    pytest.param({"fee": D(-1)}, "fee", id="a fee below zero"),
    pytest.param({"discount_percent": D(101)}, "discount_percent", id="more than all off"),
]


@pytest.mark.parametrize(("terms", "field"), BAD)
def test_terms_that_cannot_be_billed_by_are_refused(organization, terms, field):
    with pytest.raises(ValidationError) as refusal:
        a_plan(organization, **terms)
    assert list(refusal.value.message_dict) == [field]


def test_what_is_no_term_is_a_bug(organization):
    with pytest.raises(TypeError, match="colour"):
        add_plan(organization, name="X", by=None, at=NOON, colour="red")


def test_two_plans_of_a_name_are_told_apart(organization):
    assert [a_plan(organization, "Team").plan.slug for _ in range(2)] == ["team", "team-2"]
    assert a_plan(an_organization(), "Team").plan.slug == "team"


def test_a_plan_is_renamed_retired_and_offered_again(organization):
    plan = a_plan(organization, "Old").plan
    rename_plan(plan, name=" New ", description="For teams", by=None)
    for _twice in range(2):
        retire_plan(plan, by=None, at=NOON)
    assert (reread(plan).name, reread(plan).retired_at) == ("New", NOON)
    for _twice in range(2):
        offer_plan(plan, by=None)
    assert Plan.objects.get(pk=plan.pk).retired_at is None
    assert audited(plan) == ["plan.add", "plan.rename", "plan.retire", "plan.offer"]

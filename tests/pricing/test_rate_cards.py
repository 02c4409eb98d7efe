"""Cards, their versions and who is on them: by date, within an organization, told to the proxies, never edited."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import Error, IntegrityError, connection, transaction

from apps.accounts.models import AuditEvent
from apps.pricing.card_book import default_card, find_sale, layers_of, load_all_terms, load_terms, version_at
from apps.pricing.models import RateCard, RateCardUse, RateCardVersion, RateRule
from apps.pricing.rate_cards import (
    add_rate_card,
    delete_rate_card,
    rename_rate_card,
    set_own_rates,
    set_rates,
    use_rate_card,
    withdraw_rates,
)
from tests.cast import at_once

DAY = timedelta(days=1)
FIRST = datetime(2026, 3, 1, tzinfo=UTC)


def plus(percent: int, match: str = "*") -> dict[str, str]:
    return {"match": match, "mode": "cost_plus", "markup_percent": str(percent)}


def a_card(organization, percent: int = 10, *, name: str = "", at: datetime = FIRST, match: str = "*") -> RateCard:
    rules = [plus(percent, match)]
    return add_rate_card(organization, name=name or f"Plus {percent}", rules=rules, effective_from=at, by=None)


def put(customer, card, *, at: datetime = FIRST, **how) -> RateCardUse:
    return use_rate_card(customer.organization, customer, card, effective_from=at, by=None, **how)


def default(organization, card, *, at: datetime = FIRST) -> RateCardUse:
    return use_rate_card(organization, None, card, effective_from=at, by=None)


def markup(customer, at: datetime = FIRST, model: str = "gpt-4o") -> Decimal | None:
    """That of the rule which a call at this time is sold by."""
    terms = load_terms(customer.organization_id, customer.pk)
    sale = terms.sale("openai", model, None, at.timestamp()) if terms else None
    return sale.markup_percent if sale else None


def test_without_rate_cards_there_is_nothing_to_ask(cast):
    a_card(cast.acme)  # that nobody is on
    assert load_terms(cast.acme.pk, cast.globex.pk) is None


def test_own_rates_go_before_the_card_that_before_the_plans_and_that_before_the_default(cast):
    default(cast.acme, a_card(cast.acme, 10))
    assert (markup(cast.globex), markup(cast.initech), markup(cast.shady)) == (10, 10, None)
    put(cast.globex, a_card(cast.acme, 20), by_plan=True)
    assert (markup(cast.globex), markup(cast.initech)) == (20, 10)
    put(cast.globex, a_card(cast.acme, 30))
    assert markup(cast.globex) == 30
    set_own_rates(cast.globex, rules=[plus(40, "gpt-*")], effective_from=FIRST, by=None)
    assert (markup(cast.globex), markup(cast.globex, model="o3"), markup(cast.initech)) == (40, 30, 10)
    own, card, plan_card, usual = layers_of(cast.globex, FIRST)
    assert (own.card.customer, str(card), str(plan_card), str(usual)) == (cast.globex, "Plus 30", "Plus 20", "Plus 10")


def test_what_a_card_says_nothing_of_is_the_next_ones(cast):
    default(cast.acme, a_card(cast.acme, 10))
    put(cast.globex, a_card(cast.acme, 30, match="claude-*"))
    assert (markup(cast.globex, model="claude-5"), markup(cast.globex)) == (30, 10)


def test_each_version_from_its_instant_on(cast):
    card = a_card(cast.acme, 10)
    default(cast.acme, card)
    set_rates(card, rules=[plus(20)], effective_from=FIRST + 2 * DAY, by=None)
    set_rates(card, rules=[plus(15)], effective_from=FIRST + DAY, by=None)  # made later, begins earlier
    moments = [FIRST - timedelta(microseconds=1), FIRST, FIRST + DAY, FIRST + 2 * DAY]
    assert [markup(cast.globex, at) for at in moments] == [None, 10, 15, 20]
    assert [version.number for version in card.versions.order_by("effective_from")] == [1, 3, 2]
    assert version_at(card, FIRST + DAY).number == 3
    assert version_at(card, FIRST - DAY) is None


def test_a_customer_changes_cards_from_an_instant_on_and_leaves_them(cast):
    one, other = a_card(cast.acme, 10), a_card(cast.acme, 20)
    put(cast.globex, one)
    put(cast.globex, other, at=FIRST + DAY)
    put(cast.globex, None, at=FIRST + 2 * DAY)
    assert [markup(cast.globex, FIRST + days * DAY) for days in range(3)] == [10, 20, None]


def test_a_card_that_has_not_begun_leaves_the_next_layer(cast):
    default(cast.acme, a_card(cast.acme, 10))
    put(cast.globex, a_card(cast.acme, 20, at=FIRST + DAY))
    assert [markup(cast.globex, FIRST + days * DAY) for days in range(2)] == [10, 20]


def test_rules_of_several_customers_in_as_many_queries_as_of_one(cast, django_assert_num_queries):
    default(cast.acme, a_card(cast.acme, 10))
    set_own_rates(cast.initech, rules=[plus(40)], effective_from=FIRST, by=None)
    load_all_terms(cast.acme.pk, [cast.globex.pk, cast.initech.pk])  # rules are kept from here on
    with django_assert_num_queries(3):
        found = load_all_terms(cast.acme.pk, [cast.globex.pk, cast.initech.pk])
    sold = {key: terms.sale("openai", "o3", None, FIRST.timestamp()).markup_percent for key, terms in found.items()}
    assert sold == {cast.globex.pk: 10, cast.initech.pk: 40}


def test_said_again_it_changes_nothing(cast):
    card = a_card(cast.acme)
    assert put(cast.globex, card) == put(cast.globex, card, at=FIRST + DAY)
    assert RateCardUse.objects.count() == 1


def test_two_cards_from_the_same_instant_are_refused(cast):
    put(cast.globex, a_card(cast.acme, 10))
    with pytest.raises(ValidationError, match="very instant"):
        put(cast.globex, a_card(cast.acme, 20))
    assert markup(cast.globex) == 10


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_make_versions_with_ten_numbers(cast):
    card, days = a_card(cast.acme), iter(range(1, 11))
    outcomes = at_once(
        10, lambda: set_rates(card, rules=[plus(5)], effective_from=FIRST + next(days) * DAY, by=None).number
    )
    assert sorted(outcomes) == list(range(2, 12))


REFUSED = [
    pytest.param([{"match": "*", "mode": "absolute"}], "needs a price", id="no price"),
    pytest.param([plus(1, "gpt-*"), plus(2, "*mini")], "can mean the same model", id="ambiguous"),
]


@pytest.mark.parametrize(("rules", "said"), REFUSED)
def test_what_cannot_be_a_card_leaves_nothing(cast, rules, said):
    with pytest.raises(ValidationError, match=said):
        add_rate_card(cast.acme, name="Odd", rules=rules, effective_from=FIRST, by=None)
    assert not RateCard.objects.exists()


def test_names_are_unique_in_an_organization(cast):
    a_card(cast.acme, name="Retail")
    a_card(cast.evil_corp, name="Retail")
    with pytest.raises(ValidationError, match="of this name"):
        a_card(cast.acme, name=" Retail ")
    with pytest.raises(ValidationError, match="of this name"):
        rename_rate_card(a_card(cast.acme, name="Other"), name="Retail", by=None)


def test_another_organizations_cards_and_customers_are_none(cast):
    theirs = a_card(cast.evil_corp)
    for organization, customer, card in [
        (cast.acme, cast.globex, theirs),
        (cast.acme, None, theirs),
        (cast.evil_corp, cast.globex, theirs),
    ]:
        with pytest.raises(ValidationError, match="no such rate card"):
            use_rate_card(organization, customer, card, effective_from=FIRST, by=None)
    rule = RateRule.objects.get()
    assert find_sale(cast.acme.pk, rule.pk) is None
    assert find_sale(cast.evil_corp.pk, rule.pk).id == rule.pk


def test_the_database_holds_them_apart_too(cast):
    theirs = a_card(cast.evil_corp)
    for fields in [
        {"organization": cast.acme, "customer": cast.globex, "card": theirs},
        {"organization": cast.acme, "customer": cast.shady, "card": None},
    ]:
        with pytest.raises(IntegrityError, match="within_organization"), transaction.atomic():
            RateCardUse.objects.create(**fields, effective_from=FIRST)
            check_now()
    with pytest.raises(IntegrityError, match="within_organization"), transaction.atomic():
        RateCard.objects.create(organization=cast.acme, customer=cast.shady)
        check_now()


def check_now() -> None:
    """What is checked at the end of a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_customers_own_rates_are_nobody_elses(cast):
    own = set_own_rates(cast.initech, rules=[plus(1)], effective_from=FIRST, by=None).card
    with pytest.raises(ValidationError, match="nobody else"):
        put(cast.globex, own)


def test_nothing_is_edited(cast):
    put(cast.globex, a_card(cast.acme))
    changes = [
        (RateRule, {"markup_percent": 99}),
        (RateCardVersion, {"effective_from": FIRST - DAY}),
        (RateCardUse, {"effective_from": FIRST - DAY}),
    ]
    for model, change in changes:
        with pytest.raises(Error, match="never edited"), transaction.atomic():
            model.objects.update(**change)
    assert markup(cast.globex) == 10


def test_who_made_a_version_can_be_forgotten(cast):
    rules = [plus(1)]
    card = add_rate_card(cast.acme, name="By hand", rules=rules, effective_from=FIRST, by=cast.mallory)
    RateCardVersion.objects.update(created_by=None)
    assert card.versions.get().created_by is None


def test_a_version_that_has_not_begun_is_taken_back(cast):
    card = a_card(cast.acme, 10)
    default(cast.acme, card)
    version = set_rates(card, rules=[plus(20)], effective_from=FIRST + DAY, by=None)
    with pytest.raises(ValidationError, match="has begun"):
        withdraw_rates(version, by=None, at=FIRST + DAY)
    withdraw_rates(version, by=None, at=FIRST)
    assert markup(cast.globex, FIRST + DAY) == 10


def test_only_a_card_that_nobody_was_on_can_be_deleted(cast):
    used, unused = a_card(cast.acme, 10), a_card(cast.acme, 20)
    put(cast.globex, used)
    put(cast.globex, None, at=FIRST + DAY)
    with pytest.raises(ValidationError, match="are, or were"):
        delete_rate_card(used, by=None)
    delete_rate_card(unused, by=None)
    assert list(RateCard.objects.all()) == [used]


def test_an_organization_goes_with_its_cards(cast):
    put(cast.globex, a_card(cast.acme))
    set_own_rates(cast.globex, rules=[plus(1)], effective_from=FIRST, by=None)
    default(cast.acme, a_card(cast.acme, 20))
    kept = a_card(cast.evil_corp)
    cast.acme.delete()
    assert list(RateCard.objects.all()) == [kept]


def test_the_default_by_date(cast):
    one, other = a_card(cast.acme, 10), a_card(cast.acme, 20)
    default(cast.acme, one)
    default(cast.acme, other, at=FIRST + DAY)
    at = [FIRST - DAY, FIRST, FIRST + DAY]
    assert [default_card(cast.acme.pk, each) for each in at] == [None, one, other]


def test_each_change_is_in_the_operators_audit_log_and_in_no_customers(cast):
    card = a_card(cast.acme, name="Retail")
    card = rename_rate_card(card, name="Wholesale", by=cast.olivia)
    put(cast.globex, card)
    set_own_rates(cast.globex, rules=[plus(1), plus(2, "o3")], effective_from=FIRST, by=None)
    events = AuditEvent.objects.filter(action__startswith="rate_card.").order_by("id")
    assert list(events.values_list("action", "target_label", "changes")) == [
        ("rate_card.add", "Retail", {"name": [None, "Retail"]}),
        (
            "rate_card.set_rates",
            "Retail",
            {"version": [None, 1], "effective_from": [None, "2026-03-01T00:00:00Z"], "rules": [None, 1]},
        ),
        ("rate_card.update", "Wholesale", {"name": ["Retail", "Wholesale"]}),
        (
            "rate_card.use",
            "Globex",
            {"rate_card": [None, "Wholesale"], "effective_from": [None, "2026-03-01T00:00:00Z"]},
        ),
        (
            "rate_card.set_rates",
            "Globex",
            {"version": [None, 1], "effective_from": [None, "2026-03-01T00:00:00Z"], "rules": [None, 2]},
        ),
    ]
    assert not events.exclude(customer_id=None).exists()


def test_every_change_is_told_to_the_proxies(cast, heard):
    heard()
    card = a_card(cast.acme)
    put(cast.globex, card)
    default(cast.acme, card)
    set_own_rates(cast.initech, rules=[plus(1)], effective_from=FIRST, by=None)
    organization = f"organization:{cast.acme.pk}"
    assert heard() == [organization, f"customer:{cast.globex.pk}", organization, f"customer:{cast.initech.pk}"]

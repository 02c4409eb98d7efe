"""Several keys for a provider: which, with what weight, in what order."""

import pytest
from django.db import IntegrityError, transaction

from apps.accounts.models import AuditEvent
from apps.keys.errors import ProviderKeyRefused
from apps.keys.models import CustomerProviderKey
from apps.keys.services.links import KeyShare, assign_provider_key, assign_provider_keys, unassign_provider_key
from tests.cast import Cast, a_link, a_provider_key, at_once


def links_of(cast: Cast) -> list[tuple[object, int, int]]:
    links = cast.globex.provider_key_links.filter(provider="openai").order_by("position", "-weight")
    return [(link.provider_key, link.weight, link.position) for link in links]


def test_keys_take_turns_and_their_weights_change(cast: Cast):
    a, b, c = (a_provider_key(cast.acme) for _ in range(3))
    claude = a_link(cast.globex, "anthropic")
    assign_provider_keys(cast.globex, "openai", [KeyShare(a, 3), KeyShare(b, 1), KeyShare(c, 1, 1)], by=cast.olivia)
    assert links_of(cast) == [(a, 3, 0), (b, 1, 0), (c, 1, 1)]
    assign_provider_keys(cast.globex, "openai", [KeyShare(b, 5), KeyShare(c, 2)], by=cast.olivia)
    assign_provider_keys(cast.globex, "openai", [KeyShare(c, 2), KeyShare(b, 5)], by=cast.olivia)  # no change
    assert links_of(cast) == [(b, 5, 0), (c, 2, 0)]
    assign_provider_key(cast.globex, c, by=cast.olivia)
    assert links_of(cast) == [(c, 1, 0)]
    unassign_provider_key(cast.globex, "openai", by=cast.olivia)
    unassign_provider_key(cast.globex, "openai", by=cast.olivia)
    assert links_of(cast) == []
    assert cast.globex.provider_key_links.get().provider_key == claude
    events = AuditEvent.objects.filter(actor_id=cast.olivia.pk, action__startswith="provider_key.").order_by("pk")
    assert [(event.action, event.changes["provider_key"]) for event in events] == [
        (
            "provider_key.assign",
            [None, f"{a}, weight 3, position 0; {b}; {c}, weight 1, position 1"],
        ),
        (
            "provider_key.assign",
            [
                f"{a}, weight 3, position 0; {b}; {c}, weight 1, position 1",
                f"{b}, weight 5, position 0; {c}, weight 2, position 0",
            ],
        ),
        ("provider_key.assign", [f"{b}, weight 5, position 0; {c}, weight 2, position 0", str(c)]),
        ("provider_key.unassign", [str(c), None]),
    ]


def of_another_operator(cast: Cast) -> list[KeyShare]:
    return [KeyShare(a_provider_key(cast.acme)), KeyShare(a_provider_key(cast.evil_corp))]


def of_another_provider(cast: Cast) -> list[KeyShare]:
    return [KeyShare(a_provider_key(cast.acme)), KeyShare(a_provider_key(cast.acme, "anthropic"))]


def one_twice(cast: Cast) -> list[KeyShare]:
    key = a_provider_key(cast.acme)
    return [KeyShare(key), KeyShare(key, 2)]


def without_weight(cast: Cast) -> list[KeyShare]:
    return [KeyShare(a_provider_key(cast.acme), 0)]


def too_many(cast: Cast) -> list[KeyShare]:
    return [KeyShare(a_provider_key(cast.acme)) for _ in range(11)]


@pytest.mark.parametrize("shares", [of_another_operator, of_another_provider, one_twice, without_weight, too_many])
def test_what_makes_no_sense_changes_nothing(cast: Cast, shares):
    before = a_link(cast.globex)
    with pytest.raises(ProviderKeyRefused):
        assign_provider_keys(cast.globex, "openai", shares(cast), by=None)
    assert links_of(cast) == [(before, 1, 0)]


@pytest.mark.parametrize("wrong", [{"weight": 0}, {"weight": 1001}])
def test_the_database_refuses_a_link_without_a_share(cast: Cast, wrong):
    key = a_provider_key(cast.acme)
    with pytest.raises(IntegrityError), transaction.atomic():
        CustomerProviderKey.objects.create(
            organization=cast.acme, customer=cast.globex, provider="openai", provider_key=key, **wrong
        )


def test_the_database_refuses_a_key_twice(cast: Cast):
    key = a_link(cast.globex)
    with pytest.raises(IntegrityError), transaction.atomic():
        CustomerProviderKey.objects.create(
            organization=cast.acme, customer=cast.globex, provider="openai", provider_key=key, position=1
        )


@pytest.mark.django_db(transaction=True)
def test_of_assignments_at_once_one_is_there_whole(cast: Cast):
    pairs = [[KeyShare(a_provider_key(cast.acme), n), KeyShare(a_provider_key(cast.acme), n, 1)] for n in range(1, 6)]
    left = iter(pairs)
    assert at_once(5, lambda: assign_provider_keys(cast.globex, "openai", next(left), by=None)) == [None] * 5
    assert links_of(cast) in [[tuple(share) for share in pair] for pair in pairs]

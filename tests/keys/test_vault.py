"""RELIABILITY S7: what was sealed for one place opens there, under its own key, unchanged, or not at all."""

import base64
from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.keys.errors import BadKeyRing, CannotOpen, UnknownVaultKey
from apps.keys.vault import Place, Sealed, Vault, vault

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
ACME, EVIL = uuid4(), uuid4()
HERE = Place(ACME, uuid4(), "provider_key")
SECRET = "sk-canary-0123456789"


@pytest.fixture
def old() -> Vault:
    return Vault({"old": OLD})


def entry(kek_id: str, kek: bytes) -> str:
    return f"{kek_id}:{base64.b64encode(kek).decode()}"


@given(st.text(max_size=200))
def test_what_is_sealed_opens_again(secret):
    box = Vault({"old": OLD})
    assert box.open(box.seal(secret, HERE), HERE) == secret


def test_the_secret_is_not_to_be_seen_in_what_is_stored(old):
    sealed = old.seal(SECRET, HERE)
    assert SECRET.encode() not in sealed.ciphertext + sealed.wrapped_key
    assert sealed.kek_id == "old"


def test_the_same_secret_is_never_sealed_the_same_way(old):
    one, other = old.seal(SECRET, HERE), old.seal(SECRET, HERE)
    assert one.ciphertext != other.ciphertext
    assert one.wrapped_key != other.wrapped_key


@pytest.mark.parametrize(
    "elsewhere",
    [
        pytest.param(replace(HERE, organization_id=EVIL), id="another-tenant"),
        pytest.param(replace(HERE, row_id=uuid4()), id="another-row"),
        pytest.param(replace(HERE, purpose="webhook_secret"), id="another-purpose"),
        pytest.param(replace(HERE, purpose="provider_key2"), id="a-purpose-that-begins-the-same"),
        pytest.param(Place(HERE.row_id, HERE.organization_id, HERE.purpose), id="ids-swapped"),
    ],
)
def test_what_is_sealed_for_one_place_opens_at_no_other(old, elsewhere):
    sealed = old.seal(SECRET, HERE)
    with pytest.raises(CannotOpen):
        old.open(sealed, elsewhere)
    with pytest.raises(CannotOpen):
        old.rewrap(sealed, elsewhere)


def test_parts_of_two_secrets_of_one_place_do_not_mix(old):
    """Swapping columns or keeping an old data key beside a new ciphertext fails too."""
    one, other = old.seal(SECRET, HERE), old.seal("another", HERE)
    for mixed in (
        replace(one, wrapped_key=other.wrapped_key),
        replace(one, ciphertext=other.ciphertext),
        Sealed(one.wrapped_key, one.ciphertext, one.kek_id),
        Sealed(one.wrapped_key, one.wrapped_key, one.kek_id),
    ):
        with pytest.raises(CannotOpen):
            old.open(mixed, HERE)


@pytest.mark.parametrize("part", ["ciphertext", "wrapped_key"])
def test_every_flipped_bit_is_noticed(old, part):
    sealed = old.seal(SECRET, HERE)
    whole = getattr(sealed, part)
    for position in range(len(whole)):
        changed = bytearray(whole)
        changed[position] ^= 1 << position % 8
        with pytest.raises(CannotOpen):
            old.open(replace(sealed, **{part: bytes(changed)}), HERE)


@pytest.mark.parametrize("part", ["ciphertext", "wrapped_key"])
def test_every_truncation_is_noticed(old, part):
    sealed = old.seal(SECRET, HERE)
    whole = getattr(sealed, part)
    for length in range(len(whole)):
        with pytest.raises(CannotOpen):
            old.open(replace(sealed, **{part: whole[:length]}), HERE)


def test_another_key_of_the_same_id_does_not_open(old):
    """What happens when a key is made up anew under its old name: loud, and nothing to fall back on."""
    with pytest.raises(CannotOpen):
        Vault({"old": NEW}).open(old.seal(SECRET, HERE), HERE)


def test_a_key_that_left_the_ring_is_asked_for_by_name(old):
    with pytest.raises(UnknownVaultKey, match="“old”"):
        Vault({"new": NEW}).open(old.seal(SECRET, HERE), HERE)


def test_every_key_of_the_ring_opens_and_the_first_seals(old):
    both = Vault({"new": NEW, "old": OLD})
    assert both.open(old.seal(SECRET, HERE), HERE) == SECRET
    assert both.seal(SECRET, HERE).kek_id == "new"


def test_a_rewrapped_secret_needs_the_old_key_no_more(old):
    sealed = old.seal(SECRET, HERE)
    rewrapped = Vault({"new": NEW, "old": OLD}).rewrap(sealed, HERE)
    assert rewrapped.kek_id == "new"
    assert rewrapped.ciphertext == sealed.ciphertext
    assert Vault({"new": NEW}).open(rewrapped, HERE) == SECRET
    with pytest.raises(UnknownVaultKey):
        old.open(rewrapped, HERE)


def test_a_ring_is_read_newest_first():
    ring = Vault.parse(f" {entry('2027', NEW)}, {entry('2026', OLD)} ,")
    assert ring.newest_id == "2027"
    assert ring.kek_ids == {"2026", "2027"}


@pytest.mark.parametrize(
    ("ring", "complaint"),
    [
        ("", "is empty"),
        (" , ", "is empty"),
        (base64.b64encode(OLD).decode(), "key 1 needs an id"),
        (":" + base64.b64encode(OLD).decode(), "key 1 needs an id"),
        ("x" * 41 + ":" + base64.b64encode(OLD).decode(), "key 1 needs an id"),
        (f"{entry('a', OLD)},{entry('a', NEW)}", "key 2 needs an id of its own"),
        (entry("short", OLD[:31]), "“short” is not the base64 of 32 bytes"),
        (entry("long", OLD + b"!"), "“long” is not the base64 of 32 bytes"),
        ("words:not base64 at all", "“words” is not the base64 of 32 bytes"),
        ("none:", "“none” is not the base64 of 32 bytes"),
    ],
)
def test_a_ring_that_makes_no_sense_is_refused(ring, complaint):
    with pytest.raises(BadKeyRing, match=complaint):
        Vault.parse(ring)


def test_neither_messages_nor_repr_tell_a_key():
    encoded = base64.b64encode(OLD[:30]).decode()
    with pytest.raises(BadKeyRing) as refusal:
        Vault.parse(f"kek:{encoded}")
    assert encoded not in str(refusal.value)
    assert repr(Vault({"new": NEW, "old": OLD})) == "Vault(new, old)"


def test_a_key_without_an_id_is_not_repeated_in_the_complaint():
    encoded = base64.b64encode(OLD[:24]).decode()
    with pytest.raises(BadKeyRing) as refusal:
        Vault.parse(encoded)
    assert encoded not in str(refusal.value)


def test_the_installations_vault_has_the_ring_of_the_settings(settings):
    settings.VAULT_KEYS = f"{entry('b', NEW)},{entry('a', OLD)}"
    assert (vault().newest_id, vault().kek_ids) == ("b", {"a", "b"})

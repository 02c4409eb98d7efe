import hashlib
import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.keys import token

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def value_of(base62: str) -> int:
    value = 0
    for character in base62:
        value = value * 62 + ALPHABET.index(character)
    return value


def test_a_key_has_the_published_form():
    assert re.fullmatch(r"tg_live_[0-9A-Za-z]{39}", token.mint())


def test_a_key_carries_192_random_bits():
    bodies = [value_of(token.mint()[8:41]) for _ in range(2_000)]
    assert len(set(bodies)) == 2_000
    assert max(bodies) < 2**192
    assert all(any(body >> bit & 1 for body in bodies) for bit in range(192))
    assert all(any(not body >> bit & 1 for body in bodies) for bit in range(192))


def test_the_last_six_characters_are_the_crc32_of_the_others():
    key = token.mint()
    assert value_of(key[-6:]) == zlib.crc32(key[:-6].encode())


def test_minted_keys_look_valid_as_text_and_as_bytes():
    keys = [token.mint() for _ in range(1_000)]
    assert all(token.looks_valid(key) and token.looks_valid(key.encode()) for key in keys)


def test_keys_that_differ_in_one_character_are_never_confused():
    """RELIABILITY K4: every position of 40 keys, every other character there: over 10^5 pairs."""
    pairs = 0
    for key in (token.mint() for _ in range(40)):
        digest = token.digest(key)
        for position in range(len(key)):
            for other in ALPHABET + "_-":
                if other != key[position]:
                    typo = key[:position] + other + key[position + 1 :]
                    assert not token.looks_valid(typo)
                    assert token.digest(typo) != digest
                    pairs += 1
    assert pairs > 100_000


def test_two_characters_swapped_are_seen():
    key = token.mint()
    swapped = [key[:i] + key[i + 1] + key[i] + key[i + 2 :] for i in range(8, len(key) - 1)]
    assert not any(token.looks_valid(typo) for typo in swapped if typo != key)


def test_keys_with_the_same_first_twenty_characters_are_not_confused():
    """CVE-2026-35030: an identity found by the beginning of a token."""
    start = token.mint()[:20]
    others = []
    for _ in range(2_000):
        unsigned = start + token.mint()[20:41]
        others.append(unsigned + token._checksum(unsigned.encode()))
    assert all(token.looks_valid(key) for key in others)
    assert len({token.digest(key) for key in others}) == 2_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tg_live_",
        "sk-proj-abc",
        " {key}",
        "{key} ",
        "{key}\n",
        "{key}0",
        "TG_LIVE_{body}",
        "tg_test_{body}",
        "{key}{key}",
    ],
)
def test_what_is_not_a_key_does_not_look_valid(text):
    key = token.mint()
    assert not token.looks_valid(text.format(key=key, body=key[8:]))


@given(st.one_of(st.text(max_size=60), st.binary(max_size=60)))
def test_anything_can_be_asked_and_nothing_else_looks_valid(guess):
    assert not token.looks_valid(guess)
    assert len(token.digest(guess)) == 32


@given(st.text(max_size=60), st.text(max_size=60))
def test_different_texts_have_different_digests(one, other):
    assert (token.digest(one) == token.digest(other)) == (one == other)


def test_the_digest_is_the_sha256_of_the_whole_key():
    key = token.mint()
    assert token.digest(key) == token.digest(key.encode()) == hashlib.sha256(key.encode()).digest()

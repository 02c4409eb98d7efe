"""The form of a proxy key: `tg_live_`, 33 characters of 192 random bits, 6 of checksum (all base 62).

An API token is the same after `tg_api_`. The checksum tells a typo from a wrong key before anything is looked
up, and lets a scanner find leaked ones without asking us. Scanners' pattern: tg_(live|api)_[0-9A-Za-z]{39}
"""

import hashlib
import re
import secrets
import zlib

PREFIX = "tg_live_"
API_PREFIX = "tg_api_"
RANDOM_BITS = 192
BODY_LENGTH = 33  # 62 ** 33 > 2 ** 192
CHECKSUM_LENGTH = 6  # 62 ** 6 > 2 ** 32
LENGTH = len(PREFIX) + BODY_LENGTH + CHECKSUM_LENGTH

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FORM = re.compile(rb"tg_live_[0-9A-Za-z]{39}")
_API_FORM = re.compile(rb"tg_api_[0-9A-Za-z]{39}")


def mint(prefix: str = PREFIX) -> str:
    """A new key, never seen before; with API_PREFIX, an API token."""
    unsigned = prefix + _base62(secrets.randbits(RANDOM_BITS), BODY_LENGTH)
    return unsigned + _checksum(unsigned.encode())


def looks_valid(key: str | bytes) -> bool:
    """Whether `key` has the form and checksum of a key; says nothing of whether it was ever minted."""
    raw = _bytes(key)
    if _FORM.fullmatch(raw) is None:
        return False
    return raw[-CHECKSUM_LENGTH:] == _checksum(raw[:-CHECKSUM_LENGTH]).encode()


def looks_like_api_token(text: str | bytes) -> bool:
    """Whether `text` has the form and checksum of an API token."""
    raw = _bytes(text)
    return _API_FORM.fullmatch(raw) is not None and raw[-CHECKSUM_LENGTH:] == _checksum(raw[:-CHECKSUM_LENGTH]).encode()


def digest(key: str | bytes) -> bytes:
    """What is stored and looked up in the key's place: SHA-256 of it all (192 random bits need no salt)."""
    return hashlib.sha256(_bytes(key)).digest()


def _bytes(key: str | bytes) -> bytes:
    return key.encode("utf-8", "surrogatepass") if isinstance(key, str) else key


def _checksum(unsigned: bytes) -> str:
    return _base62(zlib.crc32(unsigned), CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    characters = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        characters.append(_ALPHABET[digit])
    return "".join(reversed(characters))

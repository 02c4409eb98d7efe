"""The secrets of an account at a payment provider, as they are sealed: one text for both."""

import json
from typing import NamedTuple


class ProviderKeys(NamedTuple):
    secret_key: str
    webhook_secret: str = ""

    def __repr__(self) -> str:
        return "<ProviderKeys>"


def keys_in(sealed: str) -> ProviderKeys:
    """What `as_text` made."""
    return ProviderKeys(**json.loads(sealed))


def as_text(keys: ProviderKeys) -> str:
    return json.dumps(keys._asdict())


def is_for_tests(secret: str) -> bool:
    """Whether it moves no real money."""
    return "_test_" in secret


def hint_of(secret: str) -> str:
    """What may be shown of it: whether it is for tests, and its last four characters."""
    if not secret:
        return ""
    mode = "test " if is_for_tests(secret) else ""
    return f"{mode}…{secret[-4:]}"

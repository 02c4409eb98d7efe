"""Which models a rule of a rate card is for, and which of several rules goes first. Pure; knows no Django.

A glob with a slash is about provider and model ("openai/gpt-4o*"), one without about the model alone; either may be
about the name that a model is sold under. * is any text. What names one model goes before what names several, those
before all of a provider ("openai/*"), and that before everything ("*"); of two that name several, the one with more
letters that are no * goes first.
"""

import re
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

LONGEST = 169  # of a glob: a provider's slug, a slash and a model's name
_SHAPE = re.compile(r"[A-Za-z0-9._~:@/+*-]+\Z")
_PROVIDER = re.compile(r"[a-z0-9-]+/\*\Z")


class Rank(IntEnum):
    """How narrow a glob is."""

    ALL = 0
    PROVIDER = 1
    SOME = 2
    ONE = 3


class Glob(NamedTuple):
    """Which models are meant, in lower case."""

    text: str
    rank: Rank
    letters: int  # that are no *

    def matches(self, provider: str, model: str) -> bool:
        """provider, model: in lower case. A call that names no model is one of the model ""."""
        asked = f"{provider}/{model}" if "/" in self.text else model
        return _pattern(self.text).fullmatch(asked) is not None

    def matches_name(self, name: str) -> bool:
        """Whether what is sold under this name, in lower case, is meant by it."""
        return _pattern(self.text).fullmatch(name) is not None


def glob_of(text: str) -> Glob:
    """Raises ValueError."""
    if len(text) > LONGEST or not _SHAPE.match(text):
        raise ValueError(f"not a model, nor a pattern of models such as gpt-4o* or openai/*: {text}")
    text = re.sub(r"\*+", "*", text.lower())
    letters = len(text) - text.count("*")
    if "*" not in text:
        return Glob(text, Rank.ONE, letters)
    if text == "*":
        return Glob(text, Rank.ALL, 0)
    return Glob(text, Rank.PROVIDER if _PROVIDER.match(text) else Rank.SOME, letters)


def clash(one: Glob, other: Glob) -> bool:
    """Whether there can be a model that both mean and neither goes first for."""
    if (one.rank, one.letters) != (other.rank, other.letters):
        return False
    a, b = sorted((one.text, other.text), key=lambda text: "/" in text)
    return _meet(a, b) or ("/" in b and "/" not in a and _meet(f"*/{a}", b))


@lru_cache(maxsize=65_536)
def _meet(a: str, b: str) -> bool:
    """Whether some text is matched by both."""
    if not a or not b:
        return not a.strip("*") and not b.strip("*")
    if a[0] == "*":
        return _meet(a[1:], b) or _meet(a, b[1:])
    if b[0] == "*":
        return _meet(a, b[1:]) or _meet(a[1:], b)
    return a[0] == b[0] and _meet(a[1:], b[1:])


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)

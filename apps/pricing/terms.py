"""By which rule of which rate card a customer's calls are sold, at any time. Pure; the hot path imports it."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from apps.pricing.globs import Glob
from apps.pricing.selling import Sale

MOST_KEPT = 1_000  # answers; a client can name any model


class Rule(NamedTuple):
    """Of the models that a glob means: how they are sold."""

    glob: Glob
    sale: Sale


class RuleSet:
    """The rules of one version of a rate card. Immutable, and shared by all whom it applies to."""

    __slots__ = ("rules",)

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)

    def find(self, provider: str, model: str, sold_as: str | None) -> Sale | None:
        """By the narrowest rule that means the call; of two as narrow, one for the name that it is sold under."""
        best: tuple[int, bool, int] | None = None
        found = None
        for glob, sale in self.rules:
            by_name = sold_as is not None and glob.matches_name(sold_as)
            if by_name or glob.matches(provider, model):
                key = (glob.rank, by_name, glob.letters)
                if best is None or key > best:
                    best, found = key, sale
        return found


class Era:
    """A time in which nothing about a customer's rate cards changes."""

    __slots__ = ("_known", "begins_at", "layers")

    def __init__(self, begins_at: float, layers: Sequence[RuleSet]) -> None:
        self.begins_at = begins_at  # Unix time
        self.layers = tuple(layers)  # those that go first in front
        self._known: dict[tuple[str, str, str | None], Sale | None] = {}

    def sale(self, provider: str, model: str, sold_as: str | None) -> Sale | None:
        """None: no rule is for it."""
        asked = provider, model, sold_as
        try:
            return self._known[asked]
        except KeyError:
            pass
        name = model.removeprefix("models/").lower()
        sold = None if sold_as is None else sold_as.lower()
        found = (layer.find(provider, name, sold) for layer in self.layers)
        sale = next((each for each in found if each is not None), None)
        if len(self._known) >= MOST_KEPT:
            self._known.clear()
        self._known[asked] = sale
        return sale


class Terms:
    """A customer's rate cards over time."""

    __slots__ = ("eras",)

    def __init__(self, eras: Iterable[Era]) -> None:
        self.eras = tuple(sorted(eras, key=lambda era: era.begins_at, reverse=True))  # the latest first

    def __repr__(self) -> str:
        return f"<Terms of {len(self.eras)} times>"

    def sale(self, provider: str, model: str, sold_as: str | None, moment: float) -> Sale | None:
        """How a call that began at Unix time `moment` is sold; None: at its cost with the customer's usual markup.

        model: as it is asked for. sold_as: the organization's own name for it, where the client said that.
        """
        for era in self.eras:
            if era.begins_at <= moment:
                return era.sale(provider, model, sold_as)
        return None

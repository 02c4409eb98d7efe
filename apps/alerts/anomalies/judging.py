"""Whether somebody behaves unlike itself: decided from counts alone, with the figures that say why.

The baseline of a figure is the median of the same hour of the days before, its spread the median absolute
deviation (MAD). Neither is moved by a few wild days, so that yesterday's abuse does not make today's usual, and
the same hour, since nights are unlike days. Small numbers get a floor: from two calls to twelve is six times as
many, and nothing to wake anybody for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

SIGMA_OF_MAD = 1.4826  # what makes the MAD of a normal distribution its standard deviation
LEAST_SPREAD = 0.25  # of the median: who does exactly the same every day may do a little more
DEVIATIONS = 6.0  # from the median: a normal distribution gets there once in a billion hours
LEAST_DAYS = 3  # with fewer there is nothing to compare with


@dataclass(frozen=True)
class Floors:
    """Below `observed` nothing is found, nor below so many times the usual. `spread` is the least, in the unit."""

    observed: float
    times: float
    spread: float


@dataclass(frozen=True)
class Judgement:
    """What was seen, and what would be usual."""

    observed: float
    expected: float  # the median
    spread: float  # a standard deviation, or the floor of it
    times: float  # observed over expected; over the floor's spread where nothing is expected
    days: int  # that the baseline is made of


def judge(observed: float, history: Sequence[float], floors: Floors) -> Judgement | None:
    """A judgement where it is far more than usual; None: it isn't, or there is too little to compare with.

    history: the same hour of the days before, since the first one with anything in it; quiet days as 0.
    """
    if len(history) < LEAST_DAYS or observed < floors.observed:
        return None
    expected = median(history)
    deviation = median([abs(value - expected) for value in history])
    spread = max(SIGMA_OF_MAD * deviation, LEAST_SPREAD * expected, floors.spread)
    is_far = observed - expected >= DEVIATIONS * spread
    is_many = observed >= floors.times * expected
    if not (is_far and is_many):
        return None
    return Judgement(observed, expected, spread, observed / (expected or spread), len(history))


SPEND = Floors(observed=5.0, times=3.0, spread=0.5)  # USD
REQUESTS = Floors(observed=200.0, times=3.0, spread=20.0)
ERRORS = Floors(observed=30.0, times=3.0, spread=3.0)
ERRORS_SHARE = 0.25  # of the answered: fewer are no storm, however many
NETWORKS = Floors(observed=8.0, times=3.0, spread=1.0)  # that were never seen before, in an hour


def is_storm(errors: int, answered: int) -> bool:
    """Whether errors are a good part of the calls too, and not only many because the calls are."""
    return answered > 0 and errors >= ERRORS_SHARE * answered


STEADY_DAYS = 7  # a key that has been used for so long
STEADY_NETWORKS = 3  # from so few networks: another one is news


def is_news(known_networks: int, days_known: float, new_networks: int) -> bool:
    """Whether a new network of a key is worth telling: one of a server, not of somebody who travels."""
    return new_networks >= 1 and 1 <= known_networks <= STEADY_NETWORKS and days_known >= STEADY_DAYS


LEAK_NETWORKS = 3  # new ones in an hour
LEAK_REFUSED = 20  # refused in an hour: whoever has the key tries what it may
LEAK_MODELS = 3  # never called before with the key
LEAK_USERS = 10  # never seen before with it


@dataclass(frozen=True)
class KeySigns:
    """Of a key, in an hour."""

    new_networks: int
    refused: int
    new_models: int
    new_users: int


def leak_signs(signs: KeySigns) -> list[str]:
    """What speaks for a leak, besides the networks; [] where it doesn't look like one.

    Networks alone may be an app that went to many phones; refusals alone a customer who is at a limit.
    """
    if signs.new_networks < LEAK_NETWORKS:
        return []
    each = {
        "refused": signs.refused >= LEAK_REFUSED,
        "models": signs.new_models >= LEAK_MODELS,
        "users": signs.new_users >= LEAK_USERS,
    }
    return [name for name, is_there in each.items() if is_there]

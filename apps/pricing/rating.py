"""Usage times price: the one place where tokens become money. Pure: no Django, no clock, no rounding of sums."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

import msgspec


class Tokens(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Tokens of one call by disjoint kind: a token is counted in exactly one of them."""

    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_write: int = 0  # written to a cache whose lifetime the provider doesn't tell
    input_audio: int = 0
    input_image: int = 0
    output: int = 0
    reasoning: int = 0
    output_audio: int = 0
    output_image: int = 0


class Price(msgspec.Struct, frozen=True):
    """A provider's price for a model, ready to multiply with. To be written by the pricing room."""

    id: int
    rates: Mapping[str, Decimal]  # USD a token, by kind of Tokens; "request": USD a call


class Rated(NamedTuple):
    """What a call costs the operator and what its customer pays for it, in USD to 12 places."""

    cost: Decimal
    price: Decimal

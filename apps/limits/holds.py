"""What a call has taken from its limits, and what it is replaced by in the end. Knows no Django."""

from collections.abc import Sequence

import msgspec

from apps.limits.commands import Commands


class Hold(msgspec.Struct, gc=False):  # one a call: not worth collecting, it is in no circle
    """What a call has taken until it settles. `id` is ours, never the client's; "" took nothing.

    used: how much of each of `commands.entries` is used by now, this call included; of caps nothing.
    """

    id: str
    commands: Commands
    tokens: int = 0
    spend: int = 0  # pico
    began_us: int = 0
    used: Sequence[int] = ()
    is_alone: bool = False  # let in while Redis was away: nothing is held, and it is charged all the same


class Settlement(msgspec.Struct, gc=False):
    """What a hold is to be replaced by; spend in pico."""

    hold: Hold
    tokens: int
    spend: int
    generation: str = ""  # of the memory that it was told to
    told_at: float = 0.0  # on the loop's clock

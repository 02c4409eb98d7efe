"""`Helicone-RateLimit-Policy: quota;w=seconds;u=request|cents;s=segment`, as Helicone documents it. Knows no Django.

The call that names a policy may have itself limited further; it widens nothing, since all other limits are
asked about as well. Source: docs.helicone.ai/features/advanced-usage/custom-rate-limits, read 2026-11-21.
"""

import re
from functools import lru_cache
from typing import NamedTuple

SHORTEST_WINDOW_S = 60
LONGEST_WINDOW_S = 366 * 86_400
MOST_QUOTA = 10**12
UNITS = {"request": "request", "requests": "request", "cents": "cents"}
SEGMENT = re.compile(r"[\w-]{1,128}", re.ASCII)
FORM = "quota;w=seconds;u=request|cents;s=user|property, such as 1000;w=3600;u=cents;s=user"


class Policy(NamedTuple):
    """What a call's header says, understood."""

    quota: int  # calls, or cents
    window_s: int
    unit: str  # "request" or "cents"
    segment: str  # "": all calls of the customer with this policy; "user", or a property's name in lower case
    text: str  # all of that as one would write it

    @property
    def is_money(self) -> bool:
        return self.unit == "cents"


class BadPolicy(ValueError):
    """It cannot be understood. The message is for the client, and says what is wrong."""


@lru_cache(maxsize=4096)
def read_policy(text: str) -> Policy:
    """Raises BadPolicy. Parts may come in any order after the quota, each once; spaces around them are nothing."""
    quota, *parts = (part.strip() for part in text.split(";"))
    said: dict[str, str] = {}
    for part in parts:
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name not in ("w", "u", "s"):
            raise BadPolicy(f"“{part[:40]}” is none of w=…, u=… and s=…. The form is {FORM}.")
        if name in said:
            raise BadPolicy(f"“{name}=” is there twice; say it once.")
        said[name] = value
    if "w" not in said:
        raise BadPolicy(f"The window is missing: w=seconds. The form is {FORM}.")
    unit = UNITS.get(said.get("u", "request"))
    if unit is None:
        raise BadPolicy(f"The unit is “{said['u'][:40]}”; it can be request or cents.")
    segment = said.get("s", "").lower()
    if "s" in said and not SEGMENT.fullmatch(segment):
        raise BadPolicy("The segment (s=) is “user” or the name of a property: letters, digits, “-” and “_”.")
    policy = Policy(
        _number(quota, "quota", 0, MOST_QUOTA),
        _number(said["w"], "window (w=)", SHORTEST_WINDOW_S, LONGEST_WINDOW_S),
        unit,
        segment,
        "",
    )
    ending = f";s={segment}" if segment else ""
    return policy._replace(text=f"{policy.quota};w={policy.window_s};u={unit}{ending}")


def _number(text: str, name: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise BadPolicy(f"The {name} is “{text[:40]}”; it must be a whole number, at least {least}.")
    number = int(text)
    if not least <= number <= most:
        raise BadPolicy(f"The {name} is {number}; it must be from {least} to {most}.")
    return number

"""Small charts without axes, as SVG paths: how something went, beside its figures."""

from collections.abc import Iterable
from typing import NamedTuple

WIDTH, HEIGHT = 96, 24
MOST_POINTS = 32  # more would be drawn over each other


class Spark(NamedTuple):
    """A line and the area below it. Both are empty where there is nothing to draw."""

    line: str
    area: str
    width: int = WIDTH
    height: int = HEIGHT


NOTHING = Spark("", "")


def sparkline(counts: Iterable[tuple[int, float]], length: int) -> Spark:
    """A chart of `length` steps; `counts` has (step from 0, value), steps that it leaves out are zero."""
    points = min(MOST_POINTS, max(2, length))
    values = [0.0] * points
    for step, value in counts:
        if 0 <= step < length:
            values[step * points // length] += value
    most = max(values)
    if not most:
        return NOTHING
    across, room = WIDTH / (points - 1), HEIGHT - 3
    spots = [f"{place * across:.1f} {1.5 + room * (1 - value / most):.1f}" for place, value in enumerate(values)]
    line = "M" + " L".join(spots)
    return Spark(line, f"{line} L{WIDTH} {HEIGHT} L0 {HEIGHT} Z")

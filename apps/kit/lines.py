"""Charts of several lines, as SVG: where everything is. Pure."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 1080, 260, 56, 24, 8
MOST_LABELS = 9  # below the lines
Place: TypeAlias = Callable[[int, float], tuple[float, float]]  # of a step and a value
MOST_DOTS = 70  # steps of which each is marked, so that it can be pointed at


class Series(NamedTuple):
    """A line: a value for each step; None: not known there."""

    name: str
    values: Sequence[float | None]
    titles: Sequence[str]  # what each step says when it is pointed at


class Dot(NamedTuple):
    """A step of a line."""

    x: float
    y: float
    title: str


class Line(NamedTuple):
    """A line as it is drawn; `number` from 1 chooses its colour."""

    number: int
    name: str
    path: str
    dots: list[Dot]


class Chart(NamedTuple):
    """Everything that is drawn. `grid`: heights with what they stand for."""

    lines: list[Line]
    grid: list[tuple[float, float]]
    labels: list[tuple[float, str]]


def chart_of(series: Sequence[Series], labels: Sequence[str]) -> Chart:
    """Lines over common steps; zero is always in sight, as what is below it, where something is."""
    known = [value for each in series for value in each.values if value is not None]
    highest, lowest = round_up(max([0.0, *known])), -round_up(-min([0.0, *known]))
    span = highest - lowest or 1.0
    across = (WIDTH - LEFT - 12) / max(1, len(labels) - 1)
    plot = HEIGHT - BOTTOM - TOP

    def place(step: int, value: float) -> tuple[float, float]:
        return round(LEFT + step * across, 1), round(TOP + plot * (highest - value) / span, 1)

    every = max(1, -(-len(labels) // MOST_LABELS))
    return Chart(
        [_line(number, each, place) for number, each in enumerate(series, 1)],
        [(place(0, at)[1], at) for at in sorted({lowest, (lowest + highest) / 2, highest, 0.0})],
        [(place(step, 0)[0], label) for step, label in enumerate(labels) if step % every == 0],
    )


def _line(number: int, series: Series, place: Place) -> Line:
    """A gap where nothing is known: the next step begins a line anew."""
    parts: list[str] = []
    dots: list[Dot] = []
    is_drawn = False
    for step, (value, title) in enumerate(zip(series.values, series.titles, strict=True)):
        if value is None:
            is_drawn = False
            continue
        x, y = place(step, value)
        parts.append(f"{'L' if is_drawn else 'M'}{x} {y}")
        dots.append(Dot(x, y, title))
        is_drawn = True
    return Line(number, series.name, " ".join(parts), dots if len(series.values) <= MOST_DOTS else [])


def round_up(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten; 0 for 0."""
    if value <= 0:
        return 0.0
    power = 1.0
    while power > value:
        power /= 10
    while power * 10 <= value:
        power *= 10
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)

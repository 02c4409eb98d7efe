"""The table of figures that the benchmark ends with."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Bar:
    """A figure, and what it must not pass or stay under; with neither it is only told."""

    name: str
    figure: float
    unit: str
    most: float | None = None
    least: float | None = None
    note: str = ""

    @property
    def is_met(self) -> bool:
        return (self.most is None or self.figure <= self.most) and (self.least is None or self.figure >= self.least)

    @property
    def verdict(self) -> str:
        if self.most is None and self.least is None:
            return "-"
        return "ok" if self.is_met else "MISSED"

    @property
    def limit(self) -> str:
        if self.most is not None:
            return f"<= {self.most:,.10g}"
        return f">= {self.least:,.10g}" if self.least is not None else ""


def print_table(bars: Iterable[Bar]) -> None:
    """One line a figure."""
    print(f"{'':42}{'measured':>14}  {'bar':>10}  {'':8}")
    for bar in bars:
        figure = f"{bar.figure:,.2f} {bar.unit}".strip()
        print(f"{bar.name:42}{figure:>14}  {bar.limit:>10}  {bar.verdict:8}{bar.note}")

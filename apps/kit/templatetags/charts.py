"""Charts of several lines. Charts of bars are in `display`."""

from collections.abc import Sequence
from typing import Any

from django import template

from apps.kit.lines import BOTTOM, HEIGHT, LEFT, WIDTH, Chart

register = template.Library()


@register.inclusion_tag("components/_lines.html")
def line_chart(chart: Chart, axis: Sequence[tuple[float, str]], name: str) -> dict[str, Any]:
    """Lines over time, as SVG: works without scripts, and in print; what it shows is in a table beside it.

    axis: heights of the grid, with what is written there.
    """
    return {
        "chart": chart,
        "axis": axis,
        "name": name,
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "label_x": LEFT - 8,
        "label_y": HEIGHT - 4,
        "floor": HEIGHT - BOTTOM,
    }

"""Charts of lines: where everything is drawn."""

import pytest

from apps.kit.lines import Series, chart_of, round_up


@pytest.mark.parametrize(
    ("value", "rounded"),
    [(0, 0), (-3, 0), (1, 1), (1.2, 2), (4.5, 5), (7, 10), (99, 100), (0.03, 0.05), (20_001, 50_000)],
)
def test_an_axis_ends_at_the_next_round_number(value, rounded):
    assert round_up(value) == pytest.approx(rounded)


def test_a_line_has_a_gap_where_nothing_is_known():
    chart = chart_of([Series("a", [1, None, 3, 4], ["a", "b", "c", "d"])], ["1", "2", "3", "4"])
    assert chart.lines[0].path.count("M") == 2
    assert [dot.title for dot in chart.lines[0].dots] == ["a", "c", "d"]


def test_what_is_below_zero_is_in_sight():
    chart = chart_of([Series("margin", [-7.5, 3], ["", ""])], ["1", "2"])
    assert [value for _, value in chart.grid] == [-10, -2.5, 0, 5]
    assert chart.lines[0].dots[0].y > chart.lines[0].dots[1].y


def test_nothing_is_a_chart_too():
    chart = chart_of([], [])
    assert (chart.lines, chart.labels) == ([], [])

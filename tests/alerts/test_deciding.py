"""When a rule fires, and when it is over: worked examples."""

from datetime import timedelta
from decimal import Decimal

import pytest

from apps.alerts.deciding import Reading, Terms, Verdict, bar_of, decide, is_breached, usual
from apps.alerts.terms import Comparison, Direction
from tests.alerts.conftest import NOON

BELOW, BEFORE = Direction.BELOW, Comparison.BEFORE


def terms(threshold: str, **fields) -> Terms:
    return Terms(Decimal(threshold), **fields)


def reading(value: str | None, requests: int = 10, baseline: str | None = None) -> Reading:
    return Reading(None if value is None else Decimal(value), requests, None if baseline is None else Decimal(baseline))


BREACHED = [
    pytest.param(terms("10"), reading("10"), True, id="at-the-threshold"),
    pytest.param(terms("10"), reading("9.999999"), False, id="just-below-it"),
    pytest.param(terms("10"), reading("10.000001"), True, id="just-above-it"),
    pytest.param(terms("0"), reading("0"), True, id="zero-of-zero"),
    pytest.param(terms("10"), reading(None), False, id="nothing-measured"),
    pytest.param(terms("10"), None, False, id="no-such-group-any-more"),
    pytest.param(terms("10", min_requests=10), reading("50", 10), True, id="just-enough-requests"),
    pytest.param(terms("10", min_requests=10), reading("50", 9), False, id="too-few-requests"),
    pytest.param(terms("10", min_requests=0), reading("50", 0), True, id="no-least-requests"),
    pytest.param(terms("0", direction=BELOW), reading("-0.01"), True, id="margin-below-zero"),
    pytest.param(terms("0", direction=BELOW), reading("0"), False, id="margin-of-zero-is-not-below"),
    pytest.param(terms("100", direction=BELOW), reading("99"), True, id="fewer-than"),
    pytest.param(terms("100", direction=BELOW, min_requests=1), reading("0", 0), False, id="none-at-all"),
    pytest.param(terms("50", comparison=BEFORE), reading("15", baseline="10"), True, id="half-more-than-before"),
    pytest.param(terms("50", comparison=BEFORE), reading("14.99", baseline="10"), False, id="not-quite-half-more"),
    pytest.param(terms("0", comparison=BEFORE), reading("10", baseline="10"), True, id="no-more-than-before-of-zero"),
    pytest.param(terms("50", comparison=BEFORE), reading("15", baseline="0"), False, id="nothing-before"),
    pytest.param(terms("50", comparison=BEFORE), reading("15"), False, id="no-baseline"),
    pytest.param(
        terms("50", comparison=Comparison.USUAL), reading("151", baseline="100"), True, id="half-more-than-usual"
    ),
    pytest.param(
        terms("40", comparison=BEFORE, direction=BELOW), reading("59", baseline="100"), True, id="two-fifths-less"
    ),
    pytest.param(
        terms("40", comparison=BEFORE, direction=BELOW), reading("60", baseline="100"), False, id="just-two-fifths-less"
    ),
    pytest.param(terms("80"), reading("79.999"), False, id="almost-80-percent-of-a-cap"),
    pytest.param(terms("0.0000000375"), reading("0.0000000375"), True, id="one-cached-token"),
]


@pytest.mark.parametrize(("asked", "measured", "breached"), BREACHED)
def test_what_a_rule_is_to_tell_of(asked, measured, breached):
    assert is_breached(asked, measured) is breached


def ago(minutes: float):
    return NOON - timedelta(minutes=minutes)


VERDICTS = [  # breached, firing, quiet since
    pytest.param(False, False, None, Verdict.NOTHING, id="quiet"),
    pytest.param(True, False, None, Verdict.FIRE, id="begins"),
    pytest.param(True, True, None, Verdict.KEEP, id="goes-on"),
    pytest.param(False, True, None, Verdict.QUIET, id="begins-to-be-quiet"),
    pytest.param(False, True, ago(1), Verdict.NOTHING, id="quiet-for-a-minute"),
    pytest.param(False, True, ago(4.99), Verdict.NOTHING, id="quiet-for-not-quite-five"),
    pytest.param(False, True, ago(5), Verdict.RESOLVE, id="quiet-for-five"),
    pytest.param(False, True, ago(600), Verdict.RESOLVE, id="nobody-looked-for-long"),
    pytest.param(True, True, ago(4), Verdict.KEEP, id="loud-again"),
    pytest.param(True, True, ago(600), Verdict.KEEP, id="loud-again-after-long"),
]


@pytest.mark.parametrize(("breached", "firing", "quiet_since", "verdict"), VERDICTS)
def test_what_becomes_of_an_alert(breached, firing, quiet_since, verdict):
    assert decide(breached, firing, quiet_since, NOON) is verdict


USUAL = [
    pytest.param([], None, id="nothing"),
    pytest.param([10, 20], None, id="too-little"),
    pytest.param([10, 20, 1000], 20, id="one-wild-day-moves-nothing"),
    pytest.param([10, 20, 30, 40], 25, id="between-two"),
]


@pytest.mark.parametrize(("values", "median"), USUAL)
def test_what_is_usual(values, median):
    assert usual([Decimal(value) for value in values]) == median


def test_the_bar_is_in_the_metrics_own_unit():
    assert bar_of(terms("25", comparison=BEFORE), Decimal(40)) == 50

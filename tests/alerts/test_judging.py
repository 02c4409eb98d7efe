"""What is unlike itself: worked examples with their figures."""

import pytest

from apps.alerts.anomalies.judging import (
    ERRORS,
    NETWORKS,
    REQUESTS,
    SPEND,
    Judgement,
    KeySigns,
    is_news,
    is_storm,
    judge,
    leak_signs,
)

STEADY = [100.0] * 14
NOISY = [80, 120, 100, 90, 110, 100, 130, 70, 100, 95, 105, 100, 115, 85]
WILD = [*NOISY[:12], 5000, 9000]  # two days of abuse before

JUDGED = [  # observed, the same hour of the days before, floors, the figures that are found
    pytest.param(400, STEADY, REQUESTS, Judgement(400, 100, 25, 4.0, 14), id="four-times-what-never-changes"),
    pytest.param(249, STEADY, REQUESTS, None, id="not-six-spreads-away"),
    pytest.param(299, STEADY, REQUESTS, None, id="not-three-times"),
    pytest.param(300, STEADY, REQUESTS, Judgement(300, 100, 25, 3.0, 14), id="three-times"),
    pytest.param(350, NOISY, REQUESTS, Judgement(350, 100, 25, 3.5, 14), id="noise-within-the-least-spread"),
    pytest.param(350, WILD, REQUESTS, Judgement(350, 100, 25, 3.5, 14), id="wild-days-hide-nothing"),
    pytest.param(190, [1] * 14, REQUESTS, None, id="few-however-many-times"),
    pytest.param(200, [1] * 14, REQUESTS, Judgement(200, 1, 20, 200.0, 14), id="enough-to-matter"),
    pytest.param(500, [0] * 14, REQUESTS, Judgement(500, 0, 20, 25.0, 14), id="never-at-this-hour"),
    pytest.param(500, [], REQUESTS, None, id="never-seen"),
    pytest.param(500, [1, 2], REQUESTS, None, id="seen-for-two-days"),
    pytest.param(500, [1, 2, 3], REQUESTS, Judgement(500, 2, 20, 250.0, 3), id="seen-for-three-days"),
    pytest.param(500, [0, 400, 0, 450, 0, 380, 400], REQUESTS, None, id="comes-and-goes"),
    pytest.param(4.99, [0.1] * 14, SPEND, None, id="less-than-five-dollars"),
    pytest.param(50, [2.0] * 14, SPEND, Judgement(50, 2.0, 0.5, 25.0, 14), id="dollars"),
    pytest.param(29, [0] * 14, ERRORS, None, id="few-errors"),
    pytest.param(90, [2] * 14, ERRORS, Judgement(90, 2, 3.0, 45.0, 14), id="errors"),
    pytest.param(7, [0] * 14, NETWORKS, None, id="few-networks"),
    pytest.param(12, [0] * 14, NETWORKS, Judgement(12, 0, 1.0, 12.0, 14), id="networks"),
    pytest.param(12, [9, 11, 10, 8, 12], NETWORKS, None, id="an-app-on-many-phones"),
]


@pytest.mark.parametrize(("observed", "history", "floors", "found"), JUDGED)
def test_what_is_found(observed, history, floors, found):
    assert judge(observed, history, floors) == found


STORMS = [(30, 100, True), (25, 100, True), (24, 100, False), (0, 0, False), (5, 5, True)]


@pytest.mark.parametrize(("errors", "answered", "is_one"), STORMS)
def test_a_storm_is_a_good_part_of_the_calls(errors, answered, is_one):
    assert is_storm(errors, answered) is is_one


NEWS = [  # networks known, for how many days, new ones
    pytest.param(1, 30, 1, True, id="a-server-that-moved"),
    pytest.param(3, 7, 2, True, id="a-few-servers"),
    pytest.param(4, 30, 1, False, id="somebody-who-travels"),
    pytest.param(1, 6.9, 1, False, id="not-known-for-long"),
    pytest.param(0, 0, 5, False, id="a-new-key"),
    pytest.param(1, 30, 0, False, id="nothing-new"),
]


@pytest.mark.parametrize(("known", "days", "new", "is_one"), NEWS)
def test_a_new_network_is_news_where_there_are_few(known, days, new, is_one):
    assert is_news(known, days, new) is is_one


LEAKS = [  # new networks, refused, new models, new users
    pytest.param((3, 20, 0, 0), ["refused"], id="tried-what-it-may"),
    pytest.param((5, 0, 3, 0), ["models"], id="other-models"),
    pytest.param((5, 0, 0, 10), ["users"], id="other-users"),
    pytest.param((9, 99, 9, 99), ["refused", "models", "users"], id="all-of-it"),
    pytest.param((2, 99, 9, 99), [], id="from-its-own-networks"),
    pytest.param((99, 19, 2, 9), [], id="an-app-that-went-to-many-phones"),
]


@pytest.mark.parametrize(("seen", "signs"), LEAKS)
def test_what_looks_like_a_leak(seen, signs):
    assert leak_signs(KeySigns(*seen)) == signs

"""How often a call is tried again, and after how long: by the operator, or by its own headers."""

import pytest

from apps.proxy.retries import MOST_RETRIES, MOST_WAIT_S, NEVER, Retries, asks_for_retries, retries_of, retry_after_s

SAID = [  # headers, the operator's number, what holds
    pytest.param({}, 0, NEVER, id="nobody says anything"),
    pytest.param({}, 3, Retries(3), id="the operator"),
    pytest.param({b"helicone-retry-enabled": b"true"}, 0, Retries(5, 2.0, 1.0, 10.0), id="helicone's defaults"),
    pytest.param({b"tollgate-retry-enabled": b"true"}, 0, Retries(5, 2.0, 1.0, 10.0), id="under our name"),
    pytest.param({b"helicone-retry-enabled": b"false"}, 3, NEVER, id="not this one"),
    pytest.param(
        {
            b"helicone-retry-enabled": b"True",
            b"helicone-retry-num": b"2",
            b"helicone-retry-factor": b"1.5",
            b"helicone-retry-min-timeout": b"200",
            b"helicone-retry-max-timeout": b"3000",
        },
        0,
        Retries(2, 1.5, 0.2, 3.0),
        id="all of it",
    ),
    pytest.param(
        {b"helicone-retry-enabled": b"true", b"helicone-retry-num": b"99", b"helicone-retry-max-timeout": b"9999999"},
        0,
        Retries(MOST_RETRIES, 2.0, 1.0, MOST_WAIT_S),
        id="at most so much",
    ),
    pytest.param(
        {b"helicone-retry-enabled": b"true", b"helicone-retry-num": b"-1", b"helicone-retry-factor": b"inf"},
        0,
        Retries(5, 2.0, 1.0, 10.0),
        id="what is no number is not said",
    ),
]


@pytest.mark.parametrize(("headers", "number", "retries"), SAID)
def test_what_is_said(headers: dict[bytes, bytes], number: int, retries: Retries):
    assert retries_of(headers, number) == retries
    assert asks_for_retries(headers) == bool(headers)


@pytest.mark.parametrize(("tried", "least", "most"), [(1, 0.5, 1.0), (2, 1.0, 2.0), (3, 2.0, 4.0), (9, 5.0, 10.0)])
def test_it_waits_longer_each_time(tried: int, least: float, most: float):
    waits = [Retries(5, 2.0, 1.0, 10.0).wait_s(tried, None) for _ in range(200)]
    assert least <= min(waits) < max(waits) <= most


def test_it_waits_as_long_as_the_provider_asks_within_reason():
    assert Retries(5).wait_s(1, 3.0) == 3.0
    assert Retries(5).wait_s(1, 0.0) == 0.0
    assert Retries(5).wait_s(1, MOST_WAIT_S + 1) is None


ASKED = [
    ([], None),
    ([(b"retry-after", b"7")], 7.0),
    ([(b"retry-after", b"7"), (b"retry-after-ms", b"250")], 0.25),
    ([(b"retry-after", b"Fri, 20 Nov 2026 12:00:00 GMT")], None),
    ([(b"retry-after", b"-3")], None),
]


@pytest.mark.parametrize(("headers", "seconds"), ASKED)
def test_what_an_answer_asks_for(headers, seconds):
    assert retry_after_s(headers) == seconds

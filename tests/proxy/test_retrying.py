"""Whether and when a call is tried again."""

import pytest

from apps.proxy.retrying import Policy, asked_for, retry_after_s, takes_another_key, wait_s

POLICY = Policy(3, frozenset({429, 503}), 0.5, 10.0)

NARROWED = [  # Helicone's headers without their prefix, what becomes of the policy
    pytest.param({}, {}, id="nothing"),
    pytest.param({"enabled": "true"}, {}, id="on"),
    pytest.param({"enabled": "FALSE"}, {"retries": 0}, id="off"),
    pytest.param({"num": "2"}, {"retries": 2}, id="fewer"),
    pytest.param({"num": "50"}, {}, id="no-more-than-allowed"),
    pytest.param({"min-timeout": "2000"}, {"wait_s": 2.0}, id="longer-wait"),
    pytest.param({"min-timeout": "0"}, {}, id="no-shorter-wait"),
    pytest.param({"min-timeout": "60000"}, {"wait_s": 10.0}, id="no-longer-than-allowed"),
    pytest.param({"max-timeout": "4000"}, {"most_wait_s": 4.0}, id="shorter-limit"),
    pytest.param({"max-timeout": "0"}, {"most_wait_s": 0.5}, id="not-below-the-first-wait"),
    pytest.param({"max-timeout": "99000"}, {}, id="no-longer-limit"),
    pytest.param({"factor": "3"}, {"factor": 3.0}, id="factor"),
    pytest.param({"factor": "0.1"}, {"factor": 1.0}, id="factor-below-one"),
    pytest.param({"factor": "1e8"}, {"factor": 10.0}, id="factor-beyond-reason"),
    pytest.param({"num": "-1", "factor": "x", "min-timeout": "nan", "max-timeout": "inf"}, {}, id="nonsense"),
]


@pytest.mark.parametrize(("said", "changed"), NARROWED)
def test_a_client_can_only_narrow_what_the_operator_wants(said, changed):
    extra = {f"helicone-retry-{name}".encode(): value.encode() for name, value in said.items()}
    assert asked_for(POLICY, {b"helicone-user-id": b"ann", **extra}) == POLICY._replace(**changed)


ASKED = [  # Helicone's headers where the operator wants no retries: how many there are, after what wait
    ({b"enabled": b"true"}, (5, 1.0)),
    ({b"enabled": b"true", b"num": b"2", b"min-timeout": b"20"}, (2, 0.02)),
    ({b"enabled": b"true", b"num": b"99"}, (5, 1.0)),
    ({b"num": b"3"}, (0, 0.5)),
    ({b"enabled": b"false", b"num": b"3"}, (0, 0.5)),
]


@pytest.mark.parametrize(("said", "found"), ASKED)
def test_a_client_can_ask_for_retries_where_there_are_none(said, found):
    policy = asked_for(Policy(), {b"helicone-retry-" + name: value for name, value in said.items()})
    assert (policy.retries, policy.wait_s) == found


WAITS = [  # retry, what the provider told, jitter, seconds
    (0, 0, 0, 0.5),
    (1, 0, 0, 1.0),
    (2, 0, 0, 2.0),
    (3, 0, 0, None),
    (0, 0, 1, 0.625),
    (0, 7, 0, 7),
    (2, 1, 0, 2.0),
    (0, 10, 0, 10),
    (0, 10.1, 0, None),
]


@pytest.mark.parametrize(("retry", "told_s", "jitter", "waited_s"), WAITS)
def test_waits_grow_and_honour_what_the_provider_says(retry, told_s, jitter, waited_s):
    assert wait_s(POLICY, retry, told_s, jitter) == waited_s


def test_no_wait_is_longer_than_allowed():
    assert wait_s(POLICY._replace(retries=5, factor=10.0), 4, 0, 1) == 10.0


TOLD = [  # headers, seconds at 2015-10-21 07:28:00 UTC
    ({}, 0),
    ({"retry-after": "7"}, 7),
    ({"retry-after": " 0.5 "}, 0.5),
    ({"retry-after": "-7"}, 0),
    ({"retry-after": "soon"}, 0),
    ({"retry-after": "1e30"}, 0),
    ({"retry-after": "Wed, 21 Oct 2015 07:28:30 GMT"}, 30),
    ({"retry-after": "Wed, 21 Oct 2015 07:27:00 GMT"}, 0),
    ({"retry-after": "7", "retry-after-ms": "250"}, 0.25),
]


@pytest.mark.parametrize(("headers", "seconds"), TOLD)
def test_what_a_provider_asks_for(headers, seconds):
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert retry_after_s(pairs, 1445412480.0) == seconds


def test_another_key_may_do_what_this_one_may_not():
    assert [status for status in range(100, 600) if takes_another_key(status)] == [401, 403, 429, *range(500, 600)]

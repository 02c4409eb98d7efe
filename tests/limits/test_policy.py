"""Helicone-RateLimit-Policy: what is understood, and what is said of the rest."""

import pytest

from apps.limits.policy import BadPolicy, Policy, read_policy

UNDERSTOOD = [
    ("1000;w=3600", Policy(1000, 3600, "request", "", "1000;w=3600;u=request")),
    ("500;w=60;u=cents", Policy(500, 60, "cents", "", "500;w=60;u=cents")),
    ("10;w=60;u=request;s=user", Policy(10, 60, "request", "user", "10;w=60;u=request;s=user")),
    ("10;w=60;s=Plan-Tier", Policy(10, 60, "request", "plan-tier", "10;w=60;u=request;s=plan-tier")),
    (" 10 ; s=user ; w = 86400 ", Policy(10, 86400, "request", "user", "10;w=86400;u=request;s=user")),
    ("0;w=60", Policy(0, 60, "request", "", "0;w=60;u=request")),
]


@pytest.mark.parametrize(("text", "policy"), UNDERSTOOD)
def test_what_is_understood(text: str, policy: Policy):
    assert read_policy(text) == policy


MALFORMED = [
    "", ";", "10", "w=60", "10;60", "10;w=", "10;w=59", "10;w=6e1", "10;w=-60", "-1;w=60", "1.5;w=60", "٣;w=60",
    "10;w=60;", "10;w=60;u=", "10;w=60;u=dollars", "10;w=60;s=", "10;w=60;s=a b", "10;w=60;s=a;s=b",
    "10;w=60;u=cents;u=cents", "10;w=99999999999", "9" * 30 + ";w=60", "10,w=60", "10;w=60;burst=5",
]  # fmt: skip


@pytest.mark.parametrize("text", MALFORMED)
def test_what_is_not_says_what_is_wrong(text: str):
    with pytest.raises(BadPolicy) as caught:
        read_policy(text)
    assert len(str(caught.value)) > 20
    assert len(str(caught.value)) < 200

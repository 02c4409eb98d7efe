import pytest

from apps.kit.client_address import client_address, put_client_address

BALANCERS = ("10.0.0.0/8", "fd00::/8")
CASES = [  # connected, X-Forwarded-For, whose request it is
    pytest.param("203.0.113.9", "", "203.0.113.9", id="connected-itself"),
    pytest.param("203.0.113.9", "198.51.100.1", "203.0.113.9", id="its-word-for-it-is-not-taken"),
    pytest.param("10.0.0.1", "203.0.113.9", "203.0.113.9", id="through-a-balancer"),
    pytest.param("10.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9", id="made-up-before-the-balancer"),
    pytest.param("10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9", id="through-two-balancers"),
    pytest.param("fd00::1", "2001:db8::7", "2001:db8::7", id="ipv6"),
    pytest.param("10.0.0.1", "", "10.0.0.1", id="the-balancer-itself"),
    pytest.param("", "203.0.113.9", "203.0.113.9", id="over-our-own-socket"),
    pytest.param("", "198.51.100.1, 203.0.113.9", "203.0.113.9", id="made-up-before-our-own-socket"),
    pytest.param("", "", "127.0.0.1", id="somebody-on-this-host"),
    pytest.param("10.0.0.1", "unknown", "10.0.0.1", id="not-an-address"),
    pytest.param("", "<script>", "127.0.0.1", id="nonsense"),
]


@pytest.mark.parametrize(("peer", "forwarded_for", "address"), CASES)
def test_the_last_address_that_a_trusted_hop_tells_is_the_clients(peer, forwarded_for, address):
    assert client_address(peer, forwarded_for, BALANCERS) == address


def test_what_a_view_sees_as_the_peer_is_the_client(rf, settings):
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    seen = put_client_address(lambda request: request.META["REMOTE_ADDR"])
    assert seen(rf.get("/", REMOTE_ADDR="10.0.0.1", headers={"X-Forwarded-For": "203.0.113.9"})) == "203.0.113.9"

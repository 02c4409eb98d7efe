"""Where webhooks may go: outward, and nowhere else, however an address is written."""

import socket

import pytest

from apps.alerts.channels import http
from apps.alerts.channels.guard import NotAllowed, address_for, is_outside, target_of

INSIDE = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1",
    "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1",
    "2001:db8::1", "2002:7f00:1::", "fc00::1", "fd00::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "not one",
]  # fmt: skip
OUTSIDE = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "::ffff:8.8.8.8", "2606:4700::1111", "2a00:1450:4001:800::200e"]


@pytest.mark.parametrize("address", INSIDE)
def test_inside(address):
    assert not is_outside(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_outside(address):
    assert is_outside(address)


NO_URLS = [
    "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "//example.com/", "example.com", "https://",
    "https:///path", "https://ok@evil.example/", "https://u:p@evil.example/", "https://example.com:0x50/",
    "https://example.com:99999/", "https://example.com/#x", "https://exa mple.com/", "https://ex\nample.com/",
    "https://example.com\\@evil.example/", "https://exämple.com/", f"https://example.com/{'x' * 500}", "",
]  # fmt: skip


@pytest.mark.parametrize("url", NO_URLS)
def test_what_is_no_plain_url_is_refused(url):
    with pytest.raises(NotAllowed):
        target_of(url)


RESOLVED = [  # what a name resolves to, the networks that are allowed, and whether it may be reached
    pytest.param("https", ["93.184.216.34"], [], True, id="outside"),
    pytest.param("http", ["93.184.216.34"], [], False, id="outside-in-clear"),
    pytest.param("https", ["93.184.216.34", "10.0.0.1"], [], False, id="one-of-them-inside"),
    pytest.param("https", ["10.0.0.1"], [], False, id="inside"),
    pytest.param("http", ["10.0.0.1"], ["10.0.0.0/24"], True, id="inside-and-allowed"),
    pytest.param("https", ["10.0.1.1"], ["10.0.0.0/24"], False, id="beside-what-is-allowed"),
    pytest.param("https", ["::ffff:169.254.169.254"], ["10.0.0.0/8"], False, id="mapped"),
    pytest.param("https", [], [], False, id="nowhere"),
]


@pytest.mark.parametrize(("scheme", "addresses", "allowed", "is_reached"), RESOLVED)
def test_a_name_is_as_good_as_all_its_addresses(settings, monkeypatch, scheme, addresses, allowed, is_reached):
    settings.WEBHOOK_NETWORKS = allowed
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)  # the resolver is the edge here
    target = target_of(f"{scheme}://hooks.example/path?query=1")
    assert target.path == "/path?query=1"
    if is_reached:
        assert address_for(target) == addresses[0]
    else:
        with pytest.raises(NotAllowed):
            address_for(target)


def test_numbers_that_stand_for_an_address_are_what_they_resolve_to(monkeypatch):
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
    for host in ("2130706433", "0x7f000001", "127.1", "localhost", "0177.0.0.1"):
        with pytest.raises(NotAllowed):
            address_for(target_of(f"https://{host}/"))


def test_a_name_that_answers_otherwise_the_second_time_is_not_asked_again(receiver, monkeypatch):
    """The connection goes to the address that was checked."""
    port = int(receiver.url.split(":")[2].split("/")[0])
    asked: list[str] = []

    def resolve(host: str, *args: object, **kwargs: object) -> list[object]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *a, **k: resolve(host) if host == "hooks.example" else real(host, *a, **k)
    )
    outcome = http.post(f"http://hooks.example:{port}/", b"{}", {})
    assert (outcome.is_sent, asked) == (True, ["hooks.example"])
    assert receiver.got[0][0]["Host"] == f"hooks.example:{port}"

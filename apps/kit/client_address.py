"""Where a request comes from, seen past the proxies that we trust to say."""

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest, HttpResponse

THIS_HOST = "127.0.0.1"

GetResponse = Callable[[HttpRequest], HttpResponse]


def put_client_address(get_response: GetResponse) -> GetResponse:
    """Middleware: the client's address where Django and its libraries look for it, in REMOTE_ADDR."""

    def middleware(request: HttpRequest) -> HttpResponse:
        peer, forwarded_for = request.META.get("REMOTE_ADDR", ""), request.headers.get("X-Forwarded-For", "")
        trusted = tuple(settings.TRUSTED_PROXIES)
        request.META["REMOTE_ADDR"] = client_address(peer, forwarded_for, trusted)
        return get_response(request)

    return middleware


def client_address(peer: str, forwarded_for: str, trusted: tuple[str, ...]) -> str:
    """The last address that one whom we trust tells of.

    peer: who is connected; "" over a unix socket, where it is our own proxy process. forwarded_for: the
    header, in which each hop adds whom it heard from at the end; what stands before an untrusted hop could
    be made up. trusted: networks.
    """
    networks = _networks(trusted)
    hops = forwarded_for.split(",")
    address = _parsed(peer)
    while hops and (address is None or any(address in network for network in networks)):
        nearer = _parsed(hops.pop())
        if nearer is None:
            break
        address = nearer
    return str(address) if address else THIS_HOST


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text.strip())
    except ValueError:
        return None


@lru_cache(maxsize=2)
def _networks(networks: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(network, strict=False) for network in networks)

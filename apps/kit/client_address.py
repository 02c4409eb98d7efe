"""Where a request comes from, seen past the proxies that we trust to say."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

THIS_HOST = "127.0.0.1"


def client_address(request: HttpRequest) -> str:
    """The client's IP address.

    X-Forwarded-For is read from its end, where the nearest proxy wrote, and only as far as those who wrote
    it are trusted: the peer on a unix socket, which is our own proxy process, and TRUSTED_PROXIES. What a
    client puts there itself is never reached.
    """
    trusted = _networks(tuple(settings.TRUSTED_PROXIES))
    peer = _parsed(request.META.get("REMOTE_ADDR", ""))
    hops = request.headers.get("X-Forwarded-For", "").split(",")
    while hops and (peer is None or any(peer in network for network in trusted)):
        nearer = _parsed(hops.pop())
        if nearer is None:
            break
        peer = nearer
    return str(peer) if peer else THIS_HOST


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text.strip())
    except ValueError:
        return None


@lru_cache(maxsize=2)
def _networks(networks: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(network, strict=False) for network in networks)

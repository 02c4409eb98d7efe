"""Whose request it is, behind the proxy's own port and load balancers."""

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest, HttpResponse

THIS_HOST = "127.0.0.1"


def client_address(peer: str, forwarded_for: str, trusted: list[str]) -> str:
    """The last address that one whom we trust tells of.

    peer: who is connected; "" over a unix socket, where it is our own proxy. forwarded_for: the header,
    in which each hop adds whom it heard from at the end; what comes before an untrusted hop could be made
    up. trusted: networks.
    """
    networks = [ip_network(network) for network in trusted]
    hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
    address = peer
    while hops and (not address or _is_in(address, networks)):
        address = hops.pop()
        if not _is_address(address):
            return peer or THIS_HOST
    return address or THIS_HOST


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_in(address: str, networks: list[IPv4Network | IPv6Network]) -> bool:
    return any(ip_address(address) in network for network in networks)


class ClientAddressMiddleware:
    """Puts the client's address where Django and its libraries look: REMOTE_ADDR."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.META["REMOTE_ADDR"] = client_address(
            request.META.get("REMOTE_ADDR", ""),
            request.META.get("HTTP_X_FORWARDED_FOR", ""),
            settings.TRUSTED_PROXIES,
        )
        return self._get_response(request)

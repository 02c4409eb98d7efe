"""Which addresses a webhook may reach. It goes where a customer says, from inside our network: only outward.

A name is resolved once and the connection made to that very address (http.py), so a name cannot
answer the check with one address and the connection with another. All addresses of a name must be allowed.
"""

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

MOST_URL = 500
NEVER = tuple(  # called global by Python, and yet ways to somewhere else: relays and translations
    ip_network(each)
    for each in ("192.88.99.0/24", "2002::/16", "2001::/32", "64:ff9b::/96", "64:ff9b:1::/48", "fec0::/10")
)


class NotAllowed(ValueError):
    """The address is not one that is sent to. The message is for whoever gave it."""


class Target(NamedTuple):
    """A URL taken apart."""

    is_tls: bool
    host: str
    port: int
    path: str  # with the query


def target_of(url: str) -> Target:
    """Raises NotAllowed for what is not a plain http or https URL."""
    if len(url) > MOST_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise NotAllowed(_("That is not a URL: up to 500 ASCII characters, without spaces."))
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise NotAllowed(_("That is not a URL.")) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise NotAllowed(_("Give a URL that begins with https://."))
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise NotAllowed(_("Leave out user names, passwords and what follows a #."))
    is_tls = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(is_tls, parts.hostname, port or (443 if is_tls else 80), path)


def is_outside(address: str) -> bool:
    """Whether an IP address is one of the open internet."""
    parsed = _unmapped(address)
    if parsed is None or any(parsed in network for network in NEVER if network.version == parsed.version):
        return False
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved


def is_own(address: str, networks: Sequence[str]) -> bool:
    """Whether it is in one of the networks that the installation allows besides."""
    parsed = _unmapped(address)
    allowed = [ip_network(each, strict=False) for each in networks]
    return parsed is not None and any(parsed in each for each in allowed if each.version == parsed.version)


def address_for(target: Target) -> str:
    """The IP address to connect to. Raises NotAllowed where a name has one that is not to be reached."""
    addresses = [target.host] if _unmapped(target.host) else _resolved(target)
    for address in addresses:
        if is_own(address, settings.WEBHOOK_NETWORKS):
            continue
        if not is_outside(address):
            raise NotAllowed(
                _("%(host)s is inside our network, or nowhere: it is not sent to.") % {"host": target.host}
            )
        if not target.is_tls:
            raise NotAllowed(_("Over the internet it goes by https:// only."))
    if not addresses:
        raise NotAllowed(_("The name %(host)s has no address.") % {"host": target.host})
    return addresses[0]


def _resolved(target: Target) -> list[str]:
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(entry[4][0]) for entry in found]


def _unmapped(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed

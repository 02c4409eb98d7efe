"""Which models a key may call, and from which networks. Pure rules; knows no Django."""

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

MOST_KEPT = 10_000  # answers of a process


class Access:
    """What is allowed in all of several lists at once: a customer's and its key's. An empty list allows all."""

    __slots__ = ("_models", "_networks", "is_open")

    def __init__(self, models: Iterable[Iterable[str]], networks: Iterable[Iterable[str]]) -> None:
        self._models = tuple(tuple(listed) for listed in models if listed)
        self._networks = tuple(
            tuple(ip_network(each, strict=False) for each in listed) for listed in networks if listed
        )
        self.is_open = not self._models and not self._networks

    def allows_model(self, provider: str, model: str, alias: str | None = None) -> bool:
        """Whether the model may be called. A call that names none is one of the model "", which only * and "p/*" allow.

        A glob with a slash is about provider and model ("openai/gpt-4o*"), or about a model that has one in its name
        ("*/llama-*"); one without is about the model alone. Upper and lower case are the same.

        alias: what the client called the model. Each list may name the one or the other.
        """
        return all(
            _matches_any(globs, provider, model) or (alias is not None and _matches_any(globs, "", alias))
            for globs in self._models
        )

    def allows_address(self, address: str | None) -> bool:
        """Whether calls may come from there. An address that isn't known is in no network."""
        return all(_is_in_any(networks, address) for networks in self._networks)


def _parsed(networks: Iterable[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(each, strict=False) for each in networks)


@lru_cache(maxsize=MOST_KEPT)
def _matches_any(globs: tuple[str, ...], provider: str, model: str) -> bool:
    model = model.lower()
    return any(_matches(glob.lower(), provider, model) for glob in globs)


def _matches(glob: str, provider: str, model: str) -> bool:
    pattern = re.compile(translate(glob))
    if "/" in glob and pattern.match(f"{provider}/{model}"):
        return True
    return pattern.match(model) is not None


@lru_cache(maxsize=MOST_KEPT)
def _is_in_any(networks: tuple[IPv4Network | IPv6Network, ...], address: str | None) -> bool:
    if address is None:
        return False
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)  # ::ffff:192.0.2.1 is 192.0.2.1
    return any((mapped or parsed) in network for network in networks)

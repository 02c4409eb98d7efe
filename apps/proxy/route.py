"""The ways to a provider, and how they are tried. Knows no Django."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from apps.proxy.retrying import Policy
from apps.proxy.upstream import Origin


class Route(NamedTuple):
    """The way to a provider with the operator's key."""

    provider: str
    provider_key_id: bytes
    wire: str
    origin: Origin
    base_path: bytes  # before the wire's own path, such as b"/openai"; never ends in a slash
    secret: bytes
    deployments: Mapping[str, str] = MappingProxyType({})  # models by the names that Azure has for them

    def __repr__(self) -> str:
        return f"<Route to {self.provider} at {self.origin}>"


class Share(NamedTuple):
    """One of a customer's keys for a provider."""

    route: Route
    weight: int = 1  # among those of the same position
    position: int = 0  # lower ones are tried first


class Plan(NamedTuple):
    """How a customer's calls to a provider are tried, where there are several keys or tries."""

    shares: tuple[Share, ...]
    policy: Policy

"""Every page of the console and the portal, from the resolver: a new one is tested once it has a URL."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from django.urls import URLPattern, URLResolver, get_resolver, reverse

from apps.accounts.models import Role
from apps.customers.models import CustomerRole

ROLES = {"console": Role, "portal": CustomerRole}


class Page(NamedTuple):
    """A URL pattern of a face, console or portal."""

    face: str
    name: str
    pattern: URLPattern

    @property
    def arguments(self) -> list[str]:
        """The names of what its address has."""
        return list(self.pattern.pattern.converters)

    @property
    def open_to(self) -> Role | CustomerRole:
        role: Role | CustomerRole = self.pattern.callback.open_to
        return role

    def url(self, **arguments: object) -> str:
        return reverse(self.name, kwargs=arguments)

    def url_of(self, objects: Mapping[str, object]) -> str:
        """Its address with the ids of these objects. An argument that isn't among them: please add it there."""
        return self.url(**{name: objects[name] for name in self.arguments})


def pages() -> Iterator[Page]:
    """All of them."""
    for resolver in get_resolver().url_patterns:
        if isinstance(resolver, URLResolver) and resolver.namespace in ROLES:
            for pattern in resolver.url_patterns:
                assert isinstance(pattern, URLPattern), f"look into {pattern} here too"
                yield Page(resolver.namespace, f"{resolver.namespace}:{pattern.name}", pattern)

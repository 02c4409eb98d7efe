"""What a page may offer: links and buttons to what its reader may open, and no others."""

from functools import cache
from typing import Any

from django import template
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver, get_resolver

register = template.Library()


@register.filter
def may_open(request: HttpRequest, name: str) -> bool:
    """Whether the page `name` lets the reader's role in; the view itself says which role it is open to."""
    member: Any = getattr(request, "member", None) or getattr(request, "customer_member", None)
    return bool(member and member.may(_roles()[name]))


@cache
def _roles() -> dict[str, Any]:
    """Of every page that is open to a role, by the name of its URL."""
    found = {}
    for resolver in get_resolver().url_patterns:
        for pattern in resolver.url_patterns if isinstance(resolver, URLResolver) else ():
            if isinstance(pattern, URLPattern) and hasattr(pattern.callback, "open_to"):
                found[f"{resolver.namespace}:{pattern.name}"] = pattern.callback.open_to
    return found

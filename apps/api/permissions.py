from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.keys.api_scopes import ApiScope


class HasToken(BasePermission):
    """For whoever holds a live API token, whatever it may do."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.auth is not None


class IsOperators(BasePermission):
    """For tokens of the organization itself."""

    message = "That is for operators."

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.auth is not None and request.auth.customer_id is None


class HasProxyKey(HasToken):
    """For whoever holds a live proxy key."""


class ScopePermission(BasePermission):
    """For whoever holds a live API token with a scope."""

    scope: ApiScope

    @property
    def message(self) -> str:
        return f"This token may not do that: it needs the scope {self.scope.value}."

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.auth is not None and self.scope in request.auth.scopes


def HasScope(scope: str) -> type[ScopePermission]:  # noqa: N802  it is used as the class that it gives
    """The permission class of tokens with `scope`. Raises ValueError for what is no scope."""
    return type("HasScope", (ScopePermission,), {"scope": ApiScope(scope)})

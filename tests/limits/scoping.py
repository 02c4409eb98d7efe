"""Limits as the limiter takes them, for tests that need no more than one scope."""

from apps.limits.scopes import LimitKeys, Scoped, Scopes
from apps.limits.terms import Limits, Scope


def under(keys: LimitKeys, limits: Limits) -> Scopes:
    """A customer's limits, and no others."""
    return Scopes(keys, (Scoped(Scope.CUSTOMER, keys, limits),))

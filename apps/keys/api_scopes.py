"""What an API token may do. Each is its own: who may write may not read for that."""

from collections.abc import Iterable

from django.db import models
from django.utils.translation import gettext_lazy as _


class ApiScope(models.TextChoices):
    """A thing that a token may be let do."""

    USAGE_READ = "usage:read", _("Read usage: users, metrics, properties, sessions, exports")
    REQUESTS_READ = "requests:read", _("Read single requests")
    CUSTOMERS_READ = "customers:read", _("Read customers")
    CUSTOMERS_WRITE = "customers:write", _("Add, change, suspend and resume customers")
    KEYS_READ = "keys:read", _("Read proxy keys")
    KEYS_WRITE = "keys:write", _("Make, rotate and revoke proxy keys")
    LIMITS_READ = "limits:read", _("Read limits")
    LIMITS_WRITE = "limits:write", _("Set limits")
    PRICES_READ = "prices:read", _("Read model prices")
    PRICES_WRITE = "prices:write", _("Set rate cards")
    AUDIT_READ = "audit:read", _("Read the audit log")
    ALERTS_READ = "alerts:read", _("Read alerts")
    ALERTS_WRITE = "alerts:write", _("Set alerts")
    BILLING_READ = "billing:read", _("Read invoices, wallets, plans and the ledger")
    BILLING_WRITE = "billing:write", _("Change credit, plans, invoices and payments")
    INGEST_WRITE = "ingest:write", _("Send usage")


# Nothing that shows cost or markup, or another customer: prices and the audit log have both.
# `billing:write` lets a customer's token do what an admin of the customer may in the portal: pay, not be paid.
OPERATORS = frozenset((ApiScope.CUSTOMERS_WRITE, ApiScope.PRICES_READ, ApiScope.PRICES_WRITE, ApiScope.AUDIT_READ))
OF_CUSTOMERS = frozenset(ApiScope) - OPERATORS


def in_order(scopes: Iterable[str]) -> list[str]:
    """Each once, in the order above. Raises ValueError for what is none."""
    wanted = {ApiScope(scope) for scope in scopes}
    return [scope.value for scope in ApiScope if scope in wanted]

"""Live usage for whoever calls with a proxy key: what was spent, what is left."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.api.authentication import ProxyKeyAuthentication
from apps.api.permissions import HasProxyKey
from apps.api.serializers import FiguresSerializer, GroupSerializer, LimitSerializer
from apps.api.throttling import PerKey
from apps.billing.models import Wallet
from apps.billing.queries.wallets import figures_of
from apps.customers.models import Customer
from apps.keys.models import ProxyKey
from apps.limits.terms import Scope as LimitScope
from apps.usage.queries import Scope, grouped_by, named_period, totals
from apps.usage.standing import standings_of


class LiveUsage(APIView):
    """`GET /v1/tollgate/usage`: this month's usage with the key, by model, and where it and its customer stand.

    With the credit that is left, where usage is paid from credit.
    """

    authentication_classes = (ProxyKeyAuthentication,)
    permission_classes = (HasProxyKey,)
    throttle_classes = (PerKey,)

    def get(self, request: Request) -> Response:
        key: ProxyKey = request.auth
        customer, now = key.customer, timezone.now()
        zone = ZoneInfo(customer.organization.time_zone)
        month = named_period("month", now, zone)
        scope = Scope(customer.organization_id, *month, customer_id=customer.pk, proxy_key_id=key.pk)
        standings = standings_of(customer, at=now)
        limits = None  # not known: Redis is away
        if standings is not None:  # of other keys and of end users nothing is told
            mine = [each for each in standings if each.scope is LimitScope.CUSTOMER or each.key_id == key.pk]
            limits = [(each.scope, state) for each in mine for state in each.states]
        return Response(
            {
                "object": "tollgate.usage",
                "customer": customer.name,
                "key": {"name": key.name, "last_four": key.last_four},
                "currency": "USD",
                "time_zone": customer.organization.time_zone,
                "month": {
                    "since": month.since.isoformat(),
                    **FiguresSerializer(totals(scope)).data,
                    "models": GroupSerializer(grouped_by(scope, "sold_as"), many=True).data,
                },
                "limits": None if limits is None else LimitSerializer(limits, many=True).data,
                "credit": _credit_of(customer, now),
            }
        )


def _credit_of(customer: Customer, at: datetime) -> dict[str, Any] | None:
    """What is left in the wallet, as of the last draw: usage of the last minute may not be off it yet."""
    wallet = Wallet.objects.filter(customer=customer).select_related("account", "customer__organization").first()
    if wallet is None:
        return None
    figures = figures_of([wallet], at=at)[wallet.pk]
    return {
        "is_prepaid": wallet.is_prepaid,
        "balance": f"{figures.balance.normalize():f}",
        "expires_within_30_days": f"{figures.expiring.normalize():f}",
        "next_expiry": figures.next_expiry.isoformat() if figures.next_expiry else None,
    }

"""The operator's overview."""

from django.db.models import Exists, OuterRef, Subquery
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.access import OperatorRequest, operator_page
from apps.accounts.models import Organization, Role
from apps.customers.models import Customer
from apps.keys.models import ProviderKey, ProxyKey
from apps.usage.faces import bars, chosen_period, named_groups
from apps.usage.queries import Scope, grouped_by, over_time
from apps.usage.queries.cardinality import too_many
from apps.usage.queries.figures import added_up

TOP = 6


@operator_page(Role.VIEWER)
def dashboard(request: OperatorRequest) -> HttpResponse:
    """What all customers use, cost and bring."""
    organization = request.organization
    zone = request.zone
    period = chosen_period(request.GET.get("period"), timezone.now(), zone)
    scope = Scope(organization.pk, *period.period)
    points = over_time(scope, period.interval, zone)
    by_customer = grouped_by(scope, "customer", limit=TOP)
    names = dict(organization.customers.values_list("pk", "name"))
    context = {
        "section": "dashboard",
        "period": period,
        "zone": zone,
        "totals": added_up(point.figures for point in points),
        "too_many": too_many(organization.pk, at=timezone.now()),
        "requests_chart": bars(points, period.interval, lambda figures: figures.requests, False),
        "price_chart": bars(points, period.interval, lambda figures: figures.price, True),
        "customers": named_groups(by_customer, names, lambda pk: reverse("console:customer-detail", args=[pk])),
        "models": named_groups(grouped_by(scope, "model", limit=TOP)),
        "steps": first_steps(organization),
    }
    return render(request, "console/dashboard.html", context)


def first_steps(organization: Organization) -> list[tuple[str, str, bool]]:
    """What a new operator has to do, where it is done, and whether it is; empty when all of it is."""
    customers = Customer.objects.filter(organization=OuterRef("pk")).order_by("-created_at")
    found = Organization.objects.filter(pk=organization.pk).values_list(
        Exists(ProviderKey.objects.filter(organization=OuterRef("pk"))),
        Subquery(customers.values("pk")[:1]),
        Exists(ProxyKey.objects.filter(organization=OuterRef("pk"))),
    )
    has_provider_key, newest, has_proxy_key = found.get()
    if has_provider_key and newest and has_proxy_key:
        return []
    its_page = reverse("console:customer-detail", args=[newest]) if newest else reverse("console:customers")
    return [
        (_("Put a provider key in the vault"), reverse("console:provider-key-add"), has_provider_key),
        (_("Add a customer"), reverse("console:customer-add"), newest is not None),
        (_("Have the customer sign in and generate a key"), its_page, has_proxy_key),
    ]

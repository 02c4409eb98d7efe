"""What models cost their customer."""

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from apps.customers.access import PortalRequest, portal_page
from apps.customers.models import CustomerRole
from apps.usage.price_faces import offer_rows
from apps.usage.price_list import price_list

PAGE = 50


@portal_page(CustomerRole.VIEWER)
def prices(request: PortalRequest) -> HttpResponse:
    """The customer's own price list."""
    now, wanted = timezone.now(), request.GET.get("q", "").strip()
    offers = [offer for offer in price_list(request.customer, at=now) if wanted.lower() in offer.name.lower()]
    page = Paginator(offers, PAGE).get_page(request.GET.get("page"))
    context = {"section": "prices", "page": page, "rows": offer_rows(page), "wanted": wanted, "now": now}
    return render(request, "portal/prices.html", context)

"""What every address of the API does the same: who may, how often, how errors and answers look."""

from collections.abc import Callable
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import Organization
from apps.api.authentication import TokenAuthentication
from apps.api.permissions import HasScope, HasToken, IsOperators
from apps.api.throttling import PerToken
from apps.api.v1.etags import only_if_changed
from apps.api.v1.problems import as_problem
from apps.customers.models import Customer
from apps.keys.models import ApiToken


class ApiView(APIView):
    """An address of the API. Its methods are made with `schema.operation`, which names the scope that each needs.

    Queries start at `self.organization`, or `self.customers()`: what the token doesn't show does not exist.
    """

    authentication_classes = (TokenAuthentication,)
    permission_classes = (HasToken,)
    throttle_classes = (PerToken,)
    metadata_class = None  # OPTIONS tells nothing that the document doesn't

    @property
    def allowed_methods(self) -> list[str]:
        return [method for method in super().allowed_methods if method != "OPTIONS"]

    @property
    def token(self) -> ApiToken:
        token: ApiToken = self.request.auth
        return token

    @property
    def organization(self) -> Organization:
        return self.token.organization

    @property
    def is_operators(self) -> bool:
        """Whether the token is the organization's own: it sees cost and margin."""
        return self.token.customer_id is None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.organization.time_zone)

    def customers(self) -> QuerySet[Customer]:
        """Those that the token shows."""
        customers = self.organization.customers.all()
        return customers if self.is_operators else customers.filter(pk=self.token.customer_id)

    def customer_or_404(self, customer_id: UUID) -> Customer:
        return get_object_or_404(self.customers().select_related("organization"), pk=customer_id)

    def customer_in(self, params: dict[str, Any]) -> UUID | None:
        """Whose figures are asked for: the token's customer; else the one of the parameter `customer`; None: all."""
        if asked := params.get("customer"):
            return self.customer_or_404(asked).pk
        return self.token.customer_id

    def get_permissions(self) -> list[Any]:
        method = getattr(self, (self.request.method or "").lower(), None)
        scope = getattr(method, "needs_scope", None)
        if scope is None:
            return super().get_permissions()
        return [HasScope(scope)(), IsOperators()] if getattr(method, "is_operators", False) else [HasScope(scope)()]

    def get_exception_handler(self) -> Callable[..., Response | None]:
        return as_problem

    def finalize_response(self, request: Request, response: HttpResponse, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers["Vary"] = "Accept, Authorization"
        response.headers.setdefault("Cache-Control", "private, no-cache")
        if request.method in ("GET", "HEAD") and isinstance(response, Response) and response.status_code == 200:
            response.add_post_render_callback(only_if_changed(request))
        return response


class Nothing(ApiView):
    """Any address that is none."""

    permission_classes = ()
    authentication_classes = ()
    throttle_classes = ()
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        get_object_or_404(Customer.objects.none())

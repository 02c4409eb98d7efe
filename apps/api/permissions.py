from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView


class HasProxyKey(BasePermission):
    """For whoever holds a live proxy key."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.auth is not None

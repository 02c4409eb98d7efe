"""Who asks: the holder of a proxy key, wherever its SDK puts that."""

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from apps.keys.models import ProxyKey
from apps.keys.token import digest, looks_valid

HEADERS = ("authorization", "x-api-key", "x-goog-api-key", "api-key", "tollgate-auth", "helicone-auth")
BEARER = "bearer "


class ProxyKeyAuthentication(BaseAuthentication):
    """`request.auth` is the live key; there is no user. What the key is refused for, the proxy says better."""

    def authenticate(self, request: Request) -> tuple[None, ProxyKey] | None:
        said = (request.headers.get(name, "").strip() for name in HEADERS)
        keys = (value[len(BEARER) :].strip() if value.lower().startswith(BEARER) else value for value in said)
        plain = next((key for key in keys if looks_valid(key)), None)
        if plain is None:
            return None
        live = ProxyKey.objects.live(timezone.now()).select_related("customer__organization")
        key = live.filter(key_hash=digest(plain)).first()
        if key is None:
            raise AuthenticationFailed(_("There is no such key, or it is not valid any more."), code="unknown_key")
        return None, key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"

"""Who asks: the holder of an API token; or, of live usage, of a proxy key, wherever its SDK puts that."""

from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from apps.accounts import audit
from apps.keys.models import ApiToken, ProxyKey
from apps.keys.services.api_tokens import note_use
from apps.keys.token import digest, looks_like_api_token, looks_valid

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


class TokenAuthentication(BaseAuthentication):
    """`request.auth` is the live API token: its `organization`, its `customer` (None: all of them), its `scopes`.

    There is no user; the audit log has the token's name for what is done with it.
    """

    def authenticate(self, request: Request) -> tuple[None, ApiToken] | None:
        said = request.headers.get("authorization", "")
        if not said:
            return None
        plain = said[len(BEARER) :].strip() if said.lower().startswith(BEARER) else ""
        now = timezone.now()
        token = self._token(plain, now) if looks_like_api_token(plain) else None
        if token is None:
            raise AuthenticationFailed(_("There is no such token, or it is not valid any more."), code="unknown_token")
        note_use(token, at=now)
        audit.acting.set(f"API token {token}")  # until the request is over: see accounts.middleware
        return None, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Tollgate"'

    @staticmethod
    def _token(plain: str, now: datetime) -> ApiToken | None:
        live = ApiToken.objects.live(now).select_related("organization", "customer__organization")
        return live.filter(token_hash=digest(plain)).first()

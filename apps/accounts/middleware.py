"""What happens around every request of a browser."""

from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django_ratelimit.core import get_usage
from redis.exceptions import RedisError

from apps.accounts import audit

GetResponse = Callable[[HttpRequest], HttpResponse]

RETRY_S = 10  # after what is away


def remember_client(get_response: GetResponse) -> GetResponse:
    """Let the audit log know where what is done in this request comes from."""

    def middleware(request: HttpRequest) -> HttpResponse:
        address = audit.client_address.set(request.META["REMOTE_ADDR"])
        acting = audit.acting.set(audit.COMMAND_LINE)  # what the request sets goes no further than the request
        try:
            return get_response(request)
        finally:
            audit.acting.reset(acting)
            audit.client_address.reset(address)

    return middleware


def _typed_email(group: str, request: HttpRequest) -> str:
    return request.POST.get("email", "").strip().lower() or request.META["REMOTE_ADDR"]


# How often each page may be posted to: from one address, and about one mailbox. Sign-in failures for one
# account are allauth's to count.
THROTTLES: Mapping[str, tuple[tuple[Any, str], ...]] = {
    "account_login": (("ip", "30/m"),),
    "account_signup": (("ip", "20/h"),),
    "account_reset_password": (("ip", "20/h"), (_typed_email, "5/h")),
    "account_reset_password_from_key": (("ip", "20/h"),),
    "invitation-accept": (("ip", "20/h"),),
    "customer-invitation-accept": (("ip", "20/h"),),
    "console:export-add": (("user", "30/h"),),
    "portal:export-add": (("user", "30/h"),),
    "portal:voucher-redeem": (("user", "20/h"), ("ip", "60/h")),
}


class ThrottleMiddleware:
    """Answers 429 when somebody posts to one of THROTTLES more often than a person would."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: object) -> HttpResponse | None:
        """Counts the request for every limit of its page, even beyond one of them."""
        name = request.resolver_match.view_name if request.resolver_match else ""
        try:
            waits = [_wait_s(request, name, key, rate) for key, rate in THROTTLES.get(name, ())]
        except RedisError:
            return _away(request)
        if not any(waits):
            return None
        response = render(request, "429.html", status=429)
        response["Retry-After"] = str(max(waits))
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Failed sign-ins are counted in Redis too: who cannot be counted is not let in, and told why."""
        return _away(request) if isinstance(error, RedisError) else None


def _away(request: HttpRequest) -> HttpResponse:
    response = render(request, "503.html", status=503)
    response["Retry-After"] = str(RETRY_S)
    return response


def _wait_s(request: HttpRequest, page: str, key: Any, rate: str) -> int:
    """How long until the next try, in whole seconds; 0: now."""
    usage = get_usage(request, group=f"{page}:{rate}", key=key, rate=rate, method="POST", increment=True)
    return max(1, usage["time_left"]) if usage and usage["should_limit"] else 0

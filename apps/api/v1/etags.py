"""An answer that is the same as the last time is not sent again."""

from collections.abc import Callable
from hashlib import sha256

from django.http import HttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from rest_framework.request import Request


def only_if_changed(request: Request) -> Callable[[HttpResponse], HttpResponse | None]:
    """For an answer that is rendered: gives it an ETag, and 304 in its place to who has it already."""

    def render(response: HttpResponse) -> HttpResponse | None:
        etag = quote_etag(sha256(response.content).hexdigest()[:32])
        response.headers["ETag"] = etag
        conditional = get_conditional_response(request._request, etag=etag, response=response)  # noqa: SLF001
        return None if conditional is response else conditional

    return render

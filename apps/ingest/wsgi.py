"""The body of a request, where WSGI has it: Django reads none whose length was not told."""

from typing import cast

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest

from apps.ingest.body import Readable


def stream_of(request: HttpRequest) -> Readable:
    """What the body of `request` is read from, in chunks (as Go's exporter sends it) or not."""
    environ = request.environ if isinstance(request, WSGIRequest) else {}
    if not environ.get("CONTENT_LENGTH") and environ.get("wsgi.input_terminated"):
        return cast("Readable", environ["wsgi.input"])
    return request

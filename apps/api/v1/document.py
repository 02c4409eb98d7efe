"""The document of the API, in OpenAPI 3.1, and a page to read it and try it out."""

from functools import cache
from hashlib import sha256
from threading import Lock

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import condition, require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer

_making = Lock()
RENDERERS = {"json": OpenApiJsonRenderer, "yaml": OpenApiYamlRenderer}


def document(form: str) -> tuple[bytes, str]:
    """The document and its ETag. It is of the code alone, so once is enough; two at once would get in each other's way,
    since drf-spectacular looks classes up in place.
    """
    with _making:
        return _made(form)


@cache
def _made(form: str) -> tuple[bytes, str]:
    content: bytes = RENDERERS[form]().render(SchemaGenerator().get_schema(public=True), renderer_context={})
    return content, f'"{sha256(content).hexdigest()[:32]}"'


@require_safe
@condition(etag_func=lambda _, form: document(form)[1])
def openapi(request: HttpRequest, form: str) -> HttpResponse:
    """The document, for programs."""
    types = {"json": "application/vnd.oai.openapi+json", "yaml": "application/vnd.oai.openapi"}
    return HttpResponse(document(form)[0], content_type=types[form])


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The document, for people."""
    return render(request, "api/docs.html")

"""Errors as RFC 9457 has them (`application/problem+json`)."""

import logging
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from django.core.exceptions import ValidationError as ModelError
from django.db import IntegrityError, OperationalError
from psycopg.errors import UniqueViolation
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from apps.billing.payments.base import Declined, ProviderError
from apps.kit.errors import Refused

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
RETRY_S = 5

TITLES = {  # the last part of `type`, by status
    400: ("invalid-request", "The request is not valid"),
    401: ("unauthenticated", "A token is needed"),
    403: ("forbidden", "The token may not do that"),
    404: ("not-found", "There is no such thing"),
    405: ("method-not-allowed", "The address has no such method"),
    406: ("not-acceptable", "Answers are JSON"),
    409: ("conflict", "It cannot be done as things are"),
    413: ("too-large", "The request is too large"),
    415: ("unsupported-media-type", "Requests are JSON"),
    429: ("too-many-requests", "Too many requests"),
    503: ("unavailable", "Not available at the moment"),
}


class InvalidParameters(exceptions.ValidationError):
    """Errors of the query string, not of the body."""


class Conflict(exceptions.APIException):
    status_code = 409
    default_code = "conflict"


class Unavailable(exceptions.APIException):
    status_code = 503
    default_code = "unavailable"
    default_detail = "The database does not answer. Try again in a moment."
    wait = RETRY_S


def as_problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """The answer to what was raised; None for a bug, which Django then tells of."""
    told = _known(error)
    answer = exception_handler(told, context)
    if answer is None:
        return None
    answer.data = problem(answer.status_code, told, context["request"].path)
    answer.content_type = CONTENT_TYPE
    answer.headers["Cache-Control"] = "no-store"
    return answer


def problem(status: int, error: Exception, path: str) -> dict[str, Any]:
    """The members of a problem. `errors` has one for each thing that is wrong, and is empty where it is the whole."""
    kind, title = TITLES.get(status, ("error", HTTPStatus(status).phrase))
    errors = list(_errors(error)) if isinstance(error, exceptions.ValidationError) else []
    return {
        "type": f"urn:tollgate:problem:{kind}",
        "title": title,
        "status": status,
        "detail": _detail(error, title, errors),
        "instance": path,
        "errors": errors,
    }


def _known(error: Exception) -> Exception:
    """What our own rooms raise, as REST framework has it."""
    match error:
        case Refused():
            return Conflict(str(error))
        case ModelError():
            return exceptions.ValidationError(getattr(error, "message_dict", None) or error.messages)
        case Declined():
            return Conflict(str(error))
        case ProviderError():
            return Unavailable(str(error) or "The payment provider does not answer. Try again in a moment.")
        case IntegrityError() if isinstance(error.__cause__, UniqueViolation):
            # Most often two at once; were it anything else, the constraint tells.
            logger.warning("a conflict that no check foresaw: %s", error.__cause__.diag.constraint_name)
            return Conflict("The same was done at this very moment: look again.")
        case OperationalError():
            logger.error("the database does not answer: %s", type(error.__cause__ or error).__name__)
            return Unavailable()
    return error


def _detail(error: Exception, title: str, errors: list[dict[str, str]]) -> str:
    if errors:
        first = errors[0]
        where = first.get("parameter") or first.get("pointer", "").removeprefix("#/")
        return f"{where}: {first['detail']}" if where else first["detail"]
    return str(error.detail) if isinstance(error, exceptions.APIException) else f"{title}."


def _errors(error: exceptions.ValidationError) -> Iterator[dict[str, str]]:
    is_query = isinstance(error, InvalidParameters)
    for path, detail in _leaves(error.detail, ()):
        named = [part for part in path if part not in ("non_field_errors", "__all__")]
        if is_query:
            yield {"detail": detail, "parameter": named[0] if named else ""}
        else:
            yield {"detail": detail, "pointer": "#" + "".join(f"/{part}" for part in named)}


def _leaves(detail: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _leaves(inner, (*path, str(name)))
    elif isinstance(detail, list):
        for number, inner in enumerate(detail):
            is_text = not isinstance(inner, dict | list)
            yield from _leaves(inner, path if is_text else (*path, str(number)))
    else:
        yield path, str(detail)

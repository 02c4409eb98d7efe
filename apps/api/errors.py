"""Errors in the shape that OpenAI's SDKs read, since these paths are called with one."""

from typing import Any

from rest_framework.exceptions import APIException
from rest_framework.response import Response
from rest_framework.views import exception_handler

KINDS = {401: "invalid_request_error", 403: "permission_error", 429: "rate_limit_error"}


def in_openais_shape(error: Exception, context: dict[str, Any]) -> Response | None:
    """The answer to an error that REST framework knows; None for any other."""
    answer = exception_handler(error, context)
    if answer is None:
        return None
    detail = error.detail if isinstance(error, APIException) else "There is nothing here."
    code = getattr(detail, "code", "not_found")
    kind = KINDS.get(answer.status_code, "invalid_request_error")
    answer.data = {"error": {"message": str(detail), "type": kind, "param": None, "code": code}}
    return answer

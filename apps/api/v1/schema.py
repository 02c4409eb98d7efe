"""How operations are told of in the document (OpenAPI 3.1), and what they need."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers

from apps.api.v1.params import Params
from apps.api.v1.problems import CONTENT_TYPE, TITLES
from apps.keys.api_scopes import ApiScope

Method = TypeVar("Method", bound=Callable[..., Any])
Answer = type[serializers.BaseSerializer[Any]] | serializers.BaseSerializer[Any] | OpenApiResponse | None

EVERYWHERE = (400, 401, 403, 429, 503)
EXAMPLES = {
    400: ("limit: Ensure this value is less than or equal to 200.", [("limit", "less than or equal to 200")]),
    401: ("There is no such token, or it is not valid any more.", []),
    403: ("This token may not do that: it needs the scope usage:read.", []),
}


class FaultSerializer(serializers.Serializer[Any]):
    """One thing that is wrong: in the query string (`parameter`), or in the body (`pointer`)."""

    detail = serializers.CharField()
    parameter = serializers.CharField(required=False)
    pointer = serializers.CharField(required=False, help_text="A JSON pointer, such as `#/limits/daily_cap`.")


class ProblemSerializer(serializers.Serializer[Any]):
    """What went wrong, as RFC 9457 has it."""

    type = serializers.CharField(help_text="Which kind of problem: `urn:tollgate:problem:…`.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField(help_text="The path that was asked for.")
    errors = FaultSerializer(many=True)


class TokenScheme(OpenApiAuthenticationExtension):
    """An API token in the header `Authorization`."""

    target_class = "apps.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        """As the document has it."""
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "tg_api_…",
            "description": "An API token of the organization, or of one of its customers, whose alone it then shows.",
        }

    def get_security_requirement(self, auto_schema: AutoSchema) -> dict[str, list[str]]:
        """With the scope that the operation needs."""
        view = auto_schema.view
        scope = getattr(getattr(view, auto_schema.method.lower()), "needs_scope", None)
        return {self.name: [scope.value] if scope else []}


def operation(
    scope: ApiScope | str,
    summary: str,
    *,
    name: str,
    tag: str,
    answer: Answer | dict[str, Any] = None,
    params: type[Params] | None = None,
    body: type[serializers.BaseSerializer[Any]] | None = None,
    status: int = 200,
    example: Any = None,
    sent: Any = None,
    errors: Iterable[int] = (),
    answers: dict[Any, Any] | None = None,
    headers: Iterable[OpenApiParameter] = (),
    is_operators: bool = False,
) -> Callable[[Method], Method]:
    """A method of a view: what it needs and what the document says of it. Its docstring is the description.

    answer: what it gives with `status`; None: nothing. example, sent: an answer, and a body, as they look.
    errors: statuses besides EVERYWHERE. answers: instead of `answer`, as drf-spectacular has them.
    headers: those that it reads. is_operators: for tokens of the organization itself alone.
    """
    needs = ApiScope(scope)

    def decorator(method: Method) -> Method:
        method.needs_scope = needs  # type: ignore[attr-defined]
        method.is_operators = is_operators  # type: ignore[attr-defined]
        who = ", and a token of the organization" if is_operators else ""
        given = answers or {status: answer}
        statuses = [str(key[0] if isinstance(key, tuple) else key) for key in given]
        examples = [OpenApiExample("answer", example, response_only=True, status_codes=statuses)] if example else []
        if sent is not None:
            examples.append(OpenApiExample("body", sent, request_only=True))
        decorated: Method = extend_schema(
            operation_id=name,
            summary=summary,
            description=f"{(method.__doc__ or summary).strip()}\n\nNeeds the scope `{needs.value}`{who}.",
            tags=[tag],
            parameters=[*([params] if params else []), *headers],
            request=body,
            responses=given | problems({*EVERYWHERE, *errors}),
            examples=examples,
        )(method)
        return decorated

    return decorator


def page_of(each: type[serializers.BaseSerializer[Any]]) -> serializers.Serializer[Any]:
    """A page of things, as the document has it."""
    return inline_serializer(
        name=each.__name__.removesuffix("Serializer") + "Page",
        fields={
            "data": each(many=True),
            "next": serializers.CharField(allow_null=True, help_text="The cursor of the next page; null: the last."),
        },
    )


def problems(statuses: Iterable[int]) -> dict[tuple[int, str], Any]:
    """The answers with these statuses."""
    return {
        (status, CONTENT_TYPE): OpenApiResponse(
            ProblemSerializer, description=TITLES[status][1], examples=[_example(status)]
        )
        for status in sorted(statuses)
    }


def _example(status: int) -> OpenApiExample:
    kind, title = TITLES[status]
    detail, errors = EXAMPLES.get(status, (f"{title}.", []))
    value = {
        "type": f"urn:tollgate:problem:{kind}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": "/api/v1/users",
        "errors": [{"detail": told, "parameter": name} for name, told in errors],
    }
    return OpenApiExample(title, value, response_only=True, status_codes=[str(status)], media_type=CONTENT_TYPE)


def only_ours(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """The document is of version 1."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith("/api/v1/")]

"""Errors of ours, given to the real SDKs: each raises what it would for the provider's own."""

import anthropic
import google.genai.errors
import httpx2
import openai
import pytest
from google import genai

from apps.proxy.protocols import routes

from .answers import CHAT, GENERATE, MESSAGES, RESPONSES

MESSAGE = "Ask your operator – it's them who know."


def answering(status: int, body: bytes, content_type: str = "application/json") -> httpx2.MockTransport:
    """The wire with these bytes at its other end."""
    headers = {"content-type": content_type}
    return httpx2.MockTransport(lambda request: httpx2.Response(status, content=body, headers=headers))


def openai_client(transport: httpx2.MockTransport) -> openai.OpenAI:
    http = httpx2.Client(transport=transport)
    return openai.OpenAI(api_key="tg", base_url="http://localhost/v1", max_retries=0, http_client=http)


def anthropic_client(transport: httpx2.MockTransport) -> anthropic.Anthropic:
    http = httpx2.Client(transport=transport)
    return anthropic.Anthropic(api_key="tg", base_url="http://localhost", max_retries=0, http_client=http)


def google_client(transport: httpx2.MockTransport) -> genai.Client:
    options = genai.types.HttpOptions(base_url="http://localhost", httpx_client=httpx2.Client(transport=transport))
    return genai.Client(api_key="tg", http_options=options)


OPENAI_CLASSES = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    402: openai.APIStatusError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    413: openai.APIStatusError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
    502: openai.InternalServerError,
    503: openai.InternalServerError,
    504: openai.InternalServerError,
}


@pytest.mark.parametrize("status", OPENAI_CLASSES)
def test_openai_s_sdk_raises_its_own(status):
    client = openai_client(answering(status, routes.OPENAI.error(status, "the_code", MESSAGE, "model")))
    with pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(model="m", messages=[])
    error = raised.value
    assert type(error) is OPENAI_CLASSES[status]
    assert (error.status_code, error.code, error.param) == (status, "the_code", "model")
    assert error.body["message"] == MESSAGE
    assert error.type


ANTHROPIC_CLASSES = {
    400: (anthropic.BadRequestError, "invalid_request_error"),
    401: (anthropic.AuthenticationError, "authentication_error"),
    402: (anthropic.APIStatusError, "billing_error"),
    403: (anthropic.PermissionDeniedError, "permission_error"),
    404: (anthropic.NotFoundError, "not_found_error"),
    413: (anthropic.RequestTooLargeError, "request_too_large"),
    429: (anthropic.RateLimitError, "rate_limit_error"),
    500: (anthropic.InternalServerError, "api_error"),
    502: (anthropic.InternalServerError, "api_error"),
    503: (anthropic.ServiceUnavailableError, "overloaded_error"),
    504: (anthropic.DeadlineExceededError, "timeout_error"),
}


@pytest.mark.parametrize("status", ANTHROPIC_CLASSES)
def test_anthropic_s_sdk_raises_its_own(status):
    client = anthropic_client(answering(status, routes.ANTHROPIC.error(status, "the_code", MESSAGE)))
    with pytest.raises(anthropic.APIStatusError) as raised:
        client.messages.create(model="m", max_tokens=1, messages=[])
    expected, kind = ANTHROPIC_CLASSES[status]
    assert issubclass(type(raised.value), expected)
    error = {"type": kind, "message": MESSAGE, "code": "the_code"}
    assert raised.value.body == {"type": "error", "error": error}


GOOGLE_CLASSES = {
    400: (google.genai.errors.ClientError, "INVALID_ARGUMENT"),
    401: (google.genai.errors.ClientError, "UNAUTHENTICATED"),
    402: (google.genai.errors.ClientError, "FAILED_PRECONDITION"),
    403: (google.genai.errors.ClientError, "PERMISSION_DENIED"),
    404: (google.genai.errors.ClientError, "NOT_FOUND"),
    413: (google.genai.errors.ClientError, "INVALID_ARGUMENT"),
    418: (google.genai.errors.ClientError, "INVALID_ARGUMENT"),
    429: (google.genai.errors.ClientError, "RESOURCE_EXHAUSTED"),
    500: (google.genai.errors.ServerError, "INTERNAL"),
    502: (google.genai.errors.ServerError, "INTERNAL"),
    503: (google.genai.errors.ServerError, "UNAVAILABLE"),
    504: (google.genai.errors.ServerError, "DEADLINE_EXCEEDED"),
}


@pytest.mark.parametrize("status", GOOGLE_CLASSES)
def test_google_s_sdk_raises_its_own(status):
    client = google_client(answering(status, routes.GEMINI.error(status, "the_code", MESSAGE)))
    with pytest.raises(google.genai.errors.APIError) as raised:
        client.models.generate_content(model="m", contents="hi")
    expected, name = GOOGLE_CLASSES[status]
    error = raised.value
    assert (type(error), error.code, error.status, error.message) == (expected, status, name, MESSAGE)
    assert error.details["error"]["details"][0]["reason"] == "THE_CODE"


# Within a stream

EVENTS = "text/event-stream"


def test_a_chat_that_breaks_off_raises_in_openai_s_sdk():
    body = CHAT.wire.error_event(CHAT.operation, 504, "provider_timeout", MESSAGE)
    stream = openai_client(answering(200, body, EVENTS)).chat.completions.create(model="m", messages=[], stream=True)
    with pytest.raises(openai.APIError, match=MESSAGE) as raised:
        list(stream)
    assert raised.value.code == "provider_timeout"


def test_a_response_that_breaks_off_ends_with_an_error_event():
    body = RESPONSES.wire.error_event(RESPONSES.operation, 504, "provider_timeout", MESSAGE)
    stream = openai_client(answering(200, body, EVENTS)).responses.create(model="m", input="hi", stream=True)
    (event,) = list(stream)
    assert (event.type, event.code, event.message) == ("error", "provider_timeout", MESSAGE)


def test_a_message_that_breaks_off_raises_in_anthropic_s_sdk():
    body = MESSAGES.wire.error_event(MESSAGES.operation, 504, "provider_timeout", MESSAGE)
    client = anthropic_client(answering(200, body, EVENTS))
    stream = client.messages.create(model="m", max_tokens=1, messages=[], stream=True)
    with pytest.raises(anthropic.APIStatusError, match="timeout_error"):
        list(stream)


def test_content_that_breaks_off_raises_in_google_s_sdk():
    body = GENERATE.wire.error_event(GENERATE.operation, 504, "provider_timeout", MESSAGE)
    client = google_client(answering(200, body, EVENTS))
    with pytest.raises(google.genai.errors.APIError) as raised:
        list(client.models.generate_content_stream(model="m", contents="hi"))
    assert (raised.value.code, raised.value.status) == (504, "DEADLINE_EXCEEDED")

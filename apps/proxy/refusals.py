"""What the guard answers to requests that never reach the application."""

import json

from uvicorn.protocols.http.httptools_impl import STATUS_LINE


class Refusal(Exception):
    """A request that goes no further. The client may read why."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    def answer(self) -> bytes:
        """The whole answer, in a shape that both the OpenAI and the Anthropic SDK understand."""
        error = {"type": "invalid_request_error", "code": self.code, "message": str(self), "param": None}
        body = json.dumps({"type": "error", "error": error}).encode()
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        return STATUS_LINE[self.status] + head % len(body) + body


def malformed() -> Refusal:
    return Refusal(400, "malformed_request", "This is not a valid HTTP/1.1 request.")


def bad_target() -> Refusal:
    return Refusal(400, "bad_target", "The target of a request must be a path.")


def bad_host() -> Refusal:
    return Refusal(400, "bad_host", "A request needs one Host header with a valid host.")


def bad_framing() -> Refusal:
    return Refusal(400, "bad_framing", "The only transfer encoding understood is chunked.")


def no_upgrade() -> Refusal:
    return Refusal(400, "no_upgrade", "This server does not change protocols.")


def too_many_pipelined() -> Refusal:
    return Refusal(400, "too_many_pipelined", "Too many requests were sent without waiting for answers.")


def too_slow() -> Refusal:
    return Refusal(408, "request_timeout", "The request did not come in fast enough.")


def body_too_large(most: int) -> Refusal:
    return Refusal(413, "request_too_large", f"The request's body is larger than {most:,} bytes.")


def url_too_long(most: int) -> Refusal:
    return Refusal(414, "url_too_long", f"The URL is longer than {most:,} bytes.")


def headers_too_large() -> Refusal:
    return Refusal(431, "headers_too_large", "The headers are too many or too long.")

"""Why a call ends before its answer: what the client is told, and how it is recorded.

The texts say what to do next and name nobody else's figures. The wire puts them into the shape that
its SDK turns into its own exception.
"""

from collections.abc import Mapping, Sequence

from apps.proxy.grant import Bar
from apps.proxy.protocols.errors import BadBody
from apps.proxy.upstream import (
    BadResponse,
    ConnectFailed,
    ConnectionLost,
    FirstByteTimeout,
    IdleTimeout,
    InvalidRequest,
    OriginBusy,
    UpstreamError,
)
from apps.usage.record import FAILED, REFUSED


class Stop(Exception):
    """The call goes no further: `status`, `code` and `message` are for the client."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        result: int = REFUSED,
        retry_after_s: int | None = None,
        param: str | None = None,
        headers: Sequence[tuple[bytes, bytes]] = (),
        limit: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.result = result
        self.retry_after_s = retry_after_s
        self.param = param  # the field of the body that is at fault
        self.headers = headers  # of the answer, besides the usual ones
        self.limit = limit  # that was reached, for programs


PROTOCOLS = {"openai": "OpenAI's protocol", "anthropic": "Anthropic's protocol", "gemini": "Gemini's protocol"}

BARRED = {
    Bar.REVOKED: (401, "This key was revoked. Use another key, or make one in the portal's Developer tab."),
    Bar.EXPIRED: (401, "This key has expired. Make a new one in the portal's Developer tab."),
    Bar.SUSPENDED: (403, "This account is suspended. Ask your provider of this service."),
}


def no_key() -> Stop:
    return Stop(401, "missing_api_key", "No API key was sent. Send your key as “Authorization: Bearer tg_live_…”.")


def not_our_key() -> Stop:
    return Stop(
        401,
        "invalid_api_key",
        "That is not a key of this service: a key starts with “tg_live_” and this one is malformed or mistyped.",
    )


def unknown_key() -> Stop:
    return Stop(401, "invalid_api_key", "This key is not known here. Make one in the portal's Developer tab.")


def barred(bar: Bar) -> Stop:
    status, message = BARRED[bar]
    return Stop(status, str(bar), message)


def deferred() -> Stop:
    return Stop(
        403,
        "operation_not_offered",
        "Batches, fine-tuning and videos are not offered here: what they cost is not in their answer.",
    )


def not_theirs() -> Stop:
    return Stop(
        403,
        "operation_not_offered",
        "Stored objects (lists of files, batches, what others made) cannot be read or changed here: they belong to the "
        "operator's account with the provider, which other customers share.",
    )


GONE_ON_FROM = frozenset(("previous_response_id", "conversation"))  # of these a provider says that the body is wrong


def not_made_by_them(param: str | None, object_id: str) -> Stop:
    """As the provider says it of what isn't there: nobody is told of what others have."""
    code = "previous_response_not_found" if param == "previous_response_id" else "not_found"
    return Stop(
        400 if param in GONE_ON_FROM else 404, code, f"There is no “{object_id[:80]}” of this account.", param=param
    )


def no_background() -> Stop:
    return bad_body(BadBody("Responses in the background are not available here.", "background"))


def still_awaited(object_id: str) -> Stop:
    """What is deleted tells nobody any more what it cost."""
    return Stop(
        409,
        "response_not_settled",
        f"“{object_id}” goes on, or has just ended: wait for its end or cancel it, then delete it a few seconds later.",
        retry_after_s=2,
    )


def no_provider(provider: str) -> Stop:
    return Stop(403, "provider_not_enabled", f"No provider key is set up for “{provider}”. Ask to have it enabled.")


def model_not_allowed(model: str) -> Stop:
    return Stop(403, "model_not_allowed", f"The model “{model[:200]}” may not be called with this key.")


def other_protocol(model: str, wire: str) -> Stop:
    return Stop(
        400,
        "model_of_other_protocol",
        f"The model “{model}” is not called at this address: it speaks {PROTOCOLS[wire]}. Use the SDK for that.",
    )


def network_not_allowed() -> Stop:
    return Stop(403, "network_not_allowed", "This key may not be used from your network.")


def end_user_blocked() -> Stop:
    return Stop(
        403,
        "end_user_blocked",
        "The end user that this call names is blocked. It can be let in on its page, under Users.",
    )


def body_too_large(most: int) -> Stop:
    return Stop(413, "request_too_large", f"The request's body is larger than {most:,} bytes.")


def bad_body(error: BadBody) -> Stop:
    return Stop(error.status, "invalid_body", error.message, param=error.param)


def no_credit() -> Stop:
    """Of how much there was nothing is said: that is on the account's own pages."""
    return Stop(
        402,
        "credit_used_up",
        "The prepaid credit of this account is used up, or what is left of it is held for calls under way. Top it up "
        "under Billing in the portal: calls go through again at once. A call with a smaller limit on its output may "
        "still fit.",
        headers=[(b"tollgate-limit", b"prepaid_credit;scope=customer")],
        limit={"name": "prepaid_credit", "scope": "customer"},
    )


def unpriced(model: str) -> Stop:
    return Stop(
        400,
        "model_not_priced",
        f"The price of the model “{model}” is not known, and this account has a spend cap. "
        "Use another model, or ask to have its price set.",
    )


def away(what: str) -> Stop:
    """Something of ours is away. Never a 401: the key may be good."""
    return Stop(503, "temporarily_unavailable", f"{what} Try again shortly.", retry_after_s=2)


def our_fault() -> Stop:
    return Stop(500, "internal_error", "Something went wrong here, not with your request.", result=FAILED)


PROVIDER_FAILURES: dict[type[UpstreamError], tuple[int, str, str]] = {
    ConnectFailed: (502, "provider_unreachable", "The provider cannot be reached."),
    OriginBusy: (503, "provider_busy", "Too many calls to this provider are under way."),
    FirstByteTimeout: (504, "provider_timeout", "The provider did not begin to answer in time."),
    IdleTimeout: (504, "provider_timeout", "The provider stopped in the middle of its answer."),
    ConnectionLost: (502, "provider_connection_lost", "The provider broke off its answer."),
    BadResponse: (502, "provider_bad_answer", "The provider's answer cannot be understood."),
    InvalidRequest: (
        400,
        "invalid_request",
        "The request cannot be passed on: its body is not as long as it said.",
    ),
}


def provider_failed(error: UpstreamError) -> Stop:
    """The provider gave no whole answer. What it said or where it is stays with us."""
    status, code, message = PROVIDER_FAILURES[type(error)]
    return Stop(status, code, message, result=FAILED)

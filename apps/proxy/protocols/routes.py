"""Which protocol, provider and operation a path means.

Goes by the bytes of the path as they are forwarded, never by a decoded form: a path that can be
read in two ways is nobody's.
"""

import re

from apps.keys.providers import wire_of

from .anthropic import Anthropic
from .base import Headers, Match, Operation, Wire
from .gemini import Gemini
from .openai import OpenAI

OPENAI, ANTHROPIC, GEMINI = OpenAI(), Anthropic(), Gemini()
WIRES: dict[str, Wire] = {wire.name: wire for wire in (OPENAI, ANTHROPIC, GEMINI)}

PREFIXES = (b"/v1/", b"/v1beta/", b"/v1alpha/", b"/anthropic/", b"/p/")

_PLAIN = re.compile(rb"/(?:[A-Za-z0-9._~:@!$&'()*+,;=-]+/)*[A-Za-z0-9._~:@!$&'()*+,;=-]*")
_GEMINI = re.compile(rb"/(?:v1|v1beta|v1alpha)/(?:models|tunedModels)/([A-Za-z0-9._~-]+):([A-Za-z]+)")
_PROVIDER = re.compile(rb"/p/([a-z0-9][a-z0-9-]{0,39})(/.+)")

_OPENAI = {
    b"/chat/completions": Operation("chat.completions", b"/chat/completions", needs_json=True, is_generation=True),
    b"/responses": Operation("responses", b"/responses", needs_json=True, is_generation=True),
    b"/completions": Operation("completions", b"/completions", needs_json=True, is_generation=True),
    b"/embeddings": Operation("embeddings", b"/embeddings", needs_json=True),
}
_ANTHROPIC = {
    b"/v1/messages": Operation("messages", b"/v1/messages", needs_json=True, is_generation=True),
    b"/v1/messages/count_tokens": Operation(
        "messages.count_tokens", b"/v1/messages/count_tokens", needs_json=True, is_charged=False
    ),
}
_DEFERRED = (b"/batches", b"/fine_tuning/jobs", b"/videos", b"/v1/messages/batches")  # made by POST
_UNCHARGED_POSTS = (b"/files", b"/uploads", b"/vector_stores", b"/conversations", b"/responses/")
_GEMINI_FREE = frozenset(("countTokens", "computeTokens"))
_GEMINI_DEFERRED = frozenset(("batchGenerateContent", "asyncBatchEmbedContent", "predictLongRunning"))


def is_ours(raw_path: bytes) -> bool:
    """Whether the path is under a provider's prefix, known or not."""
    return raw_path.startswith(PREFIXES)


def find(method: str, raw_path: bytes, headers: Headers) -> Match | None:
    """Where a path leads; None: nowhere, or to one of our own pages."""
    if not raw_path.startswith(PREFIXES) or _is_ambiguous(raw_path):
        return None
    if raw_path.startswith(b"/p/"):
        return _of_provider(method, raw_path)
    if raw_path.startswith(b"/anthropic/"):
        return _anthropic(method, raw_path.removeprefix(b"/anthropic"))
    if raw_path.startswith((b"/v1beta/", b"/v1alpha/")) or (b":" in raw_path and _GEMINI.fullmatch(raw_path)):
        return _gemini(method, raw_path)
    if raw_path.startswith(b"/v1/messages") or any(name == b"anthropic-version" for name, _ in headers):
        return _anthropic(method, raw_path)
    return Match(OPENAI, _openai_operation(method, raw_path[3:]), "openai", may_name_provider=True)


def wire_for(raw_path: bytes, headers: Headers) -> Wire:
    """The protocol to refuse an unknown path in."""
    if raw_path.startswith((b"/v1beta/", b"/v1alpha/")):
        return GEMINI
    if raw_path.startswith((b"/anthropic/", b"/v1/messages")) or any(
        name == b"anthropic-version" for name, _ in headers
    ):
        return ANTHROPIC
    return OPENAI


def _is_ambiguous(raw_path: bytes) -> bool:
    return _PLAIN.fullmatch(raw_path) is None or b"/." in raw_path


def _of_provider(method: str, raw_path: bytes) -> Match | None:
    """/p/{provider}/…, with or without the version that the provider's base URL has already."""
    match = _PROVIDER.fullmatch(raw_path)
    if match is None:
        return None
    provider, path = match[1].decode(), match[2]
    wire = wire_of(provider)
    if wire == "anthropic":
        return _anthropic(method, path)
    if wire == "gemini":
        return _gemini(method, path)
    return Match(OPENAI, _openai_operation(method, path.removeprefix(b"/v1") or path), provider)


def _openai_operation(method: str, path: bytes) -> Operation:
    if method == "POST" and path in _OPENAI:
        return _OPENAI[path]
    is_post = method == "POST"
    return Operation(
        _name_of(path),
        path,
        is_charged=is_post and not path.startswith(_UNCHARGED_POSTS),
        is_deferred=is_post and path.startswith(_DEFERRED),
    )


def _anthropic(method: str, path: bytes) -> Match:
    operation = _ANTHROPIC.get(path) if method == "POST" else None
    if operation is None:
        is_deferred = method == "POST" and path.startswith(_DEFERRED)
        operation = Operation(_name_of(path[3:]), path, is_charged=False, is_deferred=is_deferred)
    return Match(ANTHROPIC, operation, "anthropic")


def _gemini(method: str, path: bytes) -> Match:
    match = _GEMINI.fullmatch(path) if method == "POST" else None
    if match is None:
        return Match(GEMINI, Operation(_name_of(path[path.index(b"/", 1) :]), path, is_charged=False), "google")
    name = match[2].decode()
    operation = Operation(
        name,
        path,
        needs_json=True,
        is_charged=name not in _GEMINI_FREE,
        is_generation=name in ("generateContent", "streamGenerateContent"),
        is_deferred=name in _GEMINI_DEFERRED,
        is_streamed=name == "streamGenerateContent",
        model=match[1].decode(),
    )
    return Match(GEMINI, operation, "google")


def _name_of(path: bytes) -> str:
    """What usage is grouped by: the path without the ids in it."""
    parts = [part for part in path.decode().split("/") if part]
    words = [part for part in parts[:3:2] if part.replace("_", "").isalpha()]
    if len(parts) == 2 and parts[0] in ("audio", "images", "fine_tuning", "chat"):
        words = parts
    return ".".join(words)[:80] or "unknown"

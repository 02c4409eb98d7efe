"""Which protocol, provider and operation a path means.

Goes by the bytes of the path as they are forwarded, never by a decoded form: a path that can be
read in two ways is nobody's.
"""

import re

from apps.keys.providers import wire_of

from . import azure
from .anthropic import Anthropic
from .azure import Azure
from .base import Headers, Match, Operation, Wire
from .gemini import Gemini
from .openai import OpenAI

OPENAI, AZURE, ANTHROPIC, GEMINI = OpenAI(), Azure(), Anthropic(), Gemini()
WIRES: dict[str, Wire] = {wire.name: wire for wire in (OPENAI, AZURE, ANTHROPIC, GEMINI)}

PREFIXES = (b"/v1/", b"/v1beta/", b"/v1alpha/", b"/anthropic/", azure.PREFIX, b"/p/")
TOLLGATE = b"/v1/tollgate/"  # our own API under the address that SDKs have
TRACES = b"/v1/traces"  # where OpenTelemetry's exporters send to, under any address that they are given

_PLAIN = re.compile(rb"/(?:[A-Za-z0-9._~:@!$&'()*+,;=-]+/)*[A-Za-z0-9._~:@!$&'()*+,;=-]*")
_GEMINI_CALL = re.compile(rb"/(?:v1|v1beta|v1alpha)/(?:models|tunedModels)/([A-Za-z0-9._~-]+):([A-Za-z]+)")
_PROVIDER = re.compile(rb"/p/([a-z0-9][a-z0-9-]{0,39})(/.+)")
_KEPT = re.compile(
    rb"/(?:responses|conversations|files|vector_stores|uploads|containers|assistants|skills|chat/completions)"
    rb"/([A-Za-z0-9._-]+)(?:/[A-Za-z0-9._/-]+)?"
)
_CATALOGUE = re.compile(rb"(?:/v1|/v1beta|/v1alpha)?/(?:[a-z]+-)*models(?:/.*)?")  # xAI: /language-models
_READS = frozenset(("GET", "HEAD"))
_COMPLETED = re.compile(rb"/uploads/[A-Za-z0-9._-]+/complete")  # makes a file
_VERBS = frozenset((b"compact", b"input_tokens"))  # in the place of an id
_GEMINI_KEY = b"x-goog-api-key"
_ANTHROPIC_VERSION = b"anthropic-version"

_OPENAI = {
    b"/chat/completions": Operation("chat.completions", b"/chat/completions", needs_json=True, is_generation=True),
    b"/responses": Operation("responses", b"/responses", needs_json=True, is_generation=True, makes_object=True),
    b"/responses/compact": Operation("responses.compact", b"/responses/compact", needs_json=True, is_generation=True),
    b"/completions": Operation("completions", b"/completions", needs_json=True, is_generation=True),
    b"/embeddings": Operation("embeddings", b"/embeddings", needs_json=True, is_embedding=True),
    b"/moderations": Operation("moderations", b"/moderations", needs_json=True, is_charged=False),
    b"/audio/speech": Operation("audio.speech", b"/audio/speech", needs_json=True, is_media=True),
    b"/images/generations": Operation("images.generations", b"/images/generations", needs_json=True, is_media=True),
} | {
    b"/" + name.replace(".", "/").encode(): Operation(
        name, b"/" + name.replace(".", "/").encode(), takes_form=True, is_media=True
    )
    for name in ("audio.transcriptions", "audio.translations", "images.edits", "images.variations")
}
_ANTHROPIC = {
    b"/v1/messages": Operation("messages", b"/v1/messages", needs_json=True, is_generation=True),
    b"/v1/messages/count_tokens": Operation(
        "messages.count_tokens", b"/v1/messages/count_tokens", needs_json=True, is_charged=False
    ),
}
_USUAL = {  # what nearly all calls are
    b"/v1" + path: Match(OPENAI, operation, "openai", may_name_provider=True) for path, operation in _OPENAI.items()
} | {path: Match(ANTHROPIC, operation, "anthropic") for path, operation in _ANTHROPIC.items()}

# Made by POST. Sessions hand out keys with which the provider is called past us.
_OPENAI_DEFERRED = (
    b"/batches", b"/fine_tuning", b"/videos", b"/realtime", b"/live", b"/chatkit", b"/evals", b"/threads",
    b"/containers",
)  # fmt: skip
_OPENAI_FREE_POSTS = (
    b"/files", b"/uploads", b"/vector_stores", b"/conversations", b"/responses/", b"/assistants", b"/skills",
    b"/chat/completions/",
)  # fmt: skip
_OPENAI_MAKES = frozenset((b"/conversations", b"/files", b"/uploads", b"/vector_stores", b"/assistants", b"/skills"))
_ANTHROPIC_DEFERRED = (b"/v1/messages/batches",)
_ANTHROPIC_FREE_POSTS = (b"/v1/files", b"/v1/skills")
_ANTHROPIC_MAKES = frozenset(_ANTHROPIC_FREE_POSTS)
_GEMINI_GENERATIONS = frozenset(("generateContent", "streamGenerateContent"))
_GEMINI_EMBEDDINGS = frozenset(("embedContent", "batchEmbedContents"))
_GEMINI_FREE = frozenset(("countTokens", "computeTokens"))
_GEMINI_DEFERRED = frozenset(
    ("batchGenerateContent", "asyncBatchEmbedContent", "predictLongRunning", "bidiGenerateContent")
)
# Of the account, not of models: keys, members, bills.
_ACCOUNT = (b"/organization", b"/dashboard", b"/v1/organization")


def is_ours(raw_path: bytes) -> bool:
    """Whether the path is under a provider's prefix, known or not."""
    return raw_path.startswith(PREFIXES) and not raw_path.startswith(TOLLGATE) and raw_path != TRACES


def find(method: str, raw_path: bytes, headers: Headers) -> Match | None:
    """Where a path leads; None: nowhere, or to one of our own pages."""
    usual = _USUAL.get(raw_path)
    if usual is not None and method == "POST":
        return usual
    if not is_ours(raw_path) or _is_ambiguous(raw_path):
        return None
    if raw_path.startswith(b"/p/"):
        return _of_provider(method, raw_path)
    if raw_path.startswith(azure.PREFIX):
        return _azure(method, raw_path)
    wire = wire_for(raw_path, headers)
    if wire is GEMINI:
        return _gemini(method, raw_path)
    if wire is ANTHROPIC:
        return _anthropic(method, raw_path.removeprefix(b"/anthropic"))
    return _openai(method, raw_path.removeprefix(b"/v1"), "openai", may_name_provider=True)


def wire_for(raw_path: bytes, headers: Headers) -> Wire:
    """The protocol of a path, known or not. OpenAI, Anthropic and Gemini share /v1: there the headers tell."""
    if raw_path.startswith((b"/v1beta/", b"/v1alpha/")) or _GEMINI_CALL.fullmatch(raw_path):
        return GEMINI
    if raw_path.startswith((b"/anthropic/", b"/v1/messages")):
        return ANTHROPIC
    if raw_path.startswith(azure.PREFIX):
        return AZURE
    if match := _PROVIDER.match(raw_path):
        return WIRES[wire_of(match[1].decode())]
    names = {name for name, _ in headers}
    return ANTHROPIC if _ANTHROPIC_VERSION in names else GEMINI if _GEMINI_KEY in names else OPENAI


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
    if wire == "azure":
        return _azure(method, path if path.startswith(azure.PREFIX) else azure.V1 + path.removeprefix(b"/v1"))
    return _openai(method, path[3:] if path.startswith(b"/v1/") else path, provider)


def _openai(method: str, path: bytes, provider: str, *, may_name_provider: bool = False) -> Match | None:
    """Whatever is under /v1; what we know nothing of is charged by the usage that its answer tells."""
    if path.startswith(_ACCOUNT):
        return None
    is_post = method == "POST"
    operation = _OPENAI.get(path) if is_post else None
    if operation is None:
        operation = Operation(
            _name_of(path),
            path,
            is_charged=is_post and not path.startswith(_OPENAI_FREE_POSTS),
            is_deferred=is_post and path.startswith(_OPENAI_DEFERRED),
            makes_object=is_post and (path in _OPENAI_MAKES or _COMPLETED.fullmatch(path) is not None),
            object_id=_kept_thing(path),
            is_catalogue=_is_catalogue(method, path),
        )
    return Match(OPENAI, operation, provider, may_name_provider)


def _azure(method: str, path: bytes) -> Match | None:
    """What we know, and the list of models: at an operator's own resource anything else could be."""
    if method == "GET" and path in (azure.PREFIX + b"models", azure.V1 + b"/models"):
        return Match(AZURE, Operation("models", path, is_charged=False, is_catalogue=True), "azure")
    operation = azure.find_operation(path, _OPENAI) if method == "POST" else None
    if operation is None and (object_id := _kept_thing(path.removeprefix(azure.V1).removeprefix(b"/openai"))):
        operation = Operation(_name_of(path[7:]), path, is_charged=False, object_id=object_id)
    return None if operation is None else Match(AZURE, operation, "azure")


def _anthropic(method: str, path: bytes) -> Match | None:
    """A POST that we don't know could cost what we don't see."""
    is_post = method == "POST"
    if is_post and path in _ANTHROPIC:
        return Match(ANTHROPIC, _ANTHROPIC[path], "anthropic")
    is_deferred = is_post and path.startswith(_ANTHROPIC_DEFERRED)
    if is_post and not is_deferred and not path.startswith(_ANTHROPIC_FREE_POSTS):
        return None
    if not path.startswith(b"/v1/") or path.startswith(_ACCOUNT):
        return None
    operation = Operation(
        _name_of(path),
        path,
        is_charged=False,
        is_deferred=is_deferred,
        makes_object=is_post and path in _ANTHROPIC_MAKES,
        object_id=_kept_thing(path.removeprefix(b"/v1")),
        is_catalogue=_is_catalogue(method, path),
    )
    return Match(ANTHROPIC, operation, "anthropic")


def _gemini(method: str, path: bytes) -> Match | None:
    """The same: of POSTs only those whose cost is seen."""
    if method != "POST":
        operation = Operation(_name_of(path), path, is_charged=False, is_catalogue=_is_catalogue(method, path))
        return Match(GEMINI, operation, "google")
    match = _GEMINI_CALL.fullmatch(path)
    name = match[2].decode() if match else ""
    if match is None or name not in _GEMINI_GENERATIONS | _GEMINI_EMBEDDINGS | _GEMINI_FREE | _GEMINI_DEFERRED:
        return None
    operation = Operation(
        name,
        path,
        needs_json=True,
        is_charged=name not in _GEMINI_FREE,
        is_generation=name in _GEMINI_GENERATIONS,
        is_embedding=name in _GEMINI_EMBEDDINGS,
        is_deferred=name in _GEMINI_DEFERRED,
        is_streamed=name == "streamGenerateContent",
        model=match[1].decode(),
    )
    return Match(GEMINI, operation, "google")


def _is_catalogue(method: str, path: bytes) -> bool:
    """Whether it only reads which models there are. All else that can be read is somebody's."""
    return method in _READS and _CATALOGUE.fullmatch(path) is not None


def _kept_thing(path: bytes) -> str:
    """The id of the thing that a path is about, such as a response or a file; "": of none."""
    match = _KEPT.fullmatch(path)
    return match[1].decode() if match and match[1] not in _VERBS else ""


def _name_of(path: bytes) -> str:
    """What usage is grouped by: the path without version and ids."""
    parts = [part for part in path.decode().split("/") if part and part not in ("v1", "v1beta", "v1alpha")]
    words = [part for part in parts[:3:2] if part.replace("_", "").isalpha()]
    if len(parts) == 2 and parts[0] in ("audio", "images", "chat"):
        words = parts
    return ".".join(words)[:80] or "unknown"

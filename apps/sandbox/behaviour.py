"""How the sandbox behaves in one call: what the environment, the model's name and the prompt ask for.

The prompt may hold words such as `sandbox:pace=20`, so that a call to a model that has a price can be slow
or go wrong all the same; the model may be named `sandbox-slow`, `error-429`, `stall` or `drop-midstream`.
"""

import os
import re
from dataclasses import dataclass, replace
from typing import Any

DIRECTIVE = re.compile(r"\bsandbox:([a-z-]+)(?:=([0-9.]+))?")
ERROR_IN_NAME = re.compile(r"\berror-([45]\d\d)\b")
NONCE = re.compile(r"\bnonce-[0-9A-Za-z]+\b")
MOST_TOKENS = 100_000


@dataclass(frozen=True)
class Behaviour:
    first_s: float = 0.2  # until the answer begins
    pace_s: float = 0.012  # between two events of a stream; a plain answer waits for all of them
    tokens: int | None = None  # in the answer's text; None: the model's whim
    cached: int | None = None  # input tokens read from the cache
    reasoning: int | None = None  # tokens of thought
    searches: int = 0  # of the web, before a response
    runs_s: float = 0.3  # that a response in the background takes
    error: int | None = None  # a status to answer with instead
    retry_after: int | None = None  # seconds, sent with that error
    hides_usage: bool = False
    echoes_key: bool = False  # the error quotes the API key whole, as careless providers do
    is_gzipped: bool = False  # a stream too, where the client takes it
    ends_with: str = ""  # "stall", "drop" or "fail": what happens half way through the answer
    nonce: str = ""  # found in the prompt: begins the answer, and names the call in the ledger


def _from_environment() -> Behaviour:
    """`TOLLGATE_SANDBOX_PACE`: "first,between" in milliseconds."""
    first, _, between = os.environ.get("TOLLGATE_SANDBOX_PACE", "200,12").partition(",")
    return Behaviour(first_s=float(first) / 1000, pace_s=float(between or 0) / 1000)


USUAL = _from_environment()


def behaviour_of(model: str, prompt: str) -> Behaviour:
    """What `model` and the words in `prompt` ask for; the prompt has the last word."""
    changes: dict[str, Any] = {}
    if model == "sandbox-slow":
        changes |= {"first_s": 2.0, "pace_s": 0.1}
    elif model == "sandbox-fast":
        changes |= {"first_s": 0.0, "pace_s": 0.0}
    elif model in ("stall", "drop-midstream"):
        changes["ends_with"] = model.removesuffix("-midstream")
    elif named := ERROR_IN_NAME.search(model):
        changes["error"] = int(named[1])
    if "sandbox:" in prompt:
        for name, value in DIRECTIVE.findall(prompt):
            changes |= _directive(name, float(value or 0))
    if nonce := NONCE.search(prompt):
        changes["nonce"] = nonce[0]
    return replace(USUAL, **changes) if changes else USUAL


def _directive(name: str, value: float) -> dict[str, Any]:
    whole = int(min(value, MOST_TOKENS))
    match name:
        case "first" | "pace":
            return {f"{name}_s": value / 1000}
        case "runs":
            return {"runs_s": value / 1000}
        case "tokens" | "cached" | "reasoning" | "searches" | "error":
            return {name: whole}
        case "retry-after":
            return {"retry_after": whole}
        case "stall" | "drop" | "fail":
            return {"ends_with": name}
        case "no-usage":
            return {"hides_usage": True}
        case "echo-key":
            return {"echoes_key": True}
        case "gzip":
            return {"is_gzipped": True}
    return {}

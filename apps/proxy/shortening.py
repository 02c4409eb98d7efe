"""Setting the output limit of a call that would not fit under a cap otherwise. Knows no Django."""

from collections.abc import Callable

import msgspec

from apps.proxy.protocols.base import Operation

LEAST_OUTPUT = 16  # tokens; some providers take no smaller limit, and less is no answer
MOST_OUTPUT = 2**31 - 1

FIELDS = {  # with the output limit, by operation. All that are there are set, or, where none is, the first
    "chat.completions": ("max_tokens", "max_completion_tokens"),
    "completions": ("max_tokens",),
    "responses": ("max_output_tokens",),
    "messages": ("max_tokens",),
}
NEW_NAMES_ONLY = frozenset(("openai", "azure"))  # whose newer models take no `max_tokens`
GEMINI = frozenset(("generateContent", "streamGenerateContent"))

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def can_be_shortened(operation: Operation) -> bool:
    """Whether its body has an output limit that we know how to set."""
    return operation.name in FIELDS or operation.name in GEMINI


def most_output(cost: Callable[[int], int], room: int) -> int:
    """The largest output limit of an answer at which the call costs at most `room` (pico); 0 where none is.

    cost: the most that the call can cost with such a limit.
    """
    least, most = 0, MOST_OUTPUT
    while least < most:
        middle = (least + most + 1) // 2
        if cost(middle) <= room:
            least = middle
        else:
            most = middle - 1
    return least


def shortened(operation: Operation, provider: str, body: bytes, limit: int) -> bytes:
    """The same body with this output limit. All other fields stay as they were written."""
    fields = _fields.decode(body)
    value = msgspec.Raw(b"%d" % limit)
    if operation.name in GEMINI:
        name = "generation_config" if "generation_config" in fields else "generationConfig"
        config = _fields.decode(fields[name]) if name in fields else {}
        inner = "max_output_tokens" if "max_output_tokens" in config else "maxOutputTokens"
        fields[name] = msgspec.Raw(msgspec.json.encode(config | {inner: value}))
    else:
        names = FIELDS[operation.name]
        otherwise = names[-1] if provider in NEW_NAMES_ONLY else names[0]
        for name in [name for name in names if name in fields] or [otherwise]:
            fields[name] = value
    return msgspec.json.encode(fields)

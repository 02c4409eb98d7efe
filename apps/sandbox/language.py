"""What the sandbox's models write: words, JSON and vectors that depend on the prompt and nothing else."""

import random
import struct
from collections.abc import Iterable
from typing import Any
from zlib import crc32

PASSAGE = (
    "A toll is paid where the road begins. "
    "The gate keeps a note of every cart: its load, its owner, its hour. "
    "Nobody in Zürich waits twice for the same bridge. What is counted once is owed once. "
    "A naïve clerk wrote the sums in pencil; the rain took them. Since then the ledger is ink. "
    "A lantern → the water, a coin → the bowl, a line → the book. "
    "Travellers from 東京 to Łódź know the price before they knock. "
    "When the gate is shut, a sign tells how long. When it opens, the queue moves in the order it came. "
    "Good fences make good neighbours, and good meters make good invoices. "
    "At night the café beside the bridge sells soup 🍲 to those who have paid. "
    "In the morning the book is carried to town, copied, and carried back. "
    "Two copies that differ are worth less than one. "
)
WORDS = PASSAGE.split()
STARTS = [0, *(at + 1 for at, word in enumerate(WORDS[:-1]) if word.endswith("."))]
ENDS = [*(start for start in STARTS[1:]), len(WORDS)]


def count_tokens(text: str) -> int:
    """About as many as a real tokenizer would say: one for four bytes."""
    return (len(text.encode(errors="surrogatepass")) + 3) // 4


def write(prompt: str, *, nonce: str, tokens: int | None, most: int | None) -> tuple[list[str], bool]:
    """The answer to `prompt` in pieces of one token, and whether `most` cut it short.

    tokens: how many it should have; None: one to three sentences.
    """
    seed = crc32(prompt.encode(errors="surrogatepass"))
    first = seed % len(STARTS)
    begin = STARTS[first]
    if tokens is None:
        last = min(first + seed // 7 % 3, len(ENDS) - 1)
        tokens = ENDS[last] - begin + bool(nonce)
    words = [nonce] if nonce and tokens else []
    words += (WORDS[(begin + i) % len(WORDS)] for i in range(tokens - len(words)))
    is_cut = most is not None and most < len(words)
    words = words[:most] if is_cut else words
    return [word if i == 0 else f" {word}" for i, word in enumerate(words)], is_cut


def fill(schema: dict[str, Any], prompt: str) -> Any:
    """A value that fits a JSON schema, as a tool's arguments or a structured answer."""
    if "enum" in schema:
        return schema["enum"][crc32(prompt.encode(errors="surrogatepass")) % len(schema["enum"])]
    match str(schema.get("type", "")).lower():  # Gemini says it in capitals
        case "object":
            return {name: fill(inner, prompt + name) for name, inner in schema.get("properties", {}).items()}
        case "array":
            return [fill(schema.get("items", {}), prompt)]
        case "integer" | "number":
            return crc32(prompt.encode(errors="surrogatepass")) % 100
        case "boolean":
            return True
        case "null":
            return None
    return WORDS[crc32(prompt.encode(errors="surrogatepass")) % len(WORDS)].strip(".,:;")


def vector(text: str, dimensions: int) -> list[float]:
    """A vector of length 1, the same for the same text; in 32-bit floats, as providers send it."""
    numbers = random.Random(text)  # noqa: S311 the same every time is what it is for
    values = [numbers.gauss(0, 1) for _ in range(dimensions)]
    length = sum(value * value for value in values) ** 0.5
    packed = struct.pack(f"<{dimensions}f", *(value / length for value in values))
    return list(struct.unpack(f"<{dimensions}f", packed))


def texts_in(value: Any) -> Iterable[str]:
    """Every string under the keys that hold prose, wherever they are in messages or parts."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item)
    elif isinstance(value, dict):
        for name in ("text", "content", "parts", "input", "output", "arguments", "thinking"):
            if name in value:
                yield from texts_in(value[name])

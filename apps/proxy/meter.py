"""Reads usage out of an answer while it passes by, without holding it up."""

from typing import NamedTuple

from apps.pricing.rating import Tokens
from apps.proxy.decoding import CannotDecode, decoder
from apps.proxy.headers import ResponseHead
from apps.proxy.protocols.base import Ask, Operation, Reader, Wire
from apps.proxy.sse import Splitter, parse
from apps.usage.record import ESTIMATED, NONE, REPORTED

BYTES_A_TOKEN = 4  # of text, where we have to estimate; flagged wherever it shows
MOST_KEPT = 1024 * 1024  # of a plain answer, or of a stream's text that has not been counted
KEPT_ENDS = 256 * 1024  # of a plain answer that is longer: usage stands at either end
EMPTY = Tokens()


class Usage(NamedTuple):
    """What a call has used, as far as its answer tells."""

    tokens: Tokens = EMPTY
    source: int = NONE
    model: str = ""
    error_code: str = ""
    error_message: str = ""


class Meter:
    """Of one answer. `feed` every chunk, then b"" once; `finish` tells the usage at any time."""

    def __init__(self, wire: Wire, operation: Operation, ask: Ask, answer: ResponseHead) -> None:
        self.is_stream = answer.content_type.startswith((b"text/event-stream", b"application/x-ndjson"))
        self.hides_usage = self.is_stream and ask.hides_usage
        self._operation = operation
        self._ask = ask
        self._reader: Reader = wire.reader(operation, ask)
        self._is_read = self.is_stream or answer.content_type.startswith(b"application/json")
        self._kept: list[bytes] = []  # of the answer as text: all that is plain, what is not counted of a stream
        self._kept_bytes = 0
        self._written_bytes = 0  # of the model's own text that were counted already
        self._splitter = Splitter()
        self._decode = None
        try:
            self._decode = decoder(answer.content_encoding)
        except CannotDecode:
            self._is_read = False

    @property
    def is_final(self) -> bool:
        """Whether the event that ends the stream is among what was fed."""
        return self._reader.is_final

    def feed(self, chunk: bytes) -> bytes:
        """Read a chunk; what of it goes to the client. b"": the answer has ended."""
        if not self._is_read:
            return chunk
        text = chunk
        if self._decode is not None and chunk:
            try:
                text = self._decode(chunk)
            except CannotDecode:
                self._is_read = False
                return chunk
        if not self.is_stream:
            self._keep(text)
            return chunk
        if self.hides_usage and self._decode is None:
            return self._edited(text)
        self._read_events(text)
        return chunk

    def finish(self) -> Usage:
        """What was used, by what has come so far."""
        reader = self._reader
        if self._is_read and not self.is_stream and self._kept:
            reader.read_body(b"".join(self._kept))
        tokens, source = reader.tokens, REPORTED
        if tokens is None or not reader.is_settled:
            tokens, source = self._estimated(tokens)
        return Usage(tokens, source, reader.model, reader.error_code[:80], reader.error_message[:500])

    # Streams

    def _read_events(self, text: bytes) -> None:
        """Most chunks are whole events that tell nothing: those are not even cut into events."""
        self._keep(text)
        if not self._splitter and text.endswith(b"\n\n") and not self._reader.tells(text):
            return
        for part in self._splitter.feed(text):
            self._read_event(part.raw, part.is_whole)

    def _edited(self, text: bytes) -> bytes:
        """The whole events of what has come, without those that only tell the usage we asked for."""
        self._keep(text)
        if not self._splitter and text.endswith(b"\n\n") and not self._reader.tells(text):
            return text
        if not text:
            return self._splitter.rest
        return b"".join(part.raw for part in self._splitter.feed(text) if not self._read_event(part.raw, part.is_whole))

    def _read_event(self, raw: bytes, is_whole: bool) -> bool:
        if not self._reader.tells(raw):
            return False
        if is_whole:
            return self._reader.read(parse(raw))
        self._reader.read_excerpt(raw)
        return False

    # Estimating

    def _keep(self, text: bytes) -> None:
        if not text:
            return
        self._kept.append(text)
        self._kept_bytes += len(text)
        if self._kept_bytes <= MOST_KEPT:
            return
        kept = b"".join(self._kept)
        if self.is_stream:
            self._written_bytes += self._reader.text_bytes(kept)
            self._kept, self._kept_bytes = [], 0
        else:
            self._written_bytes += self._reader.text_bytes(kept[KEPT_ENDS:-KEPT_ENDS])
            self._kept = [kept[:KEPT_ENDS], kept[-KEPT_ENDS:]]
            self._kept_bytes = 2 * KEPT_ENDS

    def _estimated(self, told: Tokens | None) -> tuple[Tokens, int]:
        """Tokens by the bytes of the text, where no answer told them; what was told of the input stands."""
        if not self._operation.is_generation or not self._is_read:
            return told or EMPTY, NONE if told is None else REPORTED
        written = self._written_bytes + self._reader.text_bytes(b"".join(self._kept))
        output = -(-written // BYTES_A_TOKEN)
        if told is not None:
            return Tokens(*told_with_output(told, output)), ESTIMATED
        if not written:
            return EMPTY, NONE
        return Tokens(input=-(-self._ask.input_bytes // BYTES_A_TOKEN), output=output), ESTIMATED


def told_with_output(told: Tokens, output: int) -> list[int]:
    """The counts of `told` with at least so many tokens of output."""
    counts = [getattr(told, kind) for kind in told.__struct_fields__]
    position = told.__struct_fields__.index("output")
    counts[position] = max(counts[position], output - (told.all_output - told.output))
    return counts

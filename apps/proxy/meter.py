"""Reads usage out of an answer while it passes by, without holding it up.

What a reader needs of an answer depends on its form: a stream is cut into events, of which most tell
nothing and are passed on after a glance; a plain answer is kept, in bounds, until its end; of what
cannot be read only the bytes are counted.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from apps.pricing.rating import Tokens, Units
from apps.proxy.decoding import CannotDecode, Decode, decoder
from apps.proxy.headers import ResponseHead
from apps.proxy.plain import Opaque, Plain
from apps.proxy.protocols import body as bodies
from apps.proxy.protocols.base import RUNNING, Ask, Operation, Reader, Wire
from apps.proxy.sse import BOUNDARIES, Part, Splitter, parse
from apps.proxy.written import Written
from apps.usage.record import COUNTED, ESTIMATED, NONE, REPORTED

BYTES_A_TOKEN = 4  # of text, where we have to estimate; flagged wherever it shows
MOST_UNCOUNTED = 16 * 1024  # of a stream whose text may have to be counted
MOST_HELD = 64 * 1024  # of an event that may have to be taken out; what is longer tells more than usage
EMPTY = Tokens()


class Usage(NamedTuple):
    """What a call has used, as far as its answer tells."""

    tokens: Tokens = EMPTY
    source: int = NONE
    model: str = ""
    request_id: str | None = None  # the provider's
    error_code: str = ""
    error_message: str = ""
    units: Units = ()
    service_tier: str = ""
    provider_cost: Decimal | None = None
    state: str = ""  # of a thing that may go on at the provider; base.RUNNING: this is not all
    made: Sequence[str] = ()  # ids of what the provider keeps, beside the answer's own


class Counted(NamedTuple):
    """Tokens by the model's vocabulary; None: they could not be counted."""

    input: int | None = None
    output: int | None = None


NOT_COUNTED = Counted()


class Answer(Protocol):
    """An answer in one of its forms."""

    def feed(self, text: bytes) -> bytes:
        """The next bytes; what of them to pass on. b"": the end."""

    def finish(self) -> None:
        """Let the reader read what it needs the end for."""

    def written_bytes(self) -> int:
        """UTF-8 bytes of what the model wrote, so far."""

    def keep_words(self) -> None:
        """Before the first byte: they may have to be counted."""

    def words(self) -> list[bytes] | None:
        """All of them, where they were kept."""


class Meter:
    """Of one answer. `feed` every chunk, then b"" once; `finish` tells the usage, once, at any time.

    status: the answer's. Of errors no usage is estimated.
    """

    def __init__(self, wire: Wire, operation: Operation, ask: Ask, answer: ResponseHead, status: int = 200) -> None:
        self._operation = operation
        self._ask = ask
        self._is_error = status >= 400
        self._reader: Reader = wire.reader(operation, ask)
        self._passed = 0  # bytes
        self._is_read = False  # to its end
        self._is_legible = False  # something came out of what was packed
        self._counted = NOT_COUNTED
        self._decode: Decode | None = None
        self._answer: Answer

        is_json = answer.content_type.startswith(b"application/json")
        # Some servers of one's own call a stream plain text.
        self.is_stream = answer.content_type.startswith(b"text/event-stream") or (
            ask.is_streamed and not is_json and not self._is_error
        )
        if operation.object_id and not operation.makes_object:  # what was made before: its usage was charged then
            self._answer = Opaque()
            return
        try:
            self._decode = decoder(answer.content_encoding)
        except CannotDecode:
            self._answer = Opaque()
            return
        if self.is_stream:
            self._answer = Stream(self._reader, is_edited=ask.hides_usage and self._decode is None)
        elif is_json or operation.is_generation or operation.is_embedding or _is_transcript(answer, operation):
            self._answer = Plain(self._reader)
        else:
            self._answer = Opaque()

    def __repr__(self) -> str:
        return f"<Meter of {self._answer!r}, {self._reader!r}>"

    @property
    def is_final(self) -> bool:
        """Whether the event that ends the stream is among what was fed."""
        return self._reader.is_final

    @property
    def running(self) -> str | None:
        """The id of a thing that the provider says goes on, as far as was read."""
        return self._reader.request_id if self._reader.state in RUNNING else None

    def passes(self, chunk: bytes) -> bool:
        """Whether the chunk goes to the client as it is and tells nothing. If so, it is fed."""
        answer = self._answer
        if self._decode is not None or not isinstance(answer, Stream) or not answer.passes(chunk):
            return False
        self._passed += len(chunk)
        return True

    def feed(self, chunk: bytes) -> bytes:
        """Read a chunk; what of it goes to the client. b"": the answer has ended."""
        self._passed += len(chunk)
        if self._decode is None:
            return self._answer.feed(chunk)
        try:
            text = self._decode(chunk) if chunk else b""
            self._is_legible = self._is_legible or bool(text)
            self._answer.feed(text)
        except CannotDecode:
            self._decode = None
            self._answer = Opaque()
        return chunk

    def finish(self) -> Usage:
        """What was used, by what has come so far."""
        self._read_to_end()
        reader = self._reader
        tokens, source = reader.tokens, REPORTED
        if tokens is None or not reader.is_settled:
            tokens, source = self._estimated(tokens)
        return Usage(
            tokens,
            source,
            _clean(reader.model)[:256],
            _clean(reader.request_id)[:200] if reader.request_id else None,
            _clean(reader.error_code)[:80] if reader.error_code else "",
            _clean(reader.error_message)[:500] if reader.error_message else "",
            tuple(reader.units.items()) if reader.units else (),
            _clean(reader.service_tier)[:40] if reader.service_tier else "",
            reader.provider_cost,
            reader.state,
            tuple(reader.made) if reader.made else (),
        )

    def keep_words(self) -> None:
        """Before the first byte: the model's vocabulary can count them, where nobody tells how many tokens they are."""
        self._answer.keep_words()

    def untold(self) -> str | None:
        """What the model wrote, of which the answer, by what has come so far, doesn't tell how much it is.

        None: it tells, or nothing was written, or not all of that is known.
        """
        self._read_to_end()
        is_told = self._reader.tokens is not None and self._reader.is_settled
        if is_told or self._is_error or not self._operation.is_generation:
            return None
        words = self._answer.words()
        return bodies.text_of(words) if words else None

    def take_count(self, counted: Counted) -> None:
        """What `finish` goes by where nothing was told."""
        self._counted = counted

    def _read_to_end(self) -> None:
        if not self._is_read:
            self._is_read = True
            self._answer.finish()

    def _estimated(self, told: Tokens | None) -> tuple[Tokens, int]:
        """The tokens of an answer that doesn't tell them, or not all: as they were counted, or else by a bound.

        The bound: UTF-8 bytes of the text by BYTES_A_TOKEN, rounded up, for what went in the bytes of the
        body. What was told of the input stands, and so does more output than the text has.
        """
        operation = self._operation
        if operation.is_media and told is None and self._passed and not self._is_error:
            tokens = self._reader.assume(self._passed, self._answer.written_bytes())
            return tokens, REPORTED if self._reader.is_settled else ESTIMATED
        if self._is_error or not (operation.is_generation or operation.is_embedding):
            return (EMPTY, NONE) if told is None else (told, REPORTED)
        went_in, came_out = self._counted
        source = ESTIMATED if came_out is None else COUNTED
        if went_in is None:
            went_in = -(-self._ask.input_bytes // BYTES_A_TOKEN)
        if operation.is_embedding:  # its answer has no words
            return (Tokens(input=went_in), ESTIMATED) if self._passed else (EMPTY, NONE)
        # Of what cannot be read every byte counts as text.
        is_opaque = isinstance(self._answer, Opaque) or (self._decode is not None and not self._is_legible)
        written = self._passed if is_opaque else self._answer.written_bytes()
        if came_out is None:
            came_out = -(-written // BYTES_A_TOKEN)
        if told is not None:
            return replace(told, output=max(told.output, came_out - told.all_output + told.output)), source
        return (Tokens(input=went_in, output=came_out), source) if written else (EMPTY, NONE)


class Stream:
    """An answer as server-sent events.

    is_edited: events that hold nothing but the usage which we asked for are taken out. To know them, an
    event that has begun is held back until it is whole; no client could use it before.
    """

    def __init__(self, reader: Reader, *, is_edited: bool) -> None:
        self._reader = reader
        self._splitter = Splitter()
        self._is_between = False  # the next chunk begins an event; False before the first one is known

        # Editing
        self._is_edited = is_edited
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._is_passing = False  # the event is too long to be held: it goes out as it comes

        # Counting
        self._uncounted: list[bytes] = []
        self._uncounted_bytes = 0
        self._written = Written(reader)

    def __repr__(self) -> str:
        return f"<Stream {'edited' if self._is_edited else 'as it is'}, {self._splitter!r}>"

    def passes(self, text: bytes) -> bool:
        """Whether these are whole events that tell nothing, as most chunks are. If so, they are fed."""
        if not self._is_between or not text.endswith(BOUNDARIES) or self._reader.tells(text):
            return False
        self._keep(text)
        return True

    def feed(self, text: bytes) -> bytes:
        if self.passes(text):
            return text
        self._keep(text)
        return self._edit(text) if self._is_edited else self._watch(text)

    def finish(self) -> None:
        self._read_begun()

    def written_bytes(self) -> int:
        return self._written.bytes_with(b"".join(self._uncounted))

    def keep_words(self) -> None:
        self._written.keep_words()

    def words(self) -> list[bytes] | None:
        return self._written.words_with(b"".join(self._uncounted))

    def _watch(self, text: bytes) -> bytes:
        for part in self._splitter.feed(text):
            self._read(part)
        # A client that reads lines takes a line for an event before the empty line has come.
        if not text or text[-1] in b"\n\r]}":
            self._read_begun()
        self._is_between = not self._splitter
        return text

    def _edit(self, text: bytes) -> bytes:
        if not text:
            self._read_begun()
            return self._release()
        shown: list[bytes] = []
        start = 0
        for part in self._splitter.feed(text):
            is_hidden = self._read(part) and not self._is_passing
            held = self._release()
            if not is_hidden:
                shown += (held, text[start : part.end])
            self._is_passing, start = False, part.end
        rest = text[start:]
        self._held.append(rest)
        self._held_bytes += len(rest)
        if self._is_passing or self._held_bytes > MOST_HELD:
            self._is_passing = True
            shown.append(self._release())
        self._is_between = not self._splitter
        return b"".join(shown)

    def _release(self) -> bytes:
        held = b"".join(self._held)
        self._held, self._held_bytes = [], 0
        return held

    def _read(self, part: Part) -> bool:
        if not part.is_whole:
            self._reader.read_excerpt(part.raw)
            return False
        if self._reader.model and not self._reader.tells(part.raw):
            return False
        event = parse(part.raw)
        return bool(event.data) and self._reader.read(event)

    def _read_begun(self) -> None:
        """Read the event that has begun as if it ended here. To read it again, when it has grown, does no harm."""
        splitter, reader = self._splitter, self._reader
        if not splitter or not reader.tells(begun := splitter.rest):
            return
        self._read(Part(begun, 0, splitter.is_whole))

    def _keep(self, text: bytes) -> None:
        """For its words to be counted, should nobody tell their number."""
        self._uncounted.append(text)
        self._uncounted_bytes += len(text)
        if self._uncounted_bytes > MOST_UNCOUNTED:
            self._count()

    def _count(self) -> None:
        """Let go of text once its size is known; an event that is cut in two by that is kept for later."""
        text = b"".join(self._uncounted)
        end = text.rfind(b"\n") + 1
        if len(text) - end > MOST_UNCOUNTED // 2:  # a very long line
            end = len(text)
        self._written.add(text[:end])
        self._uncounted, self._uncounted_bytes = [text[end:]], len(text) - end


def _is_transcript(answer: ResponseHead, operation: Operation) -> bool:
    """Whether the answer is words without JSON around them: plain, or subtitles."""
    return operation.is_media and answer.content_type.startswith((b"text/", b"application/x-subrip"))


def _clean(told: str) -> str:
    """Without the one character that PostgreSQL's text cannot hold."""
    return told.replace("\x00", "") if "\x00" in told else told

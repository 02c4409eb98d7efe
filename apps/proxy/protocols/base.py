"""What every wire protocol is to the proxy: where calls go, what they ask for, what their answers cost.

Bytes in, bytes and values out; no sockets, no clock, no Django. One file a protocol beside this one.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, NamedTuple

import msgspec

from apps.pricing.rating import Tokens, Units
from apps.proxy.sse import Event

from .errors import BadBody
from .form import Form

Headers = list[tuple[bytes, bytes]]
Told = Mapping[str, object]
Limit = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]  # that a client sets
MOST_TOOL_CALLS = 20  # that one call makes, where it doesn't say how many it may: what is held for them
Count = Annotated[int, msgspec.Meta(le=2**48)]  # that a provider tells: no more can be true, or be stored

_PLACES, _MOST_COST = Decimal("1e-12"), Decimal(1_000_000)
RUNNING = frozenset(("queued", "in_progress"))  # states in which there is more to come
TOP = (b"",)  # the object that an answer or an event is


class Operation(msgspec.Struct, frozen=True, gc=False):
    """One thing that a provider can be asked to do."""

    name: str  # such as "chat.completions"; what usage is grouped by
    path: bytes  # after the provider's base path
    needs_json: bool = False  # the body is a JSON object that we have to read; else it may be anything
    is_charged: bool = True  # the usage in its answer costs money
    is_generation: bool = False  # the model writes text: tokens that no answer tells can be estimated by it
    is_embedding: bool = False  # the model only reads: they can be estimated by what was sent
    takes_form: bool = False  # the body is a form with files, whose fields we have to read
    is_media: bool = False  # sound or images: what no answer tells is charged by what was sent
    is_deferred: bool = False  # makes costs that its own answer doesn't tell: batches, fine-tuning, videos
    is_streamed: bool = False  # the path says that the answer is streamed; else the body may
    model: str = ""  # the path says which
    makes_object: bool = False  # its answer's id names something that the provider keeps
    object_id: str = ""  # of such a thing: the path names it
    is_catalogue: bool = False  # reads what the provider offers: the same to all who call with one key


class Ask(msgspec.Struct, gc=False):
    """What a request's body asks for, as far as it matters to us."""

    model: str = ""
    is_streamed: bool = False
    end_user: str | None = None
    max_output_tokens: int | None = None  # of one answer; None: not said
    n: int = 1  # answers at most
    input_bytes: int = 0
    input_bound: int | None = None  # tokens that go in at most, of a body that isn't read; None: nobody knows
    units: Units = ()  # the most that it can be charged by the piece: for its tools, or for what it makes
    seconds: int = 0  # of the sound that was sent, about
    format: str = ""  # of the answer, as asked for
    refers_to: tuple[tuple[str, str], ...] = ()  # things that the provider keeps: the field, and the id in it
    has_stream_options: bool = False
    has_usage: bool = False  # the client itself asked for usage in the stream
    hides_usage: bool = False  # we asked for usage in the client's place, and take it out again
    provider: str = ""  # who answers; set by `prepare`
    service_tier: str = ""  # that it asks for; "auto": any may be given
    finds_input: bool = False  # its tools do, of a size that no body tells
    is_background: bool = False  # it goes on at the provider after its answer
    runs_code: bool = False  # at the provider, which may put files in there


class Dialect(NamedTuple):
    """How a provider departs from the protocol it speaks."""

    takes_stream_options: bool = True
    counts_reasoning_apart: bool = False  # reasoning tokens come on top of the completion's
    counts_citations: bool = False  # so do citation tokens


class Reader(ABC):
    """Reads what matters out of the answer to one call. What was told last holds."""

    def __init__(self, operation: Operation, ask: Ask) -> None:
        self.operation = operation
        self.ask = ask

        self.tokens: Tokens | None = None  # None: not told
        self.is_settled = False  # the tokens are those of the whole answer
        self.is_final = False  # the event that ends the stream was read
        self.state = ""  # of a thing that can go on after its answer, as the provider names it
        self.made: list[str] = []  # ids of what the provider keeps, beside the answer's own
        self.units: dict[str, int] = {}  # charged by the piece: tool calls, images, seconds
        self.service_tier = ""  # as the answer names it; several that add up are joined by "+"
        self.provider_cost: Decimal | None = None  # USD, where the provider says what it charges
        self.model = ""
        self.request_id: str | None = None
        self.error_code = ""
        self.error_message = ""

    def __repr__(self) -> str:
        state = "final" if self.is_final else "settled" if self.is_settled else "open"
        return f"<{type(self).__name__} {self.operation.name} {state} {self.tokens}>"

    @abstractmethod
    def tells(self, raw: bytes) -> bool:
        """Whether `raw`, some whole events, may hold anything to read. Cheap; may say yes in vain."""

    @abstractmethod
    def read(self, event: Event) -> bool:
        """Read an event; True if it holds nothing but usage that the client didn't ask for."""

    @abstractmethod
    def read_body(self, body: bytes) -> None:
        """Read a whole answer that isn't a stream of events."""

    @abstractmethod
    def read_excerpt(self, raw: bytes) -> None:
        """Read usage out of an answer or event that was too long to be kept: its ends, without its middle."""

    def assume(self, passed: int, written: int) -> Tokens:
        """What a call with sound or images has used, by what was sent, where its answer doesn't tell.

        May set `units`, and `is_settled` where that is just what the provider charges.
        passed: bytes of the answer. written: those of them that are text.
        """
        return Tokens()

    @abstractmethod
    def words(self, raw: bytes) -> list[bytes]:
        """What the model wrote, in events or an answer, complete or not: JSON strings' insides."""


class Wire(ABC):
    """A protocol. Has no state: one object serves all calls."""

    name: str
    model_key = "model"  # the field of an answer that names the model
    model_places: frozenset[tuple[bytes, ...]] = frozenset({TOP})  # the objects that have it; see `Renamer`

    @abstractmethod
    def read(self, operation: Operation, body: bytes) -> Ask:
        """What `body` asks for. Raises BadBody."""

    form_fields: frozenset[str] = frozenset()  # that `read_form` goes by

    def most_files(self, operation: Operation) -> int:
        """How many files a form may have."""
        return 1

    def read_form(self, operation: Operation, form: Form, size: int) -> Ask:
        """What a form asks for; `size` bytes with its files. Raises BadBody."""
        raise BadBody("This operation takes no forms.")

    @abstractmethod
    def prepare(self, operation: Operation, body: bytes, ask: Ask, provider: str, model: str | None = None) -> bytes:
        """The body to send: the very same bytes unless usage must be asked for, or `model` put in its place."""

    @abstractmethod
    def rename(self, operation: Operation, body: bytes, model: str) -> tuple[Operation, bytes]:
        """The same call to another model, all other bytes as they were. `body` is as `read` accepted it."""

    @abstractmethod
    def input_bound(self, operation: Operation, body: bytes) -> int | None:
        """No call with this body has more input tokens; None: it refers to things whose size it doesn't tell."""

    @abstractmethod
    def sign(self, headers: Headers, secret: bytes) -> Headers:
        """The headers with the provider's key in the place where this protocol wants it."""

    @abstractmethod
    def reader(self, operation: Operation, ask: Ask) -> Reader:
        """For the answer to one call."""

    @abstractmethod
    def error(self, status: int, code: str, message: str, param: str | None = None, limit: Told | None = None) -> bytes:
        """An error of ours as this protocol's SDKs expect it: a JSON body.

        limit: that was reached, by field (name, scope, limit, used, ends_at); a field of the error.
        """

    @abstractmethod
    def error_event(self, operation: Operation, status: int, code: str, message: str) -> bytes:
        """What ends a stream that cannot go on."""

    def target(self, operation: Operation) -> bytes:
        """The path to send to, after the provider's base path."""
        return operation.path

    def query(self, operation: Operation, query: bytes) -> bytes:
        """The query to send, of the client's (which no longer holds a key)."""
        return query


class Match(NamedTuple):
    """Where a path leads."""

    wire: Wire
    operation: Operation
    provider: str
    may_name_provider: bool = False  # the body's model may say "provider/model"


def amount(told: int | str | Decimal) -> Decimal | None:
    """What a provider says that a call cost, in USD to 12 places; None for what cannot be true."""
    try:
        cost = Decimal(told)
        return cost.quantize(_PLACES) if 0 <= cost < _MOST_COST else None
    except ArithmeticError:  # no number, or none that can be compared
        return None


def take(left: int, wanted: int | None) -> tuple[int, int]:
    """As much of `wanted` as there is in `left`, and what is then left: a part of a count told as a whole."""
    if not wanted or wanted < 0:
        return 0, left
    taken = min(left, wanted)
    return taken, left - taken

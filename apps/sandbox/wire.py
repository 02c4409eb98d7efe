"""What a wire format of the sandbox is."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import msgspec

from apps.sandbox.call import Answer, Call, Json, Refusal

Handler = Callable[[Call], Answer]


class Wire(ABC):
    name: str

    @abstractmethod
    def find(self, method: str, path: str) -> Handler | None:
        """What answers calls to `path`."""

    @abstractmethod
    def key(self, call: Call) -> str:
        """The API key that came with the call; empty: none."""

    @abstractmethod
    def wrong_key(self, call: Call) -> Refusal:
        """What a call with a wrong key, or none, is told."""

    @abstractmethod
    def model(self, call: Call) -> str:
        """The model that the call names."""

    @abstractmethod
    def error(self, refusal: Refusal, call: Call) -> Json:
        """The error's body."""

    @abstractmethod
    def error_frame(self, refusal: Refusal, call: Call) -> bytes:
        """The error as an event of a stream that had begun."""

    @abstractmethod
    def headers(self, call: Call) -> dict[str, str]:
        """What every answer carries."""


def masked(key: str) -> str:
    """A key as providers quote it: its ends."""
    return f"{key[:8]}{'*' * 20}{key[-4:]}" if len(key) > 12 else "*" * len(key)


def data(event: Json) -> bytes:
    """An event of a stream that has no name."""
    return b"data: " + msgspec.json.encode(event) + b"\n\n"


def named(event: Json) -> bytes:
    """An event of a stream that is named after its type."""
    return b"event: " + event["type"].encode() + b"\n" + data(event)

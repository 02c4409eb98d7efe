"""What a model has written: how much, and where a vocabulary may have to count it, the words."""

from apps.proxy.protocols import body as bodies
from apps.proxy.protocols.base import Reader

MOST_WORDS = 1024 * 1024  # bytes that are kept to be counted


class Written:
    """Of one answer."""

    __slots__ = ("_bytes", "_reader", "_words", "_words_bytes")

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._bytes = self._words_bytes = 0
        self._words: list[bytes] | None = None

    def keep_words(self) -> None:
        self._words = []

    def add(self, text: bytes) -> None:
        """Text that is let go."""
        found = self._reader.words(text)
        self._bytes += bodies.utf8_length(found)
        if self._words is not None:
            self._words += found
            self._words_bytes += sum(map(len, found))
            if self._words_bytes > MOST_WORDS:
                self._words = None

    def bytes_with(self, rest: bytes) -> int:
        """UTF-8 bytes of all of it, with the text that is still there."""
        return self._bytes + bodies.utf8_length(self._reader.words(rest))

    def words_with(self, rest: bytes) -> list[bytes] | None:
        """The words of all of it, where they were kept and not too many."""
        return None if self._words is None else self._words + self._reader.words(rest)

"""Answers that are no streams of events: kept in bounds until their end, or not read at all."""

from apps.proxy.protocols.base import Reader
from apps.proxy.written import Written

MOST_PLAIN = 1024 * 1024  # of a plain answer that are kept
PLAIN_ENDS = 256 * 1024  # at either end of one that is longer: usage stands there


class Plain:
    """An answer in one piece: kept until its end, or the ends of it that usage can stand at."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._written = Written(reader)
        self._is_whole = True

    def __repr__(self) -> str:
        return f"<Plain of {self._kept_bytes} bytes>"

    def feed(self, text: bytes) -> bytes:
        self._kept.append(text)
        self._kept_bytes += len(text)
        if self._kept_bytes > MOST_PLAIN:
            kept = b"".join(self._kept)
            self._written.add(kept[PLAIN_ENDS:-PLAIN_ENDS])
            self._kept = [kept[:PLAIN_ENDS], kept[-PLAIN_ENDS:]]
            self._kept_bytes, self._is_whole = 2 * PLAIN_ENDS, False
        return text

    def finish(self) -> None:
        body = b"".join(self._kept)
        if self._is_whole:
            self._reader.read_body(body)
        else:
            self._reader.read_excerpt(body)

    def written_bytes(self) -> int:
        return self._written.bytes_with(b"".join(self._kept))

    def keep_words(self) -> None:
        self._written.keep_words()

    def words(self) -> list[bytes] | None:
        return self._written.words_with(b"".join(self._kept))


class Opaque:
    """An answer that cannot be read, or need not be."""

    def __repr__(self) -> str:
        return "<Opaque>"

    def feed(self, text: bytes) -> bytes:
        return text

    def finish(self) -> None:
        """There is nothing to read."""

    def written_bytes(self) -> int:
        return 0

    def keep_words(self) -> None:
        """There are none."""

    def words(self) -> list[bytes] | None:
        return None

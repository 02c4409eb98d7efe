"""Events out of bytes: the same ones wherever the bytes are cut, as a slow reading by the letter finds them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.proxy.sse import HEAD_BYTES, KEEP_BYTES, TAIL_BYTES, Event, Splitter, parse


def by_the_letter(stream: bytes) -> list[Event]:
    """The WHATWG's algorithm, on the stream as a whole; ids and retry times left out."""
    lines = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    events, name, data = [], b"", []
    for line in lines[:-1]:  # what follows the last line end is no line yet
        if not line:
            if data:
                events.append(Event(name, b"\n".join(data)))
            name, data = b"", []
            continue
        field, colon, value = line.partition(b":")
        if colon and value.startswith(b" "):
            value = value[1:]
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return events


def split(chunks: list[bytes]) -> list[Event]:
    splitter = Splitter()
    found = [parse(part.raw) for chunk in chunks for part in splitter.feed(chunk)]
    return [event for event in found if event.data]


def cut(stream: bytes, *positions: int) -> list[bytes]:
    borders = [0, *sorted(positions), len(stream)]
    return [stream[start:end] for start, end in pairwise(borders)]


STREAMS = [
    pytest.param(b"data: one\n\ndata: two\n\n", [Event(b"", b"one"), Event(b"", b"two")], id="lf"),
    pytest.param(b"data: one\r\n\r\ndata: two\r\n\r\n", [Event(b"", b"one"), Event(b"", b"two")], id="crlf"),
    pytest.param(b"data: one\r\rdata: two\r\rdata", [Event(b"", b"one"), Event(b"", b"two")], id="cr"),
    pytest.param(b"data: one\r\n\ndata: two\n\r\n", [Event(b"", b"one"), Event(b"", b"two")], id="mixed"),
    pytest.param(b'data: {\ndata:  "a": 1\ndata: }\n\n', [Event(b"", b'{\n "a": 1\n}')], id="data-on-several-lines"),
    pytest.param(b"data: \ndata: y\n\n", [Event(b"", b"\ny")], id="first-line-of-data-empty"),
    pytest.param(b"event: stop\ndata: {}\n\n", [Event(b"stop", b"{}")], id="named"),
    pytest.param(b"data: {}\nevent: stop\n\n", [Event(b"stop", b"{}")], id="named-after-its-data"),
    pytest.param(b"data:tight\n\n", [Event(b"", b"tight")], id="no-space"),
    pytest.param(b"data:  two spaces\n\n", [Event(b"", b" two spaces")], id="only-one-space-is-taken"),
    pytest.param(b": keep-alive\n\ndata: a\n\n", [Event(b"", b"a")], id="comment"),
    pytest.param(b": a\ndata: b\n: c\n\n", [Event(b"", b"b")], id="comment-within"),
    pytest.param(b"\xef\xbb\xbfdata: a\n\n", [Event(b"", b"a")], id="byte-order-mark"),
    pytest.param(b"id: 7\nretry: 10\ndata: a\n\n", [Event(b"", b"a")], id="id-and-retry"),
    pytest.param("data: héllo 漢字 🚀\n\n".encode(), [Event(b"", "héllo 漢字 🚀".encode())], id="utf-8"),
    pytest.param(b"\n\n\ndata: a\n\n\n\n", [Event(b"", b"a")], id="empty-lines"),
    pytest.param(b"data: cut off", [], id="without-its-end-it-was-never-sent"),
    pytest.param(b"data: a: b\n\n", [Event(b"", b"a: b")], id="colon-in-data"),
]


@pytest.mark.parametrize(("stream", "events"), STREAMS)
def test_events_are_read_by_the_letter(stream, events):
    assert split([stream]) == events
    assert by_the_letter(stream) == events


@pytest.mark.parametrize(("stream", "events"), STREAMS)
def test_events_are_the_same_at_every_two_cuts(stream, events):
    for first in range(len(stream) + 1):
        for second in range(first, len(stream) + 1):
            assert split(cut(stream, first, second)) == events


PIECES = st.sampled_from(
    [
        b"data",
        b"data: ",
        b"event: ",
        b"x",
        b":",
        b" ",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\r\n\r\n",
        b"\xc3\xa9",
        b"[DONE]",
    ]
)


@given(st.lists(PIECES, max_size=30), st.data())
def test_any_stream_cut_anywhere_is_read_as_by_the_letter(pieces, data):
    stream = b"".join(pieces)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=6))
    found = split(cut(stream, *cuts))
    expected = [event for event in by_the_letter(stream) if event.data]
    # The last may wait for what follows a CR at the very end: an LF would belong to it.
    assert found == expected or (stream.endswith(b"\r") and found == expected[:-1])


@given(st.lists(PIECES, max_size=30), st.data())
def test_no_byte_is_lost_or_made(pieces, data):
    stream = b"".join(pieces)
    splitter, raw, seen = Splitter(), b"", 0
    for chunk in cut(stream, *data.draw(st.lists(st.integers(0, len(stream)), max_size=6))):
        for part in splitter.feed(chunk):
            raw += part.raw
            assert len(raw) == seen + part.end  # where the event ends in the chunk
        seen += len(chunk)
    assert raw + splitter.rest == stream


def test_an_event_of_twenty_megabytes_takes_little_memory_and_keeps_its_ends():
    splitter, most = Splitter(), 0
    head, tail = b"event: response.completed\ndata: " + b"h" * 100, b't,"usage":{}}\n\n'
    parts = splitter.feed(head)
    for _ in range(320):
        parts += splitter.feed(b"x" * 65536)
        most = max(most, len(splitter.rest))
    parts += splitter.feed(tail + b"data: next\n\n")
    long, following = parts
    assert not long.is_whole
    assert long.raw.startswith(head)
    assert long.raw.endswith(tail)
    assert len(long.raw) <= KEEP_BYTES + len(tail)
    assert most <= KEEP_BYTES
    assert (following.raw, following.is_whole) == (b"data: next\n\n", True)


def test_an_event_as_long_as_is_kept_is_whole():
    splitter = Splitter()
    assert splitter.feed(b"x" * KEEP_BYTES) == []
    (part,) = splitter.feed(b"\n\n")
    assert part.is_whole
    assert HEAD_BYTES + TAIL_BYTES < KEEP_BYTES


def test_its_state_is_seen():
    splitter = Splitter()
    assert not splitter
    splitter.feed(b"data: a")
    assert splitter
    assert repr(splitter) == "<Splitter with 7 bytes of an event>"

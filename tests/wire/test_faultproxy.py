"""The tool that breaks things must break them as it says, or the tests that use it prove nothing."""

import asyncio
import time

import pytest

from tests.wire.faultproxy import NONE, End, Fault, FaultProxy, _pieces


@pytest.fixture
async def echo():
    """A server that sends back what it gets."""

    async def serve(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def reads(reader, size):
    """What arrives, piece by piece, until `size` bytes have come or the connection ends."""
    pieces = []
    while sum(map(len, pieces)) < size and (piece := await reader.read(65536)):
        pieces.append(piece)
    return pieces


PIECES = [
    (NONE, 0, [b"abcdef"]),
    (Fault(split_at=(2,)), 0, [b"ab", b"cdef"]),
    (Fault(split_at=(12,)), 10, [b"ab", b"cdef"]),
    (Fault(split_at=(2,)), 10, [b"abcdef"]),
    (Fault(piece=4), 0, [b"abcd", b"ef"]),
    (Fault(piece=1), 3, [b"a", b"b", b"c", b"d", b"e", b"f"]),
    (Fault(at=5, end=End.RESET), 0, [b"abcde", b"f"]),
    (Fault(at=6, end=End.RESET), 0, [b"abcdef"]),
    (Fault(at=0, end=End.RESET), 0, [b"abcdef"]),
]


@pytest.mark.parametrize(("fault", "passed", "pieces"), PIECES)
def test_bytes_are_cut_where_the_fault_says(fault, passed, pieces):
    assert _pieces(b"abcdef", passed, fault) == pieces


async def test_without_a_fault_bytes_pass(echo):
    async with FaultProxy("127.0.0.1", echo) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"x" * 1_000_000)
        assert b"".join(await reads(reader, 1_000_000)) == b"x" * 1_000_000
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
    assert proxy.accepted == 1


async def test_split_bytes_arrive_apart(echo):
    async with FaultProxy("127.0.0.1", echo, to_client=Fault(split_at=(1, 3))) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"abcdef")
        assert await reads(reader, 6) == [b"a", b"bc", b"def"]
        writer.close()


async def test_collected_bytes_arrive_together(echo):
    async with FaultProxy("127.0.0.1", echo, to_client=Fault(collect_s=0.05)) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        for letter in (b"a", b"b", b"c"):
            writer.write(letter)
            await asyncio.sleep(0.01)
        assert await reads(reader, 3) == [b"abc"]
        writer.close()


async def test_a_delay_can_be_taken_away_again(echo):
    async with FaultProxy("127.0.0.1", echo, to_client=Fault(delay_s=0.1)) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        for is_slow in (True, False):
            started = time.monotonic()
            writer.write(b"a")
            assert await reader.read(1) == b"a"
            assert (time.monotonic() - started >= 0.1) is is_slow
            proxy.to_client = NONE
        writer.close()


@pytest.mark.parametrize("at", [0, 1, 5])
@pytest.mark.parametrize(
    ("end", "outcome"), [(End.RESET, ConnectionResetError), (End.CLOSE, None), (End.HALF_CLOSE, None)]
)
async def test_a_direction_ends_after_so_many_bytes(echo, at, end, outcome):
    async with FaultProxy("127.0.0.1", echo, to_client=Fault(at=at, end=end)) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"abcde")
        came = b""
        raised = None
        try:
            while data := await reader.read(100):
                came += data
        except ConnectionError as error:
            raised = type(error)
        assert raised == outcome
        assert came == b"abcde"[:at] or (outcome and b"abcde".startswith(came))  # a reset overtakes bytes
        writer.close()


async def test_a_stalled_direction_stays_connected(echo):
    async with FaultProxy("127.0.0.1", echo, to_client=Fault(at=2, end=End.STALL)) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"abcde")
        assert await reads(reader, 2) == [b"ab"]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.1)
        writer.close()


async def test_garbage_is_put_in_between(echo):
    async with FaultProxy("127.0.0.1", echo, to_client=Fault(at=3, insert=b"!!")) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"abcdef")
        assert b"".join(await reads(reader, 8)) == b"abc!!def"
        writer.close()


async def test_all_connections_can_be_cut_and_new_ones_refused(echo):
    async with FaultProxy("127.0.0.1", echo) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"a")
        assert await reader.read(1) == b"a"
        proxy.is_refusing = True
        proxy.reset_all()
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        writer.close()

"""The proxy does to a connection what it is told to, and nothing else. Over real sockets, to a server that echoes."""

import random
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from rtactors.testing.chaos import (
    HOST,
    KINDS,
    MUTE,
    ChaosProxy,
    Conditions,
    Connection,
    Cut,
    Fault,
    Plan,
    Way,
    calm,
    weather,
)

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]

TEXT = bytes(range(32, 127)) * 2000
"""190,000 bytes: more than one chunk."""


class Echo:
    """How many connections it has, and how many of them ended by a reset."""

    port: int
    open = resets = 0

    def __init__(self) -> None:
        self._left = anyio.Event()

    async def until_empty(self) -> None:
        while self.open:
            await self._left.wait()

    async def handle(self, stream: SocketStream) -> None:
        self.open += 1
        async with stream:
            try:
                async for data in stream:
                    await stream.send(data)
                await stream.send_eof()
            except anyio.BrokenResourceError:
                self.resets += 1
        self.open -= 1
        self._left.set()
        self._left = anyio.Event()


@asynccontextmanager
async def echo(plan: Plan = calm) -> AsyncGenerator[tuple[ChaosProxy, Echo]]:
    server = Echo()
    with anyio.fail_after(30):
        listener = await anyio.create_tcp_listener(local_host=HOST)
        server.port = listener.extra(SocketAttribute.local_port)
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, server.handle)
            async with ChaosProxy(server.port, plan) as proxy:
                yield proxy, server
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def client(proxy: ChaosProxy) -> AsyncGenerator[tuple[SocketStream, Connection]]:
    number = proxy.counts["connection"]
    async with await anyio.connect_tcp(HOST, proxy.port) as stream:
        await proxy.until("connection", number + 1)
        yield stream, proxy.newest


async def receive(stream: SocketStream, size: int) -> bytes:
    got = b""
    while len(got) < size:
        got += await stream.receive(size - len(got))
    return got


async def receive_all(stream: SocketStream) -> tuple[bytes, str]:
    """Until it ends, and how it does."""
    got = b""
    try:
        async for data in stream:
            got += data
    except anyio.BrokenResourceError:
        return got, "reset"
    return got, "end"


async def talk_past_the_end(stream: SocketStream) -> None:
    """Send all the text, to whoever still listens."""
    try:
        await stream.send(TEXT)
        await stream.send_eof()
    except (anyio.BrokenResourceError, OSError):
        pass


async def test_all_goes_through_and_both_ends_are_told() -> None:
    async with echo() as (proxy, server):
        async with client(proxy) as (stream, connection):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(talk_past_the_end, stream)
                assert await receive_all(stream) == (TEXT, "end")
            await connection.closed.wait()
        assert (proxy.connections, connection.cut_by, server.open, server.resets) == ([], None, 0, 0)
        assert proxy.counts == {"connection": 1}


@pytest.mark.parametrize("kind", ["hang up", "reset"])
@pytest.mark.parametrize("after", [1, 4242, 100_000])
async def test_cut_after_so_many_bytes(kind: Cut, after: int) -> None:
    """To the byte, in the middle of whatever it hits; and FIN or RST, as ordered."""
    conditions = Conditions(down=Way(fault=Fault(kind, after)))
    async with echo(lambda _number: conditions) as (proxy, _), client(proxy) as (stream, connection):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(talk_past_the_end, stream)
            assert await receive_all(stream) == (TEXT[:after], "end" if kind == "hang up" else "reset")
        await stream.aclose()
        await connection.closed.wait()
        assert connection.cut_by == kind
        assert proxy.counts[kind] == 1


@pytest.mark.parametrize("after", [0, 1, 70_000])
async def test_corrupt_is_one_bit_of_one_byte(after: int) -> None:
    conditions = Conditions(up=Way(fault=Fault("corrupt", after)))
    async with echo(lambda _number: conditions) as (proxy, _), client(proxy) as (stream, _):
        wrong = bytearray(TEXT)
        wrong[after] |= 0x80
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(talk_past_the_end, stream)
            assert await receive_all(stream) == (wrong, "end")
        assert proxy.counts["corrupt"] == 1


async def test_stall_is_half_open_and_goes_on_with_nothing_lost() -> None:
    async with echo() as (proxy, server), client(proxy) as (stream, connection):
        await stream.send(b"before")
        assert await receive(stream, 6) == b"before"
        connection.stall()
        await stream.send(b"behind")
        await stream.send_eof()
        with anyio.move_on_after(0.05) as patience:
            await stream.receive()
        assert patience.cancelled_caught
        assert (server.open, connection.stalled, connection.closed.is_set()) == (1, True, False)
        connection.go_on()
        assert await receive_all(stream) == (b"behind", "end")
        assert proxy.counts["stall"] == 2  # one for each direction


async def test_a_stalled_network_fills_up_and_stays_bounded() -> None:
    """Who sends into it has to wait in the end, though nobody refuses anything."""
    async with echo(lambda _number: MUTE) as (proxy, _), client(proxy) as (stream, connection):
        sent = 0
        with anyio.move_on_after(0.5) as patience:
            while sent < 100_000_000:
                await stream.send(bytes(1_000_000))
                sent += 1_000_000
        assert patience.cancelled_caught
        connection.cut("reset")
        await connection.closed.wait()


async def test_a_lane_that_hears_of_a_reset_while_it_is_stalled_keeps_it_to_itself() -> None:
    async with echo() as (proxy, server):
        async with client(proxy) as (stream, connection):
            await stream.send(b"a")
            await receive(stream, 1)
            connection.stall()
            raw = stream.extra(SocketAttribute.raw_socket)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        assert server.open == 1
        connection.go_on()
        await connection.closed.wait()
        assert connection.cut_by is None


async def test_latency_takes_its_time_and_keeps_the_order() -> None:
    slow = Conditions(up=Way(latency_ms=40, jitter_ms=30), down=Way(latency_ms=20))
    async with echo(lambda _number: slow) as (proxy, _), client(proxy) as (stream, _):
        begun = anyio.current_time()
        for number in range(20):
            await stream.send(bytes([number]))
            await anyio.lowlevel.checkpoint()
        assert await receive(stream, 20) == bytes(range(20))
        assert anyio.current_time() - begun >= 0.06
        assert proxy.counts["delay"] >= 2


async def test_bandwidth_is_limited() -> None:
    slow = Conditions(down=Way(bytes_per_s=100_000))
    async with echo(lambda _number: slow) as (proxy, _), client(proxy) as (stream, _):
        begun = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stream.send, bytes(20_000))
            await receive(stream, 20_000)
        assert anyio.current_time() - begun >= 0.19


async def test_conditions_change_while_it_runs() -> None:
    """What is ordered counts from then on."""
    async with echo() as (proxy, _), client(proxy) as (stream, connection):
        await stream.send(b"0123456789")
        await receive(stream, 10)
        connection.change(up=Way(fault=Fault("corrupt", 3)))
        await stream.send(b"abcdef")
        assert await receive(stream, 6) == b"abc\xe4ef"
        connection.change(down=Way(fault=Fault("reset", 2)))
        await stream.send(b"abcdef")
        assert await receive_all(stream) == (b"ab", "reset")


async def test_a_closed_port_refuses_and_opens_again() -> None:
    """What is connected stays so."""
    async with echo() as (proxy, _), client(proxy) as (stream, _):
        for count in (1, 2):
            proxy.refuse()
            proxy.refuse()  # it is
            with pytest.raises(OSError, match=r"failed|refused"):
                await anyio.connect_tcp(HOST, proxy.port)
            await stream.send(b"still here")
            assert await receive(stream, 10) == b"still here"
            proxy.accept()
            proxy.accept()
            async with client(proxy) as (other, _):
                await other.send(b"hello")
                assert await receive(other, 5) == b"hello"
            assert proxy.counts["outage"] == count


async def test_an_outage_behind_a_cut() -> None:
    def plan(number: int) -> Conditions:
        return Conditions(down=Way(fault=Fault("reset", 2)), outage_s=0.05) if number == 0 else Conditions()

    async with echo(plan) as (proxy, _):
        async with client(proxy) as (stream, _):
            await stream.send(b"abcdef")
            assert await receive_all(stream) == (b"ab", "reset")
        await proxy.until("outage")
        while True:
            try:
                async with client(proxy) as (stream, _):
                    await stream.send(b"back")
                    assert await receive(stream, 4) == b"back"
                    break
            except OSError:
                await anyio.sleep(0.01)


async def test_nobody_behind_the_proxy() -> None:
    with socket.create_server((HOST, 0)) as closed:
        port = closed.getsockname()[1]
    async with ChaosProxy(port) as proxy, client(proxy) as (stream, connection):
        assert await receive_all(stream) == (b"", "reset")
        await connection.closed.wait()


async def test_the_end_of_the_proxy_ends_all_connections() -> None:
    """Also a stalled one, and one that hangs up while neither side reacts; what goes wrong in its block leaves it."""
    async with echo() as (other, server):
        proxy = ChaosProxy(server.port)

        async def visit() -> None:
            async with proxy, client(proxy) as (stream, _), client(proxy) as (_, stalled), client(proxy) as (_, cut):
                await stream.send(b"a")
                await receive(stream, 1)
                stalled.stall()
                cut.cut("hang up")
                assert len(proxy.connections) == 3
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await visit()
        assert proxy.connections == []
        await server.until_empty()
        async with client(other) as (stream, _):
            await stream.send(b"a")
            await receive(stream, 1)


def test_weather_is_the_same_for_the_same_seed_and_has_all_kinds() -> None:
    one, same, other = ([*map(weather(seed), range(300))] for seed in (1, 1, 2))
    assert one == same != other
    faults = [way.fault for each in one for way in (each.up, each.down) if way.fault]
    assert {fault.kind for fault in faults} == {*KINDS}
    assert 150 < len(faults) < 290
    early = sum(fault.after < 1000 for fault in faults)
    assert len(faults) // 4 < early < len(faults)
    assert all(0 < fault.after <= 200_000 for fault in faults)
    assert not any(each.up.fault or each.down.fault for each in map(weather(1, kinds=()), range(50)))


async def test_any_weather_leaves_a_proxy_that_works() -> None:
    """Faults meet connections that come, talk and go, several at a time; in the end there is nothing left of them."""
    async with echo(weather(7, within=50_000)) as (proxy, server):
        chance = random.Random(1)

        async def visit(size: int) -> None:
            try:
                async with await anyio.connect_tcp(HOST, proxy.port) as stream:
                    with anyio.move_on_after(0.2):
                        await stream.send(TEXT[:size])
                        got = await receive(stream, size)
                        assert got == TEXT[:size] or proxy.counts["corrupt"]
            except (OSError, anyio.BrokenResourceError, anyio.EndOfStream):
                pass

        for _ in range(5):
            async with anyio.create_task_group() as tasks:
                for _ in range(12):
                    tasks.start_soon(visit, chance.randrange(1, 100_000))
        for connection in [*proxy.connections]:
            connection.cut("reset")
            await connection.closed.wait()
        await server.until_empty()
        assert all(proxy.counts[kind] for kind in KINDS)

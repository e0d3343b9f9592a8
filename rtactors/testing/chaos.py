"""A network that fails: a TCP proxy on this machine, between a client and a server, over real sockets in real time.

    async with ChaosProxy(server_port) as proxy:  # the client connects to proxy.port
        ...
        proxy.newest.change(down=Way(latency_ms=200, jitter_ms=50))
        proxy.newest.stall()                      # half open: nothing passes any more, and nothing is closed
        proxy.refuse()                            # the port is closed, until `accept`
        await proxy.until("reset")                # something has befallen a connection

What befalls each connection can be planned, by its number: `ChaosProxy(port, weather(seed))`. Each direction has a
latency, a bandwidth and a fault of its own; a fault comes after so many bytes, so it can hit a handshake, or the middle
of a frame.

It knows TCP only. A lost connection ends as operating systems end it: "hang up" by FIN, "reset" by RST. What is
corrupted is the top bit of one byte. On a websocket that carries ASCII no reader can take that for sound, wherever it
hits: in a payload it isn't UTF-8 any more, and in a frame's header it is a wrong flag, or a wrong length, behind which
text stands where a header should. So whatever gets through a corrupting proxy is what was sent.

For Linux and macOS: Windows has no way to keep a port that is closed.
"""

import errno
import math
import os
import random
import socket
import struct
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Literal, Self, TypeAlias

import anyio
from anyio import AsyncContextManagerMixin
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from msgspec import Struct
from msgspec.structs import replace

HOST = "127.0.0.1"
Cut: TypeAlias = Literal["hang up", "reset"]
Kind: TypeAlias = Literal["stall", "corrupt"] | Cut
KINDS: tuple[Kind, ...] = ("stall", "corrupt", "hang up", "reset")

CHUNK = 2**16
"""Bytes that are read at once, at most; of a limited bandwidth so many as pass within `TICK_S`."""
TICK_S = 0.02
CALM = 0.25
"""The share of connections that meet no fault, whatever the `weather`."""
IN_FLIGHT = 256
"""Chunks that are on their way in one direction, at most; then no more is read, and the sender has to wait."""
_TOP_BIT = 0x80
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: on, for 0 s; what was not sent is dropped, and RST tells the other side


class Fault(Struct, frozen=True, gc=False):
    """What befalls one direction of a connection; `stall` and `corrupt` concern it alone, the others both."""

    kind: Kind
    after: int = 0
    """How many bytes pass before. 0 is at once, also when there is nothing to pass (`corrupt` needs a byte)."""


class Way(Struct, frozen=True, kw_only=True, gc=False):
    """How one direction is. Bytes stay in order: jitter holds up what comes behind."""

    latency_ms: float = 0
    jitter_ms: float = 0
    """Up to so much more, by chance."""
    bytes_per_s: float = math.inf
    fault: Fault | None = None


class Conditions(Struct, frozen=True, kw_only=True, gc=False):
    """What one connection has to expect."""

    up: Way = Way()
    """From the client to the server."""
    down: Way = Way()
    outage_s: float = 0
    """How long nobody can connect once a fault has ended this connection."""


Plan: TypeAlias = Callable[[int], Conditions]
"""The conditions of each connection, by its number; the first is 0."""

MUTE = Conditions(up=Way(fault=Fault("stall")), down=Way(fault=Fault("stall")))
"""It is accepted, and nothing ever comes of it."""


def calm(_number: int) -> Conditions:
    """A plan without any trouble."""
    return Conditions()


def weather(seed: int, *, kinds: Sequence[Kind] = KINDS, within: int = 200_000) -> Plan:
    """A plan by chance, the same for the same seed: a quarter of the connections meet no fault.

    The others meet one of `kinds` after up to `within` bytes of one direction; the first kilobyte, where the handshake
    is, is hit as often as the ten behind it. Some are slow as well.
    """

    def conditions(number: int) -> Conditions:
        chance = random.Random(f"{seed} {number}")  # noqa: S311 - repeatable, not secret
        ways = {name: _slow(chance) for name in ("up", "down")}
        if kinds and chance.random() >= CALM:
            fault = Fault(chance.choice(kinds), int(math.exp(chance.uniform(0, math.log(within)))))
            name = chance.choice(["up", "down"])
            ways[name] = replace(ways[name], fault=fault)
        return Conditions(**ways, outage_s=chance.choice([0, 0, 0.05]))

    return conditions


def _slow(chance: random.Random) -> Way:
    if chance.random() < 0.5:  # noqa: PLR2004 - heads or tails
        return Way()
    return Way(latency_ms=chance.uniform(0, 30), jitter_ms=chance.uniform(0, 10))


class Connection:
    """One connection through the proxy."""

    def __init__(
        self, client: socket.socket, conditions: Conditions, chance: random.Random, tell: Callable[[str], None]
    ) -> None:
        self.closed = anyio.Event()
        """Set when neither side is connected any more."""
        self.cut_by: Cut | None = None
        """What ended it, if it was neither of the two sides."""
        self._tell = tell
        self._scope = anyio.CancelScope()
        self._client = client
        self._server = server = _unblocked(socket.socket())
        self._up = _Lane(client, server, conditions.up, chance, tell, self.cut)
        self._down = _Lane(server, client, conditions.down, chance, tell, self.cut)

    @property
    def stalled(self) -> bool:
        """True while what one side sends, or that it closes, does not get through to the other."""
        return self._up.stalled or self._down.stalled

    def change(self, *, up: Way | None = None, down: Way | None = None) -> None:
        """From now on a direction is like this: bytes up to its fault count from here, and a stall of it is over."""
        if up:
            self._up.change(up)
        if down:
            self._down.change(down)

    def stall(self) -> None:
        """Half open, both ways: what is sent fills what can be filled, and that a side closes is not noticed."""
        self._up.stall()
        self._down.stall()

    def go_on(self) -> None:
        """End a stall: all that was sent arrives."""
        self._up.go_on()
        self._down.go_on()

    def cut(self, kind: Cut) -> None:
        """End it for both sides. What was under way is lost."""
        if self.cut_by is None and not self.closed.is_set():
            self.cut_by = kind
            self._tell(kind)
            self._scope.cancel()

    async def run(self, upstream: int) -> None:
        """Until it is over."""
        try:
            with self._client, self._server:
                await self._run(upstream)
        finally:
            self.closed.set()

    async def _run(self, upstream: int) -> None:
        gone = False
        try:
            with self._scope:
                await _connect(self._server, upstream)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._up.run)
                    tasks.start_soon(self._down.run)
        except* OSError:  # one side is gone without a goodbye: the other is told just as little
            gone = True
        if self.cut_by == "hang up":
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_hang_up, self._client)
                tasks.start_soon(_hang_up, self._server)
        elif self.cut_by == "reset" or gone:
            for side in (self._client, self._server):
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)


class _Lane:
    """One direction: takes chunks from the source, keeps them while they are under way, gives them to the target."""

    def __init__(  # noqa: PLR0913, PLR0917 - its two ends, how it is, and whom to tell
        self,
        source: socket.socket,
        target: socket.socket,
        way: Way,
        chance: random.Random,
        tell: Callable[[str], None],
        cut: Callable[[Cut], None],
    ) -> None:
        self._source = source
        self._target = target
        self._chance = chance
        self._tell = tell
        self._cut = cut
        self._sent_at = 0.0  # when the line has sent all that it was given
        self._arrives_at = 0.0  # when all of that has arrived
        self._passable = anyio.Event()
        self.change(way)

    @property
    def stalled(self) -> bool:
        return not self._passable.is_set()

    def change(self, way: Way) -> None:
        self._way = way
        self._left = way.fault.after if way.fault else 0  # bytes up to the fault
        self.go_on()
        if way.fault and not way.fault.after and way.fault.kind != "corrupt":
            self._befall(way.fault.kind)

    def stall(self) -> None:
        if not self.stalled:
            self._passable = anyio.Event()
            self._tell("stall")

    def go_on(self) -> None:
        self._passable.set()

    async def run(self) -> None:
        """Until its source has hung up, and the target has got all, and knows. Raises OSError if one is gone."""
        flight, arrivals = anyio.create_memory_object_stream[tuple[float, bytes | None]](IN_FLIGHT)
        with arrivals:  # until both are done: who takes must not find it closed
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._take, flight)
                await self._give(arrivals)

    async def _take(self, flight: MemoryObjectSendStream[tuple[float, bytes | None]]) -> None:
        with flight:
            while True:
                await self._passable.wait()
                data = await _receive(self._source, max(1, int(min(CHUNK, self._way.bytes_per_s * TICK_S))))
                await flight.send((self._due(len(data or b"")), data))
                if not data:
                    return

    def _due(self, size: int) -> float:
        way = self._way
        self._sent_at = max(self._sent_at, anyio.current_time()) + size / way.bytes_per_s
        delay = (way.latency_ms + self._chance.random() * way.jitter_ms) / 1000
        self._arrives_at = max(self._arrives_at, self._sent_at + delay)
        return self._arrives_at

    async def _give(self, arrivals: MemoryObjectReceiveStream[tuple[float, bytes | None]]) -> None:
        async for due, data in arrivals:
            if due > anyio.current_time():
                self._tell("delay")
                await anyio.sleep_until(due)
            await self._passable.wait()
            if data is None:
                raise ConnectionResetError
            await self._pass(data)
        self._target.shutdown(socket.SHUT_WR)

    async def _pass(self, data: bytes) -> None:
        fault = self._way.fault
        if fault and self._left < len(data):
            await _send(self._target, data[: self._left])
            data = data[self._left :]
            self._way = replace(self._way, fault=None)
            self._befall(fault.kind)
            if fault.kind == "corrupt":
                data = bytes([data[0] ^ _TOP_BIT]) + data[1:]
            await self._passable.wait()
        self._left -= len(data)
        await _send(self._target, data)

    def _befall(self, kind: Kind) -> None:
        match kind:
            case "stall":
                self.stall()
            case "corrupt":
                self._tell("corrupt")
            case _:
                self._cut(kind)


class ChaosProxy(AsyncContextManagerMixin):
    """Passes connections on to the port `upstream` of this machine, under the conditions of `plan`.

    It serves between `async with` and its end, which ends all connections. `seed` is for the jitter.
    """

    def __init__(self, upstream: int, plan: Plan = calm, *, seed: int = 0) -> None:
        self.port = 0
        """Where it listens, once it serves."""
        self.connections: list[Connection] = []
        """Those that live."""
        self.newest: Connection
        """The one that was accepted last; it may be over."""
        self.counts: Counter[str] = Counter()
        """What happened so far: "connection", "outage", "delay" (of a chunk of bytes), and the kinds of fault."""
        self._upstream = upstream
        self._plan = plan
        self._chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._listener: socket.socket | None = None
        self._tasks: TaskGroup
        self._news = anyio.Event()

    async def until(self, kind: str, count: int = 1) -> None:
        """Wait until something has happened so often (see `counts`)."""
        while self.counts[kind] < count:
            await self._news.wait()

    def refuse(self) -> None:
        """Close the port. Connections that there are go on."""
        if self._listener:
            anyio.notify_closing(self._listener)
            self._listener.close()
            self._listener = None
            self._tell("outage")

    def accept(self) -> None:
        """Open the port again."""
        if not self._listener:
            self._listener = _bound(self.port)
            self._listener.listen()
            self._tasks.start_soon(self._serve, self._listener)

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        with _bound(0) as claim:  # keeps the port while it is closed
            self.port = claim.getsockname()[1]
            error: Exception | None = None
            async with anyio.create_task_group() as self._tasks:
                self.accept()
                try:
                    yield self
                except Exception as raised:  # noqa: BLE001 - it leaves the block as it is, in no group of ours
                    error = raised
                self._tasks.cancel_scope.cancel()
            if error:
                raise error

    async def _serve(self, listener: socket.socket) -> None:
        with listener, suppress(anyio.ClosedResourceError):
            while listener is self._listener:
                await anyio.wait_readable(listener)
                with suppress(OSError):  # it has gone again
                    client, _ = listener.accept()
                    self._begin(client)

    def _begin(self, client: socket.socket) -> None:
        conditions = self._plan(self.counts["connection"])
        self.newest = Connection(_unblocked(client), conditions, self._chance, self._tell)
        self.connections.append(self.newest)
        self._tasks.start_soon(self._pass_on, self.newest, conditions.outage_s)
        self._tell("connection")

    async def _pass_on(self, connection: Connection, outage_s: float) -> None:
        try:
            await connection.run(self._upstream)
        finally:
            self.connections.remove(connection)
        if connection.cut_by and outage_s:
            self.refuse()
            await anyio.sleep(outage_s)
            self.accept()

    def _tell(self, kind: str) -> None:
        self.counts[kind] += 1
        self._news.set()
        self._news = anyio.Event()


# ------------------------------------------------------------------------------------------------------------ sockets


def _bound(port: int) -> socket.socket:
    """One of several that may be bound to the same port; the one that listens gets the connections."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((HOST, port))
    bound.settimeout(0)
    return bound


def _unblocked(one: socket.socket) -> socket.socket:
    one.settimeout(0)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return one


async def _connect(one: socket.socket, port: int) -> None:
    """Raises OSError."""
    error = one.connect_ex((HOST, port))
    if error == errno.EINPROGRESS:
        await anyio.wait_writable(one)
        error = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, os.strerror(error))


async def _receive(source: socket.socket, size: int) -> bytes | None:
    """What there is; nothing if the other side has hung up, None if it is gone without a goodbye."""
    while True:
        await anyio.wait_readable(source)
        try:
            return source.recv(size)
        except BlockingIOError:  # a false alarm
            continue
        except OSError:
            return None


async def _send(target: socket.socket, data: bytes) -> None:
    """All of it. Raises OSError."""
    left = memoryview(data)
    while left:
        try:
            left = left[target.send(left) :]
        except BlockingIOError:
            await anyio.wait_writable(target)


async def _hang_up(side: socket.socket) -> None:
    """Until the other side has done so too: to close while something is still to be read would be a reset."""
    with suppress(OSError):
        side.shutdown(socket.SHUT_WR)
        while await _receive(side, CHUNK):
            pass

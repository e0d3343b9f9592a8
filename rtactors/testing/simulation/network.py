"""A simulated network between a client's socket and a server's: slow, uneven, narrow, and not for ever.

It is a TCP connection's: nothing is lost, doubled or overtaken while it stands; it only takes its time. It ends in the
ways in which websockets end: with a close frame, without one, or so that for a while nobody notices (`half_open`).
"""

import random
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskGroup

from rtactors.providers.base import Endpoint, Frame
from rtactors.testing.simulation.plan import Network
from rtactors.transports.base import Connect, Socket, SocketClosed

KEEPALIVE_S = 40.0
"""A websocket notices a dead line by a ping after 20 s that is not answered in another 20."""
ROOM = 64
"""Frames that may be under way in one direction; while there are so many, sending waits."""


class SimulatedNetwork:
    """What connections go through."""

    def __init__(self, plan: Network, seed: int) -> None:
        self.connections: list[Line] = []
        self._more = anyio.Event()
        self._plan = plan
        self._chance = random.Random(seed)  # noqa: S311 - repeatable, not secret

    async def connected(self, number: int) -> "Line":
        """The connection of this number, from 0, once it is there."""
        while len(self.connections) <= number:
            await self._more.wait()
        return self.connections[number]

    def through(self, connect: Connect) -> Connect:
        """As `connect`, with this network in between."""

        @asynccontextmanager
        async def connect_through(endpoint: Endpoint) -> AsyncGenerator[Socket]:
            async with connect(endpoint) as socket, anyio.create_task_group() as tasks:
                line = Line(self._plan, socket, self._chance, tasks)
                self.connections.append(line)
                self._more.set()
                self._more = anyio.Event()
                try:
                    yield line
                finally:
                    with anyio.CancelScope(shield=True):
                        await line.hang_up()
                    tasks.cancel_scope.cancel()

        return connect_through


class Line:
    """One connection, as the client's socket."""

    def __init__(self, plan: Network, socket: Socket, chance: random.Random, tasks: TaskGroup) -> None:
        self.up = _Way(plan.up_ms, plan.jitter_ms, plan.up_kb_s, chance)
        self.down = _Way(plan.down_ms, plan.jitter_ms, plan.down_kb_s, chance)
        self.longest_send = 0.0
        """Seconds for which one frame held up those behind it, before the network had room for it."""
        self._socket = socket
        self._tasks = tasks
        tasks.start_soon(self._read)
        tasks.start_soon(self.up.carry, socket.send)

    async def send(self, frame: Frame) -> None:
        begun = anyio.current_time()
        await self.up.put(frame)
        self.longest_send = max(self.longest_send, anyio.current_time() - begun)

    async def receive(self) -> Frame:
        return await self.down.take()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Behind what was sent."""
        await self.up.emptied()
        await self._socket.close(code, reason)
        self._end(SocketClosed(code, reason))

    async def hang_up(self) -> None:
        await self._socket.close()

    def cut(self) -> None:
        """The network breaks: no close frame, and what is under way is lost."""
        self._end(SocketClosed(None, "the network broke"))
        self._tasks.start_soon(self._socket.close, 1006, "the network broke")

    def freeze(self) -> None:
        """From now on nothing arrives on either side; the client finds out after `KEEPALIVE_S`."""
        self.up.frozen = self.down.frozen = True
        self._tasks.start_soon(self._find_out)

    async def _find_out(self) -> None:
        await anyio.sleep(KEEPALIVE_S)
        self._end(SocketClosed(None, "no answer to a ping within 20 seconds"))
        await self._socket.close(1006, "no answer to a ping")

    def _end(self, closed: SocketClosed) -> None:
        self.up.end(closed)
        self.down.end(closed)

    async def _read(self) -> None:
        try:
            while True:
                await self.down.put(await self._socket.receive())
        except SocketClosed as closed:
            if not self.down.frozen:
                await self.down.emptied()
                self._end(closed)


class _Way:
    """One direction: frames with the time at which each arrives, in order."""

    def __init__(self, ms: int, jitter_ms: int, kb_s: int, chance: random.Random) -> None:
        self.frozen = False
        self.slowest = 0.0
        """The longest that a frame took, in seconds, its sender's waiting included."""
        self.arrivals: list[float] = []
        """When each frame arrived."""
        self._latency = ms / 1000
        self._jitter = jitter_ms / 1000
        self._rate = kb_s * 1000
        self._chance = chance
        self._under_way: deque[tuple[float, float, Frame]] = deque()  # sent at, arrives at
        self._passed_on = True  # whether what arrived has been, if somebody carries it
        self._has_carrier = False
        self._free_at = 0.0  # when the narrowest place has passed what was sent
        self._closed: SocketClosed | None = None
        self._changed = anyio.Event()

    def end(self, closed: SocketClosed) -> None:
        self._closed = self._closed or closed
        self._under_way.clear()
        self._notify()

    async def put(self, frame: Frame) -> None:
        begun = anyio.current_time()
        while len(self._under_way) >= ROOM and not self._closed:
            await self._changed.wait()
        if self._closed:
            raise self._closed
        now = anyio.current_time()
        passed = max(now, self._free_at)
        if self._rate:
            # What the sockets' own buffers take is a few frames; then the sender waits for the network.
            passed += len(frame) / self._rate
            self._free_at = passed
        arrives = passed + self._latency + (self._chance.random() * self._jitter if self._jitter else 0.0)
        if self._under_way:
            arrives = max(arrives, self._under_way[-1][1])
        self._under_way.append((begun, arrives, frame))
        self._notify()
        if self._rate:
            await anyio.sleep_until(passed)
        else:
            await anyio.lowlevel.checkpoint()

    async def take(self) -> Frame:
        """The next that arrives. Raises SocketClosed."""
        while True:
            if self._under_way and not self.frozen:
                sent, arrives, frame = self._under_way[0]
                if arrives <= anyio.current_time():
                    self._under_way.popleft()
                    self._passed_on = not self._has_carrier
                    self.slowest = max(self.slowest, arrives - sent)
                    self.arrivals.append(arrives)
                    self._notify()
                    await anyio.lowlevel.checkpoint()
                    return frame
                with anyio.CancelScope(deadline=arrives):
                    await self._changed.wait()
            elif self._closed:
                raise self._closed
            else:
                await self._changed.wait()

    async def carry(self, send: Callable[[Frame], Awaitable[None]]) -> None:
        """Take all and pass it on, until the end."""
        self._has_carrier = True
        try:
            while True:
                await send(await self.take())
                self._passed_on = True
                self._notify()
        except SocketClosed as closed:
            self.end(closed)

    async def emptied(self) -> None:
        """Until all that was sent has arrived."""
        while (self._under_way or not self._passed_on) and not self._closed and not self.frozen:
            await self._changed.wait()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

"""What goes out to the client: one task writes all of a session's events, in order, and lets the faults at them.

Whoever has something to say puts it in and goes on, so that the session's logic never awaits. Only the generation of
audio, which makes much, waits for room.
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol

import anyio
from anyio.abc import TaskGroup
from msgspec import to_builtins

from rtactors.loopback.faults import Alter, Close, Cut, Drop, Faults, Json, Late, Refuse, Rule
from rtactors.loopback.log import Log
from rtactors.providers.openai import wire
from rtactors.transports.base import Socket, SocketClosed

ROOM = 64
"""Events that may wait before the generation of audio does."""
HEAVY = 32 * 1024 * 1024
"""Bytes of audio of whole items that may wait."""


class ServerSocket(Socket, Protocol):
    async def cut(self, frame: str, at_byte: int) -> None:
        """Send only the first bytes of the frame, and let the network break without a close frame."""
        ...


class Outbox:
    def __init__(self, socket: ServerSocket, faults: Faults, log: Log, new_id: Callable[[str], str]) -> None:
        self._socket = socket
        self._faults = faults
        self._log = log
        self._new_id = new_id
        self._waiting: deque[wire.FromServer | Json] = deque()
        self._ready: deque[wire.FromServer | Json] = deque()  # past the faults
        self._weight = 0
        self._late: dict[Rule, deque[tuple[float, Json]]] = {}
        self._changed = anyio.Event()
        self._closed = False

    def put(self, event: wire.FromServer | Json) -> None:
        if isinstance(event, wire.FromServer):
            event.event_id = self._new_id("event")
        if not self._closed:
            self._waiting.append(event)
            self._weight += _weight(event)
            self._notify()

    async def room(self, most: int = ROOM) -> None:
        """Until no more than so many events are waiting, and they are not too heavy."""
        while len(self._waiting) > most or self._weight > HEAVY:
            await self._changed.wait()

    async def run(self) -> None:
        """Writes until the socket is closed; what is put in after that goes nowhere."""
        try:
            async with anyio.create_task_group() as tasks:
                while True:
                    if self._ready:
                        await self._send(self._ready.popleft())
                    elif self._waiting:
                        event = self._waiting.popleft()
                        await self._pass(event, tasks)
                        self._weight -= _weight(event)
                        self._notify()
                    else:
                        await self._changed.wait()
        except* SocketClosed:
            self._closed = True
            self._waiting.clear()
            self._weight = 0
            self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def _pass(self, event: wire.FromServer | Json, tasks: TaskGroup) -> None:
        event_type = _type(event)
        rule: Rule | None = None
        json: Json = {}
        if self._faults.concern(event_type):
            json = to_builtins(event)
            rule = self._faults.find(json)
        if rule is None:
            await self._send(event)
            return
        match rule.act:
            case Drop() | Refuse():  # a refusal is for what comes in
                pass
            case Alter(change):
                self._ready.extend(change(json))
            case Late():
                self._put_aside(rule, rule.act, json, tasks)
            case Close(code, reason):
                await self._socket.close(code, reason)
                raise SocketClosed(code, reason)  # and nothing after it, nor in the log
            case Cut(at_byte):
                await self._socket.cut(_encode(json), at_byte)
                raise SocketClosed(None, "the network broke")

    def _put_aside(self, rule: Rule, late: Late, event: Json, tasks: TaskGroup) -> None:
        if rule not in self._late:
            if late.gate and late.gate.is_open:
                self._ready.append(event)
                return
            self._late[rule] = deque()
            tasks.start_soon(self._bring_back, rule, late)
        self._late[rule].append((anyio.current_time() + late.ms / 1000, event))

    async def _bring_back(self, rule: Rule, late: Late) -> None:
        """One task for each rule, so that its events stay in their order."""
        queue = self._late[rule]
        while queue:
            if late.gate:
                await late.gate.passed()
            else:
                await anyio.sleep_until(queue[0][0])
            self._ready.append(queue.popleft()[1])
            self._notify()
        del self._late[rule]

    async def _send(self, event: wire.FromServer | Json) -> None:
        self._log.add(event, _type(event), sent=True)
        await self._socket.send(_encode(event))


def _type(event: wire.FromServer | Json) -> str:
    return str(event.__struct_config__.tag) if isinstance(event, wire.FromServer) else str(event.get("type", ""))


def _encode(event: wire.FromServer | Json) -> str:
    return wire.encoder.encode(event).decode()


def _weight(event: wire.FromServer | Json) -> int:
    """The audio of an item that was asked for; all else is small."""
    if not isinstance(event, wire.ConversationItemRetrieved):
        return 0
    return sum(len(part.audio or b"") for part in event.item.content or ())

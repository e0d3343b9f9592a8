"""A session that writes down what the app asks of it: what was asked for, stopped, put in, taken out, answered.

It does nothing else than a `Session`; what it writes down is evidence, and none of it is read back from the session.
"""

import math
from collections.abc import Iterable
from typing import Literal, Unpack

import anyio
from anyio.abc import TaskGroup
from msgspec import Struct, field

from rtactors.errors import ReplyFailed
from rtactors.events import Role
from rtactors.history import HistoryItem
from rtactors.reply import Reply
from rtactors.session import Wanted, WantedReply
from rtactors.testing.evidence import Asked, Placed, Run, Wait, Worked
from rtactors.testing.eyes import SeenSession

_WAITS: tuple[Literal["started", "heard", "done"], ...] = ("started", "heard", "done")


class AppRecord(Struct, kw_only=True):
    """What the app did; see `rtactors.testing.evidence.Evidence`."""

    replies: list[Reply] = field(default_factory=list[Reply])
    asked: dict[str, Asked] = field(default_factory=dict[str, Asked])
    waits: dict[tuple[str, str], Wait] = field(default_factory=dict[tuple[str, str], Wait])
    pauses: list[tuple[float, bool]] = field(default_factory=list[tuple[float, bool]])
    removed: set[str] = field(default_factory=set[str])
    stopped: dict[str, float] = field(default_factory=dict[str, float])
    placed: list[Placed] = field(default_factory=list[Placed])
    interruptions: list[float] = field(default_factory=list[float])
    answers: dict[str, str] = field(default_factory=dict[str, str])
    runs: list[Run] = field(default_factory=list[Run])
    works: list[Worked] = field(default_factory=list[Worked])
    replaced: list[tuple[float, set[str]]] = field(default_factory=list[tuple[float, set[str]]])
    """When it set the history, and which items it kept."""
    settled: bool = False
    """True if it waited until all was quiet before it left."""
    left_at: float = math.inf
    """When it left, by whatever way."""

    def put(self, item_id: str, there: list[str], index: int) -> None:
        """It put an item before the `index`th of those that were there."""
        self.placed.append(Placed(item_id, frozenset(there[:index]), frozenset(there[index:])))


class WatchedSession(SeenSession):
    """What raises was not done, and is not written down."""

    def watch(self, waiting: TaskGroup, app: AppRecord) -> None:
        """Keep the record in `app`; to be called before the session is entered. Tasks of `waiting` wait for replies."""
        self._app = app
        self._waiting = waiting

    async def ask(self, text: str, **wanted: Unpack[Wanted]) -> Reply:
        at = anyio.current_time()
        reply = await super().ask(text, **wanted)
        self._keep(reply, Asked(at=at, wanted=wanted, is_question=True))
        return reply

    async def generate_reply(self, **wanted: Unpack[WantedReply]) -> Reply:
        at = anyio.current_time()
        reply = await super().generate_reply(**wanted)
        self._keep(reply, Asked(at=at, wanted=wanted))
        return reply

    def _keep(self, reply: Reply, asked: Asked) -> None:
        self._app.replies.append(reply)
        self._app.asked[reply.id] = asked
        for what in _WAITS:
            self._waiting.start_soon(self._wait, reply, what)

    async def _wait(self, reply: Reply, what: Literal["started", "heard", "done"]) -> None:
        told, failure = None, None
        self._app.waits[reply.id, what] = Wait(reply_id=reply.id, what=what)
        try:
            match what:
                case "started":
                    await reply.started()
                case "heard":
                    told = await reply.heard()
                case "done":
                    told = [item.id for item in await reply.done()]
        except ReplyFailed as failed:
            failure = str(failed)
        at = anyio.current_time()
        self._app.waits[reply.id, what] = Wait(reply_id=reply.id, what=what, at=at, told=told, failure=failure)

    async def answer_call(self, call_id: str, output: str) -> None:
        await super().answer_call(call_id, output)
        self._app.answers.setdefault(call_id, output)

    async def interrupt(self, reply: Reply | None = None) -> None:
        at = anyio.current_time()
        await super().interrupt(reply)
        if reply is None:
            self._app.interruptions.append(at)
        else:
            self._app.stopped.setdefault(reply.id, at)

    async def pause(self) -> None:
        self._app.pauses.append((anyio.current_time(), True))
        await super().pause()

    async def unpause(self) -> None:
        self._app.pauses.append((anyio.current_time(), False))
        await super().unpause()

    async def add(self, text: str, *, role: Role = "user", after: str | None = None) -> str:
        there = [item.id for item in self.history]
        item_id = await super().add(text, role=role, after=after)
        if after == "" or after in there:
            self._app.put(item_id, there, there.index(after) + 1 if after else 0)
        return item_id

    async def remove(self, item_id: str) -> None:
        await super().remove(item_id)
        self._app.removed.add(item_id)

    async def set_history(self, items: Iterable[HistoryItem]) -> None:
        at, wanted = anyio.current_time(), list(items)
        there = {item.id: item for item in self.history}
        await super().set_history(wanted)
        kept = [item.id for item in wanted if item == there.get(item.id)]
        self._app.removed.update(there.keys() - kept)
        self._app.replaced.append((at, {item.id for item in wanted}))
        for index, item in enumerate(wanted):
            if item.id and item.id not in there:
                self._app.put(item.id, kept, sum(other.id in kept for other in wanted[:index]))

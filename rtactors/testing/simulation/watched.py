"""A session that writes down what the app asks of it: what was asked for, stopped, put in, taken out, answered.

It does nothing else than a `Session`; what it writes down is evidence, and none of it is read back from the session.
"""

import math
from collections.abc import Iterable
from typing import Unpack

import anyio
from msgspec import Struct, field

from rtactors.events import Role
from rtactors.history import HistoryItem
from rtactors.reply import Reply
from rtactors.session import Session, Wanted, WantedReply
from rtactors.testing.evidence import Placed


class AppRecord(Struct, kw_only=True):
    """What the app did; see `rtactors.testing.evidence.Evidence`."""

    replies: list[Reply] = field(default_factory=list[Reply])
    removed: set[str] = field(default_factory=set[str])
    stopped: dict[str, float] = field(default_factory=dict[str, float])
    placed: list[Placed] = field(default_factory=list[Placed])
    interruptions: list[float] = field(default_factory=list[float])
    answers: dict[str, str] = field(default_factory=dict[str, str])
    replaced: list[tuple[float, set[str]]] = field(default_factory=list[tuple[float, set[str]]])
    """When it set the history, and which items it kept."""
    settled: bool = False
    """True if it waited until all was quiet before it left."""
    left_at: float = math.inf
    """When it left, by whatever way."""

    def put(self, item_id: str, there: list[str], index: int) -> None:
        """It put an item before the `index`th of those that were there."""
        self.placed.append(Placed(item_id, frozenset(there[:index]), frozenset(there[index:])))


class WatchedSession(Session):
    """What raises was not done, and is not written down."""

    def watch(self) -> AppRecord:
        """The record; call it once, before the session is entered."""
        self._app = AppRecord()
        return self._app

    async def ask(self, text: str, **wanted: Unpack[Wanted]) -> Reply:
        reply = await super().ask(text, **wanted)
        self._app.replies.append(reply)
        return reply

    async def generate_reply(self, **wanted: Unpack[WantedReply]) -> Reply:
        reply = await super().generate_reply(**wanted)
        self._app.replies.append(reply)
        return reply

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

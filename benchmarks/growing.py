"""What is done to a conversation that is long, or to a response that has much: timed by `size`, counted by the tests.

A session talks with a `HoldingServer` over a socket in memory, and its device plays as far as it is let; where nothing
else is said, in virtual time.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias, TypedDict, Unpack

from benchmarks.holding_server import HoldingServer
from rtactors import Session
from rtactors.history import HistoryItem
from rtactors.journal.base import Journal
from rtactors.limits import Backoff, Bounds
from rtactors.providers import OpenAIRealtime
from rtactors.recording import Recorder
from rtactors.session_events import FunctionCalled
from rtactors.testing.clock import settled
from rtactors.testing.stepped_sink import SteppedSink

EVERYTHING = Bounds().items
"""As many items as a conversation may have."""


class Options(TypedDict, total=False):
    """Of a session, as `Session` has them."""

    journal: Journal
    recorder: Recorder
    bounds: Bounds


class Talk:
    """A conversation that has so many `items` before anything is done to it."""

    def __init__(self, session: Session, server: HoldingServer, sink: SteppedSink, items: int) -> None:
        self.session = session
        self.server = server
        self.sink = sink
        self.items = items
        self.middle = f"old_{items // 2}"

    async def respond(self) -> None:
        """A whole response, all of it heard once all of it is there; its calls are answered."""
        events = self.session.events()
        reply = await self.session.ask("Go on.")
        await settled()
        await self.sink.play(self.server.audio_ms)
        await reply.done()
        calls = self.server.calls
        async for event in events:
            if not calls:
                break
            if isinstance(event, FunctionCalled):
                calls -= 1
                await self.session.answer_call(event.call_id, "42")

    async def interrupted(self, heard_ms: int = 30) -> None:
        """A response of which, though all of it is there, so much is heard."""
        reply = await self.session.ask("Go on.")
        await settled()
        await self.sink.play(heard_ms)
        await self.session.interrupt()
        await reply.done()

    async def reconnect(self) -> None:
        """Lose the connection, and tell the next one what was said."""
        self.server.drop()
        await settled()


@asynccontextmanager
async def talk(items: int, server: HoldingServer | None = None, **options: Unpack[Options]) -> AsyncGenerator[Talk]:
    """A session whose conversation has so many items, and whose server knows them all."""
    server = server or HoldingServer()
    sink = SteppedSink()
    options = {"bounds": Bounds(retold=EVERYTHING), **options}
    session = Session(
        OpenAIRealtime(api_key="", websocket_base_url="ws://memory/v1"),
        sink=sink,
        connect=server.connect,
        reconnect=Backoff(first=0),
        **options,
    )
    async with session:
        await session.set_history(history(items))
        await session.quiet()
        yield Talk(session, server, sink, items)


def history(items: int) -> list[HistoryItem]:
    """Of two who take turns."""
    roles = ("user", "assistant")
    return [HistoryItem(id=f"old_{n}", role=roles[n % 2], heard_text=f"This is number {n}.") for n in range(items)]


Change: TypeAlias = Callable[[Talk], Awaitable[object]]


async def set_history(talk: Talk) -> None:
    """All of the history as it is, but for one item."""
    *rest, last = talk.session.history
    await talk.session.set_history([*rest, HistoryItem(id="", role="user", heard_text=f"Not: {last.heard_text}")])


async def in_and_out(talk: Talk) -> None:
    item_id = await talk.session.add("One more.", after=talk.middle)
    await talk.session.remove(item_id)


async def call(talk: Talk) -> None:
    talk.server.messages, talk.server.calls = 0, 1
    await talk.respond()
    talk.server.messages, talk.server.calls = 1, 0


CHANGES: dict[str, Change] = {
    "an item at the end": lambda talk: talk.session.add("One more."),
    "an item in the middle": lambda talk: talk.session.add("One more.", after=talk.middle),
    "an item at the front": lambda talk: talk.session.add("One more.", after=""),
    "an item in the middle, and out again": in_and_out,
    "a message heard": Talk.respond,
    "a message cut": Talk.interrupted,
    "a call answered": call,
}
"""What changes one item or a few, in a conversation of whatever length."""

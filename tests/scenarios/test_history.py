"""A history that was had in another session goes on in this one."""

import pytest

from rtactors import Bounds, HistoryItem, Session
from rtactors.loopback.conversation import Snapshot
from rtactors.loopback.script import Call, replies
from rtactors.loopback.server import MemoryServer
from rtactors.providers import OpenAIRealtime
from rtactors.session_events import FunctionCalled, Problem
from rtactors.sinks import MemorySink

pytestmark = pytest.mark.anyio

ARGUMENTS, OUTPUT = '{"city": "Oslo"}', '{"degrees": 4}'
SCRIPT = (Call(name="weather", arguments=ARGUMENTS), "Four degrees.")


def session_with(server: MemoryServer, bounds: Bounds | None = None) -> Session:
    return Session(OpenAIRealtime(api_key=""), sink=MemorySink(), connect=server.connect, bounds=bounds or Bounds())


async def had_before() -> list[HistoryItem]:
    """A question, a function call, its output, and the answer."""
    async with MemoryServer(replies(*SCRIPT)) as server, session_with(server) as session:
        events = session.events()
        await session.ask("What is the weather in Oslo?")
        async for event in events:
            if isinstance(event, FunctionCalled):
                await session.answer_call(event.call_id, OUTPUT)
                break
        reply = await session.generate_reply()
        await reply.done()
        await session.quiet()
        return session.history


def had(item: HistoryItem) -> list[str]:
    fields = (item.id, item.kind, item.role, item.heard_text, item.name, item.call_id, item.arguments, item.output)
    return [field or "" for field in fields]


def held(item: Snapshot) -> list[str]:
    fields = (item.id, item.type, item.role, item.text, item.name, item.call_id, item.arguments, item.output)
    return [field or "" for field in fields]


async def test_function_calls_and_their_outputs_go_on_in_another_session() -> None:
    old = await had_before()
    assert [item.kind for item in old] == ["message", "function_call", "function_call_output", "message"]
    assert (old[1].name, old[1].arguments, old[2].output) == ("weather", ARGUMENTS, OUTPUT)
    async with MemoryServer() as server, session_with(server) as session:
        events = session.events()
        await session.set_history(old)
        await session.quiet()
        assert [*map(had, session.history)] == [*map(had, old)]
        assert [*map(held, server.sessions[0].items)] == [*map(had, old)]
    assert not [event async for event in events if isinstance(event, FunctionCalled | Problem)]


async def test_an_id_is_never_used_twice() -> None:
    """What was removed comes back as a new item, in its old place, however far its removal has come."""
    async with MemoryServer() as server, session_with(server) as session:
        for text in "abc":
            await session.add(text)
        await session.quiet()
        old = session.history
        await session.remove(old[1].id)
        await session.set_history(old)
        await session.quiet()
        assert [item.heard_text for item in session.history] == ["a", "b", "c"]
        assert [(item.id, item.text) for item in server.sessions[0].items] == [
            (item.id, item.heard_text) for item in session.history
        ]
        new = [item.id for item in session.history]
        assert (new[0], new[2]) == (old[0].id, old[2].id)
        assert new[1] not in [item.id for item in old]


async def test_an_item_that_is_given_twice_is_held_once() -> None:
    async with MemoryServer() as server, session_with(server) as session:
        item = HistoryItem(id="mine", role="system", heard_text="Be brief.")
        await session.set_history([item])
        await session.quiet()
        await session.set_history([*session.history, *session.history])
        await session.quiet()
        assert [item.id for item in session.history] == [item.id for item in server.sessions[0].items] == ["mine"]


async def test_another_text_is_another_item() -> None:
    async with MemoryServer() as server, session_with(server) as session:
        await session.set_history([HistoryItem(id="mine", role="system", heard_text="Be brief.")])
        await session.quiet()
        await session.set_history([HistoryItem(id="mine", role="system", heard_text="Take your time.")])
        await session.quiet()
        (item,) = session.history
        assert item.heard_text == "Take your time."
        assert item.id != "mine"
        assert [(item.id, item.text) for item in server.sessions[0].items] == [(item.id, item.heard_text)]


async def test_more_than_an_inbox_holds() -> None:
    """One call, more items than anybody's inbox has room for: nothing that the app asks for is too much at once.

    The inboxes are made small rather than the history long, since the server's own work grows with its square.
    """
    many = [HistoryItem(id=f"item-{number}", role="user", heard_text="x") for number in range(1000)]
    small = Bounds(inbox=800)
    async with MemoryServer() as server, session_with(server, small) as session:
        await session.set_history(many)
        await session.quiet()
        assert len(session.history) == len(server.sessions[0].items) == len(many)

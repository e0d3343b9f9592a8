"""Each stream of events ends with why the conversation did: once, whatever the cause."""

from http import HTTPStatus

import anyio
import pytest

from rtactors import Bounds, ConnectionFailed, LimitReached, Session, SessionClosed, SinkLost
from rtactors.event_stream import EventStream
from rtactors.loopback.server import MemoryServer
from rtactors.providers import OpenAIRealtime
from rtactors.session_events import ConversationEnded, SessionEvent
from rtactors.sinks import MemorySink
from rtactors.testing.conversation import Conversation
from tests.scenarios.conftest import Begin

pytestmark = pytest.mark.anyio


def ended(talk: Conversation) -> ConversationEnded:
    """The last event, and the only one that says so."""
    assert sum(isinstance(event, ConversationEnded) for event in talk.events) == 1
    last = talk.events[-1]
    assert isinstance(last, ConversationEnded)
    return last


async def test_it_was_left(begin: Begin) -> None:
    async with begin() as talk:
        other = talk.session.events()
    assert (ended(talk).reason, ended(talk).message) == ("requested", "")
    assert [event async for event in other][-1] == ended(talk)
    assert [event async for event in talk.session.events()] == [ended(talk)]


async def test_the_server_is_gone(begin: Begin) -> None:
    async with begin(reconnect=None, raises=SessionClosed) as talk:
        await talk.wire.close(1011, "bye")
        await anyio.sleep_forever()
    assert ended(talk).reason == "transport_closed"
    assert ended(talk).message == str(talk.failure)
    assert "bye" in ended(talk).message


async def test_the_server_does_not_want_it(begin: Begin) -> None:
    """A key that is refused in the midst of it: no other connection would help."""
    async with begin(raises=SessionClosed) as talk:
        error = {"type": "invalid_request_error", "code": "invalid_api_key", "message": "Incorrect API key provided."}
        talk.wire.inject({"type": "error", "event_id": "e", "error": error})
        await anyio.sleep_forever()
    assert ended(talk).reason == "error"
    assert "Incorrect API key" in ended(talk).message


async def test_the_device_is_lost(begin: Begin) -> None:
    async with begin(raises=SinkLost) as talk:
        talk.sink.lose("it was unplugged")
        await anyio.sleep_forever()
    assert ended(talk).reason == "error"
    assert "it was unplugged" in ended(talk).message


async def end_of(events: EventStream[SessionEvent]) -> list[tuple[str, str]]:
    return [(event.reason, event.message) async for event in events if isinstance(event, ConversationEnded)]


async def test_it_never_began() -> None:
    provider = OpenAIRealtime(api_key="", websocket_base_url="ws://memory/v1")
    async with MemoryServer(admit=lambda _number: HTTPStatus.UNAUTHORIZED) as server:
        session = Session(provider, sink=MemorySink(), connect=server.connect)
        events = session.events()
        with pytest.raises(ConnectionFailed) as failed:
            async with session:
                pass
    assert await end_of(events) == [("error", str(failed.value))]


async def test_the_app_has_failed(begin: Begin) -> None:
    """Its error is its own: what it wanted was to leave."""
    streams: list[EventStream[SessionEvent]] = []

    async def app() -> None:
        async with begin() as talk:
            streams.append(talk.session.events())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await app()
    assert await end_of(streams[0]) == [("requested", "")]


async def test_an_actor_has_crashed() -> None:
    """Or could not keep to its bounds, which is the same to those who listen."""
    provider = OpenAIRealtime(api_key="", websocket_base_url="ws://memory/v1")
    streams: list[EventStream[SessionEvent]] = []

    async def app() -> None:
        async with Session(provider, sink=MemorySink(), connect=server.connect, bounds=Bounds(items=1)) as session:
            streams.append(session.events())
            await session.add("One.")
            await session.add("Two.")
            await anyio.sleep_forever()

    async with MemoryServer() as server:
        with pytest.raises(LimitReached) as failed:
            await app()
    assert await end_of(streams[0]) == [("error", str(failed.value))]

"""What a slow, a fast and a late reader see of a session."""

import gc
import weakref

import anyio
import pytest

from rtactors import Bounds, Session
from rtactors.event_stream import EventStream
from rtactors.providers import OpenAIRealtime
from rtactors.session_events import (
    Caption,
    CaptionsEnded,
    ConversationEnded,
    Dropped,
    MessageText,
    SessionEvent,
    Unhandled,
)
from rtactors.sinks import MemorySink
from rtactors.testing.clock import settled
from tests.scenarios.by_hand import ServerByHand

pytestmark = pytest.mark.anyio


async def test_in_order_then_it_ends() -> None:
    stream = EventStream[Unhandled](8)
    for name in "abc":
        stream.push(Unhandled(name))
    stream.close()
    assert [event async for event in stream] == [Unhandled("a"), Unhandled("b"), Unhandled("c")]


async def test_a_slow_reader_is_told_what_it_missed() -> None:
    stream = EventStream[Unhandled](2)
    for name in "abcde":
        stream.push(Unhandled(name))
    stream.close()
    assert [event async for event in stream] == [Dropped(3), Unhandled("d"), Unhandled("e")]


async def test_a_waiting_reader_wakes_up_for_news_and_for_the_end() -> None:
    stream = EventStream[Unhandled](8)
    seen: list[object] = []

    async def read() -> None:
        seen.extend([event async for event in stream])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        stream.push(Unhandled("a"))
        await anyio.wait_all_tasks_blocked()
        stream.close()
    assert seen == [Unhandled("a")]


async def test_two_readers_of_one_stream_share_it_and_both_end() -> None:
    stream = EventStream[Unhandled](8)
    seen: list[object] = []
    ended = 0

    async def read() -> None:
        nonlocal ended
        seen.extend([event async for event in stream])
        ended += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        tasks.start_soon(read)
        for name in "ab":
            await settled()
            stream.push(Unhandled(name))
        await settled()
        stream.close()
        await settled()
        assert ended == 2
    assert sorted(map(repr, seen)) == [repr(Unhandled("a")), repr(Unhandled("b"))]


async def test_what_comes_after_the_end_is_left_out_and_not_counted() -> None:
    stream = EventStream[Unhandled](1)
    stream.push(Unhandled("a"))
    stream.close()
    stream.push(Unhandled("b"))
    assert [event async for event in stream] == [Unhandled("a")]


# ------------------------------------------------------------------------------------------------- of a session


def session_with(server: ServerByHand, bounds: Bounds = Bounds()) -> Session:  # noqa: B008 - immutable
    return Session(OpenAIRealtime(api_key=""), sink=MemorySink(), connect=server.connect, bounds=bounds)


async def test_a_stream_that_nobody_holds_is_gone() -> None:
    server = ServerByHand()
    async with session_with(server) as session:
        stream = weakref.ref(session.events())
        gc.collect()
        assert stream() is None
        await settled()
        kept = session.events()
        await server.say("novelty")
        assert await anext(kept) == Unhandled("novelty")


async def test_a_stream_that_begins_after_the_end_tells_it_alone() -> None:
    async with session_with(ServerByHand()) as session:
        pass
    assert [event async for event in session.events()] == [ConversationEnded("requested", "", 0)]


async def test_a_slow_reader_of_a_session_is_told_what_it_missed() -> None:
    server = ServerByHand()
    async with session_with(server, Bounds(events=2)) as session:
        await settled()
        stream = session.events()
        for number in range(5):
            await server.say(f"novelty.{number}")
        await settled()
        assert await anext(stream) == Dropped(3)
        assert [await anext(stream), await anext(stream)] == [Unhandled("novelty.3"), Unhandled("novelty.4")]


# --------------------------------------------------------------------------------------------------- of its captions

WORDS = [Caption("m", word, 0, 100, 0.0, estimated=True) for word in ("One", " two", " three")]
ENDED = CaptionsEnded(message_id="m", words=tuple(WORDS), text="One two three", interrupted=False, at=0.3)


def publish(session: Session, event: SessionEvent) -> None:
    session._publish(event)  # pyright: ignore[reportPrivateUsage]


async def test_captions_are_a_stream_of_their_own_and_end_with_the_session() -> None:
    async with session_with(ServerByHand(), Bounds(events=4)) as session:
        await settled()
        captions = session.captions()
        for word in WORDS:
            publish(session, word)
            for _ in range(10):  # of these none is lost for the others
                publish(session, MessageText("m", word.text))
        publish(session, ENDED)
    assert [caption async for caption in captions] == [*WORDS, ENDED]


async def test_a_slow_reader_of_captions_is_told_what_it_missed() -> None:
    async with session_with(ServerByHand(), Bounds(events=2)) as session:
        captions = session.captions()
        for word in (*WORDS, ENDED):
            publish(session, word)
    assert [caption async for caption in captions] == [Dropped(2), WORDS[2], ENDED]


async def test_captions_after_the_end_are_none() -> None:
    async with session_with(ServerByHand()) as session:
        pass
    assert [caption async for caption in session.captions()] == []

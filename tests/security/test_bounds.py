"""What a server, or an app, can make a session hold: each thing has a bound, and what happens there is said."""

import gc
import itertools
import tracemalloc
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import anyio
import pytest
from msgspec import json

from rtactors import LimitReached, Session
from rtactors.channels import Inbox
from rtactors.limits import Backoff, Bounds
from rtactors.providers import OpenAIRealtime
from rtactors.reminders import Reminders
from rtactors.sinks import PacedSink
from rtactors.testing.clock import settled
from tests.scenarios.by_hand import Json, ServerByHand

pytestmark = pytest.mark.anyio

AUDIO = b64encode(bytes(9600)).decode()


def by_hand(server: ServerByHand, **bounds: int) -> Session:
    provider = OpenAIRealtime(api_key="")
    return Session(provider, sink=PacedSink(), connect=server.connect, reconnect=None, bounds=Bounds(**bounds))


@asynccontextmanager
async def ends(limit: str, **bounds: int) -> AsyncGenerator[ServerByHand]:
    """A session with a server that goes too far in the block."""
    server = ServerByHand()
    session = by_hand(server, **bounds)
    with pytest.raises(LimitReached, match=rf"Bounds\.{limit}"):  # noqa: PT012 - the session raises it when it is left
        async with session:
            await session.add("Before all that.")
            await settled()
            yield server
            await anyio.sleep(1)
    assert session.history[0].heard_text == "Before all that."


def message(item_id: str, text: str = "") -> Json:
    content = [{"type": "output_text", "text": text}] if text else []
    return {"id": item_id, "type": "message", "role": "assistant", "content": content}


async def test_items() -> None:
    async with ends("items", items=100) as server:
        for number in range(100):
            await server.say("conversation.item.added", item=message(f"item_{number}"))


async def test_messages_that_are_not_of_the_conversation() -> None:
    async with ends("items", items=100) as server:
        elsewhere = {"id": "resp_1", "status": "in_progress", "conversation_id": None}
        await server.say("response.created", response=elsewhere)
        for number in range(101):
            item = message(f"item_{number}")
            await server.say("response.output_item.added", response_id="resp_1", item=item)


@pytest.mark.parametrize("event", ["conversation.item.added", "conversation.item.done"])
async def test_texts(event: str) -> None:
    async with ends("texts", texts=10_000) as server:
        for number in range(11):
            user = {**message(f"item_{number}"), "role": "user"}
            await server.say(event, item={**user, "content": [{"type": "input_text", "text": "x" * 1000}]})


async def test_transcripts_and_arguments_are_texts() -> None:
    async with ends("texts", texts=10_000) as server:
        transcribed = "conversation.item.input_audio_transcription.completed"
        await server.say(transcribed, item_id="item_1", transcript="x" * 6000)
        call = {"id": "item_2", "type": "function_call", "call_id": "c", "name": "f", "status": "completed"}
        item = {**call, "arguments": "x" * 6000}
        await server.say("response.output_item.done", response_id="resp_1", item=item)


@pytest.mark.parametrize("event", ["response.output_text.delta", "response.output_audio_transcript.delta"])
async def test_the_text_of_a_message_that_never_ends(event: str) -> None:
    async with ends("text", text=1000) as server:
        for _ in range(11):
            await server.say(event, response_id="resp_1", item_id="item_1", delta="x" * 100)


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ("response.output_text.done", {"item_id": "item_1", "text": "x" * 1001}),
        ("response.output_item.done", {"item": message("item_1", "x" * 1001)}),
    ],
)
async def test_the_text_of_a_message_at_once(event: str, fields: Json) -> None:
    async with ends("text", text=1000) as server:
        await server.say(event, response_id="resp_1", **fields)


async def test_audio_of_messages_that_wait() -> None:
    """One message alone is cut at its own bound, `message_bytes`."""
    async with ends("audio", audio=100_000, message_bytes=30_000) as server:
        for number, _ in itertools.product(range(4), range(3)):
            await server.say("response.output_audio.delta", response_id="resp_1", item_id=f"item_{number}", delta=AUDIO)


async def test_audio_of_messages_that_are_over_does_not_count() -> None:
    server = ServerByHand()
    async with by_hand(server, audio=30_000) as session:
        for number in range(10):
            item_id, response_id = f"item_{number}", f"resp_{number}"
            where: Json = {"response_id": response_id, "item_id": item_id}
            await server.say("response.created", response={"id": response_id, "conversation_id": "c"})
            await server.say("response.output_audio.delta", **where, delta=AUDIO)
            done = {"response_id": response_id, "item": {**message(item_id), "status": "completed"}}
            await server.say("response.output_item.done", **done)
            await server.say("response.done", response={"id": response_id, "status": "completed"})
            await anyio.sleep(1)
        assert [item.heard_ms for item in session.history] == [200] * 10


async def test_audio_of_lost_connections_counts_until_it_was_heard() -> None:
    server = ServerByHand()
    provider, bounds = OpenAIRealtime(api_key=""), Bounds(audio=30_000)
    reconnect = Backoff(most=0.01, luck=lambda: 1.0)
    session = Session(provider, sink=PacedSink(), connect=server.connect, reconnect=reconnect, bounds=bounds)
    with pytest.raises(LimitReached, match=r"Bounds\.audio"):  # noqa: PT012 - the session raises it when it is left
        async with session:
            for number in range(4):
                where: Json = {"response_id": f"resp_{number}", "item_id": f"item_{number}"}
                await server.say("response.output_audio.delta", **where, delta=AUDIO)
                await anyio.sleep(0.01)
                await server.socket.close(1001)
                await anyio.sleep(0.02)
            await anyio.sleep(1)


async def test_responses_under_way() -> None:
    async with ends("open", open=20) as server:
        for number in range(21):
            await server.say("response.created", response={"id": f"resp_{number}", "conversation_id": "c"})


async def test_messages_under_way() -> None:
    async with ends("open", open=20) as server:
        for number in range(21):
            item = message(f"item_{number}")
            await server.say("response.output_item.added", response_id="resp_1", item=item)


async def test_an_actor_that_is_told_too_much() -> None:
    """One frame may hold more than an inbox."""
    call = {"type": "function_call", "name": "f", "arguments": "{}", "status": "completed"}
    calls = [{**call, "id": f"item_{number}", "call_id": f"call_{number}"} for number in range(200)]
    server = ServerByHand()
    with pytest.raises(LimitReached, match="does not keep up: 100 messages"):  # noqa: PT012 - as above
        async with by_hand(server, inbox=100):
            await server.say("response.done", response={"id": "resp_1", "status": "completed", "output": calls})
            await anyio.sleep(1)


async def test_a_text_of_the_app() -> None:
    server = ServerByHand()
    async with by_hand(server, text=10) as session:
        with pytest.raises(ValueError, match=r"text has 11 characters, and Bounds\.text allows 10"):
            await session.ask("x" * 11)
        await session.add("x" * 10)


# ------------------------------------------------------------------------------------- what is said again and again

REPEATED: dict[str, Callable[[], Iterator[Json]]] = {
    "the user speaks": lambda: _ever("input_audio_buffer.speech_started", item_id="item_1", audio_start_ms=0),
    "the user is silent": lambda: _ever("input_audio_buffer.speech_stopped", item_id="item_1", audio_end_ms=0),
    "other users speak": lambda: _each("input_audio_buffer.speech_started", "item_id", audio_start_ms=0),
    "the buffer is cleared": lambda: _ever("input_audio_buffer.cleared"),
    "a piece of a transcript": lambda: _ever(
        "conversation.item.input_audio_transcription.delta", item_id="item_1", delta="word"
    ),
    "the same item": lambda: _ever("conversation.item.added", item=message("item_1", "text")),
    "unknown items are cut": lambda: _each("conversation.item.truncated", "item_id", audio_end_ms=100),
    "unknown items are deleted": lambda: _each("conversation.item.deleted", "item_id"),
    "errors": lambda: _ever("error", error={"message": "No.", "event_id": "response-7"}),
    "errors of other operations": lambda: _each("error", "event_id", error={"message": "No."}),
    "events of the future": lambda: _each("future", "what"),
    "the settings": lambda: _ever("session.updated", session={"id": "sess_1"}),
    "a response begins": lambda: _ever("response.created", response={"id": "resp_1", "conversation_id": "c"}),
    "a response ends": lambda: _ever("response.done", response={"id": "resp_1", "status": "completed"}),
    "responses end": lambda: (
        {"type": "response.done", "response": {"id": f"resp_{number}", "status": "failed"}}
        for number in itertools.count()
    ),
    "what is no event": lambda: _ever("response.done"),
}


def _ever(event_type: str, **fields: Any) -> Iterator[Json]:
    return itertools.repeat({"type": event_type, **fields})


def _each(event_type: str, name: str, **fields: Any) -> Iterator[Json]:
    return ({"type": event_type, name: f"id_{number}", **fields} for number in itertools.count())


@pytest.mark.parametrize("what", REPEATED)
async def test_what_is_told_without_end_takes_no_more_room(what: str) -> None:
    """All at once: no time passes in which anything could be forgotten."""
    server = ServerByHand()
    story = REPEATED[what]()
    async with by_hand(server):

        async def told(count: int) -> int:
            for event in itertools.islice(story, count):
                await server.socket.send(json.encode(event).decode())
            await settled()
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        import_module("numpy")  # a session loads it by and by, in a thread: not in the middle of this, please
        tracemalloc.start()
        try:
            await told(600)
            before = await told(100)
            after = await told(1000)
        finally:
            tracemalloc.stop()
        assert after - before < 40_000, f"{(after - before) / 1000:.0f} bytes for each"


async def test_reminders_that_nobody_wants_are_not_kept() -> None:
    reminders, inbox = Reminders(), Inbox[int]("test", 10)
    for number in range(10_000):
        reminders.add(inbox, 1000, number).cancel()
    assert len(reminders._due) < 1000  # pyright: ignore[reportPrivateUsage] - nobody else can tell


async def test_the_users_audio_waits_where_it_is_made_if_the_network_is_slow() -> None:
    server = ServerByHand()
    async with by_hand(server, input=10) as session:
        sent = 0
        with anyio.move_on_after(5):
            while True:
                await session.send_audio(bytes(960))
                sent += 1
        assert sent <= 512 + 10 + 2  # what the socket holds, and what waits for it
        await server.take()

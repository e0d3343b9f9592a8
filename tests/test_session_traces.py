"""Sessions that listen to the golden traces, as if their server were there: what do they send, what do they remember?

Only what the server sends is taken from a trace; what the client says there is what a good client would, so it is what
is expected of the session.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from msgspec import json

from rtactors import Session
from rtactors.providers import OpenAIRealtime
from rtactors.providers.base import Endpoint
from rtactors.sinks import MemorySink
from rtactors.transports.base import Socket
from rtactors.transports.memory import MemorySocket, socket_pair
from tests.providers.openai_traces import trace

pytestmark = pytest.mark.anyio


class Trace:
    """The server of a trace: sends what stands there, up to a given event, and keeps what it is sent."""

    def __init__(self, name: str) -> None:
        self._events = [line.event for line in trace(name) if line.dir == "s"]
        self._socket: MemorySocket
        self.received: list[dict[str, Any]] = []

    @asynccontextmanager
    async def connect(self, _endpoint: Endpoint) -> AsyncGenerator[Socket]:
        ours, self._socket = socket_pair(capacity=512)
        await self.send_until("session.updated")
        yield ours

    async def send_until(self, last: str, *, count: int = 1) -> None:
        while self._events and count:
            event = self._events.pop(0)
            await self._socket.send(json.encode(event).decode())
            count -= event["type"] == last
        await anyio.wait_all_tasks_blocked()

    async def take(self) -> list[dict[str, Any]]:
        """What the session has sent since, without what sets it up."""
        await anyio.wait_all_tasks_blocked()
        taken: list[dict[str, Any]] = []
        with anyio.move_on_after(0.001):
            while True:
                taken.append(json.decode(await self._socket.receive()))
        return [event for event in taken if event["type"] != "session.update"]


@asynccontextmanager
async def listening(name: str, sink: MemorySink) -> AsyncGenerator[tuple[Trace, Session]]:
    server = Trace(name)
    async with Session(OpenAIRealtime(api_key=""), sink=sink, connect=server.connect) as session:
        yield server, session


def briefly(events: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        (event["type"].rpartition(".")[2], event.get("item_id") or event.get("response_id"), event.get("audio_end_ms"))
        for event in events
    ]


async def test_every_message_is_heard_and_nothing_is_sent() -> None:
    sink = MemorySink()
    async with listening("multi_message_full", sink) as (server, session):
        await server.send_until("nothing: to the end")
        await session.quiet()
        assert await server.take() == []
        heard = [(item.id, item.interrupted, item.heard_ms) for item in session.history if item.role == "assistant"]
    assert [id for id, _, _ in heard] == list(sink.heard)
    assert len(heard) == 5
    assert all(not interrupted and ms == len(sink.heard[id]) // 48 for id, interrupted, ms in heard)


async def test_a_barge_in_cuts_the_second_message_and_deletes_the_third() -> None:
    sink = MemorySink(hold=True)
    async with listening("barge_in_second_message", sink) as (server, session):
        await server.send_until("conversation.item.input_audio_transcription.completed")
        assert sink.play_ms(40) == 960
        await anyio.wait_all_tasks_blocked()  # its end isn't told yet: the next message's audio tells it
        assert sink.play_ms(30) == 720
        await server.send_until("input_audio_buffer.speech_started")
        assert briefly(await server.take()) == [("delete", "item_a3", None), ("truncate", "item_a2", 30)]
        await server.send_until("response.created")
        said = [(item.id, item.interrupted, item.heard_ms, item.generated_ms) for item in session.history]
        assert said == [
            ("item_u1", False, 0, 0),
            ("item_a1", False, 40, 40),
            ("item_a2", True, 30, 60),
            ("item_u2", False, 0, 0),
        ]
        await server.send_until("nothing: to the end")
        assert sink.play_ms(40) == 960
        await session.quiet()
        assert await server.take() == []
        assert [item.heard_text for item in session.history if item.id in {"item_a1", "item_a4"}] == [
            "First part.",
            "Sure, stopping.",
        ]


async def test_an_interruption_before_the_first_audio_deletes_and_never_truncates() -> None:
    sink = MemorySink(hold=True)
    async with listening("interrupted_before_first_audio", sink) as (server, session):
        await server.send_until("input_audio_buffer.speech_started", count=2)
        assert briefly(await server.take()) == [("delete", "item_a1", None)]
        await server.send_until("nothing: to the end")
        sink.play_ms(10_000)
        await session.quiet()
        assert await server.take() == []
        assert "item_a1" not in [item.id for item in session.history]


async def test_a_context_update_while_the_delete_is_on_its_way_deletes_once() -> None:
    sink = MemorySink(hold=True)
    async with listening("delete_race_with_context_update", sink) as (server, session):
        await server.send_until("input_audio_buffer.speech_started", count=2)
        await session.remove("item_a1")
        await session.set_history(session.history)
        await session.add("User prefers short answers.", role="system", after="")
        sent = await server.take()
        assert [event["type"] for event in sent] == ["conversation.item.delete", "conversation.item.create"]
        assert sent[0]["item_id"] == "item_a1"
        assert sent[1]["previous_item_id"] == "root"
        assert [item.role for item in session.history] == ["system", "user"]


async def test_a_beta_server_is_understood() -> None:
    sink = MemorySink()
    async with listening("beta_names", sink) as (server, session):
        await server.send_until("nothing: to the end")
        await session.quiet()
        assert await server.take() == []
        said = [(item.role, item.heard_text) for item in session.history if item.role == "assistant"]
        assert said == [("assistant", "Hello.")]  # the response out of band has left no trace


async def test_a_function_call_is_handed_over_once_and_answered_once() -> None:
    sink = MemorySink()
    async with listening("function_call_then_reply", sink) as (server, session):
        events = session.events()
        await server.send_until("response.done")
        await session.answer_call("call_1", '{"temp_c":4}')
        await session.answer_call("call_1", '{"temp_c":40}')
        sent = await server.take()
        assert [(event["type"], event["item"]["output"]) for event in sent] == [
            ("conversation.item.create", '{"temp_c":4}')
        ]
        events.close()
        told = [type(event).__name__ async for event in events]
        assert told.count("FunctionCalled") == 1
        assert told.count("Problem") == 1

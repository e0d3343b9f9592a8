"""Control never waits behind audio, and audio takes no hop: counted in passes of the event loop, not timed."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from typing import Any

import pytest
from msgspec import json

from rtactors import Session
from rtactors.events import AudioDelta, ProviderEvent, SpeechStarted
from rtactors.providers import OpenAIRealtime
from rtactors.providers.base import Endpoint, Frame
from rtactors.session_events import Caption
from rtactors.sinks import MemorySink
from rtactors.sinks.base import Progress, Report
from rtactors.testing.clock import loop_passes, run_virtual, settled
from rtactors.transports.base import Socket
from rtactors.transports.memory import MemorySocket, socket_pair
from tests.providers.openai_traces import trace

PIECE_MS = 20
MINUTE = 60_000 // PIECE_MS
GREETING = [line.event for line in trace("barge_in_second_message") if line.dir == "s"]
"""Up to the first audio of its first message: a session set up, a response begun, a message announced."""
ANNOUNCED = next(number for number, event in enumerate(GREETING) if event["type"] == "response.output_audio.delta")


class Counting(OpenAIRealtime):
    """Notes in which pass of the loop an event was read off the socket."""

    def __init__(self) -> None:
        super().__init__(api_key="")
        self.read: dict[type[ProviderEvent], int] = {}

    def decode(self, frame: Frame) -> Sequence[ProviderEvent]:
        events = super().decode(frame)
        self.read.update((type(event), loop_passes()) for event in events)
        return events


class Stalled(MemorySink):
    """Plays nothing; notes in which pass of the loop it was given audio, and told to stop."""

    def __init__(self) -> None:
        super().__init__(hold=True)
        self.written = self.cleared = 0

    def write(self, message_id: str, pcm: bytes) -> None:
        self.written = loop_passes()
        super().write(message_id, pcm)

    def clear(self, message_id: str) -> None:
        self.cleared = loop_passes()
        super().clear(message_id)


class Server:
    """Says what a test tells it to."""

    def __init__(self) -> None:
        self._socket: MemorySocket

    @asynccontextmanager
    async def connect(self, _endpoint: Endpoint) -> AsyncGenerator[Socket]:
        ours, self._socket = socket_pair(capacity=2 * MINUTE)
        await self.say(GREETING[:ANNOUNCED])
        yield ours

    async def say(self, events: Sequence[dict[str, Any]]) -> None:
        for event in events:
            await self._socket.send(json.encode(event).decode())


SPEECH = {"type": "input_audio_buffer.speech_started", "event_id": "e", "item_id": "item_u9", "audio_start_ms": 0}


async def passes(pieces: int, *, playing: bool) -> tuple[int, int]:
    """From reading to writing the last piece, and from reading the start of speech to stopping the sink."""
    provider, sink, server = Counting(), Stalled(), Server()
    async with Session(provider, sink=sink, connect=server.connect) as session:
        await server.say([GREETING[ANNOUNCED]])
        await settled()
        if playing:
            sink.play_ms(PIECE_MS // 2)
        await server.say([GREETING[ANNOUNCED]] * (pieces - 1))
        await settled()
        await server.say([GREETING[ANNOUNCED]])
        await settled()
        hop = sink.written - provider.read[AudioDelta]
        await server.say([SPEECH])
        await settled()
        stop = sink.cleared - provider.read[SpeechStarted]
        await session.quiet()
        (message,) = (item for item in session.history if item.role == "assistant") if playing else (None,)
        assert message is None or (message.interrupted, message.heard_ms) == (True, PIECE_MS // 2)
    return hop, stop


@pytest.mark.parametrize("playing", [True, False])
def test_speech_stops_the_sink_as_soon_with_a_minute_of_audio_as_with_none(playing: bool) -> None:  # noqa: FBT001 - pytest gives it
    _, at_once = run_virtual(lambda: passes(1, playing=playing))
    _, behind_a_minute = run_virtual(lambda: passes(MINUTE, playing=playing))
    assert behind_a_minute == at_once
    assert at_once <= 2  # transport to turn and to response at once; to the message, to the sink: one pass each


def test_audio_takes_no_hop_to_an_actor_that_waits() -> None:
    hop, _ = run_virtual(lambda: passes(50, playing=True))
    assert hop == 0


async def passes_in_a_burst(pieces: int) -> int:
    """The start of speech comes right behind audio, in the same burst: nothing has run in between."""
    provider, sink, server = Counting(), Stalled(), Server()
    async with Session(provider, sink=sink, connect=server.connect):
        await server.say([GREETING[ANNOUNCED]])
        await settled()
        burst = [GREETING[ANNOUNCED]] * pieces
        await server.say([*burst, SPEECH])
        await settled()
        return sink.cleared - provider.read[SpeechStarted]


def test_speech_overtakes_audio_that_came_in_the_same_burst() -> None:
    assert run_virtual(passes_in_a_burst, 1000) == run_virtual(passes_in_a_burst, 1)


class FromOutside(MemorySink):
    """Tells its position as a driver's thread does, by `call_soon_threadsafe`: outside of any task."""

    async def run(self, report: Callable[[Report], None]) -> None:
        def tell(told: Report) -> None:
            if isinstance(told, Progress):
                report_soon = asyncio.get_running_loop().call_soon
                report_soon(report, Progress(told.message_id, told.frames), context=Context())
            else:
                report(told)

        await super().run(tell)


async def captions_from_outside() -> list[str]:
    provider, server = OpenAIRealtime(api_key=""), Server()
    sink = FromOutside(hold=True, progress_ms=PIECE_MS)
    async with Session(provider, sink=sink, connect=server.connect) as session:
        captions = session.captions()
        audio = GREETING[ANNOUNCED]
        await server.say([audio] * 20)
        await settled()
        sink.play_ms(PIECE_MS // 2)
        await settled()
        sink.play_ms(10 * PIECE_MS)
        await settled()
    return [caption.text async for caption in captions if isinstance(caption, Caption)]


def test_a_position_may_be_told_outside_of_any_task() -> None:
    assert run_virtual(captions_from_outside) == ["First"]

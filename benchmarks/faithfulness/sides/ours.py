"""rtactors, as its README says."""

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

import anyio

from benchmarks.faithfulness import talk
from benchmarks.faithfulness.device import Device
from rtactors import Session
from rtactors.events import Item
from rtactors.providers import OpenAIRealtime
from rtactors.providers.openai import ServerVad, Transcription
from rtactors.sinks.segment import Segment, SegmentSink


class DeviceSink(SegmentSink):
    """The sink of our ears; it looks at them as often as a sound card would call back."""

    _PERIOD_S = 0.02

    def __init__(self, device: Device) -> None:
        super().__init__(talk.RATE, progress_ms=100)
        self._device = device
        self._queued = bytearray()  # of the segment, all that was written
        self._given = 0  # frames of it that the device has heard or will
        self._start = 0  # what the device had accepted before the first of those that it plays now
        self._plays = False

    def begin(self, message_id: str) -> None:
        super().begin(message_id)
        self._drop()
        self._given, self._plays = 0, False

    def _queue(self, pcm: bytes) -> None:
        self._queued += pcm
        if self._plays:
            self._give()

    def _drop(self) -> None:
        self._queued.clear()

    def _go(self, segment: Segment) -> None:
        if not self._plays:
            self._plays, self._given = True, segment.heard
            self._start = self._device.accepted - segment.heard
            self._give()
            self._wake.set()

    def _give(self) -> None:
        self._device.write(bytes(self._queued[2 * self._given :]))
        self._given = len(self._queued) // 2

    def _halt(self, segment: Segment) -> int:
        if self._plays:
            self._advance_to(segment, self._device.clear() - self._start)
            self._plays = False
        return segment.heard

    def _look(self) -> None:
        if self._segment and self._plays:
            self._advance_to(self._segment, self._device.played - self._start)

    def _advance_to(self, segment: Segment, heard: int) -> None:
        if heard > segment.heard:
            now = anyio.current_time()
            since = now - (heard - segment.heard) / self.rate
            self._advance(segment, heard, since, now)

    def _due(self) -> float:
        return anyio.current_time() + self._PERIOD_S if self._segment and self._plays else math.inf


class OurConversation:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def hear(self, pcm: bytes) -> None:
        await self._session.send_audio(pcm)

    async def begin(self) -> None:
        await self._session.generate_reply()

    async def ask(self) -> None:
        await self._session.ask(talk.QUESTION)

    async def note(self) -> None:
        await self._session.add(talk.NOTE, role="system")

    async def aside(self) -> None:
        question = Item(id="aside", role="user", text=talk.ASIDE)
        await self._session.generate_reply(out_of_band=True, output="text", input=[question])

    def history(self) -> list[talk.Entry]:
        return [
            talk.Entry(
                id=item.id,
                kind={"function_call": "call", "function_call_output": "output"}.get(item.kind, item.kind),
                role=item.role or "",
                text=item.arguments or item.output or item.heard_text,
                call_id=item.call_id,
            )
            for item in self._session.history
        ]


@asynccontextmanager
async def converse(url: str, device: Device, tool: talk.Tool) -> AsyncGenerator[OurConversation]:
    async def look_up(query: str) -> str:
        """Look up a fact."""
        return tool.look_up(query)

    provider = OpenAIRealtime(
        api_key="none",
        websocket_base_url=url,
        turn_detection=ServerVad(silence_duration_ms=talk.SILENCE_MS),
        transcription=Transcription(model=talk.TRANSCRIBER),
    )
    async with Session(provider, sink=DeviceSink(device), tools=[look_up]) as session:
        yield OurConversation(session)


if __name__ == "__main__":
    talk.run(converse, versions={"rtactors": version("rtactors")})

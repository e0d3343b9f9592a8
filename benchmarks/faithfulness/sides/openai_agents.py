"""openai-agents: a `RealtimeSession` whose app plays the audio events, and stops when one says so.

The audio is heard later than it is received, so the app has a `RealtimePlaybackTracker`, as its docs say. Apps tell it
now and then what was heard of which item; this one knows whenever it is asked, which is as exact as can be.
"""
# pyright: basic, reportMissingImports=false
# (its packages are not installed where we are checked)

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

from agents import function_tool
from agents.realtime import (
    RealtimeAgent,
    RealtimeModelSendRawMessage,
    RealtimePlaybackTracker,
    RealtimeRunner,
    RealtimeSession,
)

from benchmarks.faithfulness import talk
from benchmarks.faithfulness.device import Device


class Tracker(RealtimePlaybackTracker):
    """Knows which frames of the device belong to which item."""

    def __init__(self, device: Device) -> None:
        super().__init__()
        self._device = device
        self._parts: list[tuple[str, int, int]] = []  # item, content index, frames that are heard before it

    def wrote(self, item_id: str, content_index: int) -> None:
        if not self._parts or self._parts[-1][:2] != (item_id, content_index):
            self._parts.append((item_id, content_index, self._device.accepted))

    def cleared(self) -> None:
        self._parts.clear()

    def get_state(self):  # noqa: ANN201 - a type that they don't export
        played = self._device.played
        for item_id, content_index, before in reversed(self._parts):
            if before < played:
                self._current_item, self._elapsed_ms = None, None  # `on_play_ms` adds up
                self.on_play_ms(item_id, content_index, (played - before) * 1000 / talk.RATE)
                break
        return super().get_state()


class App:
    def __init__(self, session: RealtimeSession, device: Device, tracker: Tracker) -> None:
        self._session = session
        self._device = device
        self._tracker = tracker

    async def hear(self, pcm: bytes) -> None:
        await self._session.send_audio(pcm)

    async def begin(self) -> None:
        await self._session.send_message(talk.GREETING)

    async def ask(self) -> None:
        await self._session.send_message(talk.QUESTION)

    async def note(self) -> None:
        content = [{"type": "input_text", "text": talk.NOTE}]
        item = {"type": "message", "role": "system", "content": content}
        await self._send_raw("conversation.item.create", item=item)

    async def aside(self) -> None:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": talk.ASIDE}]}
        response = {"conversation": "none", "output_modalities": ["text"], "input": [item]}
        await self._send_raw("response.create", response=response)

    async def _send_raw(self, type: str, **fields: object) -> None:
        message = {"type": type, "other_data": fields}
        await self._session.model.send_event(RealtimeModelSendRawMessage(message=message))

    def history(self) -> list[talk.Entry]:
        entries: list[talk.Entry] = []
        for item in self._session._history:  # noqa: SLF001 - what its events hand out, at its newest
            if item.type == "message":
                text = " ".join(filter(None, map(_text, item.content)))
                entries.append(talk.message(text, item.role, item.item_id))
            else:
                call = talk.Entry(id=item.item_id, kind="call", role="", text=item.arguments, call_id=item.call_id)
                entries.append(call)
                if item.output is not None:
                    entries.append(talk.Entry(id="", kind="output", role="", text=item.output, call_id=item.call_id))
        return entries

    async def play(self) -> None:
        async for event in self._session:
            if event.type == "audio":
                audio = event.audio
                self._tracker.wrote(audio.item_id, audio.content_index)
                self._device.write(audio.data)
            elif event.type == "audio_interrupted":
                self._device.clear()
                self._tracker.cleared()


def _text(part: object) -> str | None:
    return getattr(part, "text", None) or getattr(part, "transcript", None)


@asynccontextmanager
async def converse(url: str, device: Device, tool: talk.Tool) -> AsyncGenerator[App]:
    @function_tool(name_override=talk.TOOL, description_override=talk.TOOL_DESCRIPTION)
    def look_up(query: str) -> str:
        return tool.look_up(query)

    tracker = Tracker(device)
    agent = RealtimeAgent(name="assistant", instructions="Be helpful.", tools=[look_up])
    turn_detection = {
        "type": "server_vad",
        "silence_duration_ms": talk.SILENCE_MS,
        "create_response": True,
        "interrupt_response": True,
    }
    runner = RealtimeRunner(agent, config={"tracing_disabled": True})
    session = await runner.run(
        model_config={
            "url": f"{url}/realtime?model=gpt-realtime",
            "api_key": "none",
            "playback_tracker": tracker,
            "initial_model_settings": {
                "model_name": "gpt-realtime",
                "audio": {"input": {"turn_detection": turn_detection, "transcription": {"model": talk.TRANSCRIBER}}},
            },
        }
    )
    async with session:
        app = App(session, device, tracker)
        playing = asyncio.create_task(app.play())
        try:
            yield app
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)


if __name__ == "__main__":
    talk.run(converse, versions={"openai-agents": version("openai-agents")})

"""livekit-agents: an `AgentSession` with OpenAI's realtime model, without a room, on the outputs that an app may bring.

As in its console and in its rooms, a `TranscriptSynchronizer` stands before the output, so that the history gets what
was heard. The server's voice detection is used, so there is no other; and there is no echo here that it would have to
get used to (`aec_warmup_duration`: the user wouldn't be heard for the first 3 s).
"""
# pyright: basic, reportMissingImports=false
# (its packages are not installed where we are checked)

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from livekit import rtc
from livekit.agents import Agent, AgentSession, function_tool
from livekit.agents.voice import TranscriptSynchronizer, io
from livekit.plugins.openai.realtime import RealtimeModel
from openai.types.realtime import AudioTranscription
from openai.types.realtime.realtime_audio_input_turn_detection import ServerVad

from benchmarks.faithfulness import talk
from benchmarks.faithfulness.device import Device


class DeviceOutput(io.AudioOutput):
    """Plays segments: from the first frame to `flush`, then it says that it has finished; or to `clear_buffer`."""

    def __init__(self, device: Device) -> None:
        super().__init__(label="device", capabilities=io.AudioOutputCapabilities(pause=False), sample_rate=talk.RATE)
        self._device = device
        self._start: int | None = None  # what the device had accepted before the segment
        self._playout: asyncio.Task[None] | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if self._start is None:
            self._start = self._device.accepted
            self.on_playback_started(created_at=time.time())
        self._device.write(bytes(frame.data))

    def flush(self) -> None:
        super().flush()
        if self._start is not None and self._playout is None:
            self._playout = asyncio.create_task(self._play_out())

    def clear_buffer(self) -> None:
        if self._playout:
            self._playout.cancel()
        if self._start is not None:
            self._device.clear()
            self._finish(interrupted=True)

    async def _play_out(self) -> None:
        while (left := self._device.accepted - self._device.played) > 0:  # noqa: ASYNC110 - it may run dry, and go on
            await asyncio.sleep(left / talk.RATE)
        self._finish(interrupted=False)

    def _finish(self, *, interrupted: bool) -> None:
        assert self._start is not None
        position = max(0, self._device.played - self._start) / talk.RATE
        self._start = self._playout = None
        self.on_playback_finished(playback_position=position, interrupted=interrupted)


class Microphone(io.AudioInput):
    def __init__(self) -> None:
        super().__init__(label="microphone")
        self._frames: asyncio.Queue[bytes] = asyncio.Queue()

    def hear(self, pcm: bytes) -> None:
        self._frames.put_nowait(pcm)

    def __aiter__(self) -> AsyncIterator[rtc.AudioFrame]:
        return self

    async def __anext__(self) -> rtc.AudioFrame:
        pcm = await self._frames.get()
        return rtc.AudioFrame(pcm, talk.RATE, 1, len(pcm) // 2)


class LivekitConversation:
    def __init__(self, session: AgentSession, agent: Agent, microphone: Microphone) -> None:
        self._session = session
        self._agent = agent
        self._microphone = microphone

    async def hear(self, pcm: bytes) -> None:
        self._microphone.hear(pcm)

    async def begin(self) -> None:
        self._session.generate_reply()

    async def ask(self) -> None:
        self._session.generate_reply(user_input=talk.QUESTION)

    async def note(self) -> None:
        context = self._agent.chat_ctx.copy()
        context.add_message(role="system", content=talk.NOTE)
        await self._agent.update_chat_ctx(context)

    async def aside(self) -> None:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": talk.ASIDE}]}
        response = {"conversation": "none", "output_modalities": ["text"], "input": [item]}
        self._agent.realtime_llm_session.send_event({"type": "response.create", "response": response})

    def history(self) -> list[talk.Entry]:
        entries: list[talk.Entry] = []
        for item in self._session.history.items:
            match item.type:
                case "message":
                    entries.append(talk.message(item.text_content or "", item.role, item.id))
                case "function_call":
                    call = talk.Entry(id=item.id, kind="call", role="", text=item.arguments, call_id=item.call_id)
                    entries.append(call)
                case "function_call_output":
                    output = talk.Entry(id=item.id, kind="output", role="", text=item.output, call_id=item.call_id)
                    entries.append(output)
        return entries


@asynccontextmanager
async def converse(url: str, device: Device, tool: talk.Tool) -> AsyncGenerator[LivekitConversation]:
    @function_tool(name=talk.TOOL, description=talk.TOOL_DESCRIPTION)
    async def look_up(query: str) -> str:
        return tool.look_up(query)

    model = RealtimeModel(
        model="gpt-realtime",
        api_key="none",
        base_url=url,
        turn_detection=ServerVad(
            type="server_vad",
            silence_duration_ms=talk.SILENCE_MS,
            create_response=True,
            interrupt_response=True,
        ),
        input_audio_transcription=AudioTranscription(model=talk.TRANSCRIBER),
    )
    session = AgentSession(
        llm=model,
        vad=None,
        turn_handling={"turn_detection": "realtime_llm", "interruption": {"resume_false_interruption": False}},
        aec_warmup_duration=None,
    )
    agent = Agent(instructions="Be helpful.", tools=[look_up])
    synchronizer = TranscriptSynchronizer(next_in_chain_audio=DeviceOutput(device), next_in_chain_text=None)
    microphone = Microphone()
    session.input.audio = microphone
    session.output.audio = synchronizer.audio_output
    session.output.transcription = synchronizer.text_output
    await session.start(agent, record=False)
    try:
        yield LivekitConversation(session, agent, microphone)
    finally:
        await session.aclose()
        await synchronizer.aclose()
        await model.aclose()


if __name__ == "__main__":
    talk.run(converse, versions={name: version(name) for name in ("livekit-agents", "livekit-plugins-openai")})

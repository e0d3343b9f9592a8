"""pipecat: a `Pipeline` of `OpenAIRealtimeLLMService`, its context aggregators, and a transport of its own.

It follows its example `realtime-openai.py`: input, user aggregator, service, output, assistant aggregator; the server's
turn detection interrupts. The transport takes 40 ms at a time and comes back when the device has room, as that for
local audio does, and an `InterruptionFrame` empties the device, as that for WebSockets does. The strategies for turns
are those that the service asks for anyhow.
"""
# pyright: basic, reportMissingImports=false
# (its packages are not installed where we are checked)

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

from loguru import logger
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMMessagesAppendFrame,
    LLMRunFrame,
    OutputAudioRawFrame,
    StartFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import FunctionCallParams
from pipecat.services.openai.realtime import events
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.turns.user_start import ExternalUserTurnStartStrategy
from pipecat.turns.user_stop import ExternalUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

from benchmarks.faithfulness import talk
from benchmarks.faithfulness.device import Device

AHEAD_S = 0.1
"""As much audio is in the device: it doesn't run dry if the loop is late for once."""


class Input(BaseInputTransport):
    def __init__(self) -> None:
        super().__init__(TransportParams(audio_in_enabled=True))

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)


class Output(BaseOutputTransport):
    def __init__(self, device: Device) -> None:
        super().__init__(TransportParams(audio_out_enabled=True))
        self._device = device

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        self._device.write(frame.audio)
        left = self._device.accepted - self._device.played
        await asyncio.sleep(left / talk.RATE - AHEAD_S)
        return True

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            self._device.clear()


class AsideProperties(events.ResponseProperties):
    """Theirs lacks what OpenAI takes here."""

    conversation: str = "none"
    output_modalities: list[str] = ["text"]  # noqa: RUF012 - a pydantic field
    input: list[dict]


class Aside(events.ClientEvent):
    type: str = "response.create"
    response: AsideProperties


class PipecatConversation:
    def __init__(
        self,
        worker: PipelineWorker,
        microphone: Input,
        user: FrameProcessor,
        llm: OpenAIRealtimeLLMService,
        context: LLMContext,
    ) -> None:
        self._worker = worker
        self._microphone = microphone
        self._user = user
        self._llm = llm
        self._context = context

    async def hear(self, pcm: bytes) -> None:
        frame = InputAudioRawFrame(audio=pcm, sample_rate=talk.RATE, num_channels=1)
        await self._microphone.push_audio_frame(frame)

    async def begin(self) -> None:
        await self._worker.queue_frames([LLMRunFrame()])

    async def ask(self) -> None:
        await self._append("user", talk.QUESTION, run=True)

    async def note(self) -> None:
        await self._append("system", talk.NOTE, run=False)

    async def _append(self, role: str, text: str, *, run: bool) -> None:
        # Behind the user aggregator, which consumes it: as their example `turn-management-detect-user-idle.py` does.
        await self._user.push_frame(LLMMessagesAppendFrame([{"role": role, "content": text}], run_llm=run))

    async def aside(self) -> None:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": talk.ASIDE}]}
        await self._llm.send_client_event(Aside(response=AsideProperties(input=[item])))

    def history(self) -> list[talk.Entry]:
        entries: list[talk.Entry] = []
        for each in self._context.get_messages():
            role, content = each["role"], each.get("content")
            for call in each.get("tool_calls") or []:
                text = call["function"]["arguments"]
                entries.append(talk.Entry(id="", kind="call", role="", text=text, call_id=call["id"]))
            text = content if isinstance(content, str) else " ".join(part.get("text", "") for part in content or [])
            if role == "tool":
                entries.append(talk.Entry(id="", kind="output", role="", text=text, call_id=each["tool_call_id"]))
            elif text:
                entries.append(talk.message(text, role))
        return entries


@asynccontextmanager
async def converse(url: str, device: Device, tool: talk.Tool) -> AsyncGenerator[PipecatConversation]:
    async def look_up(params: FunctionCallParams) -> None:
        await params.result_callback(tool.look_up(**params.arguments))

    function = FunctionSchema(
        name=talk.TOOL, description=talk.TOOL_DESCRIPTION, properties={"query": {"type": "string"}}, required=["query"]
    )
    context = LLMContext(tools=ToolsSchema(standard_tools=[function]))
    turns = UserTurnStrategies(
        start=[ExternalUserTurnStartStrategy()], stop=[ExternalUserTurnStopStrategy(wait_for_transcript=False)]
    )
    user, assistant = LLMContextAggregatorPair(context, user_params=LLMUserAggregatorParams(user_turn_strategies=turns))
    heard = events.AudioInput(
        transcription=events.InputAudioTranscription(model=talk.TRANSCRIBER),
        turn_detection=events.TurnDetection(type="server_vad", silence_duration_ms=talk.SILENCE_MS),
    )
    llm = OpenAIRealtimeLLMService(
        api_key="none",
        base_url=f"{url}/realtime",
        settings=OpenAIRealtimeLLMService.Settings(
            session_properties=events.SessionProperties(audio=events.AudioConfiguration(input=heard))
        ),
    )
    llm.register_function(talk.TOOL, look_up)
    microphone = Input()
    worker = PipelineWorker(
        Pipeline([microphone, user, llm, Output(device), assistant]),
        params=PipelineParams(audio_in_sample_rate=talk.RATE, audio_out_sample_rate=talk.RATE),
        enable_rtvi=False,
        idle_timeout_secs=None,
    )
    ready = asyncio.Event()
    worker.add_event_handler("on_pipeline_started", lambda *_: ready.set())
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    await ready.wait()
    try:
        yield PipecatConversation(worker, microphone, user, llm, context)
    finally:
        await runner.cancel()
        await running


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    talk.run(converse, versions={"pipecat-ai": version("pipecat-ai")})

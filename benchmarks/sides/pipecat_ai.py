"""pipecat: a `Pipeline` of `OpenAIRealtimeLLMService`, its context aggregators, and a transport of its own.

    build/bench/pipecat-ai/bin/python benchmarks/sides/pipecat_ai.py URL [asyncio|uvloop]

It follows its example `realtime/realtime-openai.py`: user aggregator, service, transport output, assistant aggregator;
the server's turn detection interrupts. The output is a `BaseOutputTransport`, as its own are: it takes 40 ms at a time
and comes back when the device has room, as that for local audio does (which needs a thread for it), and an
`InterruptionFrame` empties the device, as that for WebSockets does. (That one writes twice as fast as is heard, so the
service holds a reply for over when half of it was heard, and truncates nothing from then on.)

The strategies for turns are those that the service asks for anyhow; said beforehand, no model for the end of turns is
loaded, which takes 50 ms a call. Turned off by its own parameters: RTVI (there is no client to report to), turn
tracking, the idle timeout. Metrics are off by default, and its log is kept at warnings.
"""
# pyright: basic, reportMissingImports=false
# (its packages are not installed where we are checked)

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

from base import RATE, Player, run
from loguru import logger
from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    InterruptionFrame,
    LLMMessagesAppendFrame,
    OutputAudioRawFrame,
    StartFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.turns.user_start import ExternalUserTurnStartStrategy
from pipecat.turns.user_stop import ExternalUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

DEVICE_S = 0.1
"""What a sound card keeps so as not to run dry."""


class Output(BaseOutputTransport):
    def __init__(self, player: Player) -> None:
        super().__init__(TransportParams(audio_out_enabled=True))
        self._player = player

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        self._player.write(frame.audio)
        await asyncio.sleep(self._player.left_s - DEVICE_S)
        return True

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            self._player.stop()


class PipecatCall:
    def __init__(self, user: FrameProcessor, context: LLMContext, player: Player) -> None:
        self.context = context
        self.player = player
        self.over = asyncio.Event()
        self.quiet = asyncio.Event()
        """The user's turn is over: one who is asked for a reply before is not heard."""
        self.quiet.set()
        self._user = user
        self._problem = ""

    def failed(self, worker: object, frame: ErrorFrame) -> None:  # noqa: ARG002 - a handler's arguments
        self._problem = frame.error
        self.over.set()

    async def reply(self) -> None:
        self.over.clear()
        # Behind the user aggregator, which consumes it: as their example `turn-management-detect-user-idle.py` does.
        await self._user.push_frame(LLMMessagesAppendFrame([{"role": "user", "content": "Go on."}], run_llm=True))
        await self.over.wait()
        if self._problem:
            raise RuntimeError(self._problem)
        await self.quiet.wait()
        await asyncio.sleep(self.player.left_s)


@asynccontextmanager
async def open_call(url: str) -> AsyncGenerator[PipecatCall]:
    context = LLMContext()
    turns = UserTurnStrategies(
        start=[ExternalUserTurnStartStrategy()], stop=[ExternalUserTurnStopStrategy(wait_for_transcript=False)]
    )
    user, assistant = LLMContextAggregatorPair(context, user_params=LLMUserAggregatorParams(user_turn_strategies=turns))
    llm = OpenAIRealtimeLLMService(api_key="none", base_url=f"{url}/realtime")
    player = Player()
    worker = PipelineWorker(
        Pipeline([user, llm, Output(player), assistant]),
        params=PipelineParams(audio_out_sample_rate=RATE),
        enable_rtvi=False,
        enable_turn_tracking=False,
        idle_timeout_secs=None,
    )
    call = PipecatCall(user, context, player)
    ready = asyncio.Event()

    worker.add_event_handler("on_pipeline_started", lambda *_: ready.set())
    worker.add_event_handler("on_pipeline_error", call.failed)
    user.add_event_handler("on_user_turn_started", lambda *_: call.quiet.clear())
    user.add_event_handler("on_user_turn_stopped", lambda *_: call.quiet.set())
    assistant.add_event_handler("on_assistant_turn_stopped", lambda *_: call.over.set())

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(runner.run())
        await ready.wait()
        yield call
        await runner.cancel()


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    run(open_call, versions={name: version(name) for name in ("pipecat-ai", "openai", "websockets")})

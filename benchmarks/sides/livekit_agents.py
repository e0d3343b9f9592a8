"""livekit-agents: an `AgentSession` with the OpenAI plugin's `RealtimeModel`, without a room.

    build/bench/livekit-agents/bin/python benchmarks/sides/livekit_agents.py URL [asyncio|uvloop] [--no-captions]

It follows its docs on realtime models (`AgentSession(llm=openai.realtime.RealtimeModel())`, interruptions by the
server's turn detection) and on custom outputs (`session.output.audio`, an `io.AudioOutput`, as its console has one).
The output goes through a `TranscriptSynchronizer`, as `RoomIO` wires it by default: without it, history would keep all
that was generated of an interrupted message. It listens to the speech for that, which is most of what a call takes;
`--no-captions` leaves it out. There is no room, hence no WebRTC, which an agent pays for on top.

Turned off by its own parameters: the voice activity detector (the server's is used), the three seconds after the first
word in which nobody can interrupt (there is no echo here), and recording.
"""
# pyright: basic, reportMissingImports=false
# (its packages are not installed where we are checked)

import asyncio
import sys
import time
from argparse import ArgumentParser
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version

from base import RATE, Player, run
from livekit import rtc
from livekit.agents import Agent, AgentSession
from livekit.agents.voice import io
from livekit.agents.voice.transcription import TranscriptSynchronizer
from livekit.plugins import openai


class Output(io.AudioOutput):
    """The player as an output of theirs: it says when a segment begins, when it was heard, and how much was."""

    def __init__(self, player: Player) -> None:
        super().__init__(label="player", capabilities=io.AudioOutputCapabilities(pause=False), sample_rate=RATE)
        self._player = player
        self._before: int | None = None  # frames that were written before this segment; None between segments
        self._heard: asyncio.TimerHandle | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if self._before is None:
            self._before = self._player.written
            self.on_playback_started(created_at=time.time())
        self._player.write(frame.data.cast("B"))

    def flush(self) -> None:
        super().flush()
        if self._before is not None:
            self._heard = asyncio.get_running_loop().call_later(self._player.left_s, self._finish)

    def clear_buffer(self) -> None:
        if self._before is not None:
            self._player.stop()
            self._finish(interrupted=True)

    def _finish(self, *, interrupted: bool = False) -> None:
        if self._heard:
            self._heard.cancel()
        assert self._before is not None
        position = (self._player.written - self._before) / RATE
        self._before = self._heard = None
        self.on_playback_finished(playback_position=position, interrupted=interrupted)


class LivekitCall:
    def __init__(self, session: AgentSession, player: Player) -> None:
        self.session = session
        self.player = player

    async def reply(self) -> None:
        speech = self.session.generate_reply()
        await speech.wait_for_playout()
        if error := speech.exception():
            raise error


@asynccontextmanager
async def open_call(url: str, *, captions: bool) -> AsyncGenerator[LivekitCall]:
    model = openai.realtime.RealtimeModel(base_url=url, api_key="none")
    session: AgentSession = AgentSession(
        llm=model,
        vad=None,
        turn_handling={"turn_detection": "realtime_llm", "interruption": {"resume_false_interruption": False}},
        aec_warmup_duration=None,
    )
    player = Player()
    session.output.audio = Output(player)
    synchronizer = None
    if captions:
        synchronizer = TranscriptSynchronizer(next_in_chain_audio=session.output.audio, next_in_chain_text=None)
        session.output.audio, session.output.transcription = synchronizer.audio_output, synchronizer.text_output
    await session.start(Agent(instructions="You are a helpful assistant."), record=False)
    try:
        yield LivekitCall(session, player)
    finally:
        await session.aclose()
        if synchronizer:
            await synchronizer.aclose()
        await model.aclose()


if __name__ == "__main__":
    parser = ArgumentParser()
    parser.add_argument("--no-captions", dest="captions", action="store_false", help="without the synchronizer")
    run(
        partial(open_call, captions=parser.parse_args(sys.argv[3:]).captions),
        versions={name: version(name) for name in ("livekit-agents", "livekit-plugins-openai")},
    )

"""openai-agents: a `RealtimeAgent`, a `RealtimeRunner` and the `RealtimeSession` it makes.

    build/bench/openai-agents/bin/python benchmarks/sides/openai_agents.py URL [asyncio|uvloop]

It follows its realtime guide: `async for event in session`, audio to the player, `audio_interrupted` stops it, and a
`RealtimePlaybackTracker` says what was played, which the guide asks for wherever playback lags behind generation. Its
Twilio example tells the tracker about each mark that comes back; ours is told when it is asked instead, which costs
nothing while nobody interrupts, and is exact. Tracing is turned off by the run's configuration.
"""
# pyright: basic, reportMissingImports=false
# (its packages are not installed where we are checked)

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version

from agents.realtime import (
    RealtimeAgent,
    RealtimePlaybackTracker,
    RealtimeRunner,
    RealtimeSession,
)
from base import RATE, Player, run


class Tracker(RealtimePlaybackTracker):
    """Knows which frames of the player belong to which item."""

    def __init__(self, player: Player) -> None:
        super().__init__()
        self._player = player
        self._parts: list[tuple[str, int, int]] = []  # item, content index, frames before it

    def begin(self) -> None:
        self._parts.clear()

    def wrote(self, item_id: str, content_index: int, before: int) -> None:
        if not self._parts or self._parts[-1][:2] != (item_id, content_index):
            self._parts.append((item_id, content_index, before))

    def get_state(self):  # noqa: ANN201 - a type that they don't export
        heard = self._player.heard
        for item_id, content_index, before in reversed(self._parts):
            if before < heard or not before:
                self._current_item, self._elapsed_ms = None, None  # `on_play_ms` adds up
                self.on_play_ms(item_id, content_index, (heard - before) * 1000 / RATE)
                break
        return super().get_state()


class OpenAICall:
    def __init__(self, session: RealtimeSession, tracker: Tracker, player: Player) -> None:
        self.session = session
        self.player = player
        self._tracker = tracker
        self._ended = asyncio.Event()
        self._interrupted = asyncio.Event()

    async def listen(self) -> None:
        async for event in self.session:
            if event.type == "audio":
                audio = event.audio
                self._tracker.wrote(audio.item_id, audio.content_index, self.player.written)
                self.player.write(audio.data)
            elif event.type == "audio_interrupted":
                self.player.stop()
                self._interrupted.set()
            elif event.type == "agent_end":
                self._ended.set()
            elif event.type == "error":
                print(f"openai-agents tells its app: {event.error}", file=sys.stderr)

    async def reply(self) -> None:
        self._ended.clear()
        self._interrupted.clear()
        self._tracker.begin()
        await self.session.send_message("Go on.")
        await self._ended.wait()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._interrupted.wait(), self.player.left_s)


@asynccontextmanager
async def open_call(url: str) -> AsyncGenerator[OpenAICall]:
    agent = RealtimeAgent(name="Assistant", instructions="You are a helpful assistant.")
    runner = RealtimeRunner(agent, config={"tracing_disabled": True})
    player = Player()
    tracker = Tracker(player)
    session = await runner.run(
        model_config={"api_key": "none", "url": f"{url}/realtime?model=gpt-realtime", "playback_tracker": tracker}
    )
    async with session, asyncio.TaskGroup() as tasks:
        call = OpenAICall(session, tracker, player)
        listening = tasks.create_task(call.listen())
        yield call
        listening.cancel()


if __name__ == "__main__":
    run(open_call, versions={name: version(name) for name in ("openai-agents", "openai", "websockets")})

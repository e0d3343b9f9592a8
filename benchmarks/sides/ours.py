"""rtactors: a whole session by its docs, with all its actors, its captions, and an interruption possible at any moment.

python benchmarks/sides/ours.py URL [asyncio|uvloop] [--captions | --no-progress] [--microphone]
"""

import asyncio
import sys
from argparse import ArgumentParser
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version

import anyio
from base import RATE, Player, microphone, run

from rtactors import Session
from rtactors.providers import OpenAIRealtime
from rtactors.sinks.base import Finished, Progress, Report, Started


class PlayerSink:
    """A device of one's own, by the sink protocol, that tells every `progress_ms` what was heard, or only at the end.

    What nobody does here, it can't: it never pauses.
    """

    rate = RATE

    def __init__(self, player: Player, progress_ms: int | None) -> None:
        self._player = player
        self._progress_s = progress_ms and progress_ms / 1000
        self._message = ""
        self._started = False
        self._loop = asyncio.get_running_loop()  # whose time anyio's is
        self._timer: asyncio.TimerHandle | None = None
        self._report: Callable[[Report], None]

    def begin(self, message_id: str) -> None:
        self._message, self._started = message_id, False

    def write(self, message_id: str, pcm: bytes) -> None:
        self._player.write(pcm)
        if not self._started:
            self._started = True
            self._report(Started(message_id, self._loop.time()))
            if self._progress_s:
                self._call(self._progress_s, self._progress)

    def finish(self, message_id: str) -> None:  # noqa: ARG002 - there is one message at a time
        self._call(self._player.left_s, self._look)

    def clear(self, message_id: str) -> None:  # noqa: ARG002
        self._player.stop()
        self._end()

    def pause(self, message_id: str) -> None:
        raise NotImplementedError

    def resume(self, message_id: str) -> None:
        raise NotImplementedError

    async def run(self, report: Callable[[Report], None]) -> None:
        self._report = report
        await anyio.sleep_forever()

    def _call(self, after_s: float, step: Callable[[], None]) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self._loop.call_later(after_s, step)

    def _progress(self) -> None:
        self._report(Progress(self._message, self._player.heard, self._loop.time()))
        assert self._progress_s
        self._call(self._progress_s, self._progress)

    def _look(self) -> None:
        if left := self._player.left_s:
            self._call(left, self._look)
        else:
            self._end()

    def _end(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self._report(Finished(self._message, self._player.heard, self._loop.time()))


class OurCall:
    def __init__(self, session: Session, player: Player, *, listens: bool) -> None:
        self.player = player
        self._session = session
        self._listens = listens

    async def reply(self) -> None:
        async with microphone(self._session.send_audio if self._listens else None):
            reply = await self._session.generate_reply()
            await reply.done()
            await self._session.quiet()


@asynccontextmanager
async def open_call(url: str, *, captions: bool, listens: bool, progress_ms: int | None) -> AsyncGenerator[OurCall]:
    player = Player()
    provider = OpenAIRealtime("gpt-realtime", websocket_base_url=url, api_key="none")
    async with Session(provider, sink=PlayerSink(player, progress_ms)) as session:
        reading = asyncio.create_task(read_captions(session)) if captions else None
        try:
            yield OurCall(session, player, listens=listens)
        finally:
            if reading:
                reading.cancel()


async def read_captions(session: Session) -> None:
    async for _ in session.captions():
        pass


if __name__ == "__main__":
    parser = ArgumentParser()
    parser.add_argument("--captions", action="store_true", help="read the captions as they come")
    parser.add_argument("--no-progress", action="store_true", help="the sink tells only at the end what was heard")
    parser.add_argument("--microphone", action="store_true", help="20 ms of the user's audio, 50 times a second")
    options = parser.parse_args(sys.argv[3:])
    progress_ms = None if options.no_progress else 100  # as our own sinks do
    run(
        partial(open_call, captions=options.captions, listens=options.microphone, progress_ms=progress_ms),
        versions={name: version(name) for name in ("rtactors", "anyio", "websockets", "msgspec", "uvloop")},
    )

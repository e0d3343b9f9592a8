"""A device that plays as far as a test lets it: exact positions without a clock, in virtual time and in real time."""

import math
from collections.abc import Callable

import anyio
from anyio.lowlevel import checkpoint

from rtactors.events import BYTES_PER_FRAME
from rtactors.sinks.base import Finished, Lost, Paused, Progress, Report, Resumed, Started, Starved


class SteppedSink:
    """Plays nothing by itself: `play` says how much, `play_all` lifts the limit. Each step is confirmed to the frame.

    What was allowed and not used up is forgotten when a message is told to stop.
    """

    def __init__(self, rate: int = 24_000) -> None:
        self.rate = rate
        self._allowed: float = 0  # frames
        self._open = ""
        self._written = 0
        self._played = 0
        self._finishing = False
        self._starved = False
        self._paused = False
        self._report: Callable[[Report], None]
        self._lost = anyio.Event()
        self._moved = anyio.Event()

    # -- what a test does with it

    async def play(self, ms: float) -> None:
        """Let so much be heard, of one message or across several, and wait until it was, or until it was stopped."""
        self._allowed += round(ms * self.rate / 1000)
        self._advance()
        while self._allowed > 0:
            await self._moved.wait()
        await checkpoint()

    def play_all(self) -> None:
        """From now on, hear everything at once as it comes."""
        self._allowed = math.inf
        self._advance()

    def hold(self) -> None:
        """Nothing more for now."""
        self._allowed = 0
        self._notify()

    def lose(self, reason: str) -> None:
        """The device is gone."""
        self._allowed = 0
        self._report(Lost(reason))
        self._lost.set()
        self._notify()

    # -- what a session does with it

    def begin(self, message_id: str) -> None:
        if self._open:
            raise RuntimeError(f"{message_id} was begun while {self._open} is open")
        self._open = message_id
        self._written = self._played = 0
        self._finishing = self._starved = self._paused = False

    def write(self, message_id: str, pcm: bytes) -> None:
        if message_id == self._open and pcm:
            self._written += len(pcm) // BYTES_PER_FRAME
            self._starved = False
            self._advance()

    def finish(self, message_id: str) -> None:
        if message_id == self._open:
            self._finishing = True
            self._advance()

    def clear(self, message_id: str) -> None:
        if message_id == self._open:
            if math.isfinite(self._allowed):
                self._allowed = 0
            self._end()

    def pause(self, message_id: str) -> None:
        if message_id == self._open and not self._paused:
            self._paused = True
            self._report(Paused(message_id, self._played))

    def resume(self, message_id: str) -> None:
        if message_id == self._open and self._paused:
            self._paused = False
            self._report(Resumed(message_id))
            self._advance()

    async def run(self, report: Callable[[Report], None]) -> None:
        self._report = report
        await self._lost.wait()
        await anyio.sleep_forever()

    # -- the device

    def _advance(self) -> None:
        if not self._open or self._paused or self._lost.is_set():
            return
        step = int(min(self._allowed, self._written - self._played))
        if step:
            if not self._played:
                self._report(Started(self._open, anyio.current_time()))
            self._played += step
            self._allowed -= step
            self._report(Progress(self._open, self._played))
            self._notify()
        if self._played == self._written:
            if self._finishing:
                self._end()
            elif self._played and not self._starved:
                self._starved = True
                self._report(Starved(self._open, self._played))

    def _end(self) -> None:
        ended, self._open = self._open, ""
        self._report(Finished(ended, self._played, anyio.current_time()))
        self._notify()

    def _notify(self) -> None:
        self._moved.set()
        self._moved = anyio.Event()

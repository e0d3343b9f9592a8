"""A device that plays by the clock, exact to the frame; it takes audio in blocks and may tell the end late."""

from collections.abc import Callable

import anyio

from rtactors.events import BYTES_PER_FRAME
from rtactors.sinks.base import Finished, Paused, Report, Resumed, Started, Starved


class PacedSink:
    """`latency` is how many seconds after `clear` it tells where it stopped; meanwhile it plays on."""

    rate = 24_000

    def __init__(self, latency: float = 0.0) -> None:
        self._latency = latency
        self._open = ""
        self._reset()
        self._news = anyio.Event()
        self._report: Callable[[Report], None]

    def _reset(self) -> None:
        self._written = self._before = 0  # frames: all, and those played before `_since`
        self._since: float | None = None  # playing since then
        self._started = self._finishing = self._starved = self._paused = False
        self._ends_at: float | None = None

    def _played(self) -> int:
        if self._since is None:
            return self._before
        return min(self._written, self._before + round((anyio.current_time() - self._since) * self.rate))

    def begin(self, message_id: str) -> None:
        if self._open:
            raise RuntimeError(f"{message_id} was begun while {self._open} is open")
        self._open = message_id
        self._reset()

    def write(self, message_id: str, pcm: bytes) -> None:
        if message_id == self._open and pcm:
            if not self._paused and (self._since is None or self._played() == self._written):
                self._before, self._since = self._written, anyio.current_time()
            if not self._started:
                self._started = True
                self._report(Started(message_id, anyio.current_time()))
            self._written += len(pcm) // BYTES_PER_FRAME
            self._starved = False
            self._wake()

    def finish(self, message_id: str) -> None:
        if message_id == self._open:
            self._finishing = True
            self._wake()

    def clear(self, message_id: str) -> None:
        if message_id == self._open and self._ends_at is None:
            self._ends_at = anyio.current_time() + self._latency
            if not self._latency:
                self._end()
            self._wake()

    def pause(self, message_id: str) -> None:
        if message_id == self._open and not self._paused:
            self._before, self._since, self._paused = self._played(), None, True
            self._report(Paused(message_id, self._before))
            self._wake()

    def resume(self, message_id: str) -> None:
        if message_id == self._open and self._paused:
            self._since, self._paused = anyio.current_time(), False
            self._report(Resumed(message_id))
            self._wake()

    async def run(self, report: Callable[[Report], None]) -> None:
        self._report = report
        while True:
            self._news = anyio.Event()
            with anyio.CancelScope(deadline=self._due()):
                await self._news.wait()
            self._tick()

    def _due(self) -> float:
        due = float("inf") if self._ends_at is None else self._ends_at
        if self._since is not None and self._played() < self._written:
            due = min(due, self._since + (self._written - self._before) / self.rate)
        return due

    def _tick(self) -> None:
        if not self._open:
            return
        if self._ends_at is not None and anyio.current_time() >= self._ends_at:
            self._end()
        elif self._started and self._played() == self._written:
            if self._finishing and not self._paused:
                self._end()
            elif not self._starved:
                self._starved = True
                self._report(Starved(self._open, self._written))

    def _end(self) -> None:
        ended, played = self._open, self._played()
        self._open = ""
        self._reset()
        self._report(Finished(ended, played, anyio.current_time()))

    def _wake(self) -> None:
        self._news.set()

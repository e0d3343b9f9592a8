"""A loudspeaker of this machine, through PortAudio: `pip install "rtactors[audio]"`.

PortAudio asks for a block of audio every 10 ms, in a thread of its own, and tells how long it will take until the
block's first frame leaves the converter (0 to 50 ms, varying). The position follows from the newest block whose moment
has come: its first frame plus the time since then, but no more than it holds. So it is a lower bound that is never off
by more than a block; what lies behind the converter (Bluetooth, HDMI: 100 to 300 ms) nobody can see.

The stream plays silence between messages: to start one takes up to 200 ms, and to stop one drops what it still has.
Therefore `clear` and `pause` take effect behind the blocks that PortAudio has got already, some 30 ms later, and their
positions are exact: what was handed over is heard, and nothing else.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import anyio
import anyio.to_thread

from rtactors import portaudio
from rtactors.events import BYTES_PER_FRAME
from rtactors.sinks.base import Report
from rtactors.sinks.segment import Segment, SegmentSink

BLOCK_MS = 10
POLL_S = 0.02
"""How often to look at the device while a message plays; PortAudio's thread has no way to wake the event loop."""
IDLE_POLL_S = 0.5
"""The same between messages: only to find out that the device is gone."""
STALLED_S = 0.2
"""A device that hasn't asked for audio for so long may not have played all it was given."""
GONE_S = 2
"""After so long without asking it is gone: some drivers go silent when their device is unplugged."""
MAX_DELAY_S = 1
"""PortAudio tells nonsense with some drivers (always 0, or huge). What isn't between these is not believed."""


class _Block(NamedTuple):
    """Frames of the open segment that were handed over."""

    first: int
    frames: int
    called: float
    """When, in seconds of `time.perf_counter()`."""
    delay: float
    """Seconds until its first frame leaves, as PortAudio says."""


class Speaker(SegmentSink):
    """Plays through an output device: `device` is its number or a part of its name, None the system's default.

    `latency` is what to ask PortAudio for: "low" suits conversation, "high" (or seconds) a machine that stutters.
    Raises ConfigurationError, here if `sounddevice` or PortAudio is missing, and from `run` if the device can't be
    used. A device that goes away later is reported as `Lost`.
    """

    def __init__(
        self, rate: int = 24_000, *, device: int | str | None = None, latency: Literal["low", "high"] | float = "low"
    ) -> None:
        super().__init__(rate, progress_ms=100)
        portaudio.load()
        self._device = device
        self._latency = latency
        self._usual_delay = 0.0
        # Shared with PortAudio's thread. It holds the lock for a copy of 10 ms of audio, hence for microseconds.
        self._lock = threading.Lock()
        self._queued = bytearray()
        self._feeding = False
        self._taken = 0
        self._blocks: deque[_Block] = deque()
        self._first_block: _Block | None = None
        self._called = 0.0
        self._ended = False

    async def run(self, report: Callable[[Report], None]) -> None:
        stream = await anyio.to_thread.run_sync(self._start)
        self._called, self._ended = time.perf_counter(), False
        self._usual_delay = max(stream.latency, 2 * BLOCK_MS / 1000)
        try:
            await super().run(report)
        finally:
            await portaudio.close(stream)

    def _start(self) -> Any:  # noqa: ANN401 - the library has no types
        return portaudio.start(
            "RawOutputStream",
            samplerate=self.rate,
            blocksize=self.rate * BLOCK_MS // 1000,
            device=self._device,
            latency=self._latency,
            callback=self._fill,
            finished_callback=self._end,
        )

    # In PortAudio's thread:

    def _fill(self, out: Any, frames: int, times: Any, _status: object) -> None:  # noqa: ANN401 - as above
        called = time.perf_counter()
        with self._lock:
            pcm = bytes(self._queued[: frames * BYTES_PER_FRAME]) if self._feeding else b""
            if pcm:
                del self._queued[: len(pcm)]
                # Only the difference means something: every stream counts from a moment of its own.
                delay = times.outputBufferDacTime - times.currentTime
                block = _Block(self._taken, len(pcm) // BYTES_PER_FRAME, called, delay)
                self._first_block = block if block.first == 0 else self._first_block
                self._blocks.append(block)
                self._taken += block.frames
        out[: len(pcm)] = pcm
        out[len(pcm) :] = bytes(len(out) - len(pcm))
        self._called = called

    def _end(self) -> None:
        self._ended = True

    # In the event loop:

    def begin(self, message_id: str) -> None:
        super().begin(message_id)
        with self._lock:  # the message before is over: nothing of it is on its way
            self._queued.clear()
            self._blocks.clear()
            self._taken = 0

    def _queue(self, pcm: bytes) -> None:
        with self._lock:
            self._queued += pcm

    def _drop(self) -> None:
        with self._lock:
            self._queued.clear()

    def _go(self, segment: Segment) -> None:  # noqa: ARG002 - there is one, and it is known
        with self._lock:
            self._feeding = True
        self._wake.set()

    def _halt(self, segment: Segment) -> int:  # noqa: ARG002 - as above
        with self._lock:
            self._feeding = False
            return self._taken

    def _look(self) -> None:
        now = time.perf_counter()
        if not self._running:
            return
        if self._ended:
            self._lose("it stopped by itself")
        elif now - self._called > GONE_S:
            self._lose(f"it has not asked for audio for {GONE_S} s")
        elif self._segment:
            self._find_position(self._segment, now)

    def _find_position(self, segment: Segment, now: float) -> None:
        while len(self._blocks) > 1 and self._leaves(self._blocks[1]) <= now:
            self._blocks.popleft()
        if not self._blocks:
            return
        block = self._blocks[0]
        left = math.floor((now - self._leaves(block)) * self.rate)
        heard = block.first + min(left, block.frames)
        if heard > segment.heard and self._first_block:
            clock = anyio.current_time() - now
            since = clock + self._leaves(self._first_block)
            until = clock + self._leaves(block) + (heard - block.first) / self.rate
            self._advance(segment, heard, since, until, confirmed=self._is_sound(block, now))

    def _leaves(self, block: _Block) -> float:
        """When the block's first frame leaves the converter."""
        return block.called + (block.delay if 0 < block.delay <= MAX_DELAY_S else self._usual_delay)

    def _is_sound(self, block: _Block, now: float) -> bool:
        return 0 < block.delay <= MAX_DELAY_S and now - self._called < STALLED_S

    def _due(self) -> float:
        if self._lost:
            return math.inf
        now = anyio.current_time()
        feeding = self._feeding and self._queued
        if not self._segment or not (feeding or self._taken > self._segment.heard):
            return now + IDLE_POLL_S
        if feeding or not self._blocks:
            return now + POLL_S
        last = self._blocks[-1]
        end = self._leaves(last) + last.frames / self.rate - time.perf_counter()
        return now + min(max(end, 0.001), POLL_S)

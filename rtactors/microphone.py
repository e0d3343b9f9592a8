"""A microphone of this machine, through PortAudio: `pip install "rtactors[audio]"`.

    async with Microphone() as microphone:
        async for pcm in microphone:
            await session.send_audio(pcm)

It doesn't take the model's own voice out of what it hears: wear headphones, or the model interrupts itself.
"""

import socket
from collections import deque
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any, Literal, Self

import anyio
import anyio.to_thread
from anyio.lowlevel import checkpoint

from rtactors import portaudio
from rtactors.errors import MicrophoneLost

BLOCK_MS = 20
QUEUE_MS = 2_000
"""What is kept for a reader that is late; beyond that the oldest is dropped."""
GONE_S = 2
"""Without audio for so long, the device is gone: some drivers go silent when it is unplugged."""


class Microphone:
    """Hears through an input device: `device` is its number or a part of its name, None the system's default.

    Iterating gives blocks of 20 ms of mono PCM16 at `rate` Hz, and raises MicrophoneLost when the device is gone.
    Raises ConfigurationError, here if `sounddevice` or PortAudio is missing, and from `async with` if the device can't
    be used.
    """

    def __init__(
        self, rate: int = 24_000, *, device: int | str | None = None, latency: Literal["low", "high"] | float = "low"
    ) -> None:
        portaudio.load()
        self.rate = rate
        self.dropped = 0
        """Frames that were heard and not read in time."""
        self.overflows = 0
        """How often the system itself lost something."""
        self._device = device
        self._latency = latency
        self._blocks: deque[bytes] = deque(maxlen=QUEUE_MS // BLOCK_MS)
        self._ended = False
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            # PortAudio's thread may not wait for anything; this is a way to wake the event loop that never does.
            self._bell, self._button = map(stack.enter_context, socket.socketpair())
            for end in (self._bell, self._button):
                end.setblocking(False)  # noqa: FBT003 - so the standard library has it
            stream = await anyio.to_thread.run_sync(self._start)
            stack.push_async_callback(portaudio.close, stream)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        await checkpoint()
        while not self._blocks:
            with anyio.move_on_after(GONE_S) as patience:
                await anyio.wait_readable(self._bell)
            if patience.cancelled_caught or self._ended:
                raise MicrophoneLost("the microphone is gone: it stopped giving audio; plug it in and start again")
            self._bell.recv(4096)
        return self._blocks.popleft()

    def _start(self) -> Any:  # noqa: ANN401 - the library has no types
        return portaudio.start(
            "RawInputStream",
            samplerate=self.rate,
            blocksize=self.rate * BLOCK_MS // 1000,
            device=self._device,
            latency=self._latency,
            callback=self._hear,
            finished_callback=self._end,
        )

    # In PortAudio's thread:

    def _hear(self, pcm: Any, frames: int, _times: object, status: Any) -> None:  # noqa: ANN401 - as above
        if status.input_overflow:
            self.overflows += 1
        if len(self._blocks) == self._blocks.maxlen:
            self.dropped += frames
        self._blocks.append(bytes(pcm))
        self._ring()

    def _end(self) -> None:
        self._ended = True
        self._ring()

    def _ring(self) -> None:
        with suppress(OSError):  # it is ringing already, or nobody is there any more
            self._button.send(b"\0")

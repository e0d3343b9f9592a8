"""Recognisers: what did the user say?

A `Recognizer` is entered with the server and left with it. `Scripted` knows the answers before; `Pocketsphinx` listens,
in a process of its own, since its decoder holds the interpreter's lock while it works.
"""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from rtactors.errors import ConfigurationError
from rtactors.loopback.conversation import RATE
from rtactors.loopback.recognizer_process import RATE as LISTENING_RATE
from rtactors.resample import resample

LONGEST_ANSWER = 1 << 16
"""Bytes of text."""


class RecognitionFailed(Exception):
    """Nobody knows what was said; the conversation goes on."""


class Recognizer(AbstractAsyncContextManager["Recognizer"], Protocol):
    async def transcribe(self, pcm: bytes) -> str:
        """What is said in this PCM16 at 24 kHz, "" if nothing is. Raises RecognitionFailed."""
        ...


class Scripted:
    """The n-th turn of the user is the n-th of these texts, whatever it sounds like; then the last again."""

    def __init__(self, *texts: str) -> None:
        if not texts:
            raise ValueError("Scripted() needs at least one text")
        self._texts = iter(texts)
        self._last = texts[-1]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        pass

    async def transcribe(self, pcm: bytes) -> str:
        del pcm
        return next(self._texts, self._last)


class Pocketsphinx:
    """CMU PocketSphinx, offline, English; from the package `pocketsphinx`. Raises ConfigurationError without it.

    With `phrases` it hears nothing but these, reliably; without, any words, with many errors. The process is started
    when the recogniser is entered and killed when it is left.
    """

    def __init__(self, phrases: Sequence[str] = ()) -> None:
        if find_spec("pocketsphinx") is None:
            raise ConfigurationError(
                'recognition needs PocketSphinx, which is not installed: pip install "rtactors[speech]"'
            )
        self._phrases = [phrase.strip() for phrase in phrases]
        self._process: Process | None = None
        self._one_at_a_time = anyio.Lock()

    async def __aenter__(self) -> Self:
        script = Path(__file__).with_name("recognizer_process.py")
        self._process = await anyio.open_process(
            # -P: the directory of the script is ours, none of its modules may hide another
            [sys.executable, "-P", str(script), *self._phrases],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None,
            start_new_session=True,  # Ctrl-C is for us: we kill it
        )
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.kill()
            await process.aclose()

    async def transcribe(self, pcm: bytes) -> str:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise RecognitionFailed("the recogniser has not been started: enter it first")
        audio = resample(pcm, RATE, LISTENING_RATE)
        if not audio:
            return ""
        answer = b""
        # a request that was begun must be ended, or the next would read the answer to this one
        async with self._one_at_a_time:
            with anyio.CancelScope(shield=True):
                try:
                    await process.stdin.send(len(audio).to_bytes(4, "little") + audio)
                    answer = await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", LONGEST_ANSWER)
                except (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.IncompleteRead, OSError) as error:
                    raise RecognitionFailed("the recogniser's process has ended") from error
        return answer.decode()

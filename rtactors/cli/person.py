"""A person with a microphone who isn't there: audio at real pace without an end, into which words are spoken."""

from array import array
from collections import deque
from random import Random

import anyio
from msgspec import Struct

from rtactors import Session

PIECE_MS = 20
NOISE = 6
"""Amplitude of what the microphone hears when nobody speaks: no room is quite silent."""


class Utterance(Struct, frozen=True, kw_only=True):
    """Something that was said; times are seconds of `anyio.current_time()`."""

    text: str
    started_at: float
    stopped_at: float


class Person:
    """Gives `session` a piece of audio every 20 ms, as long as `run` runs."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rate = session.provider.capabilities.input_rate
        self._waiting: deque[bytes] = deque()
        self._spoken = anyio.Event()
        self.utterances: list[Utterance] = []

    async def run(self) -> None:
        size = 2 * self._rate * PIECE_MS // 1000
        random = Random(0)  # noqa: S311 - noise keeps no secret
        noise = array("h", (random.randint(-NOISE, NOISE) for _ in range(self._rate))).tobytes()
        started, pieces = anyio.current_time(), 0
        while True:
            quiet = noise[pieces * size % len(noise) :][:size]
            await self._session.send_audio(self._waiting.popleft() if self._waiting else quiet)
            if not self._waiting:
                self._spoken.set()
            pieces += 1
            await anyio.sleep_until(started + pieces * PIECE_MS / 1000)

    async def say(self, text: str, pcm: bytes) -> None:
        """Speak; returns when the last word was said."""
        size = 2 * self._rate * PIECE_MS // 1000
        self._spoken = anyio.Event()
        started_at = anyio.current_time()
        self._waiting.extend(pcm[start : start + size].ljust(size, b"\0") for start in range(0, len(pcm), size))
        await self._spoken.wait()
        self.utterances.append(Utterance(text=text, started_at=started_at, stopped_at=anyio.current_time()))

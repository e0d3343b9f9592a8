"""Conversations to record, in virtual time."""

from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any

import pytest
from msgspec import json

from rtactors.loopback.script import Script, replies
from rtactors.recording import Recorder, Recording, read_recording
from rtactors.testing.clock import BackendName, run_virtual
from rtactors.testing.conversation import Conversation, conversation
from rtactors.testing.stepped_sink import SteppedSink

TWO = replies(["The first message.", "The second, which is a bit longer."])


async def interrupted(talk: Conversation) -> None:
    """Of two messages the second one is cut."""
    await talk.ask()
    await talk.sink.play(1500)
    await talk.speak()
    await talk.session.quiet()


async def asked(talk: Conversation) -> None:
    """And heard to the end."""
    talk.sink.play_all()
    reply = await talk.ask()
    await reply.done()


def record(
    scene: Callable[[Conversation], Awaitable[None]] = interrupted,
    script: Script = TWO,
    *,
    backend: BackendName = "asyncio",
    audio: bool = True,
    seed: int = 1,
    **options: Any,
) -> bytes:
    """What a recorder makes of it. `options` are the conversation's."""
    file = BytesIO()

    async def run() -> None:
        async with conversation(script, recorder=Recorder(file, audio=audio), **options) as talk:
            await scene(talk)

    run_virtual(run, backend=backend, seed=seed)
    return file.getvalue()


class Broken(SteppedSink):
    """Fails at the end of a message."""

    def finish(self, message_id: str) -> None:
        raise OSError(f"no way to finish {message_id}")


def crashed(backend: BackendName = "asyncio") -> bytes:
    """The recording of a session whose sink actor fails."""
    file = BytesIO()

    async def run() -> None:
        async with conversation(TWO, sink=Broken(), recorder=Recorder(file)) as talk:
            await asked(talk)

    with pytest.raises((OSError, ExceptionGroup)):
        run_virtual(run, backend=backend, seed=1)
    return file.getvalue()


def read(data: bytes) -> Recording:
    return read_recording(BytesIO(data))


def lines(data: bytes) -> list[dict[str, Any]]:
    """The events, without the header."""
    return [json.decode(line) for line in data.splitlines()[1:]]


def changed(data: bytes, change: Callable[[list[dict[str, Any]]], None]) -> bytes:
    """The same recording, with other events in it."""
    header, *events = [json.decode(line) for line in data.splitlines()]
    change(events)
    return b"".join(json.encode(line) + b"\n" for line in (header, *events))

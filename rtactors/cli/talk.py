"""`rtactors talk`: a conversation by keyboard and, where there is one, by microphone and loudspeaker."""

import os
import secrets
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal, Protocol

import anyio
from anyio.abc import ObjectReceiveStream
from msgspec import Struct

from rtactors import ConfigurationError, HistoryItem, Reply, ReplyFailed, Session
from rtactors.cli import embedded
from rtactors.cli.caption import Captions
from rtactors.cli.devices import Devices, find_devices
from rtactors.cli.jsonlines import JsonLines
from rtactors.cli.keyboard import typed_lines
from rtactors.cli.seen import Seen, Witness, watch
from rtactors.loopback.server import Server
from rtactors.microphone import Microphone
from rtactors.providers import OpenAIRealtime
from rtactors.session_events import Problem, SessionEvent
from rtactors.sinks import PacedSink

INTRODUCTION = """\
Type and press Enter; an empty line stops the model, Ctrl-D ends.
With a microphone, speak, and wear headphones: else the model hears itself, and stops.
"""


class Settings(Struct, frozen=True, kw_only=True):
    """The options of the command; see `rtactors talk --help`."""

    provider: Literal["openai", "loopback"] | None
    url: str | None
    model: str
    voice: str | None
    instructions: str | None
    with_audio: bool
    as_json: bool


class View(Protocol):
    """How the conversation is shown."""

    def event(self, event: SessionEvent) -> None: ...

    def position(self) -> None: ...

    def history(self, history: list[HistoryItem]) -> None: ...


def talk(settings: Settings) -> int:
    """Until stdin ends, `/quit` or Ctrl-C."""
    if sys.stdin.isatty() and not settings.as_json:
        print(INTRODUCTION, file=sys.stderr)
    anyio.run(_talk, settings)
    return 0


async def _talk(settings: Settings) -> None:
    async with _provider(settings) as provider:
        rates = provider.capabilities
        devices = find_devices(rates) if settings.with_audio else Devices(None, None, [])
        for reason in devices.missing:
            print(f"rtactors: {reason} (--no-audio: by keyboard alone)", file=sys.stderr)
        seen = Seen()
        view = JsonLines(sys.stdout) if settings.as_json else Captions(sys.stdout, seen, rates.output_rate)
        session = Session(provider, sink=Witness(devices.speaker or PacedSink(rates.output_rate), seen, view.position))
        connected = False
        try:
            async with anyio.create_task_group() as watching:
                watching.start_soon(watch, session, seen, view.event)
                async with session, typed_lines() as lines, anyio.create_task_group() as listening:
                    connected = True
                    if devices.microphone:
                        listening.start_soon(_listen, devices.microphone, session)
                    await _follow(session, lines, view)
                    listening.cancel_scope.cancel()
        finally:
            if connected:
                view.history(session.history)


async def _listen(microphone: Microphone, session: Session) -> None:
    async with microphone:
        async for pcm in microphone:
            await session.send_audio(pcm)


async def _follow(session: Session, lines: ObjectReceiveStream[str], view: View) -> None:
    """Do what is typed; at its end wait for what was asked for."""
    async with anyio.create_task_group() as replies:
        async for line in lines:
            match line:
                case "/quit":
                    replies.cancel_scope.cancel()
                    return
                case "" | "/interrupt":
                    await session.interrupt()
                case _ if line.startswith("/"):
                    what = f"there is no command {line}: /interrupt (or an empty line) and /quit are all there are"
                    view.event(Problem(kind="other", message=what))
                case _:
                    replies.start_soon(_answered, await session.ask(line), view)
    await session.quiet()


async def _answered(reply: Reply, view: View) -> None:
    try:
        await reply.done()
    except ReplyFailed as failure:
        view.event(Problem(kind="other", message=str(failure), operation=reply.id))


@asynccontextmanager
async def _provider(settings: Settings) -> AsyncGenerator[OpenAIRealtime]:
    """OpenAI if there is a key, or the server of `--url`; else the embedded one, for as long as it lasts."""
    key = os.environ.get("OPENAI_API_KEY")
    kind = settings.provider or ("openai" if settings.url or key else "loopback")
    if kind == "loopback":
        if settings.url:
            raise ConfigurationError("--provider loopback starts a server of its own: leave out either it or --url")
        key = secrets.token_urlsafe()
        voice, ears = embedded.voice_named(settings.voice), embedded.recognizer()
        async with Server(api_key=key, voice=voice, recognizer=ears, keep=False) as server:
            yield OpenAIRealtime(
                settings.model, api_key=key, websocket_base_url=server.url, instructions=settings.instructions
            )
        return
    provider = OpenAIRealtime(
        settings.model,
        api_key=key or ("" if settings.url else None),  # a compatible server may ask for none
        websocket_base_url=settings.url,
        voice=settings.voice,
        instructions=settings.instructions,
    )
    try:
        provider.endpoint()
    except ConfigurationError as error:
        raise ConfigurationError(f"--url: {error}" if settings.url else str(error)) from None
    yield provider

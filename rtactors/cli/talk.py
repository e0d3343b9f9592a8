"""`rtactors talk`: a conversation by keyboard and, where there is one, by microphone and loudspeaker."""

import os
import secrets
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Literal, Protocol
from urllib.parse import urlsplit

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
from rtactors.cli.terminal import Terminal
from rtactors.loopback.server import Server
from rtactors.microphone import Microphone
from rtactors.providers import OpenAIRealtime
from rtactors.recording import Recorder
from rtactors.session_events import Problem, SessionEvent
from rtactors.sinks import PacedSink

TYPING = "Type and press Enter; an empty line stops the model, Ctrl-D ends."
SPEAKING = "Or speak, and wear headphones: else the model hears itself, and stops."
MODEL = "gpt-realtime"
PATIENCE_S = 5.0
"""How long a server may be silent before a word about it."""


class Settings(Struct, frozen=True, kw_only=True):
    """The options of the command; see `rtactors talk --help`."""

    provider: Literal["openai", "loopback"] | None
    url: str | None
    allow_unencrypted: bool
    model: str | None
    voice: str | None
    instructions: str | None
    with_audio: bool
    as_json: bool


class View(Protocol):
    """How the conversation is shown."""

    def event(self, event: SessionEvent) -> None: ...

    def position(self) -> None: ...

    def typed(self, line: str) -> None: ...

    def waiting(self) -> None: ...

    def history(self, history: list[HistoryItem]) -> None: ...


def talk(settings: Settings, recorder: Recorder | None = None) -> int:
    """Until stdin ends, `/quit` or Ctrl-C."""
    anyio.run(_talk, settings, recorder)
    return 0


async def _talk(settings: Settings, recorder: Recorder | None) -> None:
    async with _provider(settings) as (provider, who):
        rates = provider.capabilities
        devices = find_devices(rates) if settings.with_audio else Devices(None, None, [])
        seen = Seen()
        view = JsonLines(sys.stdout) if settings.as_json else Captions(Terminal(sys.stdout), seen, rates.output_rate)
        sink = Witness(devices.speaker or PacedSink(rates.output_rate), seen, view.position)
        session = Session(provider, sink=sink, recorder=recorder)
        connected = False
        try:
            async with anyio.create_task_group() as watching:
                watching.start_soon(watch, session, seen, view.event)
                async with session, typed_lines() as lines, anyio.create_task_group() as listening:
                    connected = True
                    _introduce(who, devices, settings)
                    if devices.microphone:
                        listening.start_soon(_listen, devices.microphone, session)
                    await _follow(session, lines, seen, view)
                    listening.cancel_scope.cancel()
        finally:
            if connected and (settings.as_json or session.history):
                view.history(session.history)


def _introduce(who: str, devices: Devices, settings: Settings) -> None:
    """What people have to know first; programs know it."""
    lines = [] if settings.as_json else [who]
    lines += [f"rtactors: {reason} (--no-audio: by keyboard alone)" for reason in devices.missing]
    if sys.stdin.isatty() and not settings.as_json:
        lines += [TYPING, *([SPEAKING] if devices.microphone else []), ""]
    for line in lines:
        print(line, file=sys.stderr)


async def _listen(microphone: Microphone, session: Session) -> None:
    async with microphone:
        async for pcm in microphone:
            await session.send_audio(pcm)


async def _follow(session: Session, lines: ObjectReceiveStream[str], seen: Seen, view: View) -> None:
    """Do what is typed; at its end wait for what was asked for."""
    async with anyio.create_task_group() as replies:
        async for line in lines:
            if sys.stdin.isatty():
                view.typed(line)
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
                    reply = await session.ask(line)
                    replies.start_soon(_answered, reply, view)
                    replies.start_soon(tell_of_silence, reply, seen, view)
    await session.quiet()


async def _answered(reply: Reply, view: View) -> None:
    try:
        await reply.done()
    except ReplyFailed:
        view.event(Problem(kind="other", message=reply.failure or "", operation=reply.id))


async def tell_of_silence(reply: Reply, seen: Seen, view: View) -> None:
    """Say once if nothing comes, unless something else is still being heard."""
    with anyio.move_on_after(PATIENCE_S) as patience:
        with suppress(ReplyFailed):  # `_answered` tells it
            await reply.started()
    if patience.cancelled_caught and all(message.over for message in seen.in_order):
        view.waiting()


@asynccontextmanager
async def _provider(settings: Settings) -> AsyncGenerator[tuple[OpenAIRealtime, str]]:
    """Who answers, and how to call it: OpenAI if there is a key, or a server whose URL is given; else the embedded one.

    That lasts as long as the block.
    """
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    has_url = bool(settings.url or os.environ.get("OPENAI_BASE_URL", "").strip())
    kind = settings.provider or ("openai" if has_url or key else "loopback")
    if kind == "loopback":
        if settings.url:
            raise ConfigurationError("--provider loopback starts a server of its own: leave out either it or --url")
        if settings.model:
            raise ConfigurationError("the embedded provider has no models: leave out --model, or set OPENAI_API_KEY")
        key = secrets.token_urlsafe()
        voice, ears = embedded.voice_named(settings.voice), embedded.recognizer()
        async with Server(api_key=key, voice=voice, recognizer=ears, keep=False) as server:
            provider = OpenAIRealtime(
                MODEL, api_key=key, websocket_base_url=server.url, instructions=settings.instructions
            )
            yield provider, f"embedded provider{'' if settings.provider else ' (no OPENAI_API_KEY)'}"
        return
    if not key and not has_url:
        raise ConfigurationError("there is no OpenAI API key: set the environment variable OPENAI_API_KEY")
    provider = OpenAIRealtime(
        settings.model or MODEL,
        api_key=key,  # a compatible server may ask for none
        websocket_base_url=settings.url,
        voice=settings.voice,
        instructions=settings.instructions,
        allow_unencrypted=settings.allow_unencrypted,
    )
    try:
        url = provider.endpoint().url
    except ConfigurationError as error:
        raise ConfigurationError(f"--url: {error}" if settings.url else str(error)) from None
    yield provider, f"{provider.model} at {urlsplit(url).netloc}"

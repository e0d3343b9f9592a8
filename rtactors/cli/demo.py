"""`rtactors demo`: a spoken conversation with an interruption, and the proof that its record is what was heard.

A person who isn't there asks for a story, is told it in three messages, and interrupts the second one; the server's
voice detection notices. The session is the one that any app would have: that its server is embedded is known where it
is started and where its own history is read at the end, and nowhere between.
"""

import secrets
import sys
import wave
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import anyio
from msgspec import Struct, json

from rtactors import ConfigurationError, RtactorsError, Session
from rtactors.cli.evidence import Evidence
from rtactors.cli.jsonlines import JsonLines, print_json
from rtactors.cli.live import Live, show_report
from rtactors.cli.microphone import Microphone
from rtactors.cli.report import Report, VoiceKind
from rtactors.cli.seen import Seen, SeenMessage, Witness
from rtactors.cli.terminal import Terminal
from rtactors.cli.timeline import draw_timeline
from rtactors.event_stream import EventStream
from rtactors.loopback.recognizer import Pocketsphinx, Recognizer, Scripted
from rtactors.loopback.script import STORY_PHRASES
from rtactors.loopback.server import Server
from rtactors.loopback.voice import EspeakVoice, ToneVoice, Voice
from rtactors.providers import OpenAIRealtime
from rtactors.session_events import SessionEvent
from rtactors.sinks import WavSink

QUESTION = "Tell me a story."
INTERRUPTION = "Wait. Who is Ada?"
PAUSE_S = 0.6
"""What the person listens to before the question."""
PATIENCE_S = 2.5
"""What the person hears of the second message before interrupting it."""
LONGEST_S = 90.0
"""A conversation of about twenty seconds that has not come to its end by then never will."""
PLAN = ("full", "partial", "skipped", "full")
"""What becomes of the messages, if all goes as it should."""


class Cast(Struct, frozen=True):
    """Who speaks, and who listens."""

    kind: VoiceKind
    model: Voice
    user: Voice
    recognizer: Recognizer


class View(Protocol):
    """How a run is shown while it lasts."""

    def event(self, event: SessionEvent) -> None: ...

    async def run(self) -> None: ...

    def close(self) -> None: ...


def demo(output: Path, *, as_json: bool) -> int:
    """Run it; the files are in `output`. Returns the exit code: 0 if the record equals what was heard."""
    files = [output / name for name in ("heard.wav", "report.json", "timeline.svg")]
    _prepare(output, files)
    cast = _cast()
    terminal = Terminal(sys.stdout)
    if cast.kind == "tone" and not as_json:
        terminal.print(('no voice is installed, so you will hear tones: pip install "rtactors[speech]"', "warm"))
    report = anyio.run(_run, cast, files[0], None if as_json else terminal)
    files[1].write_bytes(json.format(json.encode(report)) + b"\n")
    files[2].write_text(draw_timeline(report), encoding="utf-8")
    if as_json:
        print_json(sys.stdout, report)
    else:
        show_report(terminal, report, [str(file) for file in files])
    return 1 if report.differences else 0


def _prepare(output: Path, files: list[Path]) -> None:
    """What can't be written is better known now than in twenty seconds. Nothing of an earlier run stays."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        for file in files:
            file.write_bytes(b"")
    except OSError as error:
        what = f"cannot write to {output} ({error.strerror}): choose another folder with --output"
        raise ConfigurationError(what) from None


def _cast() -> Cast:
    if find_spec("espeakng_loader") and find_spec("pocketsphinx"):
        return Cast("espeak", EspeakVoice(), EspeakVoice("en-us+f2", pitch=60), Pocketsphinx(STORY_PHRASES))
    return Cast("tone", ToneVoice(), ToneVoice(), Scripted(QUESTION, INTERRUPTION))


async def _run(cast: Cast, recording: Path, terminal: Terminal | None) -> Report:
    key = secrets.token_urlsafe()
    async with Server(voice=cast.model, recognizer=cast.recognizer, api_key=key) as server:
        provider = OpenAIRealtime(api_key=key, websocket_base_url=server.url)
        seen = Seen()
        sink = Witness(WavSink(recording, rate=provider.capabilities.output_rate), seen.report)
        session = Session(provider, sink=sink)
        microphone = Microphone(session)
        view = Live(terminal, seen, partial(_generated_ms, server)) if terminal else JsonLines(sys.stdout)
        connected_at = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(view.run)
            try:
                with anyio.fail_after(LONGEST_S):
                    await _converse(session, microphone, cast.user, seen, view)
            except TimeoutError:
                states = ", ".join(message.state for message in seen.in_order) or "not announced"
                raise RtactorsError(
                    f"the conversation did not come to its end within {LONGEST_S:g} s; its messages are {states}"
                ) from None
            tasks.cancel_scope.cancel()
        view.close()
        return Evidence(
            voice=cast.kind,
            connected_at=connected_at,
            ended_at=anyio.current_time(),
            seen=seen,
            server=server.sessions[0],
            history=session.history,
            recording=_read(recording),
            utterances=microphone.utterances,
            plan=PLAN,
        ).report()


async def _converse(session: Session, microphone: Microphone, voice: Voice, seen: Seen, view: View) -> None:
    async with anyio.create_task_group() as watching:
        watching.start_soon(_watch, session.events(), seen, view)
        async with session, anyio.create_task_group() as tasks:
            tasks.start_soon(microphone.run)
            await anyio.sleep(PAUSE_S)
            await microphone.say(QUESTION, (await voice.speak(QUESTION)).pcm)
            await seen.until(_second_is_heard)
            await anyio.sleep(PATIENCE_S)
            await microphone.say(INTERRUPTION, (await voice.speak(INTERRUPTION)).pcm)
            await seen.until(lambda messages: len(messages) >= len(PLAN) and all(message.over for message in messages))
            await session.quiet()
            tasks.cancel_scope.cancel()


def _second_is_heard(messages: list[SeenMessage]) -> bool:
    return len(messages) > 1 and messages[1].started_at is not None


async def _watch(events: EventStream, seen: Seen, view: View) -> None:
    async for event in events:
        seen.event(event)
        view.event(event)


def _generated_ms(server: Server, message_id: str) -> int:
    """What the server has made of a message by now."""
    conversation = server.sessions[0].conversation
    items = (*conversation.items, *conversation.deleted)
    return next((item.generated_ms for item in items if item.id == message_id), 0)


def _read(recording: Path) -> bytes:
    with wave.open(str(recording), "rb") as file:
        return file.readframes(file.getnframes())

"""`rtactors demo`: a spoken conversation with an interruption, and the proof that its record is what was heard.

A person who isn't there asks for a story, is told it in three messages, and interrupts the second one; the server's
voice detection notices. The session is the one that any app would have: that its server is embedded is known where it
is started and where its own history is read at the end, and nowhere between.
"""

import secrets
import sys
import wave
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import anyio
from msgspec import json

from rtactors import RtactorsError, Session
from rtactors.cli import embedded
from rtactors.cli.draft import draft
from rtactors.cli.ends import Interrupted, by_broken_pipe, by_ctrl_c
from rtactors.cli.evidence import Evidence
from rtactors.cli.jsonlines import JsonLines
from rtactors.cli.live import Live, show_report
from rtactors.cli.person import Person
from rtactors.cli.report import Report
from rtactors.cli.seen import Seen, SeenMessage, Witness, watch
from rtactors.cli.terminal import Terminal
from rtactors.cli.timeline import draw_timeline
from rtactors.loopback.faults import Faults
from rtactors.loopback.server import Server
from rtactors.loopback.voice import EspeakVoice, ToneVoice, Voice
from rtactors.providers import OpenAIRealtime
from rtactors.recording import Recorder
from rtactors.sinks import WavSink
from rtactors.subtitles import SubtitleFile

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


def demo(output: Path, *, as_json: bool, faults: Faults | None = None, recorder: Recorder | None = None) -> int:
    """Run it; the files are in `output`. Returns the exit code: 0 if the record equals what was heard.

    `faults` are what the server does wrong, to see that it is found. `recorder` is the session's.
    """
    files = [output / name for name in ("heard.wav", "heard.vtt", "heard.srt", "report.json", "timeline.svg")]
    terminal = Terminal(sys.stdout)
    try:
        with draft(files) as (recording, *subtitles, data, picture):
            if not embedded.has_speech():
                print(f"rtactors: {embedded.MISSING}", file=sys.stderr)
            shown_on = None if as_json else terminal
            report = anyio.run(_run, recording, subtitles, shown_on, faults or Faults(), recorder)
            data.write_bytes(json.format(json.encode(report)) + b"\n")
            picture.write_text(draw_timeline(report), encoding="utf-8")
    except BaseException as error:
        if by_ctrl_c(error) or by_broken_pipe(error):
            raise Interrupted(f"interrupted: nothing was compared, {output} is as it was") from error
        raise
    if as_json:
        JsonLines(sys.stdout).print(report)
    else:
        show_report(terminal, report, files)
    return 1 if report.differences else 0


async def _run(
    recording: Path, subtitles: list[Path], terminal: Terminal | None, faults: Faults, recorder: Recorder | None
) -> Report:
    key = secrets.token_urlsafe()
    ears = embedded.recognizer(QUESTION, INTERRUPTION)
    voice = embedded.voice_named(None)
    async with Server(voice=voice, recognizer=ears, faults=faults, api_key=key) as server:
        provider = OpenAIRealtime(api_key=key, websocket_base_url=server.url)
        seen = Seen()
        live = Live(terminal, seen, partial(_generated_ms, server)) if terminal else None
        device = WavSink(recording, provider.capabilities.output_rate)
        sink = Witness(device, seen, live.position) if live else Witness(device, seen)
        session = Session(provider, sink=sink, recorder=recorder)
        person = Person(session)
        show = JsonLines(sys.stdout).event
        connected_at = anyio.current_time()
        async with anyio.create_task_group() as showing:
            if live:
                show = live.event
                showing.start_soon(live.run)
            async with anyio.create_task_group() as watching:
                watching.start_soon(watch, session, seen, show)
                watching.start_soon(_write_subtitles, session, subtitles)
                await _converse(session, person, seen)
            showing.cancel_scope.cancel()
        return Evidence(
            voice="espeak" if embedded.has_speech() else "tone",
            connected_at=connected_at,
            ended_at=anyio.current_time(),
            seen=seen,
            server=server.sessions[0],
            history=session.history,
            recording=_read(recording),
            utterances=person.utterances,
            plan=PLAN,
        ).report()


async def _write_subtitles(session: Session, files: list[Path]) -> None:
    """From now on, when the recording begins too: players that know subtitles show these with it."""
    began = anyio.current_time()
    with ExitStack() as stack:
        written = [stack.enter_context(SubtitleFile(file, began=began)) for file in files]
        async for caption in session.captions():
            for file in written:
                file.write(caption)


async def _converse(session: Session, person: Person, seen: Seen) -> None:
    """What the person does. Raises RtactorsError if it comes to nothing."""
    voice: Voice = EspeakVoice("en-us+f2", pitch=60) if embedded.has_speech() else ToneVoice()
    try:
        with anyio.fail_after(LONGEST_S):
            async with session, anyio.create_task_group() as tasks:
                tasks.start_soon(person.run)
                await anyio.sleep(PAUSE_S)
                await person.say(QUESTION, (await voice.speak(QUESTION)).pcm)
                await seen.until(_second_is_heard)
                await anyio.sleep(PATIENCE_S)
                await person.say(INTERRUPTION, (await voice.speak(INTERRUPTION)).pcm)
                await seen.until(_all_are_over)
                await session.quiet()
                tasks.cancel_scope.cancel()
    except TimeoutError:
        states = ", ".join(message.state for message in seen.in_order) or "none"
        what = f"the conversation did not end within {LONGEST_S:g} s; its messages are: {states}"
        raise RtactorsError(what) from None


def _second_is_heard(messages: list[SeenMessage]) -> bool:
    return len(messages) > 1 and messages[1].started_at is not None


def _all_are_over(messages: list[SeenMessage]) -> bool:
    return len(messages) >= len(PLAN) and all(message.over for message in messages)


def _generated_ms(server: Server, message_id: str) -> int:
    """What the server has made of a message by now."""
    conversation = server.sessions[0].conversation
    items = (*conversation.items, *conversation.deleted)
    return next((item.generated_ms for item in items if item.id == message_id), 0)


def _read(recording: Path) -> bytes:
    with wave.open(str(recording), "rb") as file:
        return file.readframes(file.getnframes())

"""Lets a side have conversations: one embedded server for each, all of them here, and one process for the side.

The server is the one of `rtactors.loopback`: item states, truncation, errors and all, as OpenAI Realtime has them. What
it holds at the end is read from it, and what it sent and was sent from its log.
"""

import zlib
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL
from typing import Any, TypeAlias

import anyio
import msgspec
from anyio.abc import ByteSendStream, Process
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.memory import MemoryObjectSendStream

from benchmarks.faithfulness.device import MARKS
from benchmarks.faithfulness.evidence import Evidence, Heard, Item, Message, Truncated
from benchmarks.faithfulness.scenes import INJECTED, SITUATIONS, Stage
from rtactors.loopback.conversation import FRAMES_PER_MS, Snapshot
from rtactors.loopback.recognizer import Scripted
from rtactors.loopback.script import Gate
from rtactors.loopback.server import Server
from rtactors.loopback.session import Session
from rtactors.loopback.voice import Speech, Voice
from rtactors.providers.openai import wire

ROOT = Path(__file__).parents[2]
LONGEST_ANSWER = 1 << 24
"""Bytes of one line of a side."""
LONGEST_S = 60.0
"""A conversation that is not over by then hangs."""
GOODBYE_S = 5.0
"""So long a side may take to hang up."""
START_S = 60.0
"""A side that is not ready by then is broken."""
NOTHING: dict[str, Any] = {"heard": [], "history": [], "answered": False, "queries": [], "late_ms": 1e6}
"""What is known of a conversation that hangs."""
USER_SAYS = "Wait a moment, please."

Json: TypeAlias = dict[str, Any]


class Case(msgspec.Struct, frozen=True):
    """One conversation that is to be had."""

    situation: int
    part: float


class MarkedVoice:
    """A voice whose n-th message has n in the lowest four bits of each sample, which is what `device` knows it by."""

    def __init__(self, voice: Voice) -> None:
        self.spoken: list[Speech] = []
        self._voice = voice

    async def speak(self, text: str) -> Speech:
        speech = await self._voice.speak(text)
        mark = min(len(self.spoken) + 1, MARKS)
        pcm = bytearray(speech.pcm)
        pcm[::2] = pcm[::2].translate(bytes(low & ~MARKS | mark for low in range(256)))
        marked = Speech(bytes(pcm), speech.words)
        self.spoken.append(marked)
        return marked


class Side:
    """A side's process."""

    def __init__(self, name: str, process: Process) -> None:
        self.name = name
        self.versions: dict[str, str] = {}
        assert process.stdin
        assert process.stdout
        self._input: ByteSendStream = process.stdin
        self._output = BufferedByteReceiveStream(process.stdout)
        self._why = f"`python -m benchmarks.faithfulness --sides {name} --verbose` shows what it says"
        self._answers: dict[int, MemoryObjectSendStream[Json]] = {}
        self._count = 0

    async def begin(self) -> None:
        """Raises RuntimeError if it isn't ready in time."""
        with anyio.move_on_after(START_S):
            self.versions = (await self._line())["versions"]
            return
        raise RuntimeError(f"{self.name} did not get ready in {START_S:.0f} s: {self._why}")

    async def listen(self) -> None:
        while True:
            answer = await self._line()
            if waiting := self._answers.get(answer["id"]):
                waiting.send_nowait(answer)

    @asynccontextmanager
    async def talk(self, url: str, steps: list[list[Any]]) -> AsyncGenerator[Json]:
        """What the side says of the conversation; the line is open until the end of the block."""
        self._count += 1
        id = self._count
        waiting, answers = anyio.create_memory_object_stream[Json](2)
        with waiting, answers:
            self._answers[id] = waiting
            await self._send(do="talk", id=id, url=url, steps=steps)
            told = {**NOTHING, "problem": "it hangs"}
            with anyio.move_on_after(LONGEST_S):
                told = await answers.receive()
            yield told
            await self._send(do="hang up", id=id)
            with anyio.move_on_after(GOODBYE_S):
                await answers.receive()
            del self._answers[id]

    async def _send(self, **command: Any) -> None:  # noqa: ANN401 - any JSON
        await self._input.send(msgspec.json.encode(command) + b"\n")

    async def _line(self) -> Json:
        try:
            return msgspec.json.decode(await self._output.receive_until(b"\n", LONGEST_ANSWER))
        except anyio.IncompleteRead:
            raise RuntimeError(f"{self.name} has ended: {self._why}") from None


@asynccontextmanager
async def side(name: str, python: Path, module: str, *, verbose: bool = False) -> AsyncGenerator[Side]:
    """Run it until the end of the block; `verbose`: show what it writes to its standard error."""
    command = [str(python), "-m", f"benchmarks.faithfulness.sides.{module}"]
    async with await anyio.open_process(command, cwd=ROOT, stderr=None if verbose else DEVNULL) as process:
        try:
            began = Side(name, process)
            await began.begin()
            async with anyio.create_task_group() as listening:
                listening.start_soon(began.listen)
                yield began
                listening.cancel_scope.cancel()
        finally:
            with suppress(ProcessLookupError):  # it has ended by itself
                process.kill()


async def lengths(voice: Voice, texts: Sequence[str]) -> dict[str, int]:
    """How long each is, in ms."""
    return {text: len((await voice.speak(text)).pcm) // 2 // FRAMES_PER_MS for text in texts}


async def play(side: Side, case: Case, voice: Voice, known: Mapping[str, int]) -> Evidence:
    """Have one conversation."""
    scene = SITUATIONS[case.situation].make(Stage(known, case.part))
    marked = MarkedVoice(voice)
    server = Server(
        scene.script,
        voice=marked,
        recognizer=Scripted(USER_SAYS),
        timing=scene.timing,
        faults=scene.faults,
    )
    evidence: Evidence | None = None
    async with server, anyio.create_task_group() as tasks:
        for gate, seconds in scene.stalls:
            tasks.start_soon(_stall, gate, seconds)
        async with side.talk(server.url, scene.all_steps) as told:
            messages = _messages(server.sessions, marked.spoken, scene.missing_ms, _heard(told))
            evidence = _evidence(side.name, case, messages, server.sessions, told)
        tasks.cancel_scope.cancel()
    assert evidence
    return evidence


async def _stall(gate: Gate, seconds: float) -> None:
    await gate.reached.wait()
    await anyio.sleep(seconds)
    gate.open()


def _heard(told: Json) -> tuple[Heard, ...]:
    return msgspec.convert(told["heard"], tuple[Heard, ...])


def _evidence(side: str, case: Case, messages: Iterator[Message], sessions: Sequence[Session], told: Json) -> Evidence:
    return Evidence(
        side=side,
        situation=case.situation,
        part=case.part,
        messages=tuple(messages),
        heard=_heard(told),
        items=tuple(map(_item, sessions[-1].items)) if sessions else (),
        connections=len(sessions),
        history=msgspec.convert(told["history"], tuple[Item, ...]),
        truncated=tuple(cut for session in sessions for cut in _truncates(session)),
        errors=tuple(error for session in sessions for error in _errors(session)),
        queries=tuple(told["queries"]),
        answered=told["answered"],
        problem=told["problem"],
        late_ms=told["late_ms"],
    )


def _messages(
    sessions: Sequence[Session], spoken: Sequence[Speech], missing_ms: int, heard: Sequence[Heard]
) -> Iterator[Message]:
    by_pcm: dict[int, Speech] = dict(enumerate(spoken[: MARKS - 1], 1))
    for number, session in enumerate(sessions):
        audio: dict[str, bytearray] = {}
        text: dict[str, str] = {}
        for record in session.log.sent:
            match record.event:
                case wire.ResponseOutputAudioDelta(item_id=id, delta=pcm):
                    audio.setdefault(id, bytearray()).extend(pcm)
                case wire.ResponseOutputAudioTranscriptDelta(item_id=id, delta=words):
                    text[id] = text.get(id, "") + words
                case _ if record.type == "response.output_audio.delta":  # a fault has handled it
                    event = record.json
                    audio.setdefault(event["item_id"], bytearray()).extend(_decoded(event["delta"]))
                case _:
                    pass
        for id, pcm in audio.items():
            mark = pcm[0] & MARKS
            speech = by_pcm[mark]
            length_ms = len(speech.pcm) / 2 / FRAMES_PER_MS
            frames = {run.frames for run in heard if run.mark == mark}
            yield Message(
                id=id,
                mark=mark,
                words=speech.words,
                length_ms=length_ms,
                held_ms=min(len(pcm) / 2 / FRAMES_PER_MS, length_ms - (missing_ms if mark == 1 else 0)),
                sent_text=text.get(id, ""),
                prefixes={count: zlib.crc32(speech.pcm[: 2 * count]) for count in frames},
                connection=number,
            )


def _decoded(delta: str | bytes) -> bytes:
    return delta if isinstance(delta, bytes) else msgspec.convert(delta, bytes)


def _item(held: Snapshot) -> Item:
    kinds = {"function_call": "call", "function_call_output": "output"}
    return Item(
        id=held.id,
        kind=kinds.get(held.type, held.type),
        role=held.role or "",
        text=held.arguments or held.output or held.text,
        call_id=held.call_id,
        audio_ms=held.frames / FRAMES_PER_MS,
        spoken=held.frames > 0,
        complete=held.status == "completed",
    )


def _truncates(session: Session) -> Iterator[Truncated]:
    """Each with whether the server took it: what it answers comes in the order of what it was asked."""
    refused = {record.json["error"].get("event_id") for record in session.log.sent if record.type == "error"} - {None}
    accepted = [
        (record.json["item_id"], record.json["audio_end_ms"])
        for record in session.log.sent
        if record.type == "conversation.item.truncated"
    ]
    for record in session.log.received:
        if isinstance(record.event, wire.ConversationItemTruncate):
            asked = record.event.item_id, record.event.audio_end_ms
            taken = record.event.event_id not in refused and asked in accepted
            if taken:
                accepted.remove(asked)
            yield Truncated(*asked, taken)


def _errors(session: Session) -> Iterator[str]:
    for record in session.log.sent:
        if record.type == "error" and (error := record.json["error"]).get("code") != INJECTED:
            yield error["message"]

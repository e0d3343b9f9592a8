"""One response in the making: the events of the protocol in their order, at the pace that the script says.

A generation ends once, in `_end`: completed, failed or incomplete by the script, or cancelled from outside at any
moment. Ending is synchronous: after it nothing more is sent, wherever the task was waiting.
"""

import re
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Literal, TypeAlias, TypeVar

import anyio
from msgspec import UNSET, Struct

from rtactors.loopback.conversation import BYTES_PER_MS, FRAMES_PER_MS, Conversation, Entry, Part
from rtactors.loopback.items import to_wire
from rtactors.loopback.outbox import Outbox
from rtactors.loopback.script import Call, Failed, Gate, Incomplete, Output, Parts, Reply, Say, Timing, Write
from rtactors.loopback.voice import Speech, Voice, Word
from rtactors.providers.openai import wire

T = TypeVar("T")
CancelReason: TypeAlias = Literal["turn_detected", "client_cancelled"]

_LEAD_MS = {"ahead": 1000.0, "aligned": 0.0, "late": float("-inf")}
"""How long before its sound a word's text is sent."""
_MS_PER_TOKEN = 50
"""What audio costs, as OpenAI counts it for output."""


class Request(Struct, frozen=True, kw_only=True):
    """What a response was asked to be."""

    response_id: str
    modalities: list[str]
    audio: dict[str, Any]
    max_output_tokens: int | str
    metadata: dict[str, str] | None
    out_of_band: bool


class Context(Struct, frozen=True, kw_only=True):
    """What a session lends to its responses."""

    conversation: Conversation
    outbox: Outbox
    voice: Voice
    timing: Timing
    word_times: bool
    new_id: Callable[[], str]
    """Ids for items."""


class _Content(Struct, kw_only=True):
    """One content part of a message."""

    index: int
    held: Part
    text: str = ""
    """What was sent of its text, whatever a client did to the item meanwhile."""
    sent: int = 0
    """Bytes of its audio."""
    timed: bool = False
    """Whether it is told when each word is spoken."""
    audio_over: bool = False
    text_over: bool = False
    closed: bool = False

    @property
    def spoken(self) -> bool:
        return self.held.type == "output_audio"


class _Made(Struct, kw_only=True):
    """One item of the output."""

    index: int
    entry: Entry
    previous_id: str | None
    parts: list[_Content] = []
    complete: bool = False
    closed: bool = False

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts)

    @property
    def place(self) -> dict[str, Any]:
        return {"item_id": self.entry.id, "output_index": self.index}

    def place_of(self, part: _Content) -> dict[str, Any]:
        return {**self.place, "content_index": part.index}


class _Over(Exception):
    """The response was cancelled meanwhile."""


class _BrokenOff(Exception):
    """The response ends here, by its script."""


class Generation:
    """`choose` tells the reply, when it is time; `on_end` is called when the response is over."""

    def __init__(
        self,
        request: Request,
        context: Context,
        choose: Callable[[], Awaitable[Reply]],
        on_end: Callable[["Generation"], None],
    ) -> None:
        self.request = request
        self._conversation = context.conversation
        self._outbox = context.outbox
        self._voice = context.voice
        self._timing = context.timing
        self._word_times = context.word_times
        self._new_id = context.new_id
        self._choose = choose
        self._on_end = on_end
        self._made: list[_Made] = []
        self._generated = 0  # bytes of audio
        self._created = False
        self._over = False
        self._scope = anyio.CancelScope()

    @property
    def id(self) -> str:
        return self.request.response_id

    def cancel(self, reason: CancelReason) -> None:
        """End it now, with all that belongs to the end."""
        self._end("cancelled", wire.StatusDetails(type="cancelled", reason=reason))
        self._scope.cancel()

    async def run(self) -> None:
        with self._scope, suppress(_Over):
            reply = await self._unless_over(self._choose())
            self._timing = reply.timing or self._timing
            with suppress(_BrokenOff):
                await self._generate(reply)
            match reply.ending:
                case None:
                    self._end("completed")
                case Failed(code=code, message=message):
                    error = wire.StatusError(type="server_error", code=code, message=message)
                    self._end("failed", wire.StatusDetails(type="failed", error=error))
                case Incomplete(reason=reason):
                    self._end("incomplete", wire.StatusDetails(type="incomplete", reason=reason))

    async def _generate(self, reply: Reply) -> None:
        await self._wait(self._timing.created_ms)
        self._create()
        await self._wait(self._timing.thinking_ms)
        break_off = float("inf")
        if reply.ending and reply.ending.after_ms is not None:
            break_off = reply.ending.after_ms * BYTES_PER_MS
        for index, output in enumerate(reply.outputs):
            if index:
                await self._wait(self._timing.between_ms)
            made = self._announce(output, index)
            match output:
                case Call():
                    await self._call(output, made)
                case Parts():
                    for part in output.parts:
                        await self._part(part, made, break_off)
                        self._close_part(made, made.parts[-1])
                case Say() | Write():
                    await self._part(output, made, break_off)
            made.complete = True
            if not reply.batch_done:
                self._close(made)

    # ------------------------------------------------------------------------------------- begin and end of things

    def _create(self) -> None:
        self._created = True
        self._outbox.put(wire.ResponseCreated(response=self._response("in_progress")))

    def _announce(self, output: Output, index: int) -> _Made:
        entry = Entry(id=self._new_id(), status="in_progress")
        if isinstance(output, Call):
            entry.type, entry.name, entry.call_id = "function_call", output.name, f"call_{entry.id}"
        else:
            entry.role, entry.phase = "assistant", output.phase
        made = _Made(index=index, entry=entry, previous_id=None)
        self._made.append(made)
        item = to_wire(entry)
        self._outbox.put(wire.ResponseOutputItemAdded(response_id=self.id, output_index=index, item=item))
        if not self.request.out_of_band:
            made.previous_id = self._conversation.append(entry)
            self._outbox.put(wire.ConversationItemAdded(item=item, previous_item_id=made.previous_id))
        return made

    def _open_part(self, made: _Made, *, spoken: bool) -> _Content:
        content = _Content(index=len(made.parts), held=Part("output_audio" if spoken else "output_text"))
        made.parts.append(content)
        made.entry.content = [*made.entry.content, content.held]
        part = wire.ContentPart(type="audio", transcript="") if spoken else wire.ContentPart(type="text", text="")
        self._outbox.put(wire.ResponseContentPartAdded(response_id=self.id, part=part, **made.place_of(content)))
        return content

    def _close_part(self, made: _Made, content: _Content) -> None:
        if content.closed:
            return
        content.closed = True
        put = self._outbox.put
        place: dict[str, Any] = {"response_id": self.id, **made.place_of(content)}
        if not content.spoken:
            put(wire.ResponseOutputTextDone(text=content.text, **place))
            part = wire.ContentPart(type="text", text=content.text)
        else:
            self._end_audio(made, content)
            self._end_transcript(made, content)
            part = wire.ContentPart(type="audio", transcript=content.text)
        put(wire.ResponseContentPartDone(part=part, **place))

    def _end_audio(self, made: _Made, content: _Content) -> None:
        if content.sent and not content.audio_over:
            content.audio_over = True
            self._outbox.put(wire.ResponseOutputAudioDone(response_id=self.id, **made.place_of(content)))

    def _end_transcript(self, made: _Made, content: _Content) -> None:
        if content.text and not content.text_over:
            content.text_over = True
            place = made.place_of(content)
            done = wire.ResponseOutputAudioTranscriptDone(response_id=self.id, transcript=content.text, **place)
            self._outbox.put(done)

    def _close(self, made: _Made) -> None:
        """The `.done` events of one item, as far as it came."""
        made.closed = True
        entry = made.entry
        entry.status = "completed" if made.complete else "incomplete"
        put = self._outbox.put
        place: dict[str, Any] = {"response_id": self.id, **made.place}
        if entry.type == "function_call":
            name, call_id, arguments = entry.name, entry.call_id, entry.arguments
            done = wire.ResponseFunctionCallArgumentsDone(arguments=arguments, call_id=call_id, name=name, **place)
            put(done)
        for content in made.parts:
            self._close_part(made, content)
        if not (made.complete or made.text or entry.generated):
            entry.content = []
        item = to_wire(entry)
        if not self.request.out_of_band and not entry.deleted:
            put(wire.ConversationItemDone(item=item, previous_item_id=made.previous_id))
        put(wire.ResponseOutputItemDone(response_id=self.id, output_index=made.index, item=item))

    def _end(self, status: str, details: wire.StatusDetails | None = None) -> None:
        if self._over:
            return
        self._over = True
        if not self._created:
            self._create()
        for made in self._made:
            if not made.closed:
                self._close(made)
        self._outbox.put(wire.ResponseDone(response=self._response(status, details)))
        limit = wire.RateLimit(name="tokens", limit=40_000, remaining=39_000, reset_seconds=1.5)
        self._outbox.put(wire.RateLimitsUpdated(rate_limits=[limit]))
        self._on_end(self)

    def _response(self, status: str, details: wire.StatusDetails | None = None) -> wire.Response:
        request = self.request
        return wire.Response(
            id=self.id,
            object="realtime.response",
            status=status,
            status_details=details,
            output=[to_wire(made.entry) for made in self._made],
            conversation_id=None if request.out_of_band else self._conversation.id,
            output_modalities=request.modalities,
            max_output_tokens=request.max_output_tokens,
            audio=request.audio,
            metadata=request.metadata,
            usage=None if status == "in_progress" else self._usage(),
        )

    def _usage(self) -> dict[str, Any]:
        """Plausible numbers; nobody pays them."""
        given = self._conversation.items
        heard = sum(item.audio_ms for item in given) // _MS_PER_TOKEN
        read = sum(len(item.text) // 4 for item in given)
        said = self._generated // BYTES_PER_MS // _MS_PER_TOKEN
        written = sum(len(made.text or made.entry.arguments) // 4 for made in self._made)
        inputs = {"text_tokens": read, "audio_tokens": heard, "image_tokens": 0, "cached_tokens": 0}
        return {
            "total_tokens": heard + read + said + written,
            "input_tokens": heard + read,
            "output_tokens": said + written,
            "input_token_details": inputs,
            "output_token_details": {"text_tokens": written, "audio_tokens": said},
        }

    # ----------------------------------------------------------------------------------------------------- content

    async def _part(self, output: Say | Write, made: _Made, break_off: float) -> None:
        if isinstance(output, Say) and self.request.modalities == ["audio"]:
            await self._say(output, made, break_off)
        else:
            await self._write(output, made)

    async def _say(self, say: Say, made: _Made, break_off: float) -> None:
        content = self._open_part(made, spoken=True)
        speech = Speech(b"", (Word(say.text, 0),))
        if not say.silent:
            speech = await self._unless_over(self._voice.speak(say.text))
        await self._wait(self._timing.audio_ms)
        pcm = speech.pcm
        held = len(pcm) // 2 - say.missing_ms * FRAMES_PER_MS
        words = deque(speech.words if say.transcript != "none" else ())
        lead_ms = _LEAD_MS.get(say.transcript, 0.0) if say.lead_ms is None else say.lead_ms
        apart = say.lead_ms is not None  # text and audio end each when it is over
        content.timed = self._word_times and not say.silent
        gate = say.gate
        gate_at = min(say.gate_ms * BYTES_PER_MS, len(pcm))
        clock = _Clock(self._timing.speed)
        while True:
            if apart and content.sent == len(pcm):
                self._end_audio(made, content)
            if gate and content.sent >= gate_at:
                await self._unless_over(gate.passed())
                gate, clock = None, _Clock(self._timing.speed, content.sent)
            self._caption(made, content, words, until_ms=content.sent / BYTES_PER_MS + lead_ms)
            if apart and not words:
                self._end_transcript(made, content)
            if content.sent == len(pcm):
                break
            if self._generated >= break_off:
                raise _BrokenOff
            size = min(self._timing.delta_ms * BYTES_PER_MS, break_off - self._generated)
            piece = pcm[content.sent : min(content.sent + int(size), gate_at if gate else len(pcm))]
            delta = wire.ResponseOutputAudioDelta(response_id=self.id, delta=piece, **made.place_of(content))
            self._outbox.put(delta)
            made.entry.generate(piece, held=held)
            content.sent += len(piece)
            self._generated += len(piece)
            await self._unless_over(self._outbox.room())
            await self._unless_over(clock.reach(content.sent))
        while words and apart and lead_ms > float("-inf"):
            await self._unless_over(clock.reach(int((words[0].at_ms - lead_ms) * BYTES_PER_MS)))
            self._caption(made, content, words, until_ms=words[0].at_ms)
        self._caption(made, content, words, until_ms=float("inf"))

    def _caption(self, made: _Made, content: _Content, words: deque[Word], *, until_ms: float) -> None:
        """The text of the words that begin by then."""
        while words and words[0].at_ms <= until_ms:
            word = words.popleft()
            self._tell(made, content, word.text, at_ms=word.at_ms if content.timed else None)

    async def _write(self, output: Say | Write, made: _Made) -> None:
        content = self._open_part(made, spoken=False)
        gate, gate_at = (output.gate, output.gate_at) if isinstance(output, Write) else (None, 0)
        for word in re.findall(r"\s*\S+|\s+$", output.text):
            if gate and len(content.text) >= gate_at:
                await self._unless_over(gate.passed())
                gate = None
            self._tell(made, content, word)
            await self._unless_over(self._outbox.room())

    def _tell(self, made: _Made, content: _Content, text: str, at_ms: int | None = None) -> None:
        content.text += text
        if not content.held.truncated:
            content.held.text = content.text
        place: dict[str, Any] = {"response_id": self.id, **made.place_of(content)}
        if content.spoken:
            start_time = UNSET if at_ms is None else at_ms / 1000
            self._outbox.put(wire.ResponseOutputAudioTranscriptDelta(delta=text, start_time=start_time, **place))
        else:
            self._outbox.put(wire.ResponseOutputTextDelta(delta=text, **place))

    async def _call(self, call: Call, made: _Made) -> None:
        gate: Gate | None = call.gate
        for piece in re.findall(r"(?s).{1,8}", call.arguments):
            made.entry.arguments += piece
            call_id = made.entry.call_id
            delta = wire.ResponseFunctionCallArgumentsDelta(
                response_id=self.id, call_id=call_id, delta=piece, **made.place
            )
            self._outbox.put(delta)
            if gate:
                await self._unless_over(gate.passed())
                gate = None

    # ----------------------------------------------------------------------------------------------------- waiting

    async def _wait(self, ms: float) -> None:
        await self._unless_over(anyio.sleep(ms / 1000))

    async def _unless_over(self, awaitable: Awaitable[T]) -> T:
        """Whatever we wait for, the response may have been cancelled when it comes, and the task not know it yet."""
        result = await awaitable
        if self._over:
            raise _Over
        return result


class _Clock:
    """When so many bytes of audio are due, from now on."""

    def __init__(self, speed: float, sent: int = 0) -> None:
        self._speed = speed
        self._start = anyio.current_time()
        self._sent = sent

    async def reach(self, sent: int) -> None:
        await anyio.sleep_until(self._start + (sent - self._sent) / BYTES_PER_MS / 1000 / self._speed)

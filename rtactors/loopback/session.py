"""One connection: takes a client's events, keeps the conversation, and starts what answers them.

Written against the socket protocol and anyio alone, so that the same code runs over real websockets and, in virtual
time, over a pair of sockets in memory. A command takes effect and is answered in one go, `Timing.command_ms` after its
arrival, in the order of arrival.
"""

import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, TypeAlias, assert_never

import anyio
import msgspec
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectSendStream
from msgspec import UNSET, Struct

from rtactors.loopback.conversation import RATE, Conversation, Entry, Part, Rejected, Snapshot
from rtactors.loopback.faults import Drop, Faults, Json, Refuse
from rtactors.loopback.frames import event_id, read
from rtactors.loopback.generation import Context, Generation, Request
from rtactors.loopback.input import InputBuffer
from rtactors.loopback.items import from_wire, to_wire
from rtactors.loopback.log import Listener, Log
from rtactors.loopback.outbox import Outbox, ServerSocket
from rtactors.loopback.recognizer import RecognitionFailed, Recognizer
from rtactors.loopback.script import Reply, Say, Script, Timing, Turn, fixed_words
from rtactors.loopback.settings import Settings, check_modalities
from rtactors.loopback.vad import SpeechBegan, Vad
from rtactors.loopback.voice import Voice
from rtactors.providers.base import Frame
from rtactors.providers.openai import wire
from rtactors.transports.base import SocketClosed

INBOX = 1024
"""Client events that may wait for their turn; then the socket is not read."""
UNREAD = 32 * 1024 * 1024
"""The same in characters, but for the first of them."""
OUT_OF_BAND = 16
"""Responses outside of the conversation that may be under way."""
LONGEST_ANSWER = 1000
"""Characters of a sentence about what is wrong: it may quote the client."""
ANSWERS = 4096
"""Events that may wait for the client to read them before we take no more of its own."""
METADATA_PAIRS, METADATA_KEY, METADATA_VALUE = 16, 64, 512
"""How many pairs of metadata a response may have, and how long their keys and values may be."""
LAST_WORDS_S = 1.0
"""How long a session that is over may take to say so."""

AtLimit: TypeAlias = Literal["close", "error"]


class Shared(Struct, frozen=True, kw_only=True):
    """What all sessions of a server share."""

    script: Script
    voice: Voice
    vad: Vad
    recognizer: Recognizer | None
    timing: Timing
    faults: Faults
    keep: bool
    listener: Listener | None
    session_limit_s: float
    at_limit: AtLimit
    obeys_turn_settings: bool
    word_times: bool
    new_id: Callable[[str], str]


class Session:
    """`items` and `log` may be read at any time, also after its end."""

    def __init__(self, shared: Shared, socket: ServerSocket, model: str) -> None:
        self.id = shared.new_id("sess")
        self.log = Log(keep=shared.keep, listener=shared.listener)
        self.conversation = Conversation(shared.new_id("conv"))
        self.closed = anyio.Event()
        self._shared = shared
        self._socket = socket
        self._outbox = Outbox(socket, shared.faults, self.log, shared.new_id)
        self._context = Context(
            conversation=self.conversation,
            outbox=self._outbox,
            voice=shared.voice,
            timing=shared.timing,
            word_times=shared.word_times,
            new_id=self._new_item_id,
        )
        self._settings = Settings(model, obeys=shared.obeys_turn_settings)
        self._input = InputBuffer(self._settings.turn_detection, shared.vad)
        self._speech = ("", 0)  # the item that the user's speech will become, and where it began
        self._unread = 0
        self._was_read = anyio.Event()
        self._active: Generation | None = None
        self._out_of_band: list[Generation] = []
        self._responses = 0
        self._unheard: list[anyio.Event] = []  # set when it is known what a user's item says
        limit_s = shared.session_limit_s
        self._expires_at = None if math.isinf(limit_s) else int(time.time() + limit_s)
        self._tasks: TaskGroup

    # ------------------------------------------------------------------------------------------ for those who watch

    @property
    def items(self) -> tuple[Snapshot, ...]:
        """What the server holds, in order; see `Conversation.items`."""
        return self.conversation.items

    def inject(self, event: Json) -> None:
        """Send any event, true or not."""
        self._outbox.put(event)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Hang up."""
        await self._socket.close(code, reason)

    # -------------------------------------------------------------------------------------------------- the machine

    async def run(self) -> None:
        """Until the socket is closed, by whichever side, and all that had arrived before has taken effect."""
        inbox, arrived = anyio.create_memory_object_stream[tuple[float, Frame]](INBOX)
        try:
            async with anyio.create_task_group() as self._tasks:
                self._outbox.put(wire.SessionCreated(session=self._settings.state(self.id, self._expires_at)))
                self._tasks.start_soon(self._outbox.run)
                self._tasks.start_soon(self._read, inbox)
                if self._expires_at is not None:
                    self._tasks.start_soon(self._expire)
                with arrived:
                    async for due, frame in arrived:
                        if due > anyio.current_time():
                            await anyio.sleep_until(due)
                        await self._outbox.room(ANSWERS)
                        self._take(frame)
                        self._unread -= len(frame)
                        self._was_read.set()
                self._tasks.cancel_scope.cancel()
        finally:
            self.closed.set()

    async def _read(self, inbox: MemoryObjectSendStream[tuple[float, Frame]]) -> None:
        with inbox, suppress(SocketClosed):
            while True:
                frame = await self._socket.receive()
                self._unread += len(frame)
                await inbox.send((anyio.current_time() + self._shared.timing.command_ms / 1000, frame))
                while self._unread > UNREAD:
                    self._was_read = anyio.Event()
                    await self._was_read.wait()

    async def _expire(self) -> None:
        """OpenAI closes the connection with the reason; earlier versions sent it as an error."""
        limit_s = self._shared.session_limit_s
        await anyio.sleep(limit_s)
        reason = f"Your session hit the maximum duration of {limit_s / 60:g} minutes."
        if self._shared.at_limit == "close":
            await self._socket.close(1001, reason)
            return
        error = wire.ErrorDetail(type="invalid_request_error", code="session_expired", message=reason)
        self._outbox.put(wire.ServerError(error=error))
        with anyio.move_on_after(LAST_WORDS_S):
            await self._outbox.room(0)
        await self._socket.close()

    def _take(self, frame: Frame) -> None:
        """One frame of the client: what is wrong with it is answered, and costs nothing but itself."""
        try:
            event = read(frame)
        except Rejected as error:
            self.log.add({"frame": str(frame)}, "", sent=False)
            self._refuse(error, event_id(frame))
            return
        event_type = str(event.__struct_config__.tag)
        faults = self._shared.faults
        concerned = faults.concern(event_type, incoming=True)
        rule = faults.find(msgspec.to_builtins(event), incoming=True) if concerned else None
        if rule and isinstance(rule.act, Drop):
            return
        self.log.add(event, event_type, sent=False)
        if rule and isinstance(rule.act, Refuse):
            self._refuse(Rejected(rule.act.code, rule.act.message), event.event_id or None)
            return
        try:
            self._handle(event)
        except Rejected as error:
            self._refuse(error, event.event_id or None)

    def _refuse(self, error: Rejected, event_id: str | None) -> None:
        kind = "invalid_request_error"
        detail = wire.ErrorDetail(
            type=kind,
            code=error.code,
            message=error.message[:LONGEST_ANSWER],
            param=error.param and error.param[:LONGEST_ANSWER],
            event_id=event_id,
        )
        self._outbox.put(wire.ServerError(error=detail))

    def _handle(self, event: wire.ClientEvent) -> None:  # noqa: C901 - one case for each type, a line or two each
        put, conversation = self._outbox.put, self.conversation
        match event:
            case wire.SessionUpdate(session=patch):
                self._update(patch)
            case wire.InputAudioBufferAppend(audio=audio):
                self._listen(audio)
            case wire.InputAudioBufferCommit():
                self._commit(self._new_item_id(), self._input.commit())
            case wire.InputAudioBufferClear():
                self._input.clear()
                put(wire.InputAudioBufferCleared())
            case wire.OutputAudioBufferClear():
                message = "Over a websocket the client plays the audio: there is no output audio buffer to clear."
                raise Rejected("invalid_value", message, "type")
            case wire.ConversationItemCreate(item=item, previous_item_id=previous):
                self._create(from_wire(item, self._new_item_id()), previous or None)
            case wire.ConversationItemRetrieve(item_id=item_id):
                put(wire.ConversationItemRetrieved(item=to_wire(conversation.retrieve(item_id), audio=True)))
            case wire.ConversationItemTruncate(item_id=item_id, content_index=index, audio_end_ms=end_ms):
                conversation.truncate(item_id, index, end_ms)
                put(wire.ConversationItemTruncated(item_id=item_id, content_index=index, audio_end_ms=end_ms))
            case wire.ConversationItemDelete(item_id=item_id):
                conversation.delete(item_id)
                put(wire.ConversationItemDeleted(item_id=item_id))
            case wire.ResponseCreate(response=params):
                self._respond(params or wire.ResponseParams())
            case wire.ResponseCancel(response_id=response_id):
                self._cancel(response_id or None)
            case _:
                assert_never(event)

    def _create(self, entry: Entry, previous_item_id: str | None) -> None:
        reported = self.conversation.create(entry, previous_item_id)
        item = to_wire(entry)
        self._outbox.put(wire.ConversationItemAdded(item=item, previous_item_id=reported))
        self._outbox.put(wire.ConversationItemDone(item=item, previous_item_id=reported))
        for part in entry.content:
            if part.type == "input_audio" and part.text is None and self._shared.recognizer:
                self._listen_to(part)

    # ------------------------------------------------------------------------------------------ settings and the user

    def _update(self, patch: wire.Session) -> None:
        before = self._settings.turn_detection
        has_spoken = any(item.generated_frames for item in (*self.conversation.items, *self.conversation.deleted))
        self._settings.patch(patch, has_spoken=has_spoken)
        if self._settings.turn_detection != before:
            self._input.detect(self._settings.turn_detection)
        self._outbox.put(wire.SessionUpdated(session=self._settings.state(self.id, self._expires_at)))

    def _listen(self, audio: bytes) -> None:
        for change in self._input.append(audio):
            if isinstance(change, SpeechBegan):
                item_id = self._new_item_id()
                self._speech = (item_id, change.start_ms)
                self._outbox.put(wire.InputAudioBufferSpeechStarted(item_id=item_id, audio_start_ms=change.start_ms))
                if self._active and self._settings.interrupts_response:
                    self._active.cancel("turn_detected")
                continue
            item_id, start_ms = self._speech
            self._outbox.put(wire.InputAudioBufferSpeechStopped(item_id=item_id, audio_end_ms=change.end_ms))
            self._commit(item_id, self._input.take(start_ms, change.end_ms))
            if self._settings.creates_response:
                try:
                    self._respond(wire.ResponseParams())
                except Rejected as error:  # nobody's event caused it
                    self._refuse(error, None)

    def _commit(self, item_id: str, audio: bytes) -> None:
        """The user's turn becomes an item. Raises Rejected."""
        self.conversation.check_room()
        part = Part("input_audio", None, bytearray(audio))
        entry = Entry(id=item_id, role="user", content=[part])
        previous = self.conversation.append(entry)
        item = to_wire(entry)
        self._outbox.put(wire.InputAudioBufferCommitted(item_id=item_id, previous_item_id=previous))
        self._outbox.put(wire.ConversationItemAdded(item=item, previous_item_id=previous))
        self._outbox.put(wire.ConversationItemDone(item=item, previous_item_id=previous))
        if self._shared.recognizer or self._settings.transcribes:
            self._listen_to(part, item_id)

    def _listen_to(self, part: Part, item_id: str | None = None) -> None:
        heard = anyio.Event()
        self._unheard.append(heard)
        self._tasks.start_soon(self._recognize, part, item_id, heard)

    async def _recognize(self, part: Part, item_id: str | None, heard: anyio.Event) -> None:
        """What the user said: first the script may know it, then the client, if it wants transcripts.

        Without an `item_id` it came in an item that the client created: OpenAI gives no transcript of such.
        """
        due = anyio.current_time() + self._shared.timing.transcription_ms / 1000
        text, failure = "", "this server has no recogniser"
        if self._shared.recognizer:
            try:
                text, failure = await self._shared.recognizer.transcribe(bytes(part.audio)), ""
                part.text = text
            except RecognitionFailed as error:
                failure = str(error)
        heard.set()
        self._unheard.remove(heard)
        if item_id is None or not self._settings.transcribes:
            return
        await anyio.sleep_until(due)
        if failure:
            error = wire.TranscriptionError(type="server_error", code="transcription_failed", message=failure)
            self._outbox.put(wire.InputAudioTranscriptionFailed(item_id=item_id, error=error))
            return
        usage = {"type": "duration", "seconds": round(len(part.audio) / 2 / RATE, 3)}
        self._outbox.put(wire.InputAudioTranscriptionDelta(item_id=item_id, content_index=0, delta=text))
        self._outbox.put(wire.InputAudioTranscriptionCompleted(item_id=item_id, transcript=text, usage=usage))

    # ------------------------------------------------------------------------------------------------------ responses

    def _respond(self, params: wire.ResponseParams) -> None:
        out_of_band = params.conversation == "none"
        if self._active and not out_of_band:
            raise Rejected(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {self._active.id}. "
                "Wait until the response is finished before creating a new one.",
            )
        if out_of_band and len(self._out_of_band) >= OUT_OF_BAND:
            raise Rejected("rate_limit_exceeded", f"No more than {OUT_OF_BAND} responses out of band at a time.")
        self.conversation.check_room()
        metadata = params.metadata or None
        _check_metadata(metadata or {})
        modalities = params.output_modalities or self._settings.output_modalities
        check_modalities([*modalities], "response.output_modalities")
        context = None if params.input is None or params.input is UNSET else [*map(self._context_item, params.input)]
        instructions = params.instructions if isinstance(params.instructions, str) else self._settings.instructions
        tools = msgspec.to_builtins(params.tools) if isinstance(params.tools, list) else self._settings.tools
        choice = msgspec.to_builtins(params.tool_choice or self._settings.tool_choice)
        index = self._responses
        self._responses += 1

        async def choose() -> Reply:
            for heard in [*self._unheard]:
                await heard.wait()
            history = self.conversation.items if context is None else tuple(map(Entry.snapshot, context))
            turn = Turn(
                index=index,
                text=_said_last(history),
                instructions=instructions,
                history=history,
                metadata=metadata or {},
                out_of_band=out_of_band,
                functions=tuple(tool.get("name") or "" for tool in tools if tool["type"] == "function"),
                tool_choice=choice if isinstance(choice, str) else choice.get("name") or choice["type"],
            )
            words = fixed_words(instructions)
            return self._shared.script(turn) if words is None else Reply(outputs=(Say(text=words),))

        request = Request(
            response_id=self._shared.new_id("resp"),
            modalities=[*modalities],
            audio=self._settings.output_audio,
            max_output_tokens=params.max_output_tokens or self._settings.max_output_tokens,
            metadata=metadata,
            out_of_band=out_of_band,
        )
        generation = Generation(request, self._context, choose, self._forget)
        if out_of_band:
            self._out_of_band.append(generation)
        else:
            self._active = generation
        self._tasks.start_soon(generation.run)

    def _context_item(self, item: wire.Item) -> Entry:
        if item.type == "item_reference":
            return self.conversation.retrieve(item.id or "")
        return from_wire(item, self._new_item_id())

    def _forget(self, generation: Generation) -> None:
        if generation is self._active:
            self._active = None
        else:
            self._out_of_band.remove(generation)

    def _cancel(self, response_id: str | None) -> None:
        """Without an id it is the conversation's own response."""
        running = [self._active, *self._out_of_band] if response_id else [self._active]
        for generation in running:
            if generation and response_id in {None, generation.id}:
                generation.cancel("client_cancelled")
                return
        raise Rejected("response_cancel_not_active", "Cancellation failed: no active response found")

    def _new_item_id(self) -> str:
        """A client may bring items that were ours in a session before: no id is given twice."""
        while (item_id := self._shared.new_id("item")) in self.conversation:
            pass
        return item_id


def _said_last(history: tuple[Snapshot, ...]) -> str:
    """What the user said or wrote behind the assistant's last message."""
    texts: list[str] = []
    for item in reversed(history):
        if item.role == "assistant":
            break
        if item.role == "user" and item.text:
            texts.append(item.text)
    return " ".join(reversed(texts))


def _check_metadata(metadata: dict[str, str]) -> None:
    too_long = any(len(key) > METADATA_KEY or len(value) > METADATA_VALUE for key, value in metadata.items())
    if too_long or len(metadata) > METADATA_PAIRS:
        message = (
            f"Metadata may have {METADATA_PAIRS} pairs, with keys of {METADATA_KEY} and values of {METADATA_VALUE} "
            "characters at most."
        )
        raise Rejected("invalid_value", message, "response.metadata")

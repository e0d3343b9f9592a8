"""What happened on one connection, read from the server's log and from nothing else.

It knows the wire (OpenAI Realtime, as the embedded provider speaks it) and no code of the client's side.
"""

import math
from base64 import b64decode
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct, field

from rtactors.events import BYTES_PER_FRAME
from rtactors.loopback.faults import Json
from rtactors.loopback.log import Record

BUSY = "conversation_already_has_active_response"
_ABSENT = "item_delete_invalid_item_id"
LONG_BUSY = 8
"""So many refusals in a row, ever further apart, are longer than a request waits for a busy server."""


class Operation(Struct, kw_only=True):
    """Something that the client asked for about an item, as it arrived."""

    event_id: str
    item_id: str
    at: float
    audio_end_ms: int = 0
    part: int = 0
    """Which content part it cuts."""
    text: str = ""
    """What it says, if the item is a message."""
    call_id: str = ""
    output: str = ""
    """What the function of `call_id` gave, if the item is that."""
    generated: int = 0
    """Bytes of that part's audio that had been sent by then."""
    known: bool = False
    """True if the client had been told of the item, and that it was there."""
    while_deleting: bool = False
    answered_at: float | None = None
    limit_ms: int | None = None
    """Where the audio ends, if the cut was refused for that."""
    refused: bool = False
    code: str = ""
    """Why it was refused."""


class WireMessage(Struct, kw_only=True):
    """One message of the model, as the server sent it."""

    id: str
    response_id: str
    index: int | None = None
    """Which item of its response it is, if it was announced."""
    audios: dict[int, bytearray] = field(default_factory=dict[int, bytearray])
    """PCM16 of each of its parts, all deltas."""
    pieces: list[tuple[float, int, str]] = field(default_factory=list[tuple[float, int, str]])
    """When which piece of its text was sent, and of which content part."""
    whole_texts: dict[int, str] = field(default_factory=dict[int, str])
    """As told at the end of each part."""
    shown: bool = False
    """True if it has text that is not spoken."""
    ours: bool = False
    """True if no server made it: the session's own voice said it."""
    added_at: float | None = None
    """When the client was told that the conversation holds it."""
    done_at: float | None = None
    status: str = "in_progress"
    truncates: list[Operation] = field(default_factory=list[Operation])

    @property
    def parts(self) -> dict[int, str]:
        """The text of each of its parts."""
        return self._parts_until(None)

    @property
    def text(self) -> str:
        return "".join(self.parts.values())

    @property
    def corrected(self) -> bool:
        """Whether the end of a part told another text than its pieces had."""
        pieces = self._parts_until(math.inf)
        return any(text != pieces.get(part, text) for part, text in self.whole_texts.items())

    @property
    def audio(self) -> bytes:
        """PCM16, that of one part after the other."""
        return b"".join(audio for _, audio in sorted(self.audios.items()))

    @property
    def frames(self) -> int:
        return sum(map(len, self.audios.values())) // BYTES_PER_FRAME

    @property
    def only_shown(self) -> bool:
        """True if it is text, and nothing of it sounds."""
        return self.shown and not self.audios

    @property
    def limits_ms(self) -> set[int]:
        """Lengths that the server named when it refused a cut."""
        return {cut.limit_ms for cut in self.truncates if cut.limit_ms is not None}

    def text_until(self, at: float) -> str:
        """What had been sent of its text."""
        return "".join(self._parts_until(at).values())

    def _parts_until(self, at: float | None) -> dict[int, str]:
        parts: dict[int, str] = {part: "" for _, part, _ in self.pieces}
        for then, part, text in self.pieces:
            if at is None or then <= at:
                parts[part] += text
        if at is None:
            for part, text in self.whole_texts.items():
                parts[part] = text or parts.get(part, "")
        return dict(sorted(parts.items()))

    def completed_by(self, at: float | None) -> bool:
        """Whether the server had sent all of it by then (None: at the end)."""
        return self.status == "completed" and self.done_at is not None and (at is None or self.done_at <= at)


class WireRequest(Struct, kw_only=True):
    """The client asked for a response."""

    at: float
    options: Json
    """Which one."""
    answered_at: float | None = None
    """When it was begun or refused."""


class WireResponse(Struct, kw_only=True):
    """One response, as the server sent it."""

    id: str
    created_at: float
    announced: bool = True
    """False if its end is the first that was told of it."""
    done_at: float | None = None
    status: str = "in_progress"
    reason: str = ""
    """Why it is not completed."""
    out_of_band: bool = False
    metadata: set[str] = field(default_factory=set[str])
    """The values of its metadata: one of them names the request that it answers."""
    items: set[str] = field(default_factory=set[str])
    """Ids of what it made."""
    call_ids: set[str] = field(default_factory=set[str])
    """Of its function calls."""
    output: list[str] = field(default_factory=list[str])
    """Ids of what it made, as told at its end."""
    asked_meanwhile: list[float] = field(default_factory=list[float])
    """When another one was asked for although this one was active."""


class Cancel(Struct, frozen=True):
    """The client asked for the end of a response."""

    at: float
    response_id: str | None


class WireStory:
    """The log of one connection, by what it is about."""

    def __init__(self, log: Iterable[Record]) -> None:
        self.messages: dict[str, WireMessage] = {}
        self.responses: dict[str, WireResponse] = {}
        self.calls: dict[str, bool] = {}
        """Function calls that were announced: whether they were completed, in a response that was too."""
        self.begun_calls: dict[str, bool] = {}
        """The same, but also in responses that were not."""
        self.arguments: dict[str, tuple[str, str]] = {}
        """Name and arguments of each function call, as last told."""
        self.speech_started: list[float] = []
        """When the client was told that the user speaks."""
        self.speech_stopped: list[float] = []
        self.transcripts: list[tuple[str, str]] = []
        """Item ids and texts of the user's turns, each time one was told as final."""
        self.words: list[tuple[float, str, str]] = []
        """When which item of the user's was told to say what."""
        self.began: dict[str, float] = {}
        """When the client was told that the user speaks, by the item that it becomes."""
        self.spoken: list[tuple[float, float]] = []
        """When the client was told that the user had stopped, and after how many seconds of speech, in the audio."""
        self._speech_ms: dict[str, int] = {}  # where it began, by item
        self._beside_ms: int = 0  # that the server counts as speech: padding, and the silence by which it ends
        self.cancels: list[Cancel] = []
        self.refusals: list[tuple[float, str]] = []
        """When requests for default responses were answered by errors, and their codes."""
        self.errors: list[Json] = []
        """What was wrong, as told."""
        self.requests: dict[str, WireRequest] = {}
        """The default responses that were asked for, by event id, in order."""
        self.beside: dict[str, WireRequest] = {}
        """Those out of band."""
        self.refused: set[str] = set()
        """Event ids of what was answered by an error."""
        self.truncates: list[Operation] = []
        self.deletes: dict[str, list[Operation]] = {}
        self.creates: list[Operation] = []
        self._operations: dict[str, Operation] = {}
        self._held: set[str] = set()  # as the client was told
        self._ever_held: set[str] = set()
        self._being_deleted: set[str] = set()
        self._of_calls: dict[str, str] = {}  # response ids
        readers: dict[str, Callable[[Record], None]] = {
            "response.created": self._on_response,
            "response.done": self._on_response,
            "response.output_item.added": self._on_output_item,
            "response.output_item.done": self._on_output_item,
            "response.output_audio.delta": self._on_audio,
            "response.output_audio_transcript.delta": self._on_text,
            "response.output_text.delta": self._on_text,
            "response.output_audio_transcript.done": self._on_text_done,
            "response.output_text.done": self._on_text_done,
            "conversation.item.added": self._on_held,
            "conversation.item.done": self._on_held,
            "conversation.item.truncated": self._on_truncated,
            "conversation.item.deleted": self._on_deleted,
            "conversation.item.create": self._on_create,
            "conversation.item.truncate": self._on_truncate,
            "conversation.item.delete": self._on_delete,
            "response.create": self._on_request,
            "response.cancel": self._on_cancel,
            "input_audio_buffer.speech_started": self._on_speech,
            "input_audio_buffer.speech_stopped": self._on_speech_stopped,
            "session.created": self._on_settings,
            "session.updated": self._on_settings,
            "conversation.item.input_audio_transcription.completed": self._on_transcript,
            "error": self._on_error,
        }
        for record in log:
            if reader := readers.get(record.type):
                try:
                    reader(record)
                except (KeyError, TypeError):
                    if not isinstance(record.event, dict):
                        raise  # else it is a fault's: an event that lacks what it is about tells nothing
        for call_id, response_id in self._of_calls.items():
            response = self.responses.get(response_id)
            in_full = response is not None and response.status == "completed" and not response.out_of_band
            self.calls[call_id] = self.begun_calls[call_id] and in_full

    def call_of(self, call_id: str) -> str | None:
        """The response that a function call belongs to."""
        return self._of_calls.get(call_id)

    def request_of(self, response: WireResponse) -> WireRequest | None:
        """What asked for it, if the client did."""
        requests = {**self.requests, **self.beside}
        return next((requests[value] for value in response.metadata if value in requests), None)

    def operations_on(self, item_id: str) -> list[Operation]:
        """All that the client asked for about an item, in order."""
        return [operation for operation in self._operations.values() if operation.item_id == item_id]

    def never_held(self, item_id: str) -> bool:
        return item_id not in self._ever_held

    def was_not_told(self, item_id: str) -> bool:
        """Whether the last thing that was asked for about an item did not come to be, or it was never told of it."""
        about = self.operations_on(item_id)
        if not about:
            return item_id not in self._ever_held
        return about[-1].refused or about[-1].answered_at is None

    # -- what the server sent

    def _on_response(self, record: Record) -> None:
        given: Json = record.json["response"]
        response = self.responses.get(given["id"])
        if response is None:
            announced = record.type == "response.created"
            response = WireResponse(id=given["id"], created_at=record.at, announced=announced)
            self.responses[given["id"]] = response
        response.out_of_band = given.get("conversation_id", "") is None
        metadata: dict[str, str] = given.get("metadata") or {}
        response.metadata.update(metadata.values())
        if (request := self.request_of(response)) and request.answered_at is None:
            request.answered_at = record.at
        if record.type == "response.done" and response.done_at is None:
            response.done_at = record.at
            response.status = given.get("status") or "completed"
            details: Json = given.get("status_details") or {}
            response.reason = details.get("reason") or ""
            output: list[Json] = given.get("output") or []
            response.output = [item["id"] for item in output]
            for item in output:
                self._note_item(item, given["id"], done=True)

    def _on_output_item(self, record: Record) -> None:
        event = record.json
        item, done = event["item"], record.type == "response.output_item.done"
        self._note_item(item, event["response_id"], done=done)
        if item["type"] != "message" or not (message := self._message(event["response_id"], item["id"])):
            return
        if done:
            message.status, message.done_at = item.get("status") or "completed", record.at
        elif message.index is None and not message.audios:
            message.index = event["output_index"]

    def _note_item(self, item: Json, response_id: str, *, done: bool) -> None:
        response = self.responses.get(response_id)
        if response:
            response.items.add(item["id"])
        if item["type"] == "function_call":
            if response:
                response.call_ids.add(item["call_id"])
            self._of_calls[item["call_id"]] = response_id
            self.arguments[item["call_id"]] = (item.get("name") or "", item.get("arguments") or "")
            completed = done and item.get("status") == "completed"
            self.begun_calls[item["call_id"]] = self.begun_calls.get(item["call_id"], False) or completed

    def _on_audio(self, record: Record) -> None:
        if isinstance(record.event, dict):
            event = record.json
            response_id, item_id, audio = event["response_id"], event["item_id"], b64decode(event["delta"])
            part: int = event.get("content_index") or 0
        else:
            response_id, item_id, audio = record.event.response_id, record.event.item_id, record.event.delta
            part = record.event.content_index
        if message := self._message(response_id, item_id):
            message.audios.setdefault(part, bytearray()).extend(audio)

    def _on_text(self, record: Record) -> None:
        event = record.json
        if message := self._message(event["response_id"], event["item_id"]):
            message.pieces.append((record.at, event.get("content_index") or 0, event["delta"]))
            message.shown = message.shown or record.type == "response.output_text.delta"

    def _on_text_done(self, record: Record) -> None:
        event = record.json
        if message := self._message(event["response_id"], event["item_id"]):
            text = event.get("transcript") or event.get("text") or ""
            message.whole_texts[event.get("content_index") or 0] = text
            message.shown = message.shown or record.type == "response.output_text.done"

    def _message(self, response_id: str, item_id: str) -> WireMessage | None:
        response = self.responses.get(response_id)
        if response and response.out_of_band:
            return None
        if item_id not in self.messages:
            self.messages[item_id] = WireMessage(id=item_id, response_id=response_id)
        return self.messages[item_id]

    def _on_held(self, record: Record) -> None:
        item_id = record.json["item"]["id"]
        if item_id not in self._being_deleted:
            self._held.add(item_id)
            self._ever_held.add(item_id)
        if (message := self.messages.get(item_id)) and message.added_at is None:
            message.added_at = record.at
        for create in self.creates:
            if create.item_id == item_id and create.answered_at is None:
                create.answered_at = record.at

    def _on_truncated(self, record: Record) -> None:
        self._answer(self.truncates, record)

    def _on_deleted(self, record: Record) -> None:
        item_id = record.json["item_id"]
        self._is_gone(item_id)
        self._answer(self.deletes.get(item_id, []), record)

    def _is_gone(self, item_id: str) -> None:
        self._held.discard(item_id)
        self._being_deleted.discard(item_id)

    def _on_speech(self, record: Record) -> None:
        self.speech_started.append(record.at)
        self.began[record.json["item_id"]] = record.at
        self._speech_ms[record.json["item_id"]] = record.json["audio_start_ms"]

    def _on_speech_stopped(self, record: Record) -> None:
        self.speech_stopped.append(record.at)
        began_ms = self._speech_ms.get(record.json["item_id"])
        if began_ms is not None:  # else its beginning was never told
            self.spoken.append((record.at, (record.json["audio_end_ms"] - began_ms - self._beside_ms) / 1000))

    def _on_settings(self, record: Record) -> None:
        audio: Json = record.json["session"].get("audio") or {}
        listens: Json = audio.get("input") or {}
        detection: Json = listens.get("turn_detection") or {}
        self._beside_ms = (detection.get("prefix_padding_ms") or 0) + (detection.get("silence_duration_ms") or 0)

    def _on_transcript(self, record: Record) -> None:
        self.transcripts.append((record.json["item_id"], record.json.get("transcript") or ""))
        self.words.append((record.at, *self.transcripts[-1]))

    def _answer(self, operations: list[Operation], record: Record) -> None:
        item_id = record.json["item_id"]
        for operation in operations:
            if operation.item_id == item_id and operation.answered_at is None:
                operation.answered_at = record.at
                return

    def _on_error(self, record: Record) -> None:
        error = record.json["error"]
        self.errors.append(error)
        event_id = error.get("event_id") or ""
        self.refused.add(event_id)
        if event_id in self.requests:
            self.refusals.append((record.at, error.get("code") or ""))
        if request := self.requests.get(event_id) or self.beside.get(event_id):
            request.answered_at = record.at
        if operation := self._operations.get(event_id):
            operation.answered_at, operation.refused = record.at, True
            operation.code = error.get("code") or ""
            if operation.code == _ABSENT:
                self._is_gone(operation.item_id)
            words = str(error.get("message", "")).split()
            named = [int(word.removesuffix("ms")) for word in words if word[:-2].isdigit() and word.endswith("ms")]
            if "shorter" in words and named:
                operation.limit_ms = named[0]

    # -- what the client asked for

    def _on_create(self, record: Record) -> None:
        event = record.json
        item = event["item"]
        operation = self._operation(event, item.get("id", ""), record.at)
        operation.call_id = item.get("call_id") or "" if item["type"] == "function_call_output" else ""
        operation.output = item.get("output") or ""
        operation.text = "".join(part.get("text") or part.get("transcript") or "" for part in item.get("content") or ())
        operation.while_deleting = operation.item_id in self._being_deleted
        self.creates.append(operation)

    def _on_truncate(self, record: Record) -> None:
        event = record.json
        operation = self._operation(event, event["item_id"], record.at)
        operation.audio_end_ms = event["audio_end_ms"]
        operation.part = event.get("content_index") or 0
        self.truncates.append(operation)
        if message := self.messages.get(operation.item_id):
            operation.generated = len(message.audios.get(operation.part, b""))
            message.truncates.append(operation)

    def _on_delete(self, record: Record) -> None:
        event = record.json
        operation = self._operation(event, event["item_id"], record.at)
        self.deletes.setdefault(operation.item_id, []).append(operation)
        self._being_deleted.add(operation.item_id)

    def _on_cancel(self, record: Record) -> None:
        self.cancels.append(Cancel(record.at, record.json.get("response_id")))

    def _operation(self, event: Json, item_id: str, at: float) -> Operation:
        event_id: Any = event.get("event_id") or f"unnamed {len(self._operations)}"
        operation = Operation(event_id=event_id, item_id=item_id, at=at, known=item_id in self._held)
        self._operations[event_id] = operation
        return operation

    def _on_request(self, record: Record) -> None:
        event = record.json
        asked: Json = event.get("response") or {}
        request, event_id = WireRequest(at=record.at, options=asked), event.get("event_id") or ""
        if asked.get("conversation") == "none":
            self.beside[event_id] = request
            return
        self.requests[event_id] = request
        for response in self.responses.values():
            if response.done_at is None and not response.out_of_band:
                response.asked_meanwhile.append(record.at)

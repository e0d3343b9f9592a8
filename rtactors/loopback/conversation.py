"""The authoritative history of one session: what the server holds, and the rules by which a client may change it.

Synchronous and pure: no I/O, no clock, no wire types. A rule that refuses raises `Rejected` and changes nothing.
Codes and sentences are those that OpenAI returns, where they are known.
"""

from typing import Literal, TypeAlias

from msgspec import Struct, field

RATE = 24_000
"""Hz of all audio here: mono PCM16 little-endian, 2 bytes a frame."""
FRAMES_PER_MS = RATE // 1000
BYTES_PER_MS = 2 * FRAMES_PER_MS

MOST_ITEMS = 10_000
"""Items of one conversation, deleted ones too: those are kept for whoever watches."""
MOST_BYTES = 512 * 1024 * 1024
"""Audio and texts of them all: three hours of talk."""

ItemType: TypeAlias = Literal["message", "function_call", "function_call_output"]
Role: TypeAlias = Literal["system", "user", "assistant"]
Status: TypeAlias = Literal["in_progress", "completed", "incomplete"]
PartType: TypeAlias = Literal["input_text", "input_audio", "input_image", "output_text", "output_audio"]


class Rejected(Exception):
    """The server refuses; it becomes an `error` event."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param


class Part(Struct):
    """One content part. `text` is the transcript if the part is audio; None there means that there is none (yet)."""

    type: PartType
    text: str | None = None
    audio: bytearray = field(default_factory=bytearray)
    truncated: bool = False


class Snapshot(Struct, frozen=True, kw_only=True):
    """One item at the moment of asking."""

    id: str
    type: ItemType
    role: Role | None
    status: Status
    text: str
    """Text, or the transcript of audio; a truncated part has none."""
    frames: int
    generated_frames: int
    phase: str | None
    call_id: str
    name: str
    arguments: str
    output: str
    truncated: bool
    deleted: bool

    @property
    def audio_ms(self) -> int:
        """How much audio the server holds, in whole ms."""
        return self.frames // FRAMES_PER_MS

    @property
    def generated_ms(self) -> int:
        """How much audio it sent, in whole ms."""
        return self.generated_frames // FRAMES_PER_MS


class Entry(Struct, kw_only=True):
    """One item as the server holds it."""

    id: str
    type: ItemType = "message"
    role: Role | None = None
    status: Status = "completed"
    content: list[Part] = []
    phase: str | None = None
    call_id: str = ""
    name: str = ""
    arguments: str = ""
    output: str = ""
    generated: int = 0
    """Frames of audio that were sent to the client for this item, whatever became of them."""
    deleted: bool = False

    @property
    def truncated(self) -> bool:
        return any(part.truncated for part in self.content)

    @property
    def text(self) -> str:
        return "".join(part.text or "" for part in self.content)

    @property
    def size(self) -> int:
        """Bytes of audio and characters."""
        return len(self.arguments) + len(self.output) + sum(len(p.audio) + len(p.text or "") for p in self.content)

    @property
    def frames(self) -> int:
        """Frames of audio that the server holds for this item."""
        return sum(len(part.audio) for part in self.content) // 2

    def generate(self, pcm: bytes, *, held: int | None = None) -> None:
        """Count `pcm` as sent, and hold it in the last part (up to `held` frames, if given), unless that is cut."""
        self.generated += len(pcm) // 2
        part = self.content[-1]
        if not part.truncated:
            part.audio += pcm
            if held is not None:
                del part.audio[2 * held :]

    def snapshot(self) -> Snapshot:
        return Snapshot(
            id=self.id,
            type=self.type,
            role=self.role,
            status=self.status,
            text=self.text,
            frames=self.frames,
            generated_frames=self.generated,
            phase=self.phase,
            call_id=self.call_id,
            name=self.name,
            arguments=self.arguments,
            output=self.output,
            truncated=self.truncated,
            deleted=self.deleted,
        )


class Conversation:
    """The ordered items of one session."""

    def __init__(self, conversation_id: str = "conv") -> None:
        self.id = conversation_id
        self._items: list[Entry] = []
        self._deleted: list[Entry] = []

    # ---------------------------------------------------------------------------------------------------- reading

    @property
    def items(self) -> tuple[Snapshot, ...]:
        """What the server holds now, in order."""
        return tuple(map(Entry.snapshot, self._items))

    @property
    def deleted(self) -> tuple[Snapshot, ...]:
        """What it held and was told to delete, in the order of deletion."""
        return tuple(map(Entry.snapshot, self._deleted))

    def __contains__(self, item_id: str) -> bool:
        return self._find(item_id) is not None

    @property
    def last_id(self) -> str | None:
        return self._items[-1].id if self._items else None

    def retrieve(self, item_id: str) -> Entry:
        return self._known(item_id, "retrieve", "retrieving")

    # --------------------------------------------------------------------------------------------------- changing

    def check_room(self) -> None:
        """Before a client makes the conversation longer. Raises Rejected."""
        entries = [*self._items, *self._deleted]
        if len(entries) >= MOST_ITEMS or sum(entry.size for entry in entries) >= MOST_BYTES:
            message = f"A conversation may have {MOST_ITEMS} items and {MOST_BYTES} bytes: begin another session."
            raise Rejected("conversation_too_long", message)

    def append(self, entry: Entry) -> str | None:
        """The server's own items go to the end. Returns the id of the item before it."""
        previous = self.last_id
        self._items.append(entry)
        return previous

    def create(self, entry: Entry, previous_item_id: str | None = None) -> str | None:
        """A client's item goes behind `previous_item_id`: absent or empty is the end, `root` the front.

        Returns the `previous_item_id` to report. An id that is already held is not refused: OpenAI reports the item
        as its own predecessor, and appends the content.
        """
        self.check_room()
        if entry.type == "function_call_output" and not self._has_call(entry.call_id):
            raise Rejected("invalid_tool_call_id", f"Tool call ID '{entry.call_id}' not found in conversation.")
        if held := self._find(entry.id):
            held.content += entry.content
            return held.id
        if not previous_item_id:
            return self.append(entry)
        if previous_item_id == "root":
            self._items.insert(0, entry)
            return None
        for index, item in enumerate(self._items):
            if item.id == previous_item_id:
                self._items.insert(index + 1, entry)
                return previous_item_id
        raise Rejected(
            "item_create_invalid_previous_item_id",
            f"Error creating item: the previous item with id '{previous_item_id}' does not exist.",
            "previous_item_id",
        )

    def delete(self, item_id: str) -> None:
        entry = self._known(item_id, "delete", "deleting")
        self._items.remove(entry)
        entry.deleted = True
        self._deleted.append(entry)

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> None:
        """Cut an assistant's audio at `audio_end_ms`, which may be its very end, and drop the whole transcript."""
        entry = self._known(item_id, "truncate", "truncating")
        if entry.role != "assistant" or audio_end_ms <= 0 or not entry.frames:
            raise Rejected("unsupported_content_type", "Only model output audio messages can be truncated")
        if not 0 <= content_index < len(entry.content):
            message = f"Error truncating item: '{item_id}' has no content part with index {content_index}."
            raise Rejected("invalid_value", message, "content_index")
        part = entry.content[content_index]
        if part.type != "output_audio":
            raise Rejected("unsupported_content_type", "Only model output audio messages can be truncated")
        length_ms = len(part.audio) // BYTES_PER_MS
        if audio_end_ms > length_ms:
            message = f"Audio content of {length_ms}ms is already shorter than {audio_end_ms}ms"
            raise Rejected("invalid_value", message, "audio_end_ms")
        del part.audio[audio_end_ms * BYTES_PER_MS :]
        part.text = None
        part.truncated = True

    # ---------------------------------------------------------------------------------------------------- helpers

    def _find(self, item_id: str) -> Entry | None:
        return next((entry for entry in self._items if entry.id == item_id), None)

    def _known(self, item_id: str, verb: str, gerund: str) -> Entry:
        if entry := self._find(item_id):
            return entry
        message = f"Error {gerund} item: the item with id '{item_id}' does not exist."
        raise Rejected(f"item_{verb}_invalid_item_id", message)

    def _has_call(self, call_id: str) -> bool:
        return any(entry.type == "function_call" and entry.call_id == call_id for entry in self._items)

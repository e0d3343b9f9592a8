"""What we and a provider tell one another: provider events (from a server) and commands (to a server).

These words are neutral: an adapter translates its provider's wire events into them and its commands out of them.
Audio is always mono PCM16 little-endian; a *frame* is one sample (2 bytes). Nothing here does anything.
"""

from typing import Any, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import asdict

BYTES_PER_FRAME = 2

ItemKind: TypeAlias = Literal["message", "function_call", "function_call_output", "other"]
Role: TypeAlias = Literal["system", "user", "assistant"]
ItemStatus: TypeAlias = Literal["in_progress", "completed", "incomplete"]
ResponseStatus: TypeAlias = Literal["completed", "cancelled", "incomplete", "failed"]


class Item(Struct, frozen=True, kw_only=True, gc=False):
    """One entry of the conversation as the server describes it, or as we ask it to hold it."""

    id: str
    kind: ItemKind = "message"
    role: Role | None = None
    text: str = ""
    """Text, or the transcript of audio, of all content parts."""
    status: ItemStatus = "completed"
    phase: str | None = None
    """What a message is for, where the provider says it: `commentary` or `final_answer`."""
    call_id: str = ""
    name: str = ""
    arguments: str = ""
    output: str = ""
    audio: bytes = b""
    """A turn of the user that a server is to be told as it sounded, PCM16; `text` is its transcript, if it is known."""

    def __repr__(self) -> str:
        """Without what it has not; of audio only how much it is, since thousands of bytes tell nobody anything."""
        told = {name: repr(value) for name, value in asdict(self).items() if value}
        if self.audio:
            told["audio"] = f"<{len(self.audio)} bytes>"
        return f"Item({', '.join(f'{name}={value}' for name, value in told.items())})"


class Function(Struct, frozen=True, gc=False):
    """A function that the model may call."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = {}
    """JSON Schema of its arguments: of an object."""


class Setup(Struct, frozen=True, kw_only=True, gc=False):
    """What a session asks of its server, over what the provider was configured with by hand."""

    functions: tuple[Function, ...] = ()
    """That the model may call, besides the provider's own."""
    server_acts: bool = True
    """Whether the server may by itself end a response when it hears the user, and start one when their turn ends. If
    not, it says what it hears, and we do so where the policy wants it."""


class ResponseOptions(Struct, frozen=True, kw_only=True, gc=False):
    """How one response is to be; what is None is as the session has it."""

    instructions: str | None = None
    """Instead of the session's."""
    functions: tuple[Function, ...] | None = None
    """That the model may call, instead of the session's."""
    tool_choice: str | None = None
    """`auto`, `none`, `required`, or the name of the function that it has to call."""
    output: Literal["audio", "text"] | None = None
    input: tuple[Item, ...] | None = None
    """What it answers, instead of the conversation. An item that has an id and nothing else is one of the
    conversation's."""
    max_output_tokens: int | None = None
    metadata: dict[str, str] = {}
    out_of_band: bool = False
    """Outside of the conversation: beside the default response, and neither heard nor in the history."""
    say: str | None = None
    """These words and no others."""


# ------------------------------------------------------------------------------------------------ provider events


class SessionStarted(Struct, frozen=True, tag=True, gc=False):
    """The server accepted the connection and told the session's id."""

    session_id: str
    expires_at: float | None = None
    """When the provider will end the session, in unix seconds."""


class SessionConfigured(Struct, frozen=True, tag=True, gc=False):
    """The server took over our configuration."""


class SpeechStarted(Struct, frozen=True, tag=True, gc=False):
    """The server hears the user speak. `item_id` is the *user's* coming item, never the assistant's."""

    item_id: str
    audio_ms: int
    """Where in the input audio the speech began, in ms since the first sample sent."""


class SpeechStopped(Struct, frozen=True, tag=True, gc=False):
    item_id: str
    audio_ms: int


class InputCommitted(Struct, frozen=True, tag=True, gc=False):
    """The user's audio became an item."""

    item_id: str
    previous_item_id: str | None = None


class InputCleared(Struct, frozen=True, tag=True, gc=False):
    """What was sent of the user's audio, and not made an item of, was thrown away."""


class InputTranscript(Struct, frozen=True, tag=True, gc=False):
    """What the user said, as a recogniser heard it: the next piece of it, or (`final`) all of it."""

    item_id: str
    text: str
    final: bool = False


class InputTranscriptFailed(Struct, frozen=True, tag=True, gc=False):
    item_id: str
    message: str


class ResponseStarted(Struct, frozen=True, tag=True, gc=False):
    response_id: str
    request_id: str | None = None
    """The `CreateResponse.operation_id` that asked for it, where the provider says so; None for a server's own."""
    out_of_band: bool = False
    """True for a response that is not part of the conversation."""


class OutputStarted(Struct, frozen=True, tag=True, gc=False):
    """A response announced one item of its output (`item.status` in progress, no content yet)."""

    response_id: str
    output_index: int
    item: Item


class AudioDelta(Struct, frozen=True, tag=True, gc=False):
    """The next PCM16 bytes of a message; a piece may end in the middle of a frame."""

    response_id: str
    item_id: str
    audio: bytes
    part: int = 0
    """Which of the message's content parts it belongs to: most have one."""


class AudioDone(Struct, frozen=True, tag=True, gc=False):
    """No more audio comes for this part of a message."""

    response_id: str
    item_id: str
    part: int = 0


class TextDelta(Struct, frozen=True, tag=True, gc=False):
    """The next piece of a message's text."""

    response_id: str
    item_id: str
    text: str
    spoken: bool = True
    """True for the transcript of audio, False for text that is only shown."""
    part: int = 0
    start_ms: int | None = None
    """Where in the audio of its part it is spoken, and up to `end_ms`, if the provider says it."""
    end_ms: int | None = None


class TextDone(Struct, frozen=True, tag=True, gc=False):
    """All of the text of one part of a message (`spoken` as in `TextDelta`)."""

    response_id: str
    item_id: str
    text: str
    spoken: bool = True
    part: int = 0


class OutputDone(Struct, frozen=True, tag=True, gc=False):
    """A response finished one item of its output; a function call is complete if `item.status` is."""

    response_id: str
    output_index: int
    item: Item


class ResponseDone(Struct, frozen=True, tag=True, gc=False):
    """Generation is over, whatever the outcome."""

    response_id: str
    status: ResponseStatus
    reason: str = ""
    """The provider's word for why it is not completed, e.g. `turn_detected` or `rate_limit_exceeded`."""
    message: str = ""
    """The provider's sentence for people, if it gave one."""
    output: tuple[Item, ...] = ()
    request_id: str | None = None
    """As in `ResponseStarted`: for servers that end what they never said to have begun."""


class ItemAdded(Struct, frozen=True, tag=True, gc=False):
    """The server holds this item. `previous_item_id` None means the front, or that it was not told."""

    item: Item
    previous_item_id: str | None = None


class ItemDone(Struct, frozen=True, tag=True, gc=False):
    item: Item


class ItemTruncated(Struct, frozen=True, tag=True, gc=False):
    item_id: str
    audio_end_ms: int


class ItemDeleted(Struct, frozen=True, tag=True, gc=False):
    item_id: str


class HandoffRequested(Struct, frozen=True, tag=True, gc=False):
    """The model hands what the user wants to a text agent, where that is an event of its own and no function call."""

    handoff_id: str
    item_id: str
    text: str
    """What the user said, as far as it was understood by then."""


ErrorKind: TypeAlias = Literal[
    "absent",  # the item named does not exist on the server
    "too_short",  # truncate beyond the audio's end; `limit_ms` says where it ends
    "not_truncatable",  # truncate of something without audio
    "busy",  # another response is active; `response_id` names it if told
    "not_active",  # cancel, with nothing to cancel
    "input_empty",  # commit without enough audio
    "malformed",  # a frame we could not read (made by the adapter, not sent by a server)
    "expired",  # the provider's session limit
    "fatal",  # key, quota, account: trying again cannot help
    "other",
]


class ProviderError(Struct, frozen=True, tag=True, gc=False, kw_only=True):
    """Something was refused or went wrong; routed to the operation that caused it."""

    kind: ErrorKind
    message: str
    code: str = ""
    operation_id: str | None = None
    limit_ms: int | None = None
    response_id: str | None = None


class Unknown(Struct, frozen=True, tag=True, gc=False):
    """An event that this adapter has no word for: passed on by name, never an error."""

    name: str
    """The provider's word for it."""


ProviderEvent: TypeAlias = (
    SessionStarted
    | SessionConfigured
    | SpeechStarted
    | SpeechStopped
    | InputCommitted
    | InputCleared
    | InputTranscript
    | InputTranscriptFailed
    | ResponseStarted
    | OutputStarted
    | AudioDelta
    | AudioDone
    | TextDelta
    | TextDone
    | OutputDone
    | ResponseDone
    | ItemAdded
    | ItemDone
    | ItemTruncated
    | ItemDeleted
    | HandoffRequested
    | ProviderError
    | Unknown
)

# ------------------------------------------------------------------------------------------------------- commands


class AppendAudio(Struct, frozen=True, tag=True, gc=False):
    """The user's audio; never acknowledged."""

    audio: bytes


class CommitAudio(Struct, frozen=True, tag=True, gc=False):
    operation_id: str


class ClearAudio(Struct, frozen=True, tag=True, gc=False):
    operation_id: str


class CreateItem(Struct, frozen=True, tag=True, gc=False):
    operation_id: str
    item: Item
    after: str | None = None
    """The item to stand behind; None appends, `""` is the front."""


class TruncateItem(Struct, frozen=True, tag=True, gc=False):
    operation_id: str
    item_id: str
    audio_end_ms: int
    """Of the audio of that part."""
    part: int = 0


class DeleteItem(Struct, frozen=True, tag=True, gc=False):
    operation_id: str
    item_id: str


class CreateResponse(Struct, frozen=True, tag=True, gc=False):
    operation_id: str
    options: ResponseOptions = ResponseOptions()


class CancelResponse(Struct, frozen=True, tag=True, gc=False):
    operation_id: str
    response_id: str


class AppendHandoff(Struct, frozen=True, tag=True, gc=False):
    """What the text agent has to say on a `HandoffRequested`."""

    operation_id: str
    handoff_id: str
    text: str


Command: TypeAlias = (
    AppendAudio
    | CommitAudio
    | ClearAudio
    | CreateItem
    | TruncateItem
    | DeleteItem
    | CreateResponse
    | CancelResponse
    | AppendHandoff
)

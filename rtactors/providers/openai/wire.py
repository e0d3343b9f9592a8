"""The OpenAI Realtime protocol as types: each event of both directions, and nothing but types and their codecs.

A client decodes `ServerEvent` and encodes `ClientEvent`; a server does the reverse, with the same types. Names and
fields are those of the GA protocol over websocket: one JSON object per *text* frame, audio in base64 (here `bytes`).

How strict each type is depends on who reads it:

- What a server sends is read tolerantly, since compatible servers differ and one odd field may not cost an event: words
  are `str` where a later server may have new ones, settings and usage that nobody here reads are `Any`, and what the
  protocol requires but we can do without has a default (which is written when it is encoded). Required is only what an
  event means nothing without.
- What a client sends is read strictly: a server must be able to say what is wrong with it.

An optional field is `Maybe`: absent is `UNSET`, null is `None`, and both are falsy. The difference matters: a null
`turn_detection` switches voice detection off, an absent one leaves it as it is. Decoding and encoding an event gives
the same JSON again (but for unknown fields, which are dropped).
"""

from typing import Any, Literal, TypeAlias, TypeVar, get_args

import msgspec
from msgspec import UNSET, Struct, UnsetType

T = TypeVar("T")
Maybe: TypeAlias = T | UnsetType | None

Milliseconds: TypeAlias = int | float
"""OpenAI writes whole numbers, some servers fractions."""
Modality: TypeAlias = Literal["audio", "text"]
TokenLimit: TypeAlias = int | Literal["inf"]

# gc=False: no type here can be part of a reference cycle that would need the collector to free it.


class Object(Struct, kw_only=True, gc=False):
    """Base of everything that has no `type` of ours."""


# --------------------------------------------------------------------------------------------------------- settings


class AudioFormat(Object):
    """PCM16 mono little-endian is only taken at 24000 Hz; G.711 (`audio/pcmu`, `audio/pcma`) has 8000 Hz, unsaid."""

    type: Maybe[Literal["audio/pcm", "audio/pcmu", "audio/pcma"]] = UNSET
    rate: Maybe[int] = UNSET


class ServerVad(Object, tag_field="type", tag="server_vad"):
    """Turns end after a silence. Left out, OpenAI takes 0.5, 300 ms, 500 ms, and true for both responses."""

    threshold: Maybe[float] = UNSET
    """0 to 1: how loud speech has to be."""
    prefix_padding_ms: Maybe[int] = UNSET
    silence_duration_ms: Maybe[int] = UNSET
    idle_timeout_ms: Maybe[int] = UNSET
    """Without speech for so long after a response, the model is asked to speak again."""
    create_response: Maybe[bool] = UNSET
    """The server starts a response when the user's turn ends."""
    interrupt_response: Maybe[bool] = UNSET
    """The server cancels the active response when the user speaks; true stands without `create_response`, too."""


class SemanticVad(Object, tag_field="type", tag="semantic_vad"):
    """Turns end when what was said sounds finished; it waits 8, 4 or 2 s at most (low, medium or auto, high)."""

    eagerness: Maybe[Literal["low", "medium", "high", "auto"]] = UNSET
    create_response: Maybe[bool] = UNSET
    interrupt_response: Maybe[bool] = UNSET


TurnDetection: TypeAlias = ServerVad | SemanticVad


class NoiseReduction(Object):
    type: Maybe[Literal["near_field", "far_field"]] = UNSET
    strength: Maybe[float] = UNSET


class Transcription(Object):
    """How the user's speech is written down, by a model of its own."""

    model: Maybe[str] = UNSET
    language: Maybe[str] = UNSET
    languages: Maybe[list[str]] = UNSET
    prompt: Maybe[str] = UNSET
    keywords: Maybe[list[str]] = UNSET
    delay: Maybe[Literal["minimal", "low", "medium", "high", "xhigh"]] = UNSET


class AudioInput(Object):
    """Null switches noise reduction, transcription or turn detection off."""

    format: Maybe[AudioFormat] = UNSET
    noise_reduction: Maybe[NoiseReduction] = UNSET
    transcription: Maybe[Transcription] = UNSET
    turn_detection: Maybe[TurnDetection] = UNSET


class VoiceId(Object):
    """A custom voice."""

    id: str


class AudioOutput(Object):
    format: Maybe[AudioFormat] = UNSET
    voice: Maybe[str | VoiceId] = UNSET
    """Fixed once the session has given audio."""
    speed: Maybe[float] = UNSET


class SessionAudio(Object):
    input: Maybe[AudioInput] = UNSET
    output: Maybe[AudioOutput] = UNSET


class FunctionTool(Object, tag_field="type", tag="function"):
    name: Maybe[str] = UNSET
    description: Maybe[str] = UNSET
    parameters: Maybe[Any] = UNSET
    """JSON Schema of the arguments."""


class McpToolFilter(Object):
    tool_names: Maybe[list[str]] = UNSET
    read_only: Maybe[bool] = UNSET


class McpApprovalFilter(Object):
    always: Maybe[McpToolFilter] = UNSET
    never: Maybe[McpToolFilter] = UNSET


class McpTool(Object, tag_field="type", tag="mcp"):
    """Tools of a remote server that OpenAI's own server calls."""

    server_label: str
    server_url: Maybe[str] = UNSET
    server_description: Maybe[str] = UNSET
    connector_id: Maybe[str] = UNSET
    tunnel_id: Maybe[str] = UNSET
    authorization: Maybe[str] = UNSET
    headers: Maybe[dict[str, str]] = UNSET
    allowed_tools: Maybe[list[str] | McpToolFilter] = UNSET
    allowed_callers: Maybe[list[Literal["direct", "programmatic"]]] = UNSET
    require_approval: Maybe[Literal["always", "never"] | McpApprovalFilter] = UNSET
    defer_loading: Maybe[bool] = UNSET

    def __repr__(self) -> str:  # authorization and headers hold keys: they may stand in no log
        return f"McpTool(server_label={self.server_label!r})"


Tool: TypeAlias = FunctionTool | McpTool


class FunctionChoice(Object, tag_field="type", tag="function"):
    name: str


class McpChoice(Object, tag_field="type", tag="mcp"):
    server_label: str
    name: Maybe[str] = UNSET


ToolChoice: TypeAlias = Literal["auto", "none", "required"] | FunctionChoice | McpChoice


class Reasoning(Object):
    effort: Maybe[Literal["minimal", "low", "medium", "high", "xhigh"]] = UNSET


class Prompt(Object):
    id: str
    version: Maybe[str] = UNSET
    variables: Maybe[dict[str, Any]] = UNSET


class TokenLimits(Object):
    post_instructions: Maybe[int] = UNSET


class RetentionRatio(Object, tag_field="type", tag="retention_ratio"):
    """What of the context is kept when it is full."""

    retention_ratio: float
    token_limits: Maybe[TokenLimits] = UNSET


class Tracing(Object):
    group_id: Maybe[str] = UNSET
    metadata: Maybe[Any] = UNSET
    workflow_name: Maybe[str] = UNSET


class RealtimeSession(Object, tag_field="type", tag="realtime"):
    """The settings of a session, or a patch of them: only present fields change."""

    model: Maybe[str] = UNSET
    """Can't be changed once connected."""
    instructions: Maybe[str] = UNSET
    output_modalities: Maybe[list[Modality]] = UNSET
    """One of the two, never both: audio comes with its transcript."""
    audio: Maybe[SessionAudio] = UNSET
    tools: Maybe[list[Tool]] = UNSET
    tool_choice: Maybe[ToolChoice] = UNSET
    parallel_tool_calls: Maybe[bool] = UNSET
    reasoning: Maybe[Reasoning] = UNSET
    max_output_tokens: Maybe[TokenLimit] = UNSET
    truncation: Maybe[Literal["auto", "disabled"] | RetentionRatio] = UNSET
    tracing: Maybe[Literal["auto"] | Tracing] = UNSET
    prompt: Maybe[Prompt] = UNSET
    include: Maybe[list[str]] = UNSET


class TranscriptionSessionAudio(Object):
    input: Maybe[AudioInput] = UNSET


class TranscriptionSession(Object, tag_field="type", tag="transcription"):
    """A session that only writes down what it hears."""

    audio: Maybe[TranscriptionSessionAudio] = UNSET
    include: Maybe[list[str]] = UNSET


Session: TypeAlias = RealtimeSession | TranscriptionSession


class SessionState(Object):
    """A session as its server reports it. Settings are open: servers report them in shapes of their own."""

    type: str = "realtime"
    object: str = "realtime.session"
    id: str = ""
    expires_at: Maybe[int | float] = UNSET
    """Unix seconds."""
    model: Maybe[str] = UNSET
    instructions: Maybe[Any] = UNSET
    output_modalities: Maybe[Any] = UNSET
    audio: Maybe[Any] = UNSET
    tools: Maybe[Any] = UNSET
    tool_choice: Maybe[Any] = UNSET
    parallel_tool_calls: Maybe[Any] = UNSET
    reasoning: Maybe[Any] = UNSET
    max_output_tokens: Maybe[Any] = UNSET
    truncation: Maybe[Any] = UNSET
    tracing: Maybe[Any] = UNSET
    prompt: Maybe[Any] = UNSET
    include: Maybe[Any] = UNSET


# ------------------------------------------------------------------------------------------------ items, responses


class ContentPart(Object):
    """One part of a message: `input_text`, `input_audio`, `input_image`, `output_text`, `output_audio`.

    In `response.content_part.*`, and everywhere in the beta, the output types are called `text` and `audio`.
    """

    type: Maybe[str] = UNSET
    text: Maybe[str] = UNSET
    transcript: Maybe[str] = UNSET
    audio: Maybe[bytes] = UNSET
    image_url: Maybe[str] = UNSET
    detail: Maybe[str] = UNSET


class Item(Object):
    """One entry of the conversation. One type for all kinds, since servers may add kinds: which fields it has tells
    `type`: `message` (role, content), `function_call` (name, arguments, call_id), `function_call_output` (call_id,
    output), `mcp_list_tools`, `mcp_call`, `mcp_approval_request`, `mcp_approval_response`; in the input of a response
    also `item_reference` (id).
    """

    type: str
    id: Maybe[str] = UNSET
    object: Maybe[str] = UNSET
    status: Maybe[str] = UNSET
    """`in_progress`, `completed` or `incomplete`."""
    role: Maybe[str] = UNSET
    content: Maybe[list[ContentPart]] = UNSET
    phase: Maybe[str] = UNSET
    """`commentary` or `final_answer`: sent by gpt-realtime-2, though not in OpenAI's own types."""
    call_id: Maybe[str] = UNSET
    name: Maybe[str] = UNSET
    arguments: Maybe[str] = UNSET
    output: Maybe[str] = UNSET
    server_label: Maybe[str] = UNSET
    tools: Maybe[Any] = UNSET
    approval_request_id: Maybe[str] = UNSET
    approve: Maybe[bool] = UNSET
    reason: Maybe[str] = UNSET
    error: Maybe[Any] = UNSET


class StatusError(Object):
    type: Maybe[str] = UNSET
    code: Maybe[str | int] = UNSET
    message: Maybe[str] = UNSET


class StatusDetails(Object):
    type: Maybe[str] = UNSET
    reason: Maybe[str] = UNSET
    """`turn_detected`, `client_cancelled`, `max_output_tokens` or `content_filter`."""
    error: Maybe[StatusError] = UNSET


class Response(Object):
    id: str
    object: Maybe[str] = UNSET
    status: Maybe[str] = UNSET
    """`in_progress`, `completed`, `cancelled`, `incomplete` or `failed`."""
    status_details: Maybe[StatusDetails] = UNSET
    output: Maybe[list[Item]] = UNSET
    conversation_id: Maybe[str] = UNSET
    """Null for a response out of band."""
    output_modalities: Maybe[Any] = UNSET
    audio: Maybe[Any] = UNSET
    max_output_tokens: Maybe[Any] = UNSET
    metadata: Maybe[dict[str, Any]] = UNSET
    usage: Maybe[Any] = UNSET


class ResponseAudioOutput(Object):
    format: Maybe[AudioFormat] = UNSET
    voice: Maybe[str | VoiceId] = UNSET


class ResponseAudio(Object):
    output: Maybe[ResponseAudioOutput] = UNSET


class ResponseParams(Object):
    """What a response is to be like; each field stands instead of the session's, `instructions` too."""

    instructions: Maybe[str] = UNSET
    conversation: Maybe[str] = UNSET
    """`auto`, or `none` for a response out of band."""
    input: Maybe[list[Item]] = UNSET
    """The context instead of the conversation; `[]` is an empty one."""
    metadata: Maybe[dict[str, str]] = UNSET
    """At most 16 pairs, keys of 64, values of 512 characters; `response.created` and `response.done` repeat it."""
    output_modalities: Maybe[list[Modality]] = UNSET
    audio: Maybe[ResponseAudio] = UNSET
    tools: Maybe[list[Tool]] = UNSET
    tool_choice: Maybe[ToolChoice] = UNSET
    parallel_tool_calls: Maybe[bool] = UNSET
    reasoning: Maybe[Reasoning] = UNSET
    max_output_tokens: Maybe[TokenLimit] = UNSET
    prompt: Maybe[Prompt] = UNSET


class Conversation(Object):
    id: Maybe[str] = UNSET
    object: Maybe[str] = UNSET


class ErrorDetail(Object):
    type: str = ""
    message: str = ""
    code: Maybe[str | int] = UNSET
    param: Maybe[Any] = UNSET
    event_id: Maybe[str] = UNSET
    """The client event that caused it; null if it had no id, or if the server's own voice detection did."""


class TranscriptionError(Object):
    type: Maybe[str] = UNSET
    code: Maybe[str | int] = UNSET
    message: Maybe[str] = UNSET
    param: Maybe[Any] = UNSET


class RateLimit(Object):
    name: Maybe[str] = UNSET
    limit: Maybe[int] = UNSET
    remaining: Maybe[int] = UNSET
    reset_seconds: Maybe[float] = UNSET


# ---------------------------------------------------------------------------------------------------- client events


class FromClient(Struct, kw_only=True, gc=False, tag_field="type"):
    """Base of what a client sends. Only an error repeats its `event_id`: give each event one."""

    event_id: Maybe[str] = UNSET


class SessionUpdate(FromClient, tag="session.update"):
    session: Session


class InputAudioBufferAppend(FromClient, tag="input_audio_buffer.append"):
    """At most 15 MiB of audio; never acknowledged."""

    audio: bytes


class InputAudioBufferCommit(FromClient, tag="input_audio_buffer.commit"):
    """Refused for less than 100 ms of audio; starts no response."""


class InputAudioBufferClear(FromClient, tag="input_audio_buffer.clear"):
    pass


class OutputAudioBufferClear(FromClient, tag="output_audio_buffer.clear"):
    """For WebRTC and SIP only."""


class ConversationItemCreate(FromClient, tag="conversation.item.create"):
    item: Item
    previous_item_id: Maybe[str] = UNSET
    """The item to stand behind; absent appends, `root` is the front."""


class ConversationItemRetrieve(FromClient, tag="conversation.item.retrieve"):
    item_id: str


class ConversationItemTruncate(FromClient, tag="conversation.item.truncate"):
    item_id: str
    content_index: int
    audio_end_ms: int


class ConversationItemDelete(FromClient, tag="conversation.item.delete"):
    item_id: str


class ResponseCreate(FromClient, tag="response.create"):
    response: Maybe[ResponseParams] = UNSET


class ResponseCancel(FromClient, tag="response.cancel"):
    response_id: Maybe[str] = UNSET


ClientEvent: TypeAlias = (
    SessionUpdate
    | InputAudioBufferAppend
    | InputAudioBufferCommit
    | InputAudioBufferClear
    | OutputAudioBufferClear
    | ConversationItemCreate
    | ConversationItemRetrieve
    | ConversationItemTruncate
    | ConversationItemDelete
    | ResponseCreate
    | ResponseCancel
)

# ---------------------------------------------------------------------------------------------------- server events


class FromServer(Struct, kw_only=True, gc=False, tag_field="type"):
    """Base of what a server sends."""

    event_id: str = ""


class OfResponse(FromServer, kw_only=True):
    """About an item that a response is making."""

    response_id: str
    output_index: int = 0


class OfOutputItem(OfResponse, kw_only=True):
    item_id: str


class OfContentPart(OfOutputItem, kw_only=True):
    content_index: int = 0


class ServerError(FromServer, tag="error"):
    """Most leave the session usable."""

    error: ErrorDetail


class SessionCreated(FromServer, tag="session.created"):
    """The first event of a connection."""

    session: SessionState


class SessionUpdated(FromServer, tag="session.updated"):
    session: SessionState


class ConversationCreated(FromServer, tag="conversation.created"):
    conversation: Conversation


class ConversationItemAdded(FromServer, tag="conversation.item.added"):
    """An item entered the conversation; the model's own have no content yet."""

    item: Item
    previous_item_id: Maybe[str] = UNSET


class ConversationItemDone(FromServer, tag="conversation.item.done"):
    item: Item
    previous_item_id: Maybe[str] = UNSET


class ConversationItemCreated(FromServer, tag="conversation.item.created"):
    """The beta's word for `conversation.item.added`; OpenAI's GA types keep it."""

    item: Item
    previous_item_id: Maybe[str] = UNSET


class ConversationItemRetrieved(FromServer, tag="conversation.item.retrieved"):
    """With its audio."""

    item: Item


class ConversationItemTruncated(FromServer, tag="conversation.item.truncated"):
    """The audio was cut, and the item's whole transcript removed."""

    item_id: str
    audio_end_ms: Milliseconds
    content_index: int = 0


class ConversationItemDeleted(FromServer, tag="conversation.item.deleted"):
    item_id: str


class InputAudioTranscriptionDelta(FromServer, tag="conversation.item.input_audio_transcription.delta"):
    item_id: str
    delta: Maybe[str] = UNSET
    content_index: Maybe[int] = UNSET
    logprobs: Maybe[Any] = UNSET


class InputAudioTranscriptionCompleted(FromServer, tag="conversation.item.input_audio_transcription.completed"):
    """May come after the reply to it."""

    item_id: str
    transcript: str
    content_index: int = 0
    usage: Maybe[Any] = UNSET
    logprobs: Maybe[Any] = UNSET
    languages: Maybe[Any] = UNSET


class InputAudioTranscriptionSegment(FromServer, tag="conversation.item.input_audio_transcription.segment"):
    item_id: str
    id: str
    text: str
    speaker: str
    start: float
    """Seconds."""
    end: float
    content_index: int = 0


class InputAudioTranscriptionFailed(FromServer, tag="conversation.item.input_audio_transcription.failed"):
    """The turn goes on all the same."""

    item_id: str
    error: TranscriptionError
    content_index: int = 0


class InputAudioBufferSpeechStarted(FromServer, tag="input_audio_buffer.speech_started"):
    """`item_id` is the one that the *user's* item will have; the offset is in the audio sent, padding included."""

    item_id: str
    audio_start_ms: Milliseconds


class InputAudioBufferSpeechStopped(FromServer, tag="input_audio_buffer.speech_stopped"):
    item_id: str
    audio_end_ms: Milliseconds


class InputAudioBufferCommitted(FromServer, tag="input_audio_buffer.committed"):
    item_id: str
    previous_item_id: Maybe[str] = UNSET


class InputAudioBufferCleared(FromServer, tag="input_audio_buffer.cleared"):
    pass


class InputAudioBufferTimeoutTriggered(FromServer, tag="input_audio_buffer.timeout_triggered"):
    """`idle_timeout_ms` went by: the silence is committed, and a response starts."""

    item_id: str
    audio_start_ms: Milliseconds
    audio_end_ms: Milliseconds


class InputAudioBufferDtmfEventReceived(
    Struct, gc=False, tag_field="type", tag="input_audio_buffer.dtmf_event_received"
):
    """A key of the telephone (SIP only); the one event without an `event_id`."""

    event: str
    received_at: int
    """Unix seconds."""


class OutputAudioBufferStarted(FromServer, tag="output_audio_buffer.started"):
    """Like its two sisters, comes over WebRTC and SIP only, where the server owns the playback."""

    response_id: str


class OutputAudioBufferStopped(FromServer, tag="output_audio_buffer.stopped"):
    response_id: str


class OutputAudioBufferCleared(FromServer, tag="output_audio_buffer.cleared"):
    response_id: str


class ResponseCreated(FromServer, tag="response.created"):
    response: Response


class ResponseDone(FromServer, tag="response.done"):
    """The end of each response, whatever its outcome."""

    response: Response


class ResponseOutputItemAdded(OfResponse, tag="response.output_item.added"):
    item: Item


class ResponseOutputItemDone(OfResponse, tag="response.output_item.done"):
    item: Item


class ResponseContentPartAdded(OfContentPart, tag="response.content_part.added"):
    part: ContentPart


class ResponseContentPartDone(OfContentPart, tag="response.content_part.done"):
    part: ContentPart


class ResponseOutputAudioDelta(OfContentPart, tag="response.output_audio.delta"):
    """Comes faster than real time."""

    delta: bytes


class ResponseOutputAudioDone(OfContentPart, tag="response.output_audio.done"):
    """The end of that part's audio, also when it was cut off by a cancel."""


class ResponseOutputAudioTranscriptDelta(OfContentPart, tag="response.output_audio_transcript.delta"):
    """Not aligned with the audio: it usually runs ahead."""

    delta: str
    start_time: Maybe[Any] = UNSET
    """Seconds of that part's audio at which it is spoken: xAI's servers say it, OpenAI's don't."""


class ResponseOutputAudioTranscriptDone(OfContentPart, tag="response.output_audio_transcript.done"):
    transcript: str


class ResponseOutputTextDelta(OfContentPart, tag="response.output_text.delta"):
    delta: str


class ResponseOutputTextDone(OfContentPart, tag="response.output_text.done"):
    text: str


class ResponseFunctionCallArgumentsDelta(OfOutputItem, tag="response.function_call_arguments.delta"):
    delta: str
    call_id: str = ""


class ResponseFunctionCallArgumentsDone(OfOutputItem, tag="response.function_call_arguments.done"):
    """Cut off in the middle if the response was cancelled."""

    arguments: str
    call_id: str = ""
    name: str = ""


class ResponseMcpCallArgumentsDelta(OfOutputItem, tag="response.mcp_call_arguments.delta"):
    delta: str
    obfuscation: Maybe[str] = UNSET


class ResponseMcpCallArgumentsDone(OfOutputItem, tag="response.mcp_call_arguments.done"):
    arguments: str


class ResponseMcpCallInProgress(FromServer, tag="response.mcp_call.in_progress"):
    item_id: str
    output_index: int = 0


class ResponseMcpCallCompleted(FromServer, tag="response.mcp_call.completed"):
    item_id: str
    output_index: int = 0


class ResponseMcpCallFailed(FromServer, tag="response.mcp_call.failed"):
    item_id: str
    output_index: int = 0


class McpListToolsInProgress(FromServer, tag="mcp_list_tools.in_progress"):
    item_id: str


class McpListToolsCompleted(FromServer, tag="mcp_list_tools.completed"):
    item_id: str


class McpListToolsFailed(FromServer, tag="mcp_list_tools.failed"):
    item_id: str


class RateLimitsUpdated(FromServer, tag="rate_limits.updated"):
    rate_limits: list[RateLimit]


ServerEvent: TypeAlias = (
    ServerError
    | SessionCreated
    | SessionUpdated
    | ConversationCreated
    | ConversationItemAdded
    | ConversationItemDone
    | ConversationItemCreated
    | ConversationItemRetrieved
    | ConversationItemTruncated
    | ConversationItemDeleted
    | InputAudioTranscriptionDelta
    | InputAudioTranscriptionCompleted
    | InputAudioTranscriptionSegment
    | InputAudioTranscriptionFailed
    | InputAudioBufferSpeechStarted
    | InputAudioBufferSpeechStopped
    | InputAudioBufferCommitted
    | InputAudioBufferCleared
    | InputAudioBufferTimeoutTriggered
    | InputAudioBufferDtmfEventReceived
    | OutputAudioBufferStarted
    | OutputAudioBufferStopped
    | OutputAudioBufferCleared
    | ResponseCreated
    | ResponseDone
    | ResponseOutputItemAdded
    | ResponseOutputItemDone
    | ResponseContentPartAdded
    | ResponseContentPartDone
    | ResponseOutputAudioDelta
    | ResponseOutputAudioDone
    | ResponseOutputAudioTranscriptDelta
    | ResponseOutputAudioTranscriptDone
    | ResponseOutputTextDelta
    | ResponseOutputTextDone
    | ResponseFunctionCallArgumentsDelta
    | ResponseFunctionCallArgumentsDone
    | ResponseMcpCallArgumentsDelta
    | ResponseMcpCallArgumentsDone
    | ResponseMcpCallInProgress
    | ResponseMcpCallCompleted
    | ResponseMcpCallFailed
    | McpListToolsInProgress
    | McpListToolsCompleted
    | McpListToolsFailed
    | RateLimitsUpdated
)

# ------------------------------------------------------------ the beta's names, which compatible servers still send


class BetaAudioDelta(ResponseOutputAudioDelta, tag="response.audio.delta"):
    pass


class BetaAudioDone(ResponseOutputAudioDone, tag="response.audio.done"):
    pass


class BetaAudioTranscriptDelta(ResponseOutputAudioTranscriptDelta, tag="response.audio_transcript.delta"):
    pass


class BetaAudioTranscriptDone(ResponseOutputAudioTranscriptDone, tag="response.audio_transcript.done"):
    pass


class BetaTextDelta(ResponseOutputTextDelta, tag="response.text.delta"):
    pass


class BetaTextDone(ResponseOutputTextDone, tag="response.text.done"):
    pass


BetaServerEvent: TypeAlias = (
    BetaAudioDelta | BetaAudioDone | BetaAudioTranscriptDelta | BetaAudioTranscriptDone | BetaTextDelta | BetaTextDone
)

# ----------------------------------------------------------------------------------------------------------- codecs

server_decoder = msgspec.json.Decoder[ServerEvent | BetaServerEvent](ServerEvent | BetaServerEvent)
"""For a client. Raises msgspec.DecodeError (ValidationError for wrong fields), UnicodeError, RecursionError."""

client_decoder = msgspec.json.Decoder[ClientEvent](ClientEvent)
"""For a server. Raises as `server_decoder` does."""

encoder = msgspec.json.Encoder()
"""For both. Gives UTF-8 bytes; the protocol wants them in a *text* frame."""

SERVER_TYPES: frozenset[str] = frozenset(
    event.__struct_config__.tag for event in (*get_args(ServerEvent), *get_args(BetaServerEvent))
)
CLIENT_TYPES: frozenset[str] = frozenset(event.__struct_config__.tag for event in get_args(ClientEvent))
"""The words that may stand in `type`, to tell an unknown event from one that is wrong."""

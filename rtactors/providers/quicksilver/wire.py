"""The quicksilver protocol as types: each event of both directions, and nothing but types and their codecs.

Names and fields are those that the public clients of it read and write: one JSON object per *text* frame, audio in
base64 (here `bytes`). What a server sends is read tolerantly: required is only what an event means nothing without.
"""

from typing import Any, Literal, TypeAlias, get_args

import msgspec
from msgspec import UNSET, Struct

from rtactors.providers.openai.wire import Maybe

# gc=False: no type here can be part of a reference cycle that would need the collector to free it.


class Object(Struct, kw_only=True, gc=False, omit_defaults=True):
    """Base of everything that has no `type` of ours."""


class FromServer(Struct, kw_only=True, gc=False, tag_field="type"):
    """Base of what a server sends."""


class FromClient(Struct, gc=False, tag_field="type"):
    """Base of what a client sends."""


# ------------------------------------------------------------------------------------------------------ parts of events


class SessionInfo(Object):
    id: str
    instructions: Maybe[str] = UNSET


class ContentPart(Object):
    type: str = ""
    text: Maybe[str] = UNSET
    transcript: Maybe[str] = UNSET


class Item(Object):
    type: str = ""
    id: Maybe[str] = UNSET
    role: Maybe[str] = UNSET
    content: Maybe[list[ContentPart]] = UNSET


class AudioFormat(Object, omit_defaults=False):
    type: Literal["audio/pcm"] = "audio/pcm"
    rate: int = 24_000


class AudioInput(Object, omit_defaults=False):
    format: AudioFormat


class AudioOutput(Object):
    voice: Maybe[str] = UNSET


class SessionAudio(Object, omit_defaults=False):
    input: AudioInput
    output: AudioOutput


class Session(Object, tag_field="type", tag="quicksilver"):
    audio: SessionAudio
    instructions: Maybe[str] = UNSET


# ------------------------------------------------------------------------------------------------- what a client sends


class SessionUpdate(FromClient, tag="session.update"):
    """The first thing that a client sends: the server says nothing before."""

    session: Session


class InputAudioBufferAppend(FromClient, tag="input_audio_buffer.append"):
    audio: bytes


class MessageToCreate(Object, omit_defaults=False, tag_field="type", tag="message"):
    role: Literal["user", "developer"]
    content: list[ContentPart]


class ConversationItemCreate(FromClient, tag="conversation.item.create"):
    item: MessageToCreate


class ConversationHandoffAppend(FromClient, tag="conversation.handoff.append"):
    """What the text agent has to say."""

    handoff_id: str
    output_text: str


ClientEvent: TypeAlias = SessionUpdate | InputAudioBufferAppend | ConversationItemCreate | ConversationHandoffAppend

# ------------------------------------------------------------------------------------------------- what a server sends


class SessionUpdated(FromServer, tag="session.updated"):
    session: SessionInfo


class OutputAudioDelta(FromServer, tag="conversation.output_audio.delta"):
    """PCM16. It says of no item or response that it belongs to one."""

    delta: Maybe[bytes] = UNSET
    data: Maybe[bytes] = UNSET
    """What some servers call `delta`."""
    sample_rate: Maybe[int] = UNSET
    channels: Maybe[int] = UNSET
    num_channels: Maybe[int] = UNSET
    """What some servers call `channels`."""


class Words(FromServer):
    """The next words of somebody."""

    delta: str
    item_id: Maybe[str] = UNSET
    """Most servers leave it out."""


class AllWords(FromServer):
    """All words of a turn or a message."""

    transcript: str
    item_id: Maybe[str] = UNSET


class InputTranscriptDelta(Words, tag="conversation.input_transcript.delta"):
    pass


class InputTranscriptionDelta(Words, tag="conversation.item.input_audio_transcription.delta"):
    pass


class InputTranscriptTurnMarked(AllWords, tag="conversation.input_transcript.turn_marked"):
    pass


class InputTranscriptionCompleted(AllWords, tag="conversation.item.input_audio_transcription.completed"):
    pass


class OutputTranscriptDelta(Words, tag="conversation.output_transcript.delta"):
    pass


class OutputTextDelta(Words, tag="response.output_text.delta"):
    pass


class OutputAudioTranscriptDelta(Words, tag="response.output_audio_transcript.delta"):
    pass


class OutputAudioTranscriptDone(AllWords, tag="response.output_audio_transcript.done"):
    pass


class ConversationItemAdded(FromServer, tag="conversation.item.added"):
    item: Item


class ConversationItemDone(FromServer, tag="conversation.item.done"):
    item: Item


class HandoffRequested(FromServer, tag="conversation.handoff.requested"):
    handoff_id: str
    item_id: str
    input_transcript: str


class ServerError(FromServer, tag="error"):
    """Its sentence is `message`, else `error.message`, else all of `error`."""

    message: Maybe[str] = UNSET
    error: Any = UNSET


ServerEvent: TypeAlias = (
    SessionUpdated
    | OutputAudioDelta
    | InputTranscriptDelta
    | InputTranscriptionDelta
    | InputTranscriptTurnMarked
    | InputTranscriptionCompleted
    | OutputTranscriptDelta
    | OutputTextDelta
    | OutputAudioTranscriptDelta
    | OutputAudioTranscriptDone
    | ConversationItemAdded
    | ConversationItemDone
    | HandoffRequested
    | ServerError
)

# ----------------------------------------------------------------------------------------------------------- codecs

server_decoder = msgspec.json.Decoder[ServerEvent](ServerEvent)
"""For a client. Raises msgspec.DecodeError (ValidationError for wrong fields), UnicodeError, RecursionError."""

client_decoder = msgspec.json.Decoder[ClientEvent](ClientEvent)
"""For a server. Raises as `server_decoder` does."""

encoder = msgspec.json.Encoder()
"""For both. Gives UTF-8 bytes; the protocol wants them in a *text* frame."""

SERVER_TYPES: frozenset[str] = frozenset(event.__struct_config__.tag for event in get_args(ServerEvent))
"""The words that may stand in `type`, to tell an unknown event from one that is wrong."""

"""The server's frames, in our words. Nothing here raises: a frame that can't be read is an event that says why."""

from collections.abc import Sequence
from typing import Any, Final

from rtactors.events import (
    AudioDelta,
    AudioDone,
    InputCleared,
    InputCommitted,
    InputTranscript,
    InputTranscriptFailed,
    Item,
    ItemAdded,
    ItemDeleted,
    ItemDone,
    ItemKind,
    ItemStatus,
    ItemTruncated,
    OutputDone,
    OutputStarted,
    ProviderEvent,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    Role,
    SessionConfigured,
    SessionStarted,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    TextDone,
)
from rtactors.providers.base import Frame
from rtactors.providers.openai import wire
from rtactors.providers.openai.errors import provider_error, sentence
from rtactors.providers.openai.requests import asked_for
from rtactors.providers.unread import unread


def decode(frame: Frame) -> Sequence[ProviderEvent]:
    """See `rtactors.providers.base.Provider.decode`."""
    try:
        return _translate(wire.server_decoder.decode(frame))
    # JSON, UTF-8, base64, wrong and missing fields are all ValueErrors; deep nesting is a RecursionError.
    except (ValueError, RecursionError) as error:
        return (unread(frame, error, wire.SERVER_TYPES),)


def _translate(event: wire.ServerEvent | wire.BetaServerEvent) -> Sequence[ProviderEvent]:  # noqa: C901, PLR0911, PLR0912 (a table: a case an event)
    """The most frequent first. What isn't here (rate limits, content parts, argument pieces, ...) means nothing to us:
    it repeats what other events say, or belongs to what we don't use.
    """
    match event:
        case wire.ResponseOutputAudioDelta():
            return (AudioDelta(event.response_id, event.item_id, event.delta, event.content_index),)
        case wire.ResponseOutputAudioTranscriptDelta():
            part, start_ms = event.content_index, _milliseconds(event.start_time)
            return (TextDelta(event.response_id, event.item_id, event.delta, part=part, start_ms=start_ms),)
        case wire.ResponseOutputTextDelta():
            part = event.content_index
            return (TextDelta(event.response_id, event.item_id, event.delta, spoken=False, part=part),)
        case wire.InputAudioBufferSpeechStarted():
            return (SpeechStarted(event.item_id, int(event.audio_start_ms)),)
        case wire.InputAudioBufferSpeechStopped():
            return (SpeechStopped(event.item_id, int(event.audio_end_ms)),)
        case wire.InputAudioBufferCleared():
            return (InputCleared(),)
        case wire.InputAudioBufferCommitted():
            return (InputCommitted(event.item_id, event.previous_item_id or None),)
        case wire.InputAudioTranscriptionDelta():
            return (InputTranscript(event.item_id, event.delta),) if event.delta else ()
        case wire.InputAudioTranscriptionCompleted():
            return (InputTranscript(event.item_id, event.transcript, final=True),)
        case wire.InputAudioTranscriptionFailed(error=error):
            return (
                InputTranscriptFailed(event.item_id, sentence(error.message or str(error.code or error.type or ""))),
            )
        case wire.ResponseCreated(response=response):
            request = asked_for(response)
            return (ResponseStarted(response.id, request.operation_id, request.out_of_band),)
        case wire.ResponseOutputItemAdded():
            return (OutputStarted(event.response_id, event.output_index, _output(event.item)),)
        case wire.ResponseOutputItemDone():
            return (OutputDone(event.response_id, event.output_index, _output(event.item)),)
        case wire.ResponseOutputAudioDone():
            return (AudioDone(event.response_id, event.item_id, event.content_index),)
        case wire.ResponseOutputAudioTranscriptDone():
            return (TextDone(event.response_id, event.item_id, event.transcript, part=event.content_index),)
        case wire.ResponseOutputTextDone():
            part = event.content_index
            return (TextDone(event.response_id, event.item_id, event.text, spoken=False, part=part),)
        case wire.ResponseDone(response=response):
            return _response_done(response)
        case wire.ConversationItemAdded() | wire.ConversationItemCreated():
            return (ItemAdded(_item(event.item), event.previous_item_id or None),)
        case wire.ConversationItemDone():
            return (ItemDone(_item(event.item)),)
        case wire.ConversationItemTruncated():
            return (ItemTruncated(event.item_id, int(event.audio_end_ms)),)
        case wire.ConversationItemDeleted():
            return (ItemDeleted(event.item_id),)
        case wire.SessionCreated(session=session):
            return (SessionStarted(session.id, session.expires_at or None),)
        case wire.SessionUpdated():
            return (SessionConfigured(),)
        case wire.ServerError(error=error):
            return (provider_error(error, error.event_id or None),)
        case _:
            return ()


def _milliseconds(seconds: Any) -> int | None:  # noqa: ANN401 - what a server says
    """None if it says nothing, or what can be no time within a message: that costs no word."""
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds <= _LONGEST_S:
        return round(seconds * 1000)
    return None


# -------------------------------------------------------------------------------------------- items and responses

_KINDS: Final[dict[str, ItemKind]] = {
    "message": "message",
    "function_call": "function_call",
    "function_call_output": "function_call_output",
}
_ROLES: Final[dict[Any, Role]] = {"system": "system", "user": "user", "assistant": "assistant"}
_ITEM_STATUSES: Final[dict[Any, ItemStatus]] = {"in_progress": "in_progress", "incomplete": "incomplete"}
_LONGEST_S: Final = 24 * 60 * 60
"""No message lasts longer than a day: no session does."""
_RESPONSE_STATUSES: Final[dict[str, ResponseStatus]] = {
    "completed": "completed",
    "cancelled": "cancelled",
    "incomplete": "incomplete",
    "failed": "failed",
}


def _output(item: wire.Item) -> Item:
    """What a response makes is the assistant's, also if nobody says so."""
    return _item(item, "assistant" if item.type == "message" else None)


def _item(item: wire.Item, role: Role | None = None) -> Item:
    if not item.id:
        raise ValueError("Object missing required field `id` - at `$.item`")
    return Item(
        id=item.id,
        kind=_KINDS.get(item.type, "other"),
        role=_ROLES.get(item.role) or role,
        text="".join(part.text or part.transcript or "" for part in item.content or ()),
        status=_ITEM_STATUSES.get(item.status, "completed"),
        phase=item.phase or None,
        call_id=item.call_id or "",
        name=item.name or "",
        arguments=item.arguments or "",
        output=item.output or "",
    )


def _response_done(response: wire.Response) -> Sequence[ProviderEvent]:
    """The end of a response, and, if it failed for what ends the session too (quota, session limit), that error."""
    details = response.status_details or wire.StatusDetails()
    error = details.error or wire.StatusError()
    status = response.status or details.type or "completed"
    known = _RESPONSE_STATUSES.get(status)
    done = ResponseDone(
        response.id,
        known or "failed",
        reason=sentence(str(details.reason or error.code or error.type or ("" if known else status))),
        message=sentence(error.message),
        output=tuple(_output(item) for item in response.output or () if item.id),
        request_id=asked_for(response).operation_id,
    )
    cause = provider_error(error, done.request_id)
    return (done, cause) if cause.kind in {"fatal", "expired"} else (done,)


# ------------------------------------------------------------------------------------------------- unread frames

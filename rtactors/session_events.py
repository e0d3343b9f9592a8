"""What a session lets its app see: one stream of facts, in the order they happened. Nothing here steers anything.

`at`, where something has a moment of its own, is in seconds of the session's clock (`anyio.current_time()`).
"""

from typing import Literal, TypeAlias

from msgspec import Struct

from rtactors.events import ErrorKind
from rtactors.history import HistoryItem


class Transition(Struct, frozen=True, tag=True, gc=False, kw_only=True):
    """Something moved through its chart: the answer to "why did my agent do that?"."""

    chart: str
    id: str
    before: str
    event: object
    after: str
    effects: tuple[object, ...]
    at: float


class ConnectionChanged(Struct, frozen=True, tag=True, gc=False):
    """`state` is one of the link chart's: `connected`, `reconnecting`, `closed`, and between them how the next
    connection is prepared before a provider's time limit. `reason` says why, where a connection ended on its own.
    """

    state: str
    reason: str
    at: float


class UserStartedSpeaking(Struct, frozen=True, tag=True, gc=False):
    item_id: str
    at: float


class UserStoppedSpeaking(Struct, frozen=True, tag=True, gc=False):
    item_id: str
    at: float


class UserSaid(Struct, frozen=True, tag=True, gc=False):
    """The transcript of a user's turn; it may come long after the reply to it began."""

    item_id: str
    text: str
    at: float


class UserTranscript(Struct, frozen=True, tag=True, gc=False):
    """The next piece of what the user says, as it is understood by now; in the end `UserSaid` tells all of it."""

    item_id: str
    text: str
    at: float


class UserWrote(Struct, frozen=True, tag=True, gc=False):
    """The app put words of the user's into the conversation (`Session.ask`, `Session.add`)."""

    item_id: str
    text: str
    at: float


class MessageAnnounced(Struct, frozen=True, tag=True, gc=False):
    """A response has one more message; it is pending."""

    message_id: str
    response_id: str
    phase: str | None
    at: float


class MessageText(Struct, frozen=True, tag=True, gc=False):
    """The next piece of a message's text as generated: it runs ahead of what is heard."""

    message_id: str
    text: str


class MessageShown(Struct, frozen=True, tag=True, gc=False):
    """The next piece of a message's text that no sound goes with: show it now. What was shown counts as heard."""

    message_id: str
    text: str


class Caption(Struct, frozen=True, tag=True, gc=False):
    """A word of a message begins to be heard. Captions of a message come in the order of its words, none is ever taken
    back but the last, and each names its message: another one's text may arrive meanwhile.
    """

    message_id: str
    text: str
    """With the white space around it, mostly that before it: joined, they are what was heard."""
    start_ms: int
    """Of the message's own audio."""
    end_ms: int
    at: float
    """When it began to be heard."""
    estimated: bool
    """False if the provider said when it is spoken."""


class CaptionsEnded(Struct, frozen=True, tag=True, gc=False, kw_only=True):
    """No more words of a message are heard: once for each of which some audio was, behind its last caption."""

    message_id: str
    words: tuple[Caption, ...]
    """Those that were heard to their ends: one that was stopped in the middle is not among them."""
    text: str
    """What stands in the history: the words joined, with what was shown, and with the session's mark if it was
    interrupted."""
    interrupted: bool
    at: float


CaptionEvent: TypeAlias = Caption | CaptionsEnded


class SpeechWanted(Struct, frozen=True, tag=True, gc=False):
    """A sentence of a message that the session's voice is to speak: the `number`th of that message, from 0."""

    message_id: str
    number: int
    text: str


class AgentStartedSpeaking(Struct, frozen=True, tag=True, gc=False):
    """The first of a response's messages is being heard; once per response."""

    response_id: str
    at: float


class AgentStoppedSpeaking(Struct, frozen=True, tag=True, gc=False):
    """Each message of the response has ended."""

    response_id: str
    at: float


class Interrupted(Struct, frozen=True, tag=True, gc=False):
    """What was being said, or about to be, was stopped: by the user's speech, or by the app."""

    by: Literal["user", "app"]
    response_ids: tuple[str, ...]
    """Of those that it stopped; none if nothing was being generated or heard."""
    at: float


class AgentStateChanged(Struct, frozen=True, tag=True, gc=False):
    """`state` is one of the agent chart's: `initializing`, `listening`, `thinking`, `speaking`, `closed`."""

    before: str
    state: str
    at: float


class AgentSaid(Struct, frozen=True, tag=True, gc=False):
    """A message was heard, in full or in part: what stands in the history now."""

    message: HistoryItem


class FunctionCalled(Struct, frozen=True, tag=True, gc=False):
    """A function call is complete and may be run, once. Answer it with `Session.answer_call`.

    With `resumed` it was handed over before the session was resumed, and nobody answered it: it may have been run, or
    not, or half. Only the app can tell, by the `call_id`, which stays the same.
    """

    call_id: str
    name: str
    arguments: str
    """JSON, as the model wrote it."""
    resumed: bool = False
    response_id: str = ""
    """Of the response that made it; `""` if it was resumed."""


class CallsComplete(Struct, frozen=True, tag=True, gc=False):
    """A response makes no more function calls: each that may be run was told before (`FunctionCalled`)."""

    response_id: str


class ToolProgress(Struct, frozen=True, tag=True, gc=False):
    """A tool that runs has told how far it is (`rtactors.tools.Call.progress`)."""

    call_id: str
    text: str
    at: float


class HandoffRequested(Struct, frozen=True, tag=True, gc=False):
    """The model hands what the user wants to a text agent, by an event of its own and no function call."""

    handoff_id: str
    item_id: str
    text: str


class Problem(Struct, frozen=True, tag=True, gc=False, kw_only=True):
    """Something went wrong that does not end the session."""

    kind: ErrorKind
    message: str
    operation: str = ""
    """Which operation or item it is about, if it is about one."""
    code: str = ""


class Unhandled(Struct, frozen=True, tag=True, gc=False):
    """The provider sent an event that this version has no word for."""

    name: str


class ConversationEnded(Struct, frozen=True, tag=True, gc=False):
    """Why the conversation is over: the last event of every stream, and the only one of its kind."""

    reason: Literal["requested", "transport_closed", "error"]
    """`requested`: the session's block was left. `transport_closed`: the server is gone, and no other could be had.
    `error`: anything else that it can't go on with, such as a refused key or a lost device, or what made it fail to
    start."""
    message: str
    """What happened, in a sentence; "" if it was requested."""
    at: float


class Dropped(Struct, frozen=True, tag=True, gc=False):
    """The reader was too slow: `count` events before this one are missing from its stream (never from the history)."""

    count: int


SessionEvent: TypeAlias = (
    Transition
    | ConnectionChanged
    | UserStartedSpeaking
    | UserStoppedSpeaking
    | UserTranscript
    | UserSaid
    | UserWrote
    | MessageAnnounced
    | MessageText
    | MessageShown
    | Caption
    | CaptionsEnded
    | SpeechWanted
    | AgentStartedSpeaking
    | AgentStoppedSpeaking
    | Interrupted
    | AgentStateChanged
    | AgentSaid
    | FunctionCalled
    | CallsComplete
    | ToolProgress
    | HandoffRequested
    | Problem
    | Unhandled
    | ConversationEnded
    | Dropped
)

"""What the actors tell one another, by whose inbox it goes into.

Nobody reaches across the ring: an actor knows of another only the inbox, and of that only the type below. So others can
be inserted before it, by giving its neighbours another inbox of the same type: `pipeline.py`.

What holds nothing but texts, numbers, and the like of itself can't be part of a cycle, so the garbage collector needn't
look at it: `gc=False`. How often that comes, and how long it takes, goes by the number of objects it looks at.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import anyio
from msgspec import Struct

from rtactors import events
from rtactors.channels import Inbox
from rtactors.content import Place
from rtactors.history import HistoryItem
from rtactors.interruption import Interruption
from rtactors.journal.records import Change
from rtactors.reply import ReplyRecord
from rtactors.session_events import SessionEvent
from rtactors.sinks import base as sinks
from statecharts.message import ChatMessage, Delete, Rewrite, Truncate

# ------------------------------------------------------------------------------------------------- to the transport


class CloseConnection(Struct, frozen=True, gc=False):
    """Send what was accepted, then close."""


class LossKnown(Struct, frozen=True, gc=False):
    """Everybody knows that the server is gone: what comes from now on is for the next one."""


class HistoryTold(Struct, frozen=True, gc=False):
    """The new server was told all of the history: the user's audio may follow."""


class UpdateSession(Struct, frozen=True, gc=False):
    """Let this server, and every one after it, be set up so (see `events.Setup`)."""

    operation_id: str
    server_acts: bool


class WhenSent(Struct, frozen=True):
    """Set `sent` once what the context actor sent before this has gone out, to a server that knows the history."""

    sent: anyio.Event


class LimitNear(Struct, frozen=True, gc=False):
    """Time to make the next connection: the provider will soon end the `connection`th one."""

    connection: int


TransportMail: TypeAlias = (
    events.Command | UpdateSession | CloseConnection | LossKnown | HistoryTold | WhenSent | LimitNear
)

# ------------------------------------------------------------------------------------------------ to the response actor


class MessageOpened(Struct, frozen=True):
    """A response announced a message; its audio and text already go into `inbox`."""

    event: events.OutputStarted
    inbox: "Inbox[MessageMail]"


class RequestReply(Struct, frozen=True):
    """Somebody wants the model to answer; `reply` is what they see of it."""

    reply: ReplyRecord
    options: events.ResponseOptions = events.ResponseOptions()
    attempt: int = 1
    """How often it was asked for, with this one: again if the server was lost in the midst of it."""
    discarded: int = 0
    """How often a reply of the server's own that it had joined was thrown away, as one to a false alarm."""
    to: str = ""
    """What it is a reply to, if nobody holds its handle: then a Problem tells what goes wrong with it."""
    joins: bool = False
    """Whether any other reply to the conversation as it stands then will do as well, if one is asked for anyway."""
    priority: int = 0
    """Those with more of it are asked for before others that wait."""
    timeout: float | None = None
    """Seconds within which the server has to start it, else it is given up; None: no limit to the time that it waits
    for its turn."""
    interruption: Interruption | None = None
    """When the user may interrupt it; None: as the session has it."""
    ours: events.Item | None = None
    """What is said, if the session's own voice is to say it: then no server is asked."""


class ConversationKnown(Struct, frozen=True, gc=False):
    """The server holds all that stood in the conversation when this reply, which joins any other, was asked for."""

    reply_id: str


class StopReply(Struct, frozen=True, gc=False):
    """They don't want this one any more: give it up if it has not started, interrupt it if it has."""

    reply_id: str
    reason: str = ""
    """Why there is none, if not because somebody wanted that."""
    also_begun: bool = True
    """False: one that has been begun is left alone."""


class RequestDeadline(Struct, frozen=True, gc=False):
    """Who asked for a reply wants it started by now, or not at all."""

    reply_id: str


class InterruptAll(Struct, frozen=True, gc=False):
    """Stop what is being said or about to be. Requests that wait for their turn keep it."""


class FallSilent(Struct, frozen=True, gc=False):
    """Stop everything, also what is asked for or begins from now on: the session ends."""


class SetPaused(Struct, frozen=True, gc=False):
    """Hold what is being said, or let it go on."""

    paused: bool


class UserSpeaks(Struct, frozen=True, gc=False):
    """Requests wait until they have finished."""

    time: int
    """1 for the first, and so on."""


class UserFellSilent(Struct, frozen=True, gc=False):
    """The user's turn is over and it is known what it was; a server that replies by itself has had its time to.

    It goes by the context actor, behind what asks for a reply to it. `time` is that of the last `UserSpeaks` before it.
    """

    time: int


class UserInterrupts(Struct, frozen=True, gc=False):
    """Stop what is being said or about to be, as with `InterruptAll`: the user has something to say."""

    server_cancels: bool
    """The server ends what it generates by itself."""
    spares: str = ""
    """Id of the response that answers them already."""


class HoldSpeech(Struct, frozen=True, gc=False):
    """Hold what is being said while it is not known whether the user has something to say, or let it go on.

    What the app holds (`SetPaused`) is another matter: it goes on when neither holds it.
    """

    held: bool


class ReplyOwed(Struct, frozen=True, gc=False):
    """Whether a server that replies by itself is to begin a reply to the user: if it is lost, the next one is asked."""

    owed: bool


class Unwanted(Struct, frozen=True, gc=False):
    """The server began this response by itself, and it is to leave nothing, unless it is being heard already."""

    response_id: str


class RestFirst(Struct, frozen=True, gc=False):
    """The server began this response by itself, to answer what the user said over what they can't interrupt.

    If it broke off that, the rest of it comes first, and then another answer.
    """

    response_id: str


class SetupRefused(Struct, frozen=True, gc=False):
    """The server doesn't let itself be told who interrupts and replies: it needs not be asked again."""


class AudioBegan(Struct, frozen=True, gc=False):
    """The first audio of a message is here, or the first of its text that no audio of the server's goes with."""

    message_id: str


class MessagePlaying(Struct, frozen=True, gc=False):
    message_id: str
    at: float


class MessageShowing(Struct, frozen=True, gc=False):
    """The first of a message was shown."""

    message_id: str


class MessageStalled(Struct, frozen=True, gc=False):
    """Nothing came for a message in a long time, though it is not complete."""

    message_id: str


class MessageEnded(Struct, frozen=True, gc=False):
    """A message is full, partial or skipped: the floor is free."""

    message_id: str


class MessageOver(Struct, frozen=True, gc=False):
    """A message has ended, and the server makes no more of it."""

    message_id: str


class ConnectionLost(Struct, frozen=True, gc=False):
    """The server is gone, and what it held. The next one is to come; nothing can be sent until it is there.

    It goes from the transport by the response and the context actor back to the transport (`LossKnown`): what comes
    there after it is for the next server.
    """

    reason: str
    connection: int = 0
    """Which one: the response actor may hear of its end before it hears that it was `ConnectionReady`."""


class ConnectionReady(Struct, frozen=True):
    """A server is there, and knows nothing of the conversation. It goes by the context actor, who tells it, to the
    response actor, who may ask it then.

    `turns` is PCM16 of those of the user's turns whose words are not known, by the ids of their items.
    """

    turns: dict[str, bytes]
    connection: int = 0


class ConnectionEnded(Struct, frozen=True, gc=False):
    """Nothing more will come from any server."""

    reason: str


class WhenSilent(Struct, frozen=True):
    """Pass `quiet` on to the context actor once nothing is being generated or heard."""

    quiet: anyio.Event
    user_too: bool = False
    """Also not while the user speaks."""


class SetInterruption(Struct, frozen=True, gc=False):
    """When the user may interrupt this message."""

    message_id: str
    policy: Interruption


class SpokenAudio(Struct, frozen=True, gc=False):
    """The session's voice speaks: the next PCM16 of the sentence of this `number` (`SpeechWanted`)."""

    message_id: str
    number: int
    pcm: bytes
    over: bool
    """True if that was all of it."""


class VoiceFailed(Struct, frozen=True, gc=False):
    """The session's voice can't speak any more of this message."""

    message_id: str
    reason: str


Voiced: TypeAlias = SpokenAudio | VoiceFailed
"""What the session's voice tells a message, by way of the context and the response actor."""

Steering: TypeAlias = (
    RequestReply | StopReply | InterruptAll | FallSilent | SetPaused | SetInterruption | WhenSilent | Voiced
)
"""What an app tells the response actor. It goes by the context actor, so that it stays in order with what the app does
to the conversation, and by the turn actor."""


class ResponseDeadline(Struct, frozen=True, gc=False):
    """A response should have moved on by now, for the `attempt`th time in this state."""

    life_id: str
    attempt: int


class SlotDeadline(Struct, frozen=True, gc=False):
    """Time to ask a server again that was busy with something we don't know of."""


ResponseMail: TypeAlias = (
    MessageOpened
    | events.ResponseStarted
    | events.OutputDone
    | events.ResponseDone
    | events.HandoffRequested
    | events.ProviderError
    | Steering
    | ConversationKnown
    | UserSpeaks
    | UserFellSilent
    | UserInterrupts
    | HoldSpeech
    | ReplyOwed
    | Unwanted
    | RestFirst
    | SetupRefused
    | AudioBegan
    | MessagePlaying
    | MessageShowing
    | MessageStalled
    | MessageEnded
    | MessageOver
    | ConnectionLost
    | ConnectionReady
    | ConnectionEnded
    | ResponseDeadline
    | RequestDeadline
    | SlotDeadline
)

# ------------------------------------------------------------------------------------------------ to the turn actor


class AgentPolicy(Struct, frozen=True, gc=False):
    """By which policy the user may interrupt: that of what is being heard, else generated; None if nothing is."""

    policy: Interruption | None


class SetupTold(Struct, frozen=True, gc=False):
    """The server was told whether it may act by itself (see `events.Setup`). From when it acknowledges that it does;
    without an id, from its beginning.
    """

    server_acts: bool
    operation_id: str = ""


class BeginTurn(Struct, frozen=True, gc=False):
    """The app says that the user begins to speak."""

    turn_id: str


class EndTurn(Struct, frozen=True, gc=False):
    """The app says that they have finished: it commits their audio, then asks for a reply."""

    operation_id: str
    """Of the commit. If that is refused there is nothing to reply to."""
    reply_id: str


class CancelTurn(Struct, frozen=True, gc=False):
    """The app has thrown away what the user said."""


class SetupDue(Struct, frozen=True, gc=False):
    """The server should have acknowledged by now how it was set up."""

    operation_id: str


class SpeechLasts(Struct, frozen=True, gc=False):
    """So many seconds of speech are certain now, if the user still speaks."""

    turn_id: str
    seconds: float


class WordsDue(Struct, frozen=True, gc=False):
    """The words of what the user said have had their time to come."""

    turn_id: str


class SpeechOver(Struct, frozen=True, gc=False):
    """The user's turn counts as over, and a server that replies by itself has had its time to."""

    wait: int
    """Which wait for that is over: 1 for the first; only the newest counts."""


TurnMail: TypeAlias = (
    MessageOpened
    | events.ResponseStarted
    | events.OutputDone
    | events.ResponseDone
    | events.HandoffRequested
    | events.SpeechStarted
    | events.SpeechStopped
    | events.InputCommitted
    | events.InputCleared
    | events.InputTranscript
    | events.InputTranscriptFailed
    | events.SessionConfigured
    | events.ProviderError
    | ConnectionLost
    | ConnectionReady
    | ConnectionEnded
    | Steering
    | ConversationKnown
    | UserFellSilent
    | AgentPolicy
    | SetupTold
    | BeginTurn
    | EndTurn
    | CancelTurn
    | SetupDue
    | SpeechLasts
    | WordsDue
    | SpeechOver
)
"""What is for the response actor goes by the turn actor, so that it stays in order with what the user does."""

# ------------------------------------------------------------------------------------------------- to a message actor


class TakeFloor(Struct, frozen=True, gc=False):
    """It is this message's turn to be heard."""


class InterruptMessage(Struct, frozen=True, gc=False):
    """Stop, whether or not anything of it was played."""


class SuccessorBegan(Struct, frozen=True, gc=False):
    """A later message of the same response has begun (`AudioBegan`): servers send in the order of playback."""


class GenerationEnded(Struct, frozen=True, gc=False):
    """Its response is done: nothing more of this message comes."""

    status: events.ResponseStatus


class SegmentBegun(Struct, frozen=True):
    """The sink took the message: `write` queues PCM16 of whole frames."""

    write: Callable[[bytes], None]


class SegmentStarted(Struct, frozen=True, gc=False):
    at: float


class SegmentPaused(Struct, frozen=True, gc=False):
    pass


class SegmentResumed(Struct, frozen=True, gc=False):
    pass


class SegmentStarved(Struct, frozen=True, gc=False):
    """All that was written has been heard."""


class SegmentFinished(Struct, frozen=True, gc=False):
    """`frames` of the message were heard, and it is over."""

    frames: int
    at: float
    confirmed: bool


class MessageDeadline(Struct, frozen=True, gc=False):
    """Time to see whether a message still moves: it had so many bytes of audio and characters when this was set."""

    generated: int


class TextDeadline(Struct, frozen=True, gc=False):
    """The text that trails a message's audio has had its time."""


class TranscriptEnded(Struct, frozen=True, gc=False):
    """What was heard of its text: the answer to `EndTranscript`."""

    heard_text: str


MessageMail: TypeAlias = (
    events.AudioDelta
    | events.AudioDone
    | events.TextDelta
    | events.TextDone
    | events.OutputDone
    | TakeFloor
    | InterruptMessage
    | SetPaused
    | SuccessorBegan
    | GenerationEnded
    | SegmentBegun
    | SegmentStarted
    | SegmentPaused
    | SegmentResumed
    | SegmentStarved
    | SegmentFinished
    | MessageDeadline
    | TextDeadline
    | TranscriptEnded
    | Voiced
)

# ---------------------------------------------------------------------------------------------- to the transcript actor


class TranscriptText(Struct, frozen=True, gc=False):
    """The next piece of a stretch's text."""

    message_id: str
    place: Place
    text: str
    anew: bool = False
    """True if it is all of it, instead of what came before."""
    over: bool = False
    """True if no more comes."""
    start_ms: int | None = None
    """Where in the stretch's audio it is spoken, and up to `end_ms`, if the provider says it."""
    end_ms: int | None = None


class TranscriptShown(Struct, frozen=True, gc=False):
    """Text that no sound goes with was shown, which counts as heard."""

    message_id: str
    place: Place
    text: str
    at: float


class TranscriptAudio(Struct, frozen=True, gc=False):
    """The next of a stretch's audio that is to be heard, PCM16 of whole frames."""

    message_id: str
    place: Place
    pcm: bytes
    over: bool = False
    """True if that was all, and its text is no longer than it."""
    more: bool = False
    """True if the next is at hand: if any of this was heard already, its words need not be told before that."""


class EndTranscript(Struct, frozen=True):
    """The sink is done with the message, after `frames` of it: say what was heard of its text."""

    message_id: str
    frames: int
    interrupted: bool
    owner: Inbox[MessageMail]


class ForgetTranscript(Struct, frozen=True, gc=False):
    """The message has ended, and the sink never had anything of it."""

    message_id: str


class ShowingDeadline(Struct, frozen=True, gc=False):
    """Time to tell the journal what was shown of a message."""

    message_id: str


TranscriptMail: TypeAlias = (
    TranscriptText
    | TranscriptShown
    | TranscriptAudio
    | EndTranscript
    | ForgetTranscript
    | ShowingDeadline
    | sinks.Started
    | sinks.Progress
    | sinks.Paused
    | sinks.Resumed
    | sinks.Finished
)
"""What the sink reports is told by the sink actor: positions never go back, nor beyond what was written."""

# ---------------------------------------------------------------------------------------------------- to the sink actor


class BeginSegment(Struct, frozen=True):
    message_id: str
    owner: Inbox[MessageMail]


class FinishSegment(Struct, frozen=True, gc=False):
    message_id: str


class ClearSegment(Struct, frozen=True, gc=False):
    message_id: str


class PauseSegment(Struct, frozen=True, gc=False):
    message_id: str


class ResumeSegment(Struct, frozen=True, gc=False):
    message_id: str


class SinkDeadline(Struct, frozen=True, gc=False):
    """The sink should have finished this segment by now."""

    message_id: str


SegmentMail: TypeAlias = (
    FinishSegment
    | ClearSegment
    | PauseSegment
    | ResumeSegment
    | SinkDeadline
    | sinks.Started
    | sinks.Progress
    | sinks.Starved
    | sinks.Paused
    | sinks.Resumed
    | sinks.Finished
)
"""What is about the one segment that its `message_id` names."""

SinkMail: TypeAlias = BeginSegment | sinks.Lost | SegmentMail

# ------------------------------------------------------------------------------------------------- to the context actor


class ItemAnnounced(Struct, frozen=True, gc=False):
    """A response announced this item; whether the server's history holds it is told by the server."""

    item: events.Item
    response_id: str
    ours: bool = False
    """True if no server makes it: it is told to the server once it was heard."""


class Generated(Struct, frozen=True, gc=False):
    """What the server has made of a message so far."""

    message_id: str
    ms: int
    text: str
    status: events.ItemStatus
    part: int = 0
    """The last of its content parts."""


class HeardSoFar(Struct, frozen=True, gc=False):
    """What was heard of a message that is still being heard. Told only if there is a journal."""

    message_id: str
    heard_ms: int
    generated_ms: int
    text: str
    """The text that was heard."""
    started_at: float | None


class CallCompleted(Struct, frozen=True, gc=False):
    """A function call is complete: it may run."""

    item: events.Item
    response_id: str


class CallsOver(Struct, frozen=True, gc=False):
    """There are no more function calls of a response than those that were told complete."""

    response_id: str


class CallCancelled(Struct, frozen=True, gc=False):
    """A function call that its response ended without completing: it never runs, and the model is to know that."""

    item: events.Item


class AddItem(Struct, frozen=True):
    """Put an item into the conversation; then ask for `then`, if it can be had."""

    item: events.Item
    after: str | None = None
    then: RequestReply | None = None
    by_agent: bool = False
    """Whether it is an agent's, though it stands there as the user's: no words that the user wrote."""


class RemoveItem(Struct, frozen=True, gc=False):
    item_id: str


class AnswerCall(Struct, frozen=True, gc=False):
    """The output of a function call. Sent to the server at most once."""

    call_id: str
    output: str


class AppendHandoff(Struct, frozen=True, gc=False):
    """What a text agent has to say on a `HandoffRequested`."""

    handoff_id: str
    text: str


class SetHistory(Struct, frozen=True, gc=False):
    """Make the conversation hold these items. What stands in it already stays as and where it is."""

    items: tuple[HistoryItem, ...]


class ReplyStarted(Struct, frozen=True):
    reply: ReplyRecord
    response_id: str
    message_ids: tuple[str, ...] = ()
    """Of messages that were announced before this was known."""


class ReplyHeard(Struct, frozen=True):
    """The first of a reply is being heard."""

    reply: ReplyRecord


class ReplyOver(Struct, frozen=True):
    """Each message of a reply has ended, or there is none (`failure` says why)."""

    reply: ReplyRecord
    status: str
    interrupted: bool
    failure: str | None = None
    output: tuple[events.Item, ...] = ()
    """What the server told at the end of it."""


class WhenDurable(Struct, frozen=True):
    """Set `durable` once the journal has all that was said and done before this."""

    durable: anyio.Event


class WhenAcknowledged(Struct, frozen=True):
    """Set `quiet` once the server has answered all that was sent."""

    quiet: anyio.Event


class OperationDeadline(Struct, frozen=True, gc=False):
    """The server should have acknowledged this operation by now."""

    operation_id: str


ContextMail: TypeAlias = (
    events.ItemAdded
    | events.ItemDone
    | events.ItemTruncated
    | events.ItemDeleted
    | events.InputCommitted
    | events.InputTranscript
    | events.InputTranscriptFailed
    | events.HandoffRequested
    | events.ProviderError
    | ItemAnnounced
    | Generated
    | HeardSoFar
    | CallCompleted
    | CallCancelled
    | CallsOver
    | Truncate
    | Rewrite
    | Delete
    | ChatMessage
    | AddItem
    | RemoveItem
    | SetHistory
    | AnswerCall
    | AppendHandoff
    | ReplyStarted
    | ReplyHeard
    | ReplyOver
    | ConnectionLost
    | ConnectionReady
    | ConnectionEnded
    | Steering
    | BeginTurn
    | EndTurn
    | CancelTurn
    | UserFellSilent
    | WhenAcknowledged
    | WhenDurable
    | WhenSent
    | OperationDeadline
)

# ------------------------------------------------------------------------------------------------ to the journal actor

Acknowledgement: TypeAlias = SessionEvent | ReplyOver | anyio.Event
"""How an app learns that something stands in the record: an event, the end of a reply, or what somebody waits for."""


class WriteDown(Struct, frozen=True):
    """Write `changes`; `then`, when they are durable, let the app know."""

    changes: tuple[Change, ...]
    then: tuple[Acknowledgement, ...]


JournalMail: TypeAlias = WriteDown

# ---------------------------------------------------------------------------------------------------- to a stage


class Answer(Struct, frozen=True):
    """What came of the `question`th thing that a stage has asked outside: a `value` that JSON can hold, or a failure.

    It comes besides what the actor is told before which the stage stands.
    """

    question: int
    value: Any = None
    failure: str = ""

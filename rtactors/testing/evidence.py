"""What the invariants judge by: gathered outside of the session, and looked at message by message."""

import math
from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct, field

from rtactors.delegation import Delegate
from rtactors.events import BYTES_PER_FRAME
from rtactors.history import HistoryItem
from rtactors.interruption import Interruption
from rtactors.limits import Deadlines
from rtactors.loopback.conversation import Snapshot
from rtactors.loopback.log import Record
from rtactors.reply import Reply
from rtactors.session_events import (
    CaptionEvent,
    MessageAnnounced,
    MessageShown,
    Problem,
    SessionEvent,
    Transition,
)
from rtactors.sinks.base import Finished, Started
from rtactors.testing.ears import Segment
from rtactors.testing.wire_story import Operation, WireMessage, WireResponse, WireStory
from statecharts import message

HAIR_S = 1e-6
"""Seconds by which the same moment may differ, as floats."""


class Connection(Struct, frozen=True, kw_only=True):
    """One connection, as the server saw it."""

    items: tuple[Snapshot, ...]
    """What it holds at the end."""
    log: tuple[Record, ...]
    """Every event, both ways."""
    heard_until: float = math.inf
    """From this moment on nothing that the server sent has arrived."""
    open: bool = True
    """False if it ended before the session could tell the server all it had to tell."""


class Seen(Struct, frozen=True, kw_only=True):
    """A caption, or the end of a message's, as it was told."""

    caption: CaptionEvent
    at: float
    """When."""
    told_frames: int
    """The furthest position of its message that the sink had told the session by then."""


class Placed(Struct, frozen=True):
    """The app put an item somewhere."""

    item_id: str
    before: frozenset[str]
    """Items that stood before this place then."""
    behind: frozenset[str]
    """Items that stood behind it."""


class Asked(Struct, frozen=True, kw_only=True):
    """The app asked for a reply."""

    at: float
    wanted: Mapping[str, Any] = {}
    """How it was to be (`rtactors.session.WantedReply`)."""
    is_question: bool = False
    """True if it was asked for with words of the user's."""


class Wait(Struct, frozen=True, kw_only=True):
    """Somebody waited for what becomes of a reply, by its handle."""

    reply_id: str
    what: Literal["started", "heard", "done"]
    at: float | None = None
    """When the wait was over; None: it never was."""
    told: object = None
    """What it gave; of `done` ids of items."""
    failure: str | None = None
    """What it raised."""


class Tool(Struct, frozen=True, kw_only=True):
    """A function that the session lets the model call, as it is set up (`rtactors.tools.tool`)."""

    timeout: float = 30.0
    cancels: bool = False
    """True if an interruption cancels it."""
    replies: bool = True
    """True if the model is to speak of what it gives."""


class Run(Struct, kw_only=True):
    """A function that was run, as it saw that itself."""

    call_id: str
    name: str
    given: str
    """What it was called with."""
    at: float
    ended_at: float | None = None
    """None: it still runs."""
    end: Literal["", "returned", "raised", "cancelled"] = ""
    output: str = ""
    says: int = 0
    """How often it wanted the model to speak of how far it was."""


class Worked(Struct, kw_only=True):
    """A delegate's agent worked, as it saw that itself."""

    request_ids: list[str]
    """What it was run for, then what it read of what came meanwhile."""
    inputs: list[str]
    """What was asked in each."""
    at: float
    ended_at: float | None = None
    """None: it still works."""
    end: Literal["", "returned", "raised", "cancelled"] = ""
    answer: str = ""
    progress: list[str] = field(default_factory=list[str])
    """What it told."""


class Evidence(Struct, frozen=True, kw_only=True):
    """All that is judged. `rtactors.testing.conversation` gathers it."""

    segments: tuple[Segment, ...]
    """What the sink played, in order (`Ears.segments`)."""
    connections: tuple[Connection, ...]
    history: tuple[HistoryItem, ...]
    """What the app sees (`Session.history`)."""
    events: tuple[SessionEvent, ...]
    """All of the session's events."""
    replies: tuple[Reply, ...] = ()
    """All that were asked for."""
    asked: Mapping[str, Asked] = {}
    """How, by the reply's id; those of which it is known."""
    waits: tuple[Wait, ...] = ()
    """What the app waited for."""
    said: Mapping[str, str] = {}
    """The words that the app wanted to be said by the session's own voice, by the ids of their replies."""
    voice: Mapping[str, bytes] | None = None
    """PCM16 that the session's voice gave, by the text that it was given; None if there is no voice."""
    seen: tuple[Seen, ...] | None = None
    """Captions, and their ends; None: nobody looked."""
    alignments: int | None = None
    """How many alignments of words anybody still has at the end; None: not known."""
    cut_mark: str = ""
    """The session's, behind what was cut."""
    journalled: tuple[HistoryItem, ...] | None = None
    """What the journal holds at the end, if one was kept."""
    removed: frozenset[str] = frozenset()
    """Items that the app itself took out of the conversation."""
    undecided: frozenset[str] = frozenset()
    """Items that came to be just when the app changed the history: whether it took them out, too, nobody can say."""
    stopped: Mapping[str, float] = {}
    """Ids of replies that the app gave up, and when."""
    placed: tuple["Placed", ...] = ()
    """Where the app put items."""
    interruptions: tuple[float, ...] = ()
    """When the app stopped everything, in seconds of `anyio.current_time()`."""
    pauses: tuple[tuple[float, bool], ...] | None = None
    """When the app held what was being said (True), or let it go on; None: not known."""
    answers: Mapping[str, str] = {}
    """What the app gave as outputs of function calls, by call id; the first of each."""
    tools: Mapping[str, Tool] = {}
    """The session's functions, by name."""
    declared: frozenset[str] = frozenset()
    """Functions that the provider's own settings declare: the app answers calls of these."""
    runs: tuple[Run, ...] = ()
    """Of these functions."""
    policy: Interruption | None = None
    """When the user may interrupt, if nothing else is said of a reply; None: not known."""
    delegate: Delegate | None = None
    """The session's."""
    works: tuple[Worked, ...] = ()
    """Of its agent."""
    settled: bool = False
    """True if the session was quiet before it was left: then nothing is under way any more."""
    faultless: bool = False
    """True if nothing was made to go wrong: then the server refuses nothing, and there are no problems."""
    refuses: bool = False
    """True if the server was made to refuse what it was asked for, and to say so later than it should."""
    left_at: float | None = None
    """When the app left, by whatever way; None: not known."""
    ended_at: float | None = None
    """When the session had ended then; None: not known."""
    left_over: tuple[str, ...] = ()
    """Names of what still ran when everything was over."""
    rate: int = 24_000
    """Of the sink, in Hz."""
    slack_ms: float = 0
    """How coarsely the sink counts: one frame of its own, if that is longer than a ms."""
    ms_per_character: float | None = None
    """For a voice that takes the same time for each character; None: where the text should end is not known."""
    deadlines: Deadlines = Deadlines()
    """The session's."""
    device_lost_at: float | None = None
    """When the session was told that its device is gone."""
    held_up: float | None = None
    """Seconds for which the network held up sending, at the longest for one frame; None: not measured."""
    moment: float = HAIR_S
    """Seconds within which two things happened at the same time: a hair in virtual time."""
    delay: float = 0.0
    """Seconds that an event may take from the server to the session."""
    round_trip: float = 0.1
    """Seconds within which each side has heard of what the other one sent."""


class Facts:
    """The evidence, looked up."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.connection = evidence.connections[-1]
        """The last one; `story` is of this one, too."""
        self.stories = [WireStory(connection.log) for connection in evidence.connections]
        self.story = self.stories[-1]
        self.messages: dict[str, WireMessage] = {
            each.id: each for story in self.stories for each in story.messages.values()
        }
        """The model's messages in the conversation, as the servers sent them; and those that the voice said."""
        self.responses = {each.id: each for story in self.stories for each in story.responses.values()}
        """The same of the responses that they belong to."""
        for event in evidence.events:
            if isinstance(event, MessageAnnounced) and event.response_id in evidence.said:
                self._note_ours(event, evidence.said[event.response_id])
        self.shown: dict[str, str] = {}
        """What was shown of each message, as the app was told."""
        for event in evidence.events:
            if isinstance(event, MessageShown):
                self.shown[event.message_id] = self.shown.get(event.message_id, "") + event.text
        self.segments = {segment.message_id: segment for segment in evidence.segments}
        self.history = {item.id: item for item in evidence.history}
        self.said = {item.id: item for item in evidence.history if item.kind == "message" and item.role == "assistant"}
        """Of the history what the model said."""
        self.outputs: dict[str, list[str]] = {}
        """Of the history what its function calls were answered with, by call id."""
        for item in evidence.history:
            if item.kind == "function_call_output":
                self.outputs.setdefault(item.call_id, []).append(item.output)
        self.creates = [create for story in self.stories for create in story.creates]
        """What all servers were asked to hold."""
        self.held = {item.id: item for item in self.connection.items}
        self.problems = {event.operation for event in evidence.events if isinstance(event, Problem)}
        """What the app was told of a problem with."""
        transitions = [event for event in evidence.events if isinstance(event, Transition)]
        self.interrupted = {event.id for event in transitions if isinstance(event.event, message.Interrupted)}
        self.interrupted |= {
            event.id
            for event in transitions
            if isinstance(event.event, message.ShowingFinished) and event.after != "full"
        }
        ends = [
            event
            for event in transitions
            if event.chart == message.MESSAGE.name and event.after in message.MESSAGE.final
        ]
        self.ended_at = {event.id: event.at for event in ends}
        """When the session took a message for ended: what its device says later it can't know."""
        self._unconfirmed = {
            event.id: event.event.heard_frames
            for event in ends
            if isinstance(event.event, message.PlaybackFinished) and not event.event.confirmed
        }
        """What the session took to be heard of those whose end it gave up waiting for."""

    def _note_ours(self, announced: MessageAnnounced, text: str) -> None:
        at, id, response_id = announced.at, announced.message_id, announced.response_id
        self.messages[id] = WireMessage(
            id=id, response_id=response_id, index=0, shown=True, done_at=at, status="completed", ours=True
        )
        self.messages[id].pieces.append((at, 0, text))
        self.responses[response_id] = WireResponse(id=response_id, created_at=at, done_at=at, status="completed")

    def words_of(self, item: HistoryItem) -> str:
        """What was heard of it, without the mark of a cut."""
        return item.heard_text.removesuffix(self.evidence.cut_mark) if item.interrupted else item.heard_text

    def is_voiced(self, message: WireMessage) -> bool:
        """Whether a voice of ours spoke some of it, or was to."""
        texts = (text for part, text in message.parts.items() if part not in message.audios)
        return self.evidence.voice is not None and message.shown and any(texts)

    def audio_of(self, message: WireMessage) -> bytes:
        """PCM16, all that was sent or spoken of it, one part after the other."""
        if not self.is_voiced(message):
            return message.audio
        parts = sorted({*message.parts, *message.audios})
        return b"".join(message.audios.get(part) or self._spoken(message.parts[part]) for part in parts)

    def _spoken(self, text: str) -> bytes:
        """What the voice gave of a text, sentence by sentence."""
        audio, voice = b"", self.evidence.voice or {}
        while sentence := max(filter(None, (each for each in voice if text.startswith(each))), key=len, default=""):
            audio, text = audio + voice[sentence], text[len(sentence) :]
        return audio

    def rewritten(self, item_id: str) -> Operation | None:
        """How it was created anew, after the server had deleted it; None if it was not."""
        if item_id not in self.story.messages:
            return None
        return next((one for one in reversed(self.story.creates) if one.item_id == item_id), None)

    def was_lost(self, message_id: str) -> bool:
        """Whether its server was lost: what that sent last may not have arrived, and nobody can cut what it holds."""
        ours = message_id in self.messages and self.messages[message_id].ours
        return not self.connection.open or (message_id not in self.story.messages and not ours)

    def heard_frames(self, message_id: str) -> int:
        """What the session can know to have been heard: less than what was, if the sink did not tell in time."""
        segment = self.segments.get(message_id)
        if segment is None:
            return 0
        until = self._waits_until(segment)
        claimed = self._unconfirmed.get(message_id)
        # What was told in the very moment of giving up was known just before, or just not.
        if until < self.ended_at.get(message_id, 0) and claimed in segment.told_at(self.ended_at[message_id]):
            return claimed or 0
        return segment.told_frames(until)

    def told_start(self, segment: Segment) -> Started | None:
        """The sink's first word, if it came while the session waited for any."""
        return segment.told_start(self._waits_until(segment))

    def told_end(self, segment: Segment) -> Finished | None:
        """The sink's last word, if it came while the session waited for it."""
        return segment.told_end(self._waits_until(segment))

    def asked_at(self, segment: Segment) -> float | None:
        """When the device was asked to end it: to stop now, if the session did not only do so when it gave up."""
        ended_at = self.ended_at.get(segment.message_id, math.inf)
        cleared = segment.cleared_at is not None and segment.cleared_at < ended_at - self.evidence.moment
        return segment.cleared_at if cleared else segment.finish_at

    def _waits_until(self, segment: Segment) -> float:
        ended_at = self.ended_at.get(segment.message_id, math.inf)
        asked_at = self.asked_at(segment)
        if segment.message_id in self._unconfirmed and asked_at is not None:
            had_its_time = ended_at - asked_at >= self.evidence.deadlines.sink - HAIR_S
            return math.nextafter(ended_at, 0) if had_its_time else ended_at  # the answer to giving up comes too late
        return ended_at

    def certain(self, segment: Segment) -> bool:
        """Whether the sink told where it ended, in time, and was sure of it."""
        end = self.told_end(segment)
        return end is not None and end.confirmed

    def heard_ms(self, message_id: str) -> int:
        return self.heard_frames(message_id) * 1000 // self.evidence.rate

    def ms(self, size: int) -> int:
        """How long so many bytes of audio sound."""
        return size // BYTES_PER_FRAME * 1000 // self.evidence.rate

    def differ(self, one_ms: float, other_ms: float) -> bool:
        return abs(one_ms - other_ms) > self.evidence.slack_ms

    def deleted(self, item_id: str) -> bool:
        """Whether a server was asked to delete it."""
        return any(item_id in story.deletes for story in self.stories)

    def may_be_gone(self, item_id: str) -> bool:
        """Whether the app took it out, or may have."""
        return item_id in self.evidence.removed or item_id in self.evidence.undecided

    def never_held(self, item_id: str) -> bool:
        """Whether no server ever said that it has this item."""
        return all(story.never_held(item_id) for story in self.stories)

    def gave_up(self, item_id: str) -> bool:
        """Whether the server would not let itself be told, and the app knows, or left before it could."""
        if item_id in self.problems and self.story.was_not_told(item_id):
            return True
        about = self.story.operations_on(item_id)
        ended_at = self.evidence.ended_at
        if not (self.evidence.refuses and about and ended_at is not None):
            return False
        return about[-1].answered_at is None and about[-1].at > ended_at - self.evidence.deadlines.acknowledge

"""A plan: all that is left to chance in one simulated conversation, as data.

Two runs of the same plan are the same to the last event. It is made from a seed (`rtactors.testing.simulation.chance`)
or drawn by Hypothesis (`.strategies`), written and read as JSON, and made smaller while it still fails (`.shrink`):
what is not given is the plainest there is, so that a short plan is a simple conversation.

Times are in ms, of the virtual clock.
"""

from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from rtactors.testing.clock import BackendName

Kind: TypeAlias = Literal["say", "write", "call", "delegate", "silence"]
Wrong: TypeAlias = Literal["", "name", "type", "json"]


class Line(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One item of a response: a spoken message, one that is only shown, or a function call.

    If the plan has an `agent`, a function call may also hand work to it, or say that nothing is to be said.
    """

    kind: Kind = "say"
    words: int = 3
    """How long it is; a word sounds for about a third of a second."""
    transcript: Literal["ahead", "aligned", "late", "none"] = "ahead"
    """When its text comes, as `rtactors.loopback.script.Say` has it."""
    calls: int = 0
    """Which function a call is of: 0 is the app's own, then the plan's `tools`, from 1, counted round."""
    wrong: Wrong = ""
    """Of a call of a tool: nobody has such a function, or its arguments are of another type, or no JSON."""
    silent: bool = False
    """It is a message without any audio."""
    halt_ms: int = 0
    """The model halts in the middle of it for so long: in a message after 300 ms of its audio."""
    missing_ms: int = 0
    """The server holds so much less of its audio than it sent."""


class Reply(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One response of the model."""

    lines: tuple[Line, ...] = (Line(),)
    ending: Literal["completed", "failed", "rate_limited", "incomplete"] = "completed"
    ends_after_ms: int = 0
    """How much audio there is before an ending that is none; 0 is all of it."""
    batch_done: bool = False
    """The `.done` events of all its items come together, at its end."""


class Model(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the provider is set up and how long it takes; see `rtactors.loopback.script.Timing`."""

    command_ms: int = 10
    created_ms: int = 20
    thinking_ms: int = 80
    between_ms: int = 10
    audio_ms: int = 10
    delta_ms: int = 100
    percent: int = 800
    """How fast audio is generated, in percent of real time; 0 is at once."""
    transcription_ms: int = 150
    detects_speech: bool = True
    """The server finds the user's turns; else the app commits them."""
    interrupts: bool = True
    """It cancels what it generates when it hears the user."""
    replies: bool = True
    """It answers the user's turns by itself."""
    limit_s: int = 0
    """Its sessions end after so many seconds (a client renews them if it is a minute or more); 0: never."""


class Fault(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that goes wrong at the provider, with the `nth` event of a type and those behind it."""

    what: Literal["lost", "late", "twice", "refused", "swallowed", "strange"]
    """`refused` and `swallowed` happen to what the client sent, `lost`, `late` and `twice` to what the server sends;
    `strange` is an event of a type that nobody knows, before it."""
    on: str
    """The event's type."""
    nth: int = 1
    times: int = 1
    ms: int = 0
    """How late."""
    busy: bool = False
    """It is refused because the server is busy with somebody else's response."""


class Break(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The connection ends."""

    at_ms: int = 0
    """From when it was made."""
    how: Literal["closed", "cut", "half_open", "expired", "no_quota"] = "closed"
    """By a close frame; without one; nothing arrives any more and nothing fails, until a websocket's keepalive finds
    out; at the provider's session limit; because nobody pays."""


class Network(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What lies between the client and the provider. Nothing is lost or overtaken there, as on any TCP connection."""

    up_ms: int = 0
    down_ms: int = 0
    jitter_ms: int = 0
    """A frame takes up to so much longer, at random."""
    up_kb_s: int = 0
    """1000 bytes a second; 0 is no limit. The user's audio takes 64 of them at real-time pace."""
    down_kb_s: int = 0
    breaks: tuple[Break, ...] = ()
    """The nth connection ends so."""


class Stall(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The device stands still for a while."""

    at_ms: int = 0
    ms: int = 0


class Device(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How audio is heard, and what the device tells of it."""

    latency_ms: int = 0
    """From a frame's being handed over to its being heard."""
    tail_ms: int = 0
    """So much it has taken already when it is told to stop, and plays all the same."""
    block_ms: int = 0
    """It counts in blocks of this length only; 0: exactly."""
    lag_ms: int = 0
    """Its reports come so late."""
    mute: Literal["", "progress", "ends", "all"] = ""
    """Reports that never come: of how far it is, of ends, or all that follow a start."""
    stalls: tuple[Stall, ...] = ()
    lost_ms: int = 0
    """When it is unplugged; 0: never."""


Deed: TypeAlias = Literal[
    "ask",
    "generate_reply",
    "speak",
    "hush",
    "interrupt",
    "stop_reply",
    "pause",
    "unpause",
    "add",
    "remove",
    "set_history",
    "cough",
    "clear_audio",
    "wait_until_quiet",
    "wait_until_heard",
]


class Policy(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When the user may interrupt (`rtactors.interruption.Interruption`): at any sound, if it is all plain."""

    enabled: bool = True
    min_speech_ms: int = 0
    min_words: int = 0
    pause: bool = True
    decide_ms: int = 2000


class Wish(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a reply is to be, that the app asks for."""

    priority: int = 0
    timeout_ms: int = 0
    """0: it waits for its turn as long as that takes."""
    special: bool = False
    """With instructions and metadata of its own: no other reply will do as well."""
    text: bool = False
    """Written, not spoken."""
    beside: bool = False
    """Out of band (`ask` has a question, which stands in the conversation: it is never beside it)."""
    uninterruptible: bool = False
    """It is heard to its end, whatever the user says."""
    other_input: bool = False
    """Out of band it answers something else than the conversation."""


class Step(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the app or the user does, `wait_ms` after the step before."""

    do: Deed = "ask"
    wait_ms: int = 0
    which: int = 0
    """Chooses what it is done to: counted round among all that it can be done to."""
    wish: Wish = Wish()
    """Of what is asked for."""


class Function(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A tool of the session: what it does when it is called."""

    ms: int = 0
    """How long it takes."""
    raises: bool = False
    """It ends by an error."""
    timeout_ms: int = 30_000
    cancels: bool = False
    """An interruption cancels it; else it runs to its end."""
    replies: bool = True
    """The model is to speak of what it gives."""
    progress: int = 0
    """How often it tells how far it is."""
    says: bool = False
    """The model is to speak of that, too."""


class Agent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """To whom the model may delegate work."""

    ms: int = 0
    """How long it works."""
    progress: int = 0
    """How often it tells how far it is; between the steps it reads what came meanwhile, if it `reads`."""
    reads: bool = False
    raises: bool = False
    mute: bool = False
    """It returns nothing."""
    grace_ms: int = 0
    speaks: bool = False
    """The model is to speak of each progress."""


class Text(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the texts of what is spoken come, and who says where their words are."""

    lead_ms: int | None = None
    """Each word's text comes so long before its sound, or behind it, if less than 0; text and audio then end each when
    it is over. None: as the lines have it, and both end together."""
    corrected: Literal["", "other", "more", "fewer"] = ""
    """At its end it is told to be another one: with another word in it, with one more, or with one less."""
    timed: bool = False
    """The provider says when each word is spoken."""
    aligner: Literal["even", "speech", "fickle"] = "even"
    """One that is right here, the one that listens, or one that changes its mind each time."""
    mark: bool = False
    """A cut has a mark behind it."""


class Calls(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the app answers calls of its own function: `times` each, and asks for a reply then."""

    answer_ms: int = 0
    times: int = 1


class Plan(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One conversation."""

    steps: tuple[Step, ...] = (Step(),)
    ending: Literal["quiet", "leave", "crash", "cancel"] = "quiet"
    """The app waits until all is done, or leaves at once, by an error of its own, or by being cancelled."""
    replies: tuple[Reply, ...] = (Reply(),)
    """The model's, in the order in which they begin; then a plain one each time."""
    model: Model = Model()
    network: Network = Network()
    device: Device = Device()
    faults: tuple[Fault, ...] = ()
    text: Text = Text()
    calls: Calls = Calls()
    tools: tuple[Function, ...] = ()
    agent: Agent | None = None
    interruption: Policy = Policy()
    reconnects: bool = True
    """Whether the session may make another connection for one that is lost."""
    backend: BackendName = "asyncio"
    turns: int = 0
    """The seed of the order in which tasks take their turns."""

    def to_json(self) -> str:
        """For people to read; `read_plan` reads it."""
        return msgspec.json.format(msgspec.json.encode(self)).decode()


def read_plan(text: str | bytes) -> Plan:
    """A plan from its JSON. Raises msgspec.ValidationError, or DecodeError, with what is wrong."""
    return msgspec.json.decode(text, type=Plan)

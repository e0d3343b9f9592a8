"""What stands in a recording: its first line is a `Header`, each line after it one event, told by its `kind`.

A field that has its default is left out. Mail, session events, history and errors are objects whose `type` names the
class (`rtactors.mail`, `rtactors.events`, `rtactors.session_events`, ...). What lives stands there by name: an inbox
by its actor's, a reply by its id, a wait for silence by a number. Audio is `{"$audio": {...}}`, see `Audio`.

The JSON Schema of it, `docs/recording.schema.json`, is what `python -m rtactors.recording.json_schema` prints.
"""

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from rtactors.alignment.base import Word
from rtactors.interruption import AT_ONCE, Interruption
from rtactors.limits import Bounds, Deadlines
from rtactors.providers.base import Capabilities

SCHEMA = 1

Plain: TypeAlias = dict[str, Any]
"""A Struct as JSON has it, with its `type`."""


class Header(Struct, frozen=True, kw_only=True, tag_field="kind", tag="recording"):
    """What the session was made with."""

    schema: Annotated[int, Meta(description="Grows when an older reader would misunderstand.")] = SCHEMA
    rtactors: Annotated[str, Meta(description="The version that recorded.")]
    provider: Annotated[str, Meta(description="Its name.")]
    session_id: Annotated[str, Meta(description="As in its journal, if it has one.")] = ""
    journal: Annotated[
        Literal["", "begun", "resumed"], Meta(description="Whether it has one, and whether it goes on from there.")
    ] = ""
    voiced: Annotated[bool, Meta(description="Whether a voice of its own speaks what the server does not.")] = False
    stages: Annotated[tuple[str, ...], Meta(description="What stands in its pipeline, by name.")] = ()
    capabilities: Capabilities
    deadlines: Deadlines
    bounds: Bounds
    interruption: Annotated[Interruption, Meta(description="Its policy of interruption.")] = AT_ONCE
    cut_mark: Annotated[
        str, Meta(description="What stands behind the heard text of a message that was interrupted.")
    ] = ""
    reconnect: Annotated[dict[str, float] | None, Meta(description="The numbers of its Backoff.")]
    started: Annotated[float, Meta(description="When it began, in unix seconds.")]
    at: Annotated[float, Meta(description="The same moment by the session's clock, which all events go by; seconds.")]
    left_out: Annotated[tuple[Literal["secrets", "audio"], ...], Meta(description="What is not in here.")]


class Audio(Struct, frozen=True, omit_defaults=True):
    """Where audio was. It is kept once, where it came from outside: in a server's frames and in what the app sent."""

    bytes: int
    base64: Annotated[str | None, Meta(description="The audio itself, of what the app sent.")] = None
    crc32: Annotated[int | None, Meta(description="Its checksum, unless audio was left out of the recording.")] = None


class Failure(Struct, frozen=True, omit_defaults=True):
    """An error that something ended with."""

    type: Annotated[str, Meta(description="The name of its class.")]
    message: str
    code: Annotated[int | None, Meta(description="Of a SocketClosed.")] = None
    reason: Annotated[str, Meta(description="Of a SocketClosed.")] = ""
    retryable: Annotated[bool, Meta(description="Of a ConnectionFailed.")] = False


class JournalRecord(Struct, frozen=True, omit_defaults=True):
    """A record of a journal, as it was written or found."""

    number: int
    at: Annotated[float, Meta(description="When it was written, by the clock of the session that wrote it.")] = 0.0
    epoch: Annotated[float, Meta(description="When that clock was 0, in unix seconds.")] = 0.0
    change: Annotated[Plain | None, Meta(description="What it says, if it can be read.")] = None
    trouble: Annotated[
        Literal["", "damaged", "newer"],
        Meta(description="Why it can't: it is not what was written, or by a newer one."),
    ] = ""


class _Event(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag=str.lower):
    n: Annotated[int, Meta(description="1 for the first, and no gaps.")]
    at: Annotated[float, Meta(description="Seconds of the session's clock.")]
    who: Annotated[
        str, Meta(description="The actor; or `app` (which calls the session), `device`, `reminders`: those outside.")
    ]


class Sent(_Event, frozen=True):
    """Something was put into an inbox. By those outside it is an input, by an actor an effect."""

    to: Annotated[str, Meta(description="The actor whose inbox it is.")]
    mail: Plain
    urgent: Annotated[bool, Meta(description="In the lane that is taken first.")] = False
    lost: Annotated[
        Literal["", "closed", "full"], Meta(description="Why it did not get in: its actor has ended, or is far behind.")
    ] = ""


class Taken(_Event, frozen=True):
    """An actor took what waited for it, and did all of what follows from it."""

    sent: Annotated[int, Meta(description="The `n` of its `sent`.")]


class Reminder(_Event, frozen=True):
    """An actor asked to be told something later. When it is due, the reminders send it."""

    to: str
    seconds: float
    mail: Plain


class Published(_Event, frozen=True):
    """Somebody let the app see something; transitions and their effects among it."""

    event: Plain


class Closed(_Event, frozen=True):
    """An inbox takes nothing more: its actor has ended."""

    inbox: str


class Provider(_Event, frozen=True):
    """The adapter was asked for something that the app had decided."""

    call: Literal["endpoint", "configure", "update"]
    url: Annotated[str, Meta(description="Of an endpoint, without query.")] = ""
    frames: Annotated[tuple[Raw, ...], Meta(description="Of a configuration; as in `socket`.")] = ()
    binary: Annotated[bool, Meta(description="True if they were no text frames.")] = False
    error: Failure | None = None


class Socket(_Event, frozen=True):
    """Something came to its end at a connection."""

    socket: Annotated[int, Meta(description="Which connection: 1 for the first that was tried.")]
    call: Literal["connect", "send", "receive", "close", "leave"]
    frame: Annotated[
        Raw | UnsetType,
        Meta(description="The frame's JSON; a string for other text, `$base64` for other bytes, `$audio` for audio."),
    ] = UNSET
    binary: Annotated[bool, Meta(description="True if it was not a text frame.")] = False
    code: Annotated[int, Meta(description="Of a close, as the session gave it.")] = 0
    reason: Annotated[str, Meta(description="The same.")] = ""
    error: Failure | None = None


class Cancelled(_Event, frozen=True):
    """An actor no longer waits for something outside of it; what that was counts as not having happened."""

    call: Literal["take", "connect", "send", "receive", "close", "append", "read", "play", "wait"]
    socket: Annotated[int, Meta(description="Which connection, if it was one's.")] = 0
    wait: Annotated[str, Meta(description="Which wait, if it was one.")] = ""


class Begun(_Event, frozen=True):
    """A task that an actor started besides its own takes its first turn."""

    task: Annotated[int, Meta(description="Which: 1 for the first that was started.")]


class Awaited(_Event, frozen=True):
    """What an actor waited for has come."""

    wait: Annotated[str, Meta(description="Its name in the mail.")]


class Seen(_Event, frozen=True):
    """An actor looked at something that nobody decides."""

    what: Literal["luck", "wall_clock", "epoch"]
    value: Annotated[float, Meta(description="A share from 0 to 1, or unix seconds.")]


class Aligned(_Event, frozen=True):
    """The aligner was asked where the words of a stretch of a message's text are in its audio."""

    alignment: Annotated[int, Meta(description="Which stretch: 1 for the first that was begun.")]
    same: Annotated[int, Meta(description="So many words, from the first, are where it said last.")]
    words: Annotated[tuple[Word, ...], Meta(description="Those behind them.")]


class Journal(_Event, frozen=True):
    """The journal has written records, or found them, or failed to."""

    call: Literal["append", "read"]
    records: tuple[JournalRecord, ...] = ()
    error: Failure | None = None


class Device(_Event, frozen=True):
    """The audio device was told something, or (`stopped`) will never do anything again. Its reports are `sent`."""

    call: Literal["begin", "write", "finish", "clear", "pause", "resume", "stopped"]
    message_id: str = ""
    audio: Plain | None = None
    error: Failure | None = None


class Crashed(_Event, frozen=True):
    """An actor ended with an error."""

    errors: tuple[Failure, ...]


class Over(_Event, frozen=True):
    """The session ended. What its history says is the last there is to tell."""

    history: tuple[Plain, ...]


class Incomplete(_Event, frozen=True):
    """The recording ends here, though the session went on."""

    reason: str


_FromOutside: TypeAlias = Taken | Cancelled | Begun | Awaited | Seen | Aligned | Socket | Journal
_FromAnActor: TypeAlias = Reminder | Published | Closed | Provider | Device | Crashed
Event: TypeAlias = Sent | _FromOutside | _FromAnActor | Over | Incomplete

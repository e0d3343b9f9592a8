"""What the server says: a script chooses a reply for each turn, so that a run can be repeated.

A `Script` is a function from a `Turn` to a `Reply`. `replies(...)` makes one from what is to be said, in order; `story`
is the default, a conversation that stands by itself.
"""

import re
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from anyio import Event
from msgspec import Struct

from rtactors.loopback.conversation import Snapshot


class Timing(Struct, frozen=True, kw_only=True):
    """How long the server takes, in ms."""

    command_ms: float = 10
    """From the arrival of a client's event to its effect and its answer."""
    created_ms: float = 20
    """From there to `response.created`."""
    thinking_ms: float = 80
    """From there to the first item of the output."""
    between_ms: float = 10
    """Between one item and the next."""
    audio_ms: float = 10
    """From a message's announcement to its first audio."""
    delta_ms: int = 20
    """Audio in one delta."""
    speed: float = 8.0
    """How much faster than real time audio is generated; `math.inf` for at once."""
    transcription_ms: float = 150
    """From the end of the user's turn to its transcript."""


IMMEDIATE = Timing(
    command_ms=0, created_ms=0, thinking_ms=0, between_ms=0, audio_ms=0, speed=float("inf"), transcription_ms=0
)


class Gate:
    """Where a test holds something until it has seen enough: `await gate.reached.wait()`, ..., `gate.open()`."""

    def __init__(self) -> None:
        self.reached = Event()
        self._opened = Event()

    def open(self) -> None:
        self._opened.set()

    @property
    def is_open(self) -> bool:
        return self._opened.is_set()

    async def passed(self) -> None:
        self.reached.set()
        await self._opened.wait()


class Say(Struct, frozen=True, kw_only=True):
    """A spoken message."""

    text: str
    phase: str | None = None
    """`commentary` or `final_answer`, as gpt-realtime-2 says it."""
    transcript: Literal["ahead", "aligned", "late", "none"] = "ahead"
    """When each word's text is sent: a second before its sound (as OpenAI's usually is), with it, behind all of the
    audio, or never."""
    lead_ms: float | None = None
    """Instead of what `transcript` says: so long before its sound each word's text is sent, or behind it if less than
    0; `math.inf` is before all audio. Text and audio then end (`done`) each when it is over; OpenAI's end together."""
    silent: bool = False
    """A message without any audio."""
    missing_ms: int = 0
    """The server holds so much less audio than it sent (seen in the wild: 85 ms)."""
    gate: Gate | None = None
    """Generation stops at `gate_ms`, or at the end of the audio if that comes first, until the gate is opened."""
    gate_ms: int = 0


class Write(Struct, frozen=True, kw_only=True):
    """A message that is only shown."""

    text: str
    phase: str | None = None
    gate: Gate | None = None
    """Generation stops behind the first `gate_at` characters, at the end of a word, until the gate is opened."""
    gate_at: int = 0


class Parts(Struct, frozen=True, kw_only=True):
    """A message of several content parts, in this order; their own phases don't count."""

    parts: tuple[Say | Write, ...]
    phase: str | None = None


class Call(Struct, frozen=True, kw_only=True):
    """A function call; `arguments` is JSON. `gate` stops it in the middle of its arguments."""

    name: str
    arguments: str = "{}"
    gate: Gate | None = None


Output: TypeAlias = Say | Write | Parts | Call


class Failed(Struct, frozen=True, kw_only=True):
    """The response fails after so much audio, or behind all of it if None."""

    after_ms: int | None = None
    code: str = "server_error"
    message: str = "The server had an error while processing your request. Sorry about that!"


class Incomplete(Struct, frozen=True, kw_only=True):
    """The response breaks off after so much audio, or behind all of it if None."""

    after_ms: int | None = None
    reason: Literal["max_output_tokens", "content_filter"] = "max_output_tokens"


class Reply(Struct, frozen=True, kw_only=True):
    """One response."""

    outputs: tuple[Output, ...]
    ending: Failed | Incomplete | None = None
    batch_done: bool = False
    """The `.done` events of all items come together at the end (seen in the wild)."""
    timing: Timing | None = None
    """Instead of the server's."""


class Turn(Struct, frozen=True, kw_only=True):
    """What a response answers to."""

    index: int
    """0 for the first response of the session."""
    text: str
    """What the user has said or written since the last message of the assistant; "" if nothing."""
    instructions: str
    history: tuple[Snapshot, ...]
    metadata: dict[str, str]
    out_of_band: bool
    functions: tuple[str, ...] = ()
    """Names of those that the model may call."""
    tool_choice: str = "auto"
    """`auto`, `none`, `required`, or the name of the one that it has to call."""


Script: TypeAlias = Callable[[Turn], Reply]
Line: TypeAlias = str | Output
"""A bare text is spoken."""


_FIXED_WORDS = re.compile(r"\s*say exactly these words\b.*?:\n\n(?P<words>.+)", re.DOTALL | re.IGNORECASE)


def fixed_words(instructions: str) -> str | None:
    """What a model has to say that is told to say exactly this; None for all other instructions."""
    found = _FIXED_WORDS.fullmatch(instructions)
    return found["words"] if found else None


def replies(*given: Reply | Line | Sequence[Line]) -> Script:
    """The n-th response of the server is the n-th of these; when there are no more, the last again."""
    if not given:
        raise ValueError("replies() needs at least one reply")
    ready = [_reply(one) for one in given]
    ahead = iter(ready)
    return lambda _turn: next(ahead, ready[-1])


def _reply(given: Reply | Line | Sequence[Line]) -> Reply:
    if isinstance(given, Reply):
        return given
    lines: Sequence[Line] = [given] if isinstance(given, str | Say | Write | Parts | Call) else given
    return Reply(outputs=tuple(Say(text=line) if isinstance(line, str) else line for line in lines))


# ------------------------------------------------------------------------------------------------ the default script

_STORY = _reply(
    [
        Say(
            text="Ada kept the lighthouse. Every evening she counted the ships that passed, and wrote them in a book.",
            phase="commentary",
        ),
        Say(
            text="One night the fog was so thick that no ship could see the lamp. So Ada opened the window, and sang.",
            phase="commentary",
        ),
        Say(
            text="In the morning a small boat lay in the harbour. Its captain had lost his compass, and had steered "
            "by her song.",
            phase="final_answer",
        ),
    ]
)
_ANSWERS = (  # the first whose words were said
    ({"why", "sing", "sang", "song"}, "Because a lamp is no use in the fog. A song goes through it."),
    ({"what", "happened", "boat", "captain", "end"}, "The captain found the harbour, and Ada wrote one more ship."),
    ({"who", "ada", "name", "keeper"}, "Ada is the keeper of the lighthouse. She lives there alone."),
    ({"thanks", "thank", "bye", "goodbye"}, "You are welcome. Good night."),
)
_OTHERWISE = "All right, I have stopped. Ask me who Ada is, or why she sang. Or say: tell me the story again."


def story(turn: Turn) -> Reply:
    """Tells a short story in three messages, and answers questions about it."""
    words = {word.strip(".,;:!?").lower() for word in turn.text.split()}
    if turn.index == 0 or words & {"story", "tell", "again"}:
        return _STORY
    return _reply(next((answer for keys, answer in _ANSWERS if words & keys), _OTHERWISE))


STORY_PHRASES = (
    "tell me a story",
    "tell me the story again",
    "wait who is ada",
    "who is she",
    "why did she sing",
    "what happened then",
    "stop",
    "thank you",
    "goodbye",
)
"""What a recogniser may expect the user to say to `story`."""

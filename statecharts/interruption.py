"""One time that the user speaks: suspected -> (confirmed or a false alarm), and what follows for what is being heard.

What the policy of what is being heard says is told by the events. Speech that interrupts at once, that falls into
silence, or that nothing hangs on is a `turn` from its beginning. Other speech is `suspected` until it meets the
conditions of the policy; what is being heard is held meanwhile, if the policy says so. Then it is a turn like any
other: it interrupts, and is answered once the server has made an item of it. If it can't meet them any more it is
`dismissed`: what was held goes on at the same frame, and nobody answers. Words that have not come in time count as none
(`doubted`), and still interrupt if they come after all.
A server that is lost forgets what is no item yet, and the next one hears it anew. Of what is an item it will tell no
words any more: it gets the benefit of the doubt.
"""

from typing import TypeAlias

from msgspec import Struct

from statecharts.chart import Chart, on


class SpeechBegan(Struct, frozen=True, tag=True, gc=False):
    """The user begins to speak. The rest is what the policy says, and whether anything is generated or heard."""

    enabled: bool
    conditional: bool
    """There are conditions that it has to meet."""
    pause: bool
    silent: bool


class AgentChanged(Struct, frozen=True, tag=True, gc=False):
    """While the user speaks, something else is generated or heard than when they began, by another policy."""

    enabled: bool
    conditional: bool
    pause: bool


class Met(Struct, frozen=True, tag=True, gc=False):
    """It meets the conditions; or nobody can tell any more, or the app says that it is a turn."""

    enabled: bool


class SpeechEnded(Struct, frozen=True, tag=True, gc=False):
    """The user has stopped; `hopeful` if words that are still to come may meet the conditions."""

    hopeful: bool


class Committed(Struct, frozen=True, tag=True, gc=False):
    """The server has made an item of it."""


class Unmet(Struct, frozen=True, tag=True, gc=False):
    """All of its words are known, and it does not meet the conditions."""


class TimeUp(Struct, frozen=True, tag=True, gc=False):
    """Its words, or its end, should have come by now."""


class Cleared(Struct, frozen=True, tag=True, gc=False):
    """It was thrown away: no item comes of it."""


class Lost(Struct, frozen=True, tag=True, gc=False):
    """The server is gone."""

    enabled: bool


InterruptionEvent: TypeAlias = (
    SpeechBegan | AgentChanged | Met | SpeechEnded | Committed | Unmet | TimeUp | Cleared | Lost
)


class Hold(Struct, frozen=True, tag=True, gc=False):
    """Let what is being heard stop for a moment, and nothing else begin."""

    id: str


class Resume(Struct, frozen=True, tag=True, gc=False):
    """Let go on what this one held, if it did."""

    id: str


class Interrupt(Struct, frozen=True, tag=True, gc=False):
    """Stop what is generated or heard, but for what answers this one."""

    id: str


class Reply(Struct, frozen=True, tag=True, gc=False):
    """It is to be answered: by the server, if that replies by itself, else it is to be asked to."""

    id: str


class Dismiss(Struct, frozen=True, tag=True, gc=False):
    """It is not to be answered: what the server says to it by itself leaves nothing."""

    id: str


InterruptionEffect: TypeAlias = Hold | Resume | Interrupt | Reply | Dismiss


def at_once(event: SpeechBegan | AgentChanged) -> bool:
    return event.enabled and not event.conditional


def simply_a_turn(event: SpeechBegan) -> bool:
    """Nothing is to be interrupted, or nothing may be: there is nothing to find out."""
    return event.silent or not event.conditional


def holds(event: SpeechBegan | AgentChanged) -> bool:
    return event.enabled and event.pause


def unconditional(event: AgentChanged) -> bool:
    return not event.conditional


def enabled(event: Met | Lost) -> bool:
    return event.enabled


def hopeful(event: SpeechEnded) -> bool:
    return event.hopeful


def hold(id: str, _event: InterruptionEvent) -> Hold:
    return Hold(id)


def resume(id: str, _event: InterruptionEvent) -> Resume:
    return Resume(id)


def interrupt(id: str, _event: InterruptionEvent) -> Interrupt:
    return Interrupt(id)


def reply(id: str, _event: InterruptionEvent) -> Reply:
    return Reply(id)


def dismiss(id: str, _event: InterruptionEvent) -> Dismiss:
    return Dismiss(id)


INTERRUPTION: Chart[InterruptionEvent, InterruptionEffect] = Chart(
    "interruption",
    states={
        "begun": "the user begins to speak",
        "suspected": "whether they have something to say is not known",
        "committed": "it is an item; its words decide",
        "doubted": "no words came in time: taken for a false alarm, unless they come after all",
        "turn": "they have something to say; the server has not made an item of it",
    },
    final={
        "taken": "a turn of the user's: it is answered",
        "dismissed": "a false alarm, or thrown away: nobody answers it",
    },
    edges=(
        on("begun", SpeechBegan, "turn", interrupt, when=at_once),
        on("begun", SpeechBegan, "turn", when=simply_a_turn),
        on("begun", SpeechBegan, "suspected", hold, when=holds),
        on("begun", SpeechBegan, "suspected"),
        on("suspected", AgentChanged, "turn", interrupt, when=at_once),
        on("suspected", AgentChanged, "turn", resume, when=unconditional),
        on("suspected", AgentChanged, "suspected", hold, when=holds),
        on("suspected", AgentChanged, "suspected", resume),
        on("suspected", Met, "turn", interrupt, when=enabled),
        on("suspected", Met, "turn", resume),
        on("suspected", SpeechEnded, "suspected", when=hopeful),
        on("suspected", SpeechEnded, "dismissed", resume, dismiss),
        on("suspected", Committed, "committed"),
        on("suspected", Unmet, "dismissed", resume, dismiss),
        on("suspected", TimeUp, "doubted", resume, dismiss),
        on("suspected", Cleared, "dismissed", resume),
        on("suspected", Lost, "dismissed", resume),
        on("committed", Met, "taken", interrupt, reply, when=enabled),
        on("committed", Met, "taken", resume, reply),
        on("committed", SpeechEnded, "committed", when=hopeful),
        on("committed", SpeechEnded, "dismissed", resume, dismiss),
        on("committed", Unmet, "dismissed", resume, dismiss),
        on("committed", TimeUp, "doubted", resume, dismiss),
        on("committed", Lost, "taken", interrupt, reply, when=enabled),
        on("committed", Lost, "taken", resume, reply),
        on("doubted", Met, "taken", interrupt, reply, when=enabled),
        on("doubted", Met, "taken", reply),
        on("doubted", Unmet, "dismissed"),
        on("doubted", Cleared, "dismissed"),
        on("doubted", Lost, "dismissed"),
        on("turn", AgentChanged, "turn", interrupt, when=at_once),
        on("turn", AgentChanged, "turn", when=unconditional),
        on("turn", AgentChanged, "suspected", hold, when=holds),
        on("turn", AgentChanged, "suspected"),
        on("turn", Committed, "taken", reply),
        on("turn", Cleared, "dismissed"),
        on("turn", Lost, "dismissed"),
    ),
    ignored={
        "begun": (AgentChanged, Met, SpeechEnded, Committed, Unmet, TimeUp, Cleared, Lost),
        "suspected": (SpeechBegan,),
        "committed": (SpeechBegan, AgentChanged, Committed, Cleared),
        "doubted": (SpeechBegan, AgentChanged, SpeechEnded, Committed, TimeUp),
        "turn": (SpeechBegan, Met, SpeechEnded, Unmet, TimeUp),
        "taken": (SpeechBegan, AgentChanged, Met, SpeechEnded, Committed, Unmet, TimeUp, Cleared, Lost),
        "dismissed": (SpeechBegan, AgentChanged, Met, SpeechEnded, Committed, Unmet, TimeUp, Cleared, Lost),
    },
)

"""The words of one message, as they are heard: waiting -> following <-> held -> settling -> whole | cut | silent.

A model's text runs ahead of its audio, or trails it; the two are bound by the message's id and by nothing else. While
the sink plays it, each word is told when it begins to be heard. What was told is never taken back, but for one: the
word in the middle of which the message was stopped.

Playback may be over before the text is in. Then the last words wait for it, until the message says that no more comes,
that it was interrupted, or that the text has had its time.
"""

from typing import TypeAlias

from msgspec import Struct

from statecharts.chart import Chart, on


class SpeechStarted(Struct, frozen=True, tag=True, gc=False):
    """The first frame of it was heard."""


class SpeechPaused(Struct, frozen=True, tag=True, gc=False):
    """The sink holds it: no word begins."""


class SpeechResumed(Struct, frozen=True, tag=True, gc=False):
    """The sink goes on with it."""


class SpeechFinished(Struct, frozen=True, tag=True, gc=False):
    """The sink plays no more of it; its text may not all be here."""


class Settled(Struct, frozen=True, tag=True, gc=False, kw_only=True):
    """The message has ended: so much of its text was heard."""

    heard_text: str
    interrupted: bool
    sounded: bool
    """Whether any of its audio was heard, be it less than a word."""


TranscriptEvent: TypeAlias = SpeechStarted | SpeechPaused | SpeechResumed | SpeechFinished | Settled


class EndCaptions(Struct, frozen=True, tag=True, gc=False):
    """No more words of it are heard."""

    message_id: str
    heard_text: str
    interrupted: bool


TranscriptEffect: TypeAlias = EndCaptions


def heard_all(event: Settled) -> bool:
    return not event.interrupted


def heard_words(event: Settled) -> bool:
    return event.sounded and bool(event.heard_text)  # what was shown beside it was not heard


def heard_a_sound(event: Settled) -> bool:
    return event.sounded


def end_captions(message_id: str, event: Settled) -> EndCaptions:
    return EndCaptions(message_id, event.heard_text, event.interrupted)


_ANY = (SpeechStarted, SpeechPaused, SpeechResumed, SpeechFinished)

TRANSCRIPT: Chart[TranscriptEvent, TranscriptEffect] = Chart(
    "transcript",
    states={
        "waiting": "none of it was heard yet",
        "following": "its words are told as they are heard",
        "held": "playback is paused, in the middle of it",
        "settling": "playback is over; the last of its text may be missing",
    },
    final={
        "whole": "it was heard to its end",
        "cut": "it ends at the last word that was heard",
        "silent": "no word of it was heard",
    },
    edges=(
        on("waiting", SpeechStarted, "following"),
        on("waiting", SpeechFinished, "settling"),
        on("waiting", Settled, "silent"),  # the sink never had it
        on("following", SpeechPaused, "held"),
        on("following", SpeechFinished, "settling"),
        on("held", SpeechResumed, "following"),
        on("held", SpeechFinished, "settling"),
        on("settling", Settled, "whole", end_captions, when=heard_all),
        on("settling", Settled, "cut", end_captions, when=heard_words),
        on("settling", Settled, "silent", end_captions, when=heard_a_sound),
        on("settling", Settled, "silent"),
    ),
    ignored={
        "waiting": (SpeechPaused, SpeechResumed),
        "following": (SpeechStarted, SpeechResumed),
        "held": (SpeechStarted, SpeechPaused),
        "settling": _ANY,
        "whole": _ANY,
        "cut": _ANY,
        "silent": _ANY,
    },
)

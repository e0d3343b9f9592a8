"""The aligner protocol: says where the words of a text are in the audio that speaks it.

Text and audio come piece by piece, each at its own pace, and mostly the text first. Every call returns at once: what
takes longer than a ms or so belongs into a thread, and `words` answers with what is known so far.
"""

from collections.abc import Sequence
from typing import Protocol, cast, runtime_checkable

from msgspec import Struct


class Word(Struct, frozen=True, gc=False):
    """One word, and where it is in the audio of its stretch."""

    text: str
    """With the white space before it (the last one also with what is after it): joined, words are the text. Of a
    script that puts no spaces between words, as much as can be cut off."""
    start_ms: int
    end_ms: int
    estimated: bool = True
    """False if the provider said when it is spoken."""


class Alignment(Protocol):
    """One stretch of speech: a text and its audio, or as much as there is of both so far."""

    def add_text(self, text: str) -> None:
        """The next piece of its text; a word may be cut in two."""
        ...

    def replace_text(self, text: str) -> None:
        """All of its text so far is this instead."""
        ...

    def end_text(self) -> None:
        """No more text comes: the last word is whole."""
        ...

    def add_audio(self, pcm: bytes) -> None:
        """The next of its audio: mono PCM16 little-endian, whole frames."""
        ...

    def end_audio(self) -> None:
        """No more audio comes, and the text ends where it does. Not called for what broke off: its text is ahead."""
        ...

    def words(self) -> Sequence[Word]:
        """All whole words of the text, in order, none of which begins before the one before it has ended. Those whose
        audio is not here yet lie behind what is, by the pace of speech. Asked for again as more comes: what has been
        heard by then keeps its place whatever this says.
        """
        ...


class Covered:
    """An alignment that is another one: for those that look at one of its calls, or change it."""

    def __init__(self, alignment: Alignment) -> None:
        self.alignment = alignment
        self.add_text = alignment.add_text
        self.replace_text = alignment.replace_text
        self.end_text = alignment.end_text
        self.add_audio = alignment.add_audio
        self.end_audio = alignment.end_audio

    def words(self) -> Sequence[Word]:
        return self.alignment.words()


@runtime_checkable
class Aligner(Protocol):
    """Makes alignments. One serves a whole session, of whose messages several may be under way at a time."""

    def begin(self, rate: int) -> Alignment:
        """For one stretch of speech, with audio of `rate` Hz."""
        ...


def as_words(given: object) -> Sequence[Word]:
    """What an alignment gave, if it is a sequence; what is in it, `as_word` looks at. Raises TypeError."""
    match given:
        case Sequence():
            return cast("Sequence[Word]", given)
        case _:
            raise TypeError(
                f"words() of an aligner gave {given!r}: it has to give a list, or another sequence, of Word"
            )


def as_word(given: object) -> Word:
    """What an alignment gave as a word, if it is one. Raises TypeError: no type is checked where a Word is made."""
    match given:
        case Word(text=str(), start_ms=int(), end_ms=int()):
            return given
        case _:
            raise TypeError(
                f"words() of an aligner gave {given!r}: a word is Word(text, start_ms, end_ms), a str and two ints, "
                "from rtactors.alignment"
            )

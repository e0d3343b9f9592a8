"""The interruption policy: what becomes of what is being heard when the user speaks.

By default it stops at once, as people do. A policy can make it wait until it is clear that the user has something to
say, and go on at the same frame if they have not (a cough, a door, "mm-hm"); or make it be heard to its end.
"""

import math
from collections.abc import Callable
from typing import TypeAlias, cast

from msgspec import Struct

from rtactors.session_events import MessageAnnounced


class Interruption(Struct, frozen=True, kw_only=True, gc=False):
    """For a session, for a reply (`ask(..., interruption=...)`), or for one message (`Session.set_interruption`).

    The policy of what is being heard decides what becomes of everything that is said or about to be; if nothing is
    being heard, that of what is being generated; if nothing is, the user's turn is simply a turn.

    A turn that meets the conditions `min_speech` and `min_words` (all that are set) is *confirmed*: it interrupts, and
    is answered. One that does not is a *false alarm*: what was held goes on at the same frame, the turn stays in the
    history as the user's, and nobody answers it. Raises TypeError and ValueError for what can't be.
    """

    enabled: bool = True
    """False: whatever the user says, it is heard to its end. A confirmed turn is answered after it."""
    min_speech: float = 0
    """Seconds of speech, without the silence by which a server notices its end. Since that has to pass before an end is
    known, it takes as much longer to interrupt (OpenAI: `silence_duration_ms`, half a second by default)."""
    min_words: int = 0
    """Words of its transcript. Without transcription this counts as not set."""
    pause: bool = True
    """Hold what is being heard while it is not decided; False: it is heard on meanwhile."""
    decide: float = 2.0
    """Seconds after the end of the speech in which its words have to come; then it counts as a false alarm. Words that
    come later still interrupt."""

    def __post_init__(self) -> None:
        for name in ("enabled", "pause"):
            value: object = getattr(self, name)
            if not isinstance(value, bool):
                raise TypeError(f"Interruption.{name} is True or False, not {value!r}")
        for name in ("min_speech", "decide"):
            seconds: object = getattr(self, name)
            if not isinstance(seconds, int | float):
                raise TypeError(f"Interruption.{name} is in seconds, a number, not {seconds!r}")
            if not 0 <= seconds < math.inf:
                raise ValueError(f"Interruption.{name} is in seconds, 0 or more, not {seconds!r}")
        words = cast("object", self.min_words)
        if not isinstance(words, int):
            raise TypeError(f"Interruption.min_words is a number of words, an int, not {words!r}")
        if self.min_words < 0:
            raise ValueError(f"Interruption.min_words is a number of words, 0 or more, not {self.min_words!r}")

    @property
    def conditional(self) -> bool:
        """Whether there are conditions that a turn has to meet."""
        return bool(self.min_speech or self.min_words)

    @property
    def at_once(self) -> bool:
        """Whether any speech interrupts, before it is known what it is."""
        return self.enabled and not self.conditional


AT_ONCE = Interruption()
"""Any speech of the user's interrupts."""
ON_WORDS = Interruption(min_words=1)
"""Speech holds what is being heard, and words interrupt it. After a false alarm it goes on."""
NEVER = Interruption(enabled=False)
"""It is heard to its end, whatever the user says."""

InterruptionRule: TypeAlias = Callable[[MessageAnnounced], Interruption | None]
"""Decides for each message when it is announced, e.g. by its `phase`; None: as its reply, else as the session."""

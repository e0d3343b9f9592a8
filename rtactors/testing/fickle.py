"""An aligner that changes its mind: all words are there, in order, and somewhere else each time that it is asked.

What must not depend on how good an aligner is (that nothing is told twice, none too early, and all in order) holds with
this one, too.
"""

from collections.abc import Sequence
from itertools import count
from random import Random

from msgspec.structs import replace

from rtactors.alignment import Alignment, EvenAligner, Word

_STRETCHED = (0.0, 0.3, 0.8, 1.0, 1.0, 1.3, 4.0)
"""How much longer than they are words are thought to be."""


class FickleAligner:
    """The same words in the same places for the same `seed`, if it is asked for the same."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._even = EvenAligner()
        self._numbers = count()

    def begin(self, rate: int) -> Alignment:
        alignment = self._even.begin(rate)
        chance, words = Random(f"{self._seed} {next(self._numbers)}"), alignment.words  # noqa: S311 - repeatable

        def anywhere() -> Sequence[Word]:
            stretch, at, moved = chance.choice(_STRETCHED), 0, list[Word]()
            for word in words():
                at += chance.choice((0, 0, 0, 1, 250))  # nobody speaks
                start, at = at, at + int((word.end_ms - word.start_ms) * stretch * chance.random() * 2)
                moved.append(replace(word, start_ms=start, end_ms=at))
            return moved

        alignment.words = anywhere
        return alignment

"""Words that are reckoned one by one, when they are asked for: a message may have many, and few of them are."""

from collections.abc import Callable, Sequence
from typing import overload

from rtactors.alignment.base import Word


class LazyWords(Sequence[Word]):
    """Those with these `numbers`, of which `word` gives each."""

    def __init__(self, word: Callable[[int], Word], numbers: range) -> None:
        self._word = word
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Word: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Word]: ...
    def __getitem__(self, index: int | slice) -> Word | Sequence[Word]:
        if isinstance(index, slice):
            return LazyWords(self._word, self._numbers[index])
        return self._word(self._numbers[index])

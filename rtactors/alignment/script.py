"""The text of one stretch of speech, as its speaker has to say it. Pure."""

from rtactors.alignment.duration import Pause, spoken
from rtactors.alignment.words import may_end_a_word, whole_words

PAUSE_MS = (0, 200, 450)
"""How long a pause is, by its kind: where its audio isn't here yet."""
UNSEEN = (0.0, 1.8, 3.3)
"""Negative logarithm of how likely nobody pauses there: one comma in six is passed, one full stop in thirty."""


class Script:
    """Its words so far. What is cumulated has at `n` the sum of all before word `n`, and only grows."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.over = False
        self.ms = [0.0]
        """How long they take at an ordinary pace, without pauses, cumulated."""
        self.variance = [0.0]
        """Of that, in ms squared, cumulated."""
        self.pauses = [Pause.NONE]
        """Before word `n`."""
        self.pause_ms = [0]
        """`PAUSE_MS` of these, cumulated."""
        self.unseen = [0.0]
        """`UNSEEN` of these, cumulated."""
        self._begun = ""  # the word that isn't whole
        self._may_end = False  # by any letter
        self._in_tag = False

    @property
    def text(self) -> str:
        return "".join(self.words) + self._begun

    def add(self, text: str) -> None:
        self._begun += text
        if self._may_end or may_end_a_word(text):
            self._take(whole_words(self._begun, over=False))

    def end(self) -> None:
        self.over = True
        if self.words and self._begun.isspace():
            self.words[-1] += self._begun
            self._begun = ""
        self._take(whole_words(self._begun, over=True))

    def _take(self, words: list[str]) -> None:
        self._begun = self._begun[sum(map(len, words)) :]
        self._may_end = may_end_a_word(self._begun.strip())
        for word in words:
            self._pause_by_next(word)
            ms, variance, pause = spoken(word)
            if self._in_tag and "=" in word:  # <break time="1s"/> is three words and none of them is said
                ms = variance = 0.0
            self._in_tag = ((self._in_tag and "=" in word) or "<" in word) and ">" not in word
            self.words.append(word)
            self.ms.append(self.ms[-1] + ms)
            self.variance.append(self.variance[-1] + variance)
            self.pauses.append(pause)
            self.pause_ms.append(self.pause_ms[-1] + PAUSE_MS[pause])
            self.unseen.append(self.unseen[-1] + UNSEEN[pause])

    def _pause_by_next(self, word: str) -> None:
        """A new line ends a sentence; a full stop before a small letter doesn't: etc."""
        if not self.words:
            return
        bare = word.lstrip()
        if "\n" in word[: len(word) - len(bare)]:
            pause = Pause.SENTENCE
        elif self.pauses[-1] == Pause.SENTENCE and self.words[-1].endswith(".") and bare[:1].islower():
            pause = Pause.PHRASE
        else:
            return
        self.pauses[-1] = pause
        self.pause_ms[-1] = self.pause_ms[-2] + PAUSE_MS[pause]
        self.unseen[-1] = self.unseen[-2] + UNSEEN[pause]

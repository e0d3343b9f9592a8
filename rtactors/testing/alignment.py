"""Does an aligner keep its contract (`rtactors.alignment.base`)? Checks for any aligner.

    @pytest.mark.parametrize("check", ALIGNER_CHECKS)
    def test_my_aligner(check: AlignerCheck) -> None:
        check(MyAligner())

or `check_aligner(MyAligner())` for all of them. Each check feeds it texts of several scripts and noise with pauses, in
pieces of any size and in any order, and raises AssertionError with a sentence. They are made by chance, the same ones
each time for one `seed`. How well words fit their sound is another question, and so is how long the answer takes.

An aligner that asks a thread for its answers is to be checked on its own side of it: what is not known yet would be
another answer each time.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from random import Random
from typing import Protocol

from rtactors.alignment.base import Aligner, Alignment, Word, as_word, as_words
from rtactors.events import BYTES_PER_FRAME

ROUNDS = 25
"""Stretches of speech that each check makes up."""
RATE = 8_000
"""Hz of their audio."""

_WORDS = (
    *("Ada", "kept", "the", "lighthouse,", "didn't", "she?", "It's", "1,234.50", "m/s.", "3:15", "naïve", "(well)"),
    *("**bold**", "<b>tag</b>", "`code`", "#", "—", "…", "«Ja!»", "🙂", "👩\u200d👩\u200d👧", "e\u0301te\u0301"),
    "x" * 40,
    *("سفينة", "في", "الميناء،", "שלום", "灯台の守り人は毎晩、船を数えた。", "我们在这里等船。", "เรือ", "등대가"),
)
_SPACES = (" ", " ", " ", " ", "  ", "\n", "\n\n", "\t", "\u00a0", "\u3000")


class _Stretch:
    """A text, and audio for it."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        words = chance.choices(_WORDS, k=chance.randrange(12))
        self.text = "".join(chance.choice(_SPACES) + word for word in words)
        self.text = self.text[chance.choice((0, 1, 1)) :] + chance.choice(("", "", " ", "\n"))
        self.pcm = b"".join(
            chance.randbytes(size) if loud else bytes(size)
            for _ in range(chance.randrange(6))
            for loud, size in (
                (True, chance.randrange(600) * RATE // 1000 * BYTES_PER_FRAME),
                (False, chance.randrange(400) * RATE // 1000 * BYTES_PER_FRAME),
            )
        )

    @property
    def audio_ms(self) -> int:
        return len(self.pcm) // BYTES_PER_FRAME * 1000 // RATE

    def feed(self, alignment: Alignment, *, ends: bool = True, text_first: bool = False) -> Iterator[str]:
        """All of it, piece by piece, in any order or `text_first`; tells the text so far after each.

        Without `ends` its audio has broken off.
        """
        texts, sounds = self._pieces(len(self.text)), self._pieces(len(self.pcm) // BYTES_PER_FRAME)
        steps = [*(["text"] * (len(texts) + 1)), *(["audio"] * (len(sounds) + ends))]
        if not text_first:
            self.chance.shuffle(steps)
        so_far = ""
        for step in steps:
            if step == "text" and texts:
                start, end = texts.pop(0)
                so_far += self.text[start:end]
                alignment.add_text(self.text[start:end])
            elif step == "text":
                alignment.end_text()
            elif sounds:
                start, end = sounds.pop(0)
                alignment.add_audio(self.pcm[start * BYTES_PER_FRAME : end * BYTES_PER_FRAME])
            else:
                alignment.end_audio()
            yield so_far

    def _pieces(self, length: int) -> list[tuple[int, int]]:
        """From where to where each is; some are empty."""
        cuts = sorted(self.chance.randint(0, length) for _ in range(self.chance.randrange(8)))
        return [*zip([0, *cuts], [*cuts, length], strict=True)]

    def words(self, aligner: Aligner) -> Sequence[Word]:
        """In the end, if it all comes at once."""
        alignment = aligner.begin(RATE)
        alignment.add_text(self.text)
        alignment.end_text()
        alignment.add_audio(self.pcm)
        alignment.end_audio()
        return alignment.words()


def _examine(words: Sequence[Word], text: str) -> None:
    """What holds at every moment, with so much text so far."""
    words = [as_word(word) for word in as_words(words)]
    told = "".join(word.text for word in words)
    assert text.startswith(told), f"the words are not what the text begins with: {told!r}, the text is {text!r}"
    ended, before = 0, ""
    for word in words:
        assert word.text.strip() or not told.strip(), f"a word is empty, behind {before!r}: {words}"
        assert word.start_ms >= ended, f"{word} begins before {before!r} has ended, at {ended} ms"
        assert word.end_ms >= word.start_ms, f"{word} ends before it begins"
        ended, before = word.end_ms, word.text


def _examine_all(words: Sequence[Word], text: str) -> None:
    _examine(words, text)
    told = "".join(word.text for word in words)
    assert told == text, f"the text is over, and its words lack {text[len(told) :]!r} of {text!r}"


# ----------------------------------------------------------------------------------------------------------- checks


class AlignerCheck(Protocol):
    """One check of an aligner."""

    __name__: str

    def __call__(self, aligner: Aligner, *, seed: int = 0) -> None: ...


ALIGNER_CHECKS: list[AlignerCheck] = []
"""All checks, for `pytest.mark.parametrize`."""


def check_aligner(aligner: Aligner, *, seed: int = 0) -> None:
    """Run every check."""
    for check in ALIGNER_CHECKS:
        check(aligner, seed=seed)


def _check(body: Callable[[Aligner, Random], None]) -> Callable[[Aligner, Random], None]:
    @wraps(body)
    def check(aligner: Aligner, *, seed: int = 0) -> None:
        for number in range(ROUNDS):
            try:
                body(aligner, Random(f"{seed} {number}"))  # noqa: S311 - what is tried, not what is kept secret
            except Exception as error:
                where = f"in round {number} of the check {body.__name__} of rtactors.testing.alignment, seed {seed}"
                error.add_note(where)
                raise

    ALIGNER_CHECKS.append(check)
    return body


@_check
def is_an_aligner(aligner: Aligner, chance: Random) -> None:
    del chance
    assert isinstance(aligner, Aligner), f"{aligner!r} has no `begin`"
    assert not isinstance(aligner, type), f"{aligner!r} is a class: an aligner is an object of it"
    words = as_words(aligner.begin(RATE).words())
    assert not words, f"nothing has come yet, and it has {words!r}"


@_check
def words_are_the_text_in_order_at_every_moment(aligner: Aligner, chance: Random) -> None:
    stretch, alignment = _Stretch(chance), aligner.begin(RATE)
    for so_far in stretch.feed(alignment):
        _examine(alignment.words(), so_far)
    _examine_all(alignment.words(), stretch.text)


@_check
def a_word_that_was_told_is_whole(aligner: Aligner, chance: Random) -> None:
    stretch, alignment = _Stretch(chance), aligner.begin(RATE)
    told = [[word.text.strip() for word in alignment.words()] for _ in stretch.feed(alignment)]
    for before in told:
        assert before == told[-1][: len(before)], f"it told of {before}, but the words are {told[-1]}"


@_check
def any_pieces_give_the_same_words(aligner: Aligner, chance: Random) -> None:
    """Of text that is there before its audio: what comes later may be too late to change what was settled without."""
    stretch, alignment = _Stretch(chance), aligner.begin(RATE)
    for _ in stretch.feed(alignment, text_first=True):
        if chance.choice((True, False)):
            alignment.words()  # to ask must not change the answer
    words, expected = [*alignment.words()], [*stretch.words(aligner)]
    assert words == expected, f"in pieces it is {words}, at once {expected}"


@_check
def a_text_that_ends_with_its_audio_is_not_behind_it(aligner: Aligner, chance: Random) -> None:
    stretch = _Stretch(chance)
    words = stretch.words(aligner)
    _examine_all(words, stretch.text)
    late = [word for word in words if stretch.pcm and word.end_ms > stretch.audio_ms]
    assert not late, f"the audio ends at {stretch.audio_ms} ms: {late}"


@_check
def a_text_without_audio_has_all_its_words(aligner: Aligner, chance: Random) -> None:
    stretch = _Stretch(chance)
    stretch.pcm = b""
    alignment = aligner.begin(RATE)
    for so_far in stretch.feed(alignment, ends=False):
        _examine(alignment.words(), so_far)
    _examine_all(alignment.words(), stretch.text)


@_check
def audio_without_a_text_has_no_words(aligner: Aligner, chance: Random) -> None:
    stretch = _Stretch(chance)
    stretch.text = ""
    alignment = aligner.begin(RATE)
    for _ in stretch.feed(alignment):
        assert not alignment.words()


@_check
def text_that_is_ahead_of_its_audio_lies_behind_it(aligner: Aligner, chance: Random) -> None:
    stretch, alignment = _Stretch(chance), aligner.begin(RATE)
    stretch.text = "Ada kept the lighthouse. Every evening she counted the ships. " * 4
    stretch.pcm = stretch.pcm[: 500 * RATE // 1000 * BYTES_PER_FRAME]
    for _ in stretch.feed(alignment, ends=False):
        pass
    last = alignment.words()[-1]
    assert last.start_ms >= stretch.audio_ms, f"{stretch.audio_ms} ms of audio can't hold all up to {last}"


@_check
def another_text_takes_the_place_of_the_first(aligner: Aligner, chance: Random) -> None:
    stretch, other, alignment = _Stretch(chance), _Stretch(chance), aligner.begin(RATE)
    alignment.add_text(stretch.text)
    alignment.add_audio(stretch.pcm)
    alignment.words()
    half = chance.randint(0, len(stretch.text))
    for text in (other.text, stretch.text, stretch.text[:half]):
        alignment.replace_text(text)
        _examine(alignment.words(), text)
    alignment.add_text(stretch.text[half:])
    alignment.replace_text(stretch.text)
    alignment.end_text()
    _examine_all(alignment.words(), stretch.text)
    alignment.replace_text(other.text)
    _examine_all(alignment.words(), other.text)


@_check
def several_at_a_time_do_not_meet(aligner: Aligner, chance: Random) -> None:
    def begin(seed: float) -> tuple[Alignment, Iterator[str]]:
        alignment = aligner.begin(RATE)
        return alignment, _Stretch(Random(seed)).feed(alignment)  # noqa: S311 - what is tried, not what is kept secret

    seeds = [chance.random(), chance.random()]
    alone: list[list[Word]] = []
    for alignment, feed in map(begin, seeds):
        list(feed)
        alone.append([*alignment.words()])
    together = [begin(seed) for seed in seeds]
    feeds = [feed for _, feed in together]
    while feeds:
        feed = chance.choice(feeds)
        if next(feed, None) is None:
            feeds.remove(feed)
    for (alignment, _), expected in zip(together, alone, strict=True):
        words = [*alignment.words()]
        assert words == expected, f"beside another it is {words}, alone {expected}"

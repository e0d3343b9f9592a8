"""The aligners of this package keep the contract, and the checks find out those that don't."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from rtactors.alignment import Aligner, Alignment, EvenAligner, GivenAlignment, SpeechAligner, Word
from rtactors.alignment.base import Covered
from rtactors.testing.alignment import ALIGNER_CHECKS, AlignerCheck, check_aligner


class Even:
    """An aligner to be tampered with: the even one."""

    def begin(self, rate: int) -> Alignment:
        return Covered(EvenAligner().begin(rate))


class Given:
    """Word times that a provider could give, but doesn't."""

    def begin(self, rate: int) -> Alignment:
        return GivenAlignment(SpeechAligner().begin(rate), rate)


ALIGNERS: dict[str, Aligner] = {
    "speech": SpeechAligner(),
    "even": EvenAligner(),
    "doctored in nothing": Even(),
    "given, over speech": Given(),
}


@pytest.mark.parametrize("check", ALIGNER_CHECKS)
@pytest.mark.parametrize("aligner", ALIGNERS.values(), ids=ALIGNERS.keys())
def test_our_aligners_keep_the_contract(aligner: Aligner, check: AlignerCheck) -> None:
    check(aligner)


class Broken(Even):
    """Of each of these a test says which check finds it out."""

    def begin(self, rate: int) -> Alignment:
        doctored = Covered(EvenAligner().begin(rate))
        self.doctor(doctored)
        return doctored

    def doctor(self, alignment: Covered) -> None:
        raise NotImplementedError


class LosesTheLastWord(Broken):
    def doctor(self, alignment: Covered) -> None:
        alignment.words = lambda: alignment.alignment.words()[:-1]


class TellsWordsWithoutTheSpaceBefore(Broken):
    def doctor(self, alignment: Covered) -> None:
        alignment.words = lambda: [replace(word, text=word.text.strip()) for word in alignment.alignment.words()]


class TellsAnEmptyWord(Broken):
    def doctor(self, alignment: Covered) -> None:
        alignment.words = lambda: [Word("", 0, 0), *alignment.alignment.words()]


class LetsWordsOverlap(Broken):
    def doctor(self, alignment: Covered) -> None:
        alignment.words = lambda: [replace(word, end_ms=word.end_ms + 1) for word in alignment.alignment.words()]


class LetsWordsEndBeforeTheyBegin(Broken):
    def doctor(self, alignment: Covered) -> None:
        alignment.words = lambda: [replace(word, end_ms=word.start_ms - 1) for word in alignment.alignment.words()]


class TellsHalfWords(Broken):
    def doctor(self, alignment: Covered) -> None:
        def words() -> Sequence[Word]:
            whole = alignment.alignment.words()
            return whole if over else [replace(word, text=word.text[:2]) for word in whole[:1]]

        def end_text() -> None:
            alignment.alignment.end_text()
            over.append(True)

        over: list[bool] = []
        alignment.words, alignment.end_text = words, end_text


class CountsPieces(Broken):
    def doctor(self, alignment: Covered) -> None:
        def add_text(text: str) -> None:
            pieces.append(text)
            alignment.alignment.add_text(text)

        pieces: list[str] = []
        alignment.add_text = add_text
        alignment.words = lambda: [
            replace(word, start_ms=word.start_ms + len(pieces), end_ms=word.end_ms + len(pieces))
            for word in alignment.alignment.words()
        ]


class LagsBehindItsAudio(Broken):
    def doctor(self, alignment: Covered) -> None:
        alignment.words = lambda: [
            replace(word, start_ms=word.start_ms + 50, end_ms=word.end_ms + 50) for word in alignment.alignment.words()
        ]


class NeedsAudio(Broken):
    def doctor(self, alignment: Covered) -> None:
        def add_audio(pcm: bytes) -> None:
            heard.append(pcm)
            alignment.alignment.add_audio(pcm)

        heard: list[bytes] = []
        alignment.add_audio = add_audio
        alignment.words = lambda: alignment.alignment.words() if any(heard) else []


class TakesAllAudioForAll(Broken):
    def doctor(self, alignment: Covered) -> None:
        alignment.alignment.end_audio()


class KeepsTheFirstText(Broken):
    def doctor(self, alignment: Covered) -> None:
        def replace_text(text: str) -> None:
            del text

        alignment.replace_text = replace_text


class ReplacesByAdding(Broken):
    def doctor(self, alignment: Covered) -> None:
        alignment.replace_text = alignment.add_text


class HasOneForAll(Broken):
    def __init__(self) -> None:
        self.last: Covered | None = None

    def doctor(self, alignment: Covered) -> None:
        if self.last:
            self.last.alignment = alignment.alignment
        self.last = alignment


class SpeaksInSilence(Broken):
    def doctor(self, alignment: Covered) -> None:
        alignment.words = lambda: alignment.alignment.words() or [Word("uh", 0, 0)]


BROKEN = [
    LosesTheLastWord,
    TellsWordsWithoutTheSpaceBefore,
    TellsAnEmptyWord,
    LetsWordsOverlap,
    LetsWordsEndBeforeTheyBegin,
    TellsHalfWords,
    CountsPieces,
    LagsBehindItsAudio,
    NeedsAudio,
    TakesAllAudioForAll,
    KeepsTheFirstText,
    ReplacesByAdding,
    HasOneForAll,
    SpeaksInSilence,
]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_aligner_is_found_out(broken: type[Broken]) -> None:
    with pytest.raises(AssertionError) as caught:
        check_aligner(broken())
    assert str(caught.value)
    assert "of rtactors.testing.alignment, seed 0" in caught.value.__notes__[0]

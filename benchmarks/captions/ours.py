"""What a session with one of our aligners holds for heard; and how far off such an answer is."""

from time import process_time
from typing import NamedTuple

from benchmarks.captions.feed import arrivals
from benchmarks.captions.truth import RATE
from benchmarks.captions.utterances import Utterance
from rtactors.alignment import Aligner
from rtactors.transcript import Transcript

REPORT_MS = 100
"""How often a sink tells where it is."""


class Held(NamedTuple):
    """What is held for heard at one cut, as a length of the text."""

    ended: int
    """With the words that have ended."""
    begun: int
    """Also with the word that has begun."""


class Cost(NamedTuple):
    """CPU time of aligning one utterance, in s."""

    whole: float
    longest: float
    """Of one call."""


class Missed(NamedTuple):
    """How far it is off at one cut. More than 0: words are held for heard that were not."""

    words: int
    ms: float
    """Between where the last word held for heard and the last one truly heard end; of none, where the first begins."""


def missed(utterance: Utterance, cut_ms: float, held: Held) -> tuple[Missed, Missed]:
    """If a word is heard that has ended; and if one is that has begun."""
    words = utterance.words

    def miss(counted: int, heard: int) -> Missed:
        ends = [words[0].start_ms, *(word.end_ms for word in words)]
        return Missed(counted - heard, ends[counted] - ends[heard])

    return (
        miss(sum(word.end <= held.ended for word in words), sum(word.end_ms <= cut_ms for word in words)),
        miss(sum(word.end <= held.begun for word in words), sum(word.start_ms <= cut_ms for word in words)),
    )


class _Asked:
    """Takes the CPU time of what happens within `with`."""

    def __init__(self) -> None:
        self.cost = Cost(0, 0)

    def __enter__(self) -> None:
        self._began = process_time()

    def __exit__(self, *_: object) -> None:
        took = process_time() - self._began
        self.cost = Cost(self.cost.whole + took, max(self.cost.longest, took))


def listen(aligner: Aligner, utterance: Utterance, pace: int) -> tuple[list[Held], Cost]:
    """At each cut, by what has arrived until then, as a session's transcript has it: what was told keeps its place."""
    transcript = Transcript(RATE, aligner)
    place = (0, 0)
    pending = arrivals(utterance, pace)[::-1]
    texts = sum(bool(delta.text) for delta in pending)
    pieces = len(pending) - texts
    begun = 0
    held: list[Held] = []
    asked = _Asked()
    for now in sorted({*range(0, round(utterance.duration_ms), REPORT_MS), *utterance.cuts_ms}):
        while pending and pending[-1].at_ms <= now:
            delta = pending.pop()
            texts, pieces = texts - bool(delta.text), pieces - bool(delta.pcm)
            with asked:
                if delta.text:
                    transcript.add_text(place, delta.text, over=not texts)
                else:
                    transcript.add_audio(place, delta.pcm, over=not pieces)
        position = now * RATE // 1000
        with asked:
            begun += sum(len(word.text) for word in transcript.follow(position))
        if now in utterance.cuts_ms:
            heard, _ = transcript.heard(position)
            held += [Held(len(heard), begun)] * utterance.cuts_ms.count(now)
    return held, asked.cost

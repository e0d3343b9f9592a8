"""How far an aligner is off, quickly: to set its constants by.

    python benchmarks/captions/score.py [--aligner rtactors.alignment:SpeechAligner] [--split tune] [--each 10]

At each cut, which words have been heard is asked with what has arrived by then; those told before keep their place.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable
from importlib import import_module
from statistics import fmean, median
from time import process_time
from typing import NamedTuple

from feed import PACES, arrivals
from truth import RATE
from utterances import EACH, Utterance, utterances

from rtactors.alignment import Aligner, Word

REPORT_MS = 100
"""How often a sink tells where it is."""


class Missed(NamedTuple):
    """How far it was off at one cut: by the words that have ended, and by those that have begun."""

    words: int
    """Positive: it held words for heard that were not."""
    ms: float
    words_begun: int
    ms_begun: float


def missed(utterance: Utterance, cut_ms: float, ended: int, begun: int) -> Missed:
    """`ended`, `begun`: how many characters of the text are held for heard by then, and as begun."""
    words = utterance.words
    counts = (
        sum(word.end <= ended for word in words),
        sum(word.end_ms <= cut_ms for word in words),
        sum(word.end <= begun for word in words),
        sum(word.start_ms <= cut_ms for word in words),
    )
    # Where the last of so many words ends; of none, where the first begins.
    held, true, held_begun, true_begun = (words[n - 1].end_ms if n else words[0].start_ms for n in counts)
    return Missed(counts[0] - counts[1], held - true, counts[2] - counts[3], held_begun - true_begun)


def listen(aligner: Aligner, utterance: Utterance, pace: int) -> tuple[list[Missed], float, float]:
    """Of each cut; and the CPU time of all that was asked of the aligner, and of the longest call, in s."""
    alignment = aligner.begin(RATE)
    pending = arrivals(utterance, pace)[::-1]
    texts = sum(bool(delta.text) for delta in pending)
    pieces = len(pending) - texts
    told: list[Word] = []
    result: list[Missed] = []
    cpu = longest = 0.0
    moments = sorted({*range(0, round(utterance.duration_ms), REPORT_MS), *utterance.cuts_ms})
    for now in moments:
        while pending and pending[-1].at_ms <= now:
            delta = pending.pop()
            began = process_time()
            if delta.text:
                alignment.add_text(delta.text)
                texts -= 1
                if not texts:
                    alignment.end_text()
            else:
                alignment.add_audio(delta.pcm)
                pieces -= 1
                if not pieces:
                    alignment.end_audio()
            cpu += (took := process_time() - began)
            longest = max(longest, took)
        began = process_time()
        words = alignment.words()
        cpu += (took := process_time() - began)
        longest = max(longest, took)
        told += [word for word in words[len(told) :] if word.start_ms <= now]
        if now in utterance.cuts_ms:
            ended = sum(len(word.text) for word in told if word.end_ms <= now)
            result.append(missed(utterance, now, ended, sum(len(word.text) for word in told)))
    return result, cpu, longest


def summary(rows: Iterable[Missed]) -> str:
    rows = list(rows)
    words = sorted(abs(row.words) for row in rows)
    ms = sorted(abs(row.ms) for row in rows)
    p95 = int(0.95 * len(rows))
    return (
        f"{len(rows):5} cuts   words {median(words):3.0f} {fmean(words):5.2f} {words[p95]:3}   ms {median(ms):5.0f} "
        f"{fmean(ms):5.0f} {ms[p95]:5.0f}   ahead {fmean(row.ms for row in rows):+5.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--aligner", default="rtactors.alignment:SpeechAligner")
    parser.add_argument("--split", choices=["tune", "held out"], default="tune")
    parser.add_argument("--each", type=int, default=EACH, help="utterances in each language")
    options = parser.parse_args()
    module, _, name = options.aligner.partition(":")
    aligner: Aligner = getattr(import_module(module), name)()
    groups: dict[str, list[Missed]] = defaultdict(list)
    cpu = longest = seconds = 0.0
    for utterance in utterances(options.split, each=options.each):
        for pace in PACES:
            rows, took, slowest = listen(aligner, utterance, pace)
            cpu, longest, seconds = cpu + took, max(longest, slowest), seconds + utterance.duration_ms / 1000
            kinds = ("all", f"pace {pace}", utterance.language, utterance.channel, f"{utterance.speed} a minute")
            for kind in (*kinds, "hesitates" if utterance.hesitates else "fluent"):
                groups[kind] += rows
    print(f"{'':16}              median, mean, p95 of the words and ms off")
    for kind, rows in groups.items():
        print(f"{kind:16} {summary(rows)}")
    print(f"CPU: {1000 * cpu / seconds:.3f} ms per second of audio, {1000 * longest:.2f} ms the longest call")


if __name__ == "__main__":
    main()

"""How far from what was heard captions and history are cut: by us, by livekit-agents, and in proportion to time.

    python -m benchmarks.captions.measure [--livekit PYTHON] [--split tune] [--each 26] [--json FILE]

PYTHON is one that has livekit-agents (`make bench-captions` makes it); without it, only ours are measured.
"""

import argparse
import gc
import json
import os
import platform
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from statistics import fmean, median
from typing import Any, NamedTuple, TypeAlias

from benchmarks.captions import peer
from benchmarks.captions.feed import PACES
from benchmarks.captions.ours import Held, Missed, listen, missed
from benchmarks.captions.peer import Heard
from benchmarks.captions.utterances import EACH, LANGUAGES, Split, Utterance, utterances
from rtactors.alignment import Aligner, EvenAligner, SpeechAligner

OURS, LIVEKIT, EVEN = "rtactors", "livekit-agents", "in proportion"
ALIGNERS: dict[str, Aligner] = {OURS: SpeechAligner(), EVEN: EvenAligner()}
REAL_TIME, REAL_TIME_MS = 24, 8000
"""How many short ones livekit-agents also gets by the real clock, and how short they are."""


class Row(NamedTuple):
    """One cut, as one side sees it."""

    side: str
    utterance: Utterance
    pace: int
    missed: tuple[Missed, Missed]
    """If a word is heard that has ended, and if one is that has begun."""


class Off(NamedTuple):
    """How far off many cuts are: in either direction, but for the last."""

    cuts: int
    words_median: float
    words_mean: float
    words_p95: float
    ms_median: float
    ms_mean: float
    ms_p95: float
    ms_ahead: float
    """The mean with its sign: more than 0 if too much is held for heard."""


Groups: TypeAlias = dict[str, dict[str, Off]]
"""Of each group of cuts, of each side."""


def off(misses: Iterable[Missed]) -> Off:
    misses = list(misses)
    words = sorted(abs(miss.words) for miss in misses)
    ms = sorted(abs(miss.ms) for miss in misses)
    p95 = int(0.95 * len(misses))
    ahead = fmean(miss.ms for miss in misses)
    numbers = median(words), fmean(words), words[p95], median(ms), fmean(ms), ms[p95], ahead
    return Off(len(misses), *(round(number, 3) for number in numbers))


def groups_of(utterance: Utterance, pace: int) -> Iterator[str]:
    yield "all"
    yield utterance.split
    yield f"audio at {pace}x"
    yield "hesitating" if utterance.hesitates else "fluent"
    yield utterance.channel
    yield "with digits" if any(map(str.isdigit, utterance.text)) else "without digits"
    seconds, speed = utterance.duration_ms / 1000, utterance.speed
    yield "up to 5 s" if seconds <= 5 else "5 to 15 s" if seconds <= 15 else "over 15 s"
    yield "120-150 a minute" if speed <= 150 else "165-190 a minute" if speed <= 190 else "210-260 a minute"
    yield utterance.language


ORDER = (
    *("all", "held out", "tune", *(f"audio at {pace}x" for pace in PACES), "fluent", "hesitating"),
    *("clean", "noise", "telephone", "with digits", "without digits", "up to 5 s", "5 to 15 s", "over 15 s"),
    *("120-150 a minute", "165-190 a minute", "210-260 a minute"),
    *(language for languages in LANGUAGES.values() for language in languages),
)


def conventions(rows: list[Row]) -> dict[str, int]:
    """Of each side, which of both takes it nearer to the truth."""
    of: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        of[row.side].append(row)
    return {side: min((0, 1), key=lambda which: off(row.missed[which] for row in of[side]).ms_mean) for side in of}


def grouped(rows: list[Row], chosen: dict[str, int]) -> Groups:
    members: dict[str, dict[str, list[Missed]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for group in groups_of(row.utterance, row.pace):
            members[group][row.side].append(row.missed[chosen[row.side]])
    return {name: {side: off(members[name][side]) for side in chosen} for name in ORDER if name in members}


def table(groups: Groups, sides: Iterable[str]) -> Iterator[str]:
    yield f"{'':24}" + "".join(f" | {side:^41}" for side in sides)
    yield f"{'':24}" + "".join(f" | {'words off':^14}{'ms off':>15}{'':12}" for _ in sides)
    yield f"{'':17}{'cuts':>7}" + " |  med mean  p95   med  mean   p95  ahead  " * len(groups["all"])
    for name, of in groups.items():
        yield f"{name:17}{of[OURS].cuts:7}" + "".join(
            f" | {o.words_median:4.0f}{o.words_mean:5.1f}{o.words_p95:5.0f}"
            f"{o.ms_median:6.0f}{o.ms_mean:6.0f}{o.ms_p95:6.0f}{o.ms_ahead:+7.0f}  "
            for o in (of[side] for side in sides)
        )


def spoken(splits: Iterable[Split], each: int) -> list[Utterance]:
    made: list[Utterance] = []
    for split in splits:
        for utterance in utterances(split, each=each):
            made.append(utterance)
            say(f"{len(made)} utterances")
    return made


def say(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{what:60}", end="\r", file=sys.stderr, flush=True)


class Measured(NamedTuple):
    groups: Groups
    counts_when: dict[str, str]
    """Of each side, which words it holds for heard: by which convention it is nearer to the truth."""
    cpu: dict[str, dict[str, float]]
    """Of each side, ms for a second of audio; of ours also the longest call, in ms."""
    real_time: dict[str, float]
    """At how many cuts livekit-agents was also asked in real time, how often it said the same, and what it was off."""
    livekit_version: str


def judged(side: str, heard: list[Heard], held: list[list[Held]]) -> list[Row]:
    """What a side answered at each cut of each."""
    return [
        Row(side, utterance, pace, missed(utterance, cut_ms, answer))
        for (utterance, pace), answers in zip(heard, held, strict=True)
        for cut_ms, answer in zip(utterance.cuts_ms, answers, strict=True)
    ]


def measure(made: list[Utterance], livekit: str | None) -> Measured:
    """`livekit`: a Python that has livekit-agents."""
    heard: list[Heard] = [(utterance, pace) for utterance in made for pace in PACES]
    audio_s = sum(utterance.duration_ms for utterance, _ in heard) / 1000
    rows: list[Row] = []
    cpu: dict[str, dict[str, float]] = {}
    real_time: dict[str, float] = {}
    livekit_version = ""
    gc.freeze()  # so that nobody's CPU time has our own litter in it
    for side, aligner in ALIGNERS.items():
        say(side)
        answers = [listen(aligner, utterance, pace) for utterance, pace in heard]
        rows += judged(side, heard, [held for held, _ in answers])
        whole, longest = sum(cost.whole for _, cost in answers), max(cost.longest for _, cost in answers)
        cpu[side] = {"ms_per_s": round(1000 * whole / audio_s, 3), "longest_ms": round(1000 * longest, 2)}
    if livekit:
        say(f"{LIVEKIT}, in virtual time")
        virtual = peer.ask(livekit, heard)
        rows += judged(LIVEKIT, heard, virtual.held)
        livekit_version = virtual.version
        cpu[LIVEKIT] = {"ms_per_s": round(1000 * virtual.cpu_s / audio_s, 3)}
        say(f"{LIVEKIT}, in real time")
        real_time = by_real_clock(livekit, heard, virtual)
    say("")
    chosen = conventions(rows)
    counts_when = {side: ("has ended", "has begun")[which] for side, which in chosen.items()}
    return Measured(grouped(rows, chosen), counts_when, cpu, real_time, livekit_version)


def by_real_clock(livekit: str, heard: list[Heard], virtual: peer.Answers) -> dict[str, float]:
    """Whether virtual time is fair to livekit-agents: asks it a few again."""
    short = [index for index, (utterance, _) in enumerate(heard) if utterance.duration_ms < REAL_TIME_MS]
    short = short[:: -(-len(short) // REAL_TIME)]
    real = peer.ask(livekit, [heard[index] for index in short], real=True)
    then = [virtual.held[index] for index in short]
    pairs = [pair for one, other in zip(real.held, then, strict=True) for pair in zip(one, other, strict=True)]
    really, virtually = (
        off(row.missed[1] for row in judged(LIVEKIT, [heard[index] for index in short], held)).ms_mean
        for held in (real.held, then)
    )
    same = sum(one == other for one, other in pairs)
    return {"cuts": len(pairs), "the_same": same, "ms_mean": really, "ms_mean_in_virtual_time": virtually}


def report(measured: Measured) -> Iterator[str]:
    yield from table(measured.groups, [side for side in (OURS, LIVEKIT, EVEN) if side in measured.counts_when])
    yield ""
    for side, when in measured.counts_when.items():
        took = ", ".join(f"{name} {value:.2f}" for name, value in measured.cpu[side].items())
        yield f"{side}: a word is heard when it {when}; CPU: {took}"
    if measured.real_time:
        told = ", ".join(f"{name} {value:.0f}" for name, value in measured.real_time.items())
        yield f"{LIVEKIT} {measured.livekit_version} in real time: {told}"
    yield ""
    for name in ("all", "held out"):
        if name in measured.groups:
            ours, livekit = measured.groups[name][OURS], measured.groups[name].get(LIVEKIT)
            median_, p95 = ours.words_median, ours.words_p95
            yield f"{name}: {median_:.0f} words off in the median (to reach: 0), {p95:.0f} at p95 (to reach: 1)"
            if livekit:
                part = ours.ms_mean / livekit.ms_mean
                yield f"{name}: {part:.2f} of the mean error in ms of {LIVEKIT} (to reach: 0.50)"
    yield f"CPU: {measured.cpu[OURS]['ms_per_s']:.2f} ms for a second of audio (to reach: 1)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--livekit", metavar="PYTHON", help="measure livekit-agents also")
    parser.add_argument("--split", choices=[*LANGUAGES], help="one half only")
    parser.add_argument("--each", type=int, default=EACH, help="utterances in each language")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the evidence, and the report beside it")
    options = parser.parse_args()
    made = spoken([options.split] if options.split else LANGUAGES, options.each)
    measured = measure(made, options.livekit)
    print(text := "\n".join(report(measured)))
    if options.json:
        options.json.with_suffix(".txt").write_text(text + "\n", encoding="utf-8")
        packages = {name: version(name) for name in ("espeakng-loader", "numpy", "rtactors")}
        if measured.livekit_version:
            packages["livekit-agents"] = measured.livekit_version
        seconds = [utterance.duration_ms / 1000 for utterance in made]
        evidence: dict[str, Any] = {
            "benchmark": "captions",
            "python": platform.python_version(),
            "system": platform.system(),
            "machine": platform.machine(),
            "cores": os.cpu_count(),
            "packages": packages,
            "utterances": len(made),
            "words": sum(len(utterance.words) for utterance in made),
            "audio_s": {"sum": round(sum(seconds)), "least": round(min(seconds), 1), "most": round(max(seconds), 1)},
            "voices": len({utterance.voice for utterance in made}),
            "a_word_is_heard_when_it": measured.counts_when,
            "cpu": measured.cpu,
            "livekit_in_real_time": measured.real_time,
            "off": {
                group: {side: misses._asdict() for side, misses in sides.items()}
                for group, sides in measured.groups.items()
            },
        }
        options.json.write_text(json.dumps(evidence, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

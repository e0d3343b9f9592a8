"""`make bench-captions` without its peer, so short that it is a test: the truth is true, our captions are near it."""

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from subprocess import DEVNULL, run
from typing import Any

import pytest

from benchmarks.captions.measure import spoken
from benchmarks.captions.ours import Held, Missed, missed
from benchmarks.captions.truth import RATE, Spoken
from benchmarks.captions.utterances import LANGUAGES, Utterance

pytestmark = pytest.mark.speech


@pytest.fixture(scope="module")
def made() -> list[Utterance]:
    """By a process of its own, since eSpeak can be set up in one way only."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(spoken, LANGUAGES, 2).result()


def loudest(utterance: Utterance, start_ms: float, end_ms: float) -> int:
    samples = memoryview(utterance.pcm).cast("h")
    return max(map(abs, samples[round(start_ms * RATE / 1000) : round(end_ms * RATE / 1000)]), default=0)


def test_words_sound_and_what_is_between_them_does_not(made: list[Utterance]) -> None:
    for utterance in (one for one in made if one.channel == "clean"):
        whole = loudest(utterance, 0, utterance.duration_ms)
        start_ms, end = 0.0, 0
        for word in [*utterance.words, Spoken(len(utterance.text) + 1, utterance.duration_ms, 0)]:
            assert start_ms <= word.start_ms
            assert end < word.end
            assert loudest(utterance, start_ms + 150, word.start_ms - 10) < whole / 20  # a word may fade a little
            if word.end_ms:
                assert loudest(utterance, word.start_ms, word.end_ms) > whole / 100
            start_ms, end = word.end_ms, word.end


def test_who_knows_the_truth_is_not_off(made: list[Utterance]) -> None:
    utterance = next(one for one in made if len(one.words) > 2)
    cut_ms = (utterance.words[2].start_ms + utterance.words[2].end_ms) / 2
    held = Held(utterance.words[1].end, utterance.words[2].end)
    assert missed(utterance, cut_ms, held) == (Missed(0, 0), Missed(0, 0))
    too_much, too_little = missed(utterance, cut_ms, Held(len(utterance.text), 0))
    assert too_much.words == len(utterance.words) - 2
    assert too_much.ms == utterance.words[-1].end_ms - utterance.words[1].end_ms
    assert too_little == Missed(-3, utterance.words[0].start_ms - utterance.words[2].end_ms)


def test_captions_end_where_the_ears_did(tmp_path: Path) -> None:
    evidence = tmp_path / "captions.json"
    command = [sys.executable, "-m", "benchmarks.captions.measure", "--each", "2", "--json", str(evidence)]
    run(command, check=True, cwd=Path(__file__).parents[2], stdout=DEVNULL)
    off: dict[str, dict[str, Any]] = json.loads(evidence.read_text("utf-8"))["off"]
    assert {language for languages in LANGUAGES.values() for language in languages} < set(off)
    for group in ("all", "held out", "tune"):
        ours, even = off[group]["rtactors"], off[group]["in proportion"]
        assert ours["words_median"] == 0
        assert ours["ms_mean"] < even["ms_mean"] / 2

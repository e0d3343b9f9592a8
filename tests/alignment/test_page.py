"""What the page about aligners says is so."""

import re
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rtactors.alignment import Aligner, Alignment, EvenAligner, SpeechAligner, Word
from rtactors.testing.alignment import ALIGNER_CHECKS, AlignerCheck

PAGE = (Path(__file__).parents[2] / "docs" / "aligners.md").read_text(encoding="utf-8")
FORCED, TEST = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def defined_by(code: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    exec(code, found)
    return found


class AtOnce(Executor):
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def first_half(text: str, pcm: bytes, rate: int) -> list[Word]:
    """Takes all to be spoken in the first half of its audio."""
    alignment = EvenAligner().begin(rate)
    alignment.add_text(text)
    alignment.end_text()
    alignment.add_audio(pcm[: len(pcm) // 4 * 2])
    alignment.end_audio()
    return [*alignment.words()]


def forced(align: Callable[[str, bytes, int], list[Word]], threads: Executor) -> Aligner:
    return defined_by(FORCED)["ForcedAligner"](align, threads)


@pytest.mark.parametrize("check", ALIGNER_CHECKS)
def test_the_example_keeps_the_contract(check: AlignerCheck) -> None:
    check(forced(first_half, AtOnce()))


def estimated() -> list[Word]:
    return [*heard(SpeechAligner()).words()]


def heard(aligner: Aligner) -> Alignment:
    alignment = aligner.begin(8000)
    alignment.add_text("Hello there, it is me.")
    alignment.end_text()
    alignment.add_audio(b"\x10\x27" * 16_000)
    alignment.end_audio()
    return alignment


@pytest.mark.disk
def test_the_example_tells_what_is_known_by_then() -> None:
    estimate = estimated()
    with ThreadPoolExecutor(1) as threads:
        may_answer: Future[None] = Future()

        def align(text: str, pcm: bytes, rate: int) -> list[Word]:
            may_answer.result()
            return first_half(text, pcm, rate)

        alignment = heard(forced(align, threads))
        assert [*alignment.words()] == estimate
        may_answer.set_result(None)
    assert [word.text for word in alignment.words()] == [word.text for word in estimate]
    assert alignment.words()[-1].end_ms <= 1000 < estimate[-1].end_ms


@pytest.mark.disk
def test_an_answer_that_fails_leaves_the_estimate() -> None:
    def align(text: str, pcm: bytes, rate: int) -> list[Word]:
        raise RuntimeError("no model", text, len(pcm), rate)

    with ThreadPoolExecutor(1) as threads:
        alignment = heard(forced(align, threads))
    assert [*alignment.words()] == estimated()


def test_the_test_tests() -> None:
    names = defined_by(TEST)
    names["MyAligner"] = SpeechAligner
    for check in ALIGNER_CHECKS:
        names["test_my_aligner"](check)


def test_all_that_an_alignment_does_is_explained() -> None:
    told = re.findall(
        r"^\| `(\w+)\(.*?\)` \|", PAGE.partition("| an alignment's |")[2].partition("\n\n")[0], re.MULTILINE
    )
    assert {*told} == {name for name in vars(Alignment) if not name.startswith("_")}

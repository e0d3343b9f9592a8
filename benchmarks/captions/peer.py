"""Asks livekit-agents, in its own environment, what it holds for heard: `livekit_side.py` is what runs there."""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple, TypeAlias

from benchmarks.captions.feed import arrivals
from benchmarks.captions.ours import Held
from benchmarks.captions.truth import RATE
from benchmarks.captions.utterances import Utterance

Heard: TypeAlias = tuple[Utterance, int]
"""An utterance, and the pace of its audio."""


class Answers(NamedTuple):
    held: list[list[Held]]
    """Of each that was heard, at each cut."""
    cpu_s: float
    version: str


def ask(python: str, heard: list[Heard], *, real: bool = False) -> Answers:
    """In virtual time by a process for each core; or in `real` time by one, all at once."""
    parts = 1 if real else os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        processes = [_start(python, heard[part::parts], Path(folder) / str(part), real=real) for part in range(parts)]
        outputs = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise SystemExit("livekit-agents' side failed: see above")
    held: list[list[Held]] = [[] for _ in heard]
    cpu_s, version = 0.0, ""
    for part, output in enumerate(outputs):
        *lines, last = output.splitlines()
        for (utterance, _), line, answers in zip(heard[part::parts], lines, held[part::parts], strict=True):
            answers.extend(_held(utterance.text, transcript) for transcript in json.loads(line))
        cpu_s += json.loads(last)["cpu_s"]
        version = json.loads(last)["version"]
    return Answers(held, cpu_s, version)


def _start(python: str, heard: list[Heard], folder: Path, *, real: bool) -> subprocess.Popen[str]:
    folder.mkdir()
    jobs = folder / "jobs"
    jobs.write_text("".join(_job(utterance, pace, folder) for utterance, pace in heard), "utf-8")
    command = [python, Path(__file__).parent / "livekit_side.py", jobs]
    return subprocess.Popen([*command, "--real"] if real else command, stdout=subprocess.PIPE, text=True)


def _job(utterance: Utterance, pace: int, folder: Path) -> str:
    pcm = folder / f"{utterance.name}.pcm"
    pcm.write_bytes(utterance.pcm)
    deltas = [(delta.at_ms, delta.text, len(delta.pcm)) for delta in arrivals(utterance, pace)]
    return json.dumps({"pcm": str(pcm), "rate": RATE, "arrivals": deltas, "cuts_ms": utterance.cuts_ms}) + "\n"


def _held(text: str, transcript: str) -> Held:
    """It knows one transcript, in which white space may differ from the text's."""
    letters = "".join(transcript.split())
    places = [index for index, letter in enumerate(text) if not letter.isspace()][: len(letters)]
    if "".join(text[index] for index in places) != letters:
        raise ValueError(f"livekit-agents' transcript {transcript!r} is no beginning of {text!r}")
    end = places[-1] + 1 if places else 0
    return Held(end, end)

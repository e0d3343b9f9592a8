"""One demo in each of its ways, run once for all tests that look at what it leaves behind."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.command import COMMAND, without

IN_TERMINAL = str(Path(__file__).with_name("in_terminal.py"))

DEAF = """
import sys
from pathlib import Path
from rtactors.cli.demo import demo
from rtactors.loopback.faults import ALWAYS, Faults, ignore
sys.exit(demo(Path("out"), as_json=False, faults=Faults(ignore("conversation.item.truncate", times=ALWAYS))))
"""
"""With a server that doesn't cut."""


class Demo(NamedTuple):
    code: int
    out: str
    err: str
    output: Path


@pytest.fixture(scope="session")
def demos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Demo]:
    """At the same time, since each takes as long as its conversation."""
    folder = tmp_path_factory.mktemp("demos")
    commands = {
        "plain": [*COMMAND, "demo", "--output", "out", "--record", "call.jsonl"],
        "terminal": [sys.executable, IN_TERMINAL, *COMMAND, "demo", "--output", "out"],
        "json": [*COMMAND, "demo", "--json", "--output", "out"],
        "deaf": [sys.executable, "-c", DEAF],
        "voiceless": [*without("espeakng_loader", "pocketsphinx"), "demo"],
    }
    running: dict[str, subprocess.Popen[str]] = {}
    try:
        for name, command in commands.items():
            (folder / name).mkdir()
            running[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=folder / name,
                env=os.environ | {"COLUMNS": "80", "TERM": "xterm"},
            )
        ended = {name: process.communicate(timeout=50) for name, process in running.items()}
    finally:
        for process in running.values():
            process.kill()
    return {
        name: Demo(
            running[name].returncode, out, err, folder / name / ("demo-output" if name == "voiceless" else "out")
        )
        for name, (out, err) in ended.items()
    }

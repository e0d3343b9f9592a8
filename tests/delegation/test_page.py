"""What the page about delegation says is so."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from msgspec.structs import fields

from rtactors import Bounds
from rtactors.delegation import Budget, Delegate, startup
from rtactors.delegation.actor import GRACE_S, REMEMBERED
from rtactors.delegation.telling import LONGEST
from rtactors.delegation.transcript import MOST_CHARACTERS, MOST_ENTRIES
from rtactors.delegation.work import OUTPUT, Work

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "delegation.md").read_text(encoding="utf-8")
[EXAMPLE, CONTEXT] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_runs(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", EXAMPLE],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "<realtime_delegation>",
        "  <input>last train to Oslo</input>",
        "  <transcript_delta>user: When does the last train leave?</transcript_delta>",
        "</realtime_delegation>",
        "message When does the last train leave?",
        'function_call {"prompt": "last train to Oslo"}',
        "function_call_output The last train leaves at 23:04.",
        "message [BACKEND] looking at the timetable",
        "message At four past eleven.",
    ]


def test_the_context(tmp_path: Path) -> None:
    found: dict[str, Any] = {}
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        exec(CONTEXT, found)
    finally:
        os.chdir(before)
    assert found["INSTRUCTIONS"].startswith("You are the voice of a builder.\n\n" + startup.HEADER)
    assert "Fixed the rudder's tests." in found["INSTRUCTIONS"]
    budget = Budget()
    for figure in (budget.total, budget.recent, budget.workspace, budget.notes):
        assert f"| {figure:,} |" in PAGE
    assert f"the {startup.NEWEST} newest threads" in PAGE
    assert f"{startup.GROUPS} places, {startup.ENTRIES} threads each" in PAGE
    assert f"to a depth of {startup.DEPTH}, {startup.LISTED} entries each" in PAGE


def rows(heading: str) -> dict[str, list[str]]:
    lines = PAGE.partition(heading)[2].partition("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return {re.sub(r"[`(].*", "", row[0].lstrip("`")): row[1:] for row in cells}


def test_the_options_are_those_that_there_are() -> None:
    told = rows("| of a `Delegate` |")
    assert [*told] == [field.name for field in fields(Delegate)]
    for field in fields(Delegate):
        if default := told[field.name][0].strip("`"):
            assert eval(default) == field.default


def test_what_a_work_has() -> None:
    told = rows("| of a `Work` |")
    shown = {name for name in dir(Work) if not name.startswith("_")} | {"over"}
    assert {*told} == shown - {"end", "news", "wake"}


def test_the_figures() -> None:
    assert "For `grace` seconds" in PAGE
    assert f"It is {GRACE_S:g} s for handoffs" in PAGE
    assert f"the last {REMEMBERED:,} is" in PAGE
    assert f"about {LONGEST:,} tokens" in PAGE
    assert f"waits while {OUTPUT} texts" in PAGE
    assert f"{MOST_ENTRIES:,} items and {MOST_CHARACTERS // 1024} Ki characters" in PAGE
    bounds = Bounds()
    for name in ("input", "offered", "events"):
        assert f"`Bounds.{name}`, {getattr(bounds, name):,}" in PAGE

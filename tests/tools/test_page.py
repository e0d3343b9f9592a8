"""What the page about tools says is so."""

import os
import re
import subprocess
import sys
from inspect import signature
from pathlib import Path
from typing import Any

from rtactors.limits import Bounds
from rtactors.tools import Tool, tool
from rtactors.tools.calls import MOST_PROGRESS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tools.md").read_text(encoding="utf-8")
[EXAMPLE, OPTIONS, PROGRESS] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


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
        "message Does it rain in Oslo?",
        'function_call {"city": "Oslo"}',
        'function_call_output ["rain in Oslo"]',
        "message It rains in Oslo.",
    ]


def defined_by(code: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    exec(code, found)
    return found


def test_the_options_are_those_that_there_are() -> None:
    rows = re.findall(r"^\| (`.*?`) \| (.*?) \|", PAGE.partition("| option |")[2].partition("\n\n")[0], re.MULTILINE)
    told = {name: default for names, default in rows for name in re.findall(r"`(\w+)`", names)}
    options = {each.name: each.default for each in signature(Tool).parameters.values() if each.name != "function"}
    assert [*told] == [*options]
    for name in ("timeout", "on_interrupt", "reply", "idempotent"):
        assert eval(told[name].strip("`")) == options[name]
    one, two = defined_by(OPTIONS)["TOOLS"]
    assert (one.name, one.timeout, one.on_interrupt) == ("search", 5, "cancel")
    assert (two.name, two.timeout, two.declaration.description) == ("order_food", 60, "Order a dish.")


def test_the_bounds_are_those_that_there_are() -> None:
    assert f"run at once ({Bounds().calls})" in PAGE
    assert f"at most {MOST_PROGRESS}\ntimes of one call" in PAGE


def test_a_call_is_not_a_parameter_of_the_models() -> None:
    assert [*tool(defined_by(PROGRESS)["book"]).parameters.schema["properties"]] == ["hotel"]

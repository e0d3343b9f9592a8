"""The example in the docs does what it says, as a newcomer would run it."""

import os
import re
import subprocess
import sys
from pathlib import Path

from rtactors.recording.telling import KINDS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "recording.md").read_text(encoding="utf-8")
[EXAMPLE] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


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
    assert re.fullmatch(r"user: Tell me a story\.\nassistant: Ada kept the lighthouse\..*\n", result.stdout)
    assert (tmp_path / "call.jsonl").exists()


def test_every_kind_of_event_is_explained() -> None:
    kinds = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", PAGE.partition("| kind |")[2], re.MULTILINE)))
    assert sorted(kinds) == sorted(KINDS)

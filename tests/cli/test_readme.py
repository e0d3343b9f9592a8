"""The example of the README does what it says, as a newcomer would run it."""

import os
import re
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from rtactors.cli.arguments import PORT
from tests.cli.command import running

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
[EXAMPLE] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.sockets
def test_the_example_runs(tmp_path: Path) -> None:
    with running("serve", "--port", "0") as server:
        url = re.findall(r"ws://\S+", server.until("\n"))[0].replace("ws:", "http:")
        result = subprocess.run(
            [sys.executable, "-W", "error", "-c", EXAMPLE],
            env=os.environ | {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "none", "PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    assert (result.returncode, result.stderr) == (0, "")
    assert re.fullmatch(r"user: Tell me a story\.\nassistant: Ada kept the lighthouse\..* \(cut\)\n", result.stdout)
    with wave.open(str(tmp_path / "heard.wav")) as recording:
        assert 3 < recording.getnframes() / recording.getframerate() < 6


def test_the_example_is_short() -> None:
    assert len(EXAMPLE.strip().splitlines()) <= 20


def test_the_default_port_is_the_one_that_is_told() -> None:
    assert f"OPENAI_BASE_URL=http://127.0.0.1:{PORT}/v1" in README

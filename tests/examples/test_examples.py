"""The examples do what they say: each runs by itself, as a newcomer would run it, and checks what comes of it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

PRINTED = {
    "agent": r"user: .*\n +background: .*\nuser: \(coughs\)\nmodel: It rains .*up\.\nuser: .*\n"
    r"model: The last train.* \(cut\)\nmodel: You are welcome\.\n",
    "audio_effect": r"heard: 'I am not a robot\..*', \d+ of \d+ ms\nthe server keeps \d+ ms; robot\.wav has [\d.]+ s\n",
    "guardrail": r"judged: .* is rejected\njudged: .* may be heard\nheard: +.*Please.*\nthe server holds .*Please.*\n",
    "message_recorder": r"(item_\w+\.wav has \d+ ms, of which \d+ ms were heard: '.*'\n){2}",
    "word_times": r"( *\d+ ms .+\n){9,14}the history: Well, it rains in Oslo\. Take an umbrella,.*\n",
    "text_filter": r"the captions: .*•••• •••• •••• ••••.*\nthe history: .*•••• •••• •••• ••••.*\n",
}
"""What those print whose pages this test knows. The others have tests of their own."""


@pytest.mark.sockets
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_it_runs_by_itself(example: Path, tmp_path: Path) -> None:
    """Without a key, a microphone or a network, and to its end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    result = subprocess.run(
        [sys.executable, "-W", "error", str(example)],
        env=environment | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=50,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert re.fullmatch(PRINTED.get(example.stem, r"(?s).+"), result.stdout)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_it_says_what_it_is_and_how_to_run_it(example: Path) -> None:
    text = example.read_text(encoding="utf-8")
    assert re.match(rf'""".+\n\n    python examples/{example.name}\b', text)
    assert f"]({example.name})" in (example.parent / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 130, "a page each"

"""The example of the page on replies runs."""

import re
from pathlib import Path
from typing import Any

import pytest

from rtactors.loopback.script import Reply, Write, replies
from tests.scenarios.conftest import Begin

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parents[2] / "docs" / "replies.md").read_text(encoding="utf-8")
[EXAMPLE] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


async def test_the_example_runs(begin: Begin, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    exec(EXAMPLE, names)
    async with begin(replies("Once upon a time.", Reply(outputs=(Write(text="curious"),)))) as talk:
        talk.sink.play_all()
        await names["tell"](talk.session)
        await talk.session.quiet()
    assert capsys.readouterr().out == "['Once upon a time.']\ncurious\n"

"""The examples of the page on captions run: what they show and write is what was heard."""

import re
from pathlib import Path
from typing import Any

import anyio
import pytest
from webvtt import WebVTT

from rtactors.loopback.script import replies
from rtactors.session_events import CaptionsEnded
from tests.scenarios.conftest import Begin

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parents[2] / "docs" / "captions.md").read_text(encoding="utf-8")
FIRST, SECOND = "Once upon a time there was a lighthouse.", "Ada kept it."


@pytest.fixture
def example() -> dict[str, Any]:
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(code, names)
    return names


async def test_captions_in_an_app(begin: Begin, example: dict[str, Any]) -> None:
    drawn: list[tuple[str, str]] = []

    def draw(message: str, text: str) -> None:
        drawn.append((message, text))

    async with anyio.create_task_group() as tasks, begin(replies([FIRST, SECOND])) as talk:
        tasks.start_soon(example["show_captions"], talk.session, draw)
        await talk.ask()
        talk.sink.play_all()
        await talk.session.quiet()
    first, second = (message.id for message in talk.said())
    for message, text in ((first, FIRST), (second, SECOND)):
        shown = [text_ for message_, text_ in drawn if message_ == message]
        assert shown[-1] == text
        assert all(text.startswith(part) for part in shown)
        assert len(shown) >= len(text.split())
    assert [message for message, _ in drawn] == sorted(message for message, _ in drawn)


async def test_captions_in_an_app_that_is_interrupted(begin: Begin, example: dict[str, Any]) -> None:
    drawn: list[tuple[str, str]] = []

    def draw(message: str, text: str) -> None:
        drawn.append((message, text))

    async with anyio.create_task_group() as tasks, begin(replies([FIRST, SECOND])) as talk:
        tasks.start_soon(example["show_captions"], talk.session, draw)
        await talk.ask()
        await talk.sink.play(900)
        await talk.speak()
        await talk.session.quiet()
        assert drawn[-1] == (talk.said()[0].id, talk.said()[0].heard_text)
    assert FIRST.startswith(drawn[-1][1])


async def test_a_file(begin: Begin, example: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with anyio.create_task_group() as tasks, begin(replies([FIRST, SECOND])) as talk:
        tasks.start_soon(example["keep"], talk.session)
        await talk.ask()
        await talk.sink.play(60 * len(FIRST) + 300)
        await talk.tells(CaptionsEnded)
        assert len(WebVTT.read("call.vtt", strict=True).captions) == 1  # it was not closed yet
        await talk.speak()
        await talk.session.quiet()
    first, second = WebVTT.read("call.vtt", strict=True).captions
    assert first.text.replace("\n", " ") == FIRST
    assert second.text == talk.said()[1].heard_text
    assert [first.identifier, second.identifier] == [f"{message.id} {n}" for n, message in enumerate(talk.said(), 1)]

"""The examples in the docs do what they say."""

import re
from pathlib import Path
from typing import Any

import pytest

from rtactors.testing.simulation.plan import Plan

PAGE = (Path(__file__).parents[2] / "docs" / "simulation.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_an_app_of_ones_own() -> None:
    names: dict[str, Any] = {}
    exec(EXAMPLES[0], names)
    assert names["outcome"].evidence


def test_a_plan_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    exec(EXAMPLES[1], names)
    told = capsys.readouterr().out
    assert "UserStartedSpeaking" in told
    assert "(2) wire     <- conversation.item.create" in told


def test_every_part_of_a_plan_is_explained() -> None:
    parts = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)))
    assert {*parts} == {*Plan.__struct_fields__} - {"reconnects"}

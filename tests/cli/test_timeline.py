"""The picture of a run: true, readable, and in the colours of light and dark."""

import re
from itertools import combinations
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

import msgspec
import pytest
from msgspec.structs import replace

from rtactors.cli.report import Effect, Message, Report, Turn
from rtactors.cli.timeline import LETTER, PALETTE, WIDTH, draw_timeline
from tests.cli.conftest import Demo

DOCS = Path(__file__).parents[2] / "docs"
SVG = "{http://www.w3.org/2000/svg}"


def message(number: int, text: str = "Some words.", heard_ms: int = 1000, **changes: object) -> Message:
    made = Message(
        id=f"m{number}",
        response_id="r",
        number=number,
        state="full",
        text=text,
        heard_text=text,
        generated_ms=1000,
        heard_ms=heard_ms,
        server_ms=heard_ms or None,
        history_ms=heard_ms or None,
        announced_at=number * 1000,
        generated_from=number * 1000,
        generated_until=number * 1000 + 100,
        started_at=number * 1000,
        stopped_at=number * 1000 + heard_ms,
        effects=[],
    )
    return replace(made, **changes)


def report(*messages: Message, turns: tuple[Turn, ...] = (), interrupted_at: tuple[int, ...] = ()) -> Report:
    return Report(
        versions={},
        voice="tone",
        duration_ms=10_000,
        turns=list(turns),
        messages=list(messages),
        interrupted_at=list(interrupted_at),
        problems=[],
        differences=[],
    )


def turn(text: str, at: int) -> Turn:
    return Turn(text=text, recognized=text, started_at=at, stopped_at=at + 300, noticed_at=at + 60)


CROWDED = report(
    message(1, text="A very long message, " * 20, state="partial", heard_ms=300, heard_text="A very long"),
    message(2, effects=[Effect(kind="truncate", at=9_990, audio_end_ms=100_000)]),
    message(3, state="skipped", heard_ms=0, effects=[Effect(kind="delete", at=10)]),
    message(4, text="", heard_text=""),
    turns=(turn("First.", 0), turn("Second, at once.", 400), turn("The third, a long one, " * 2, 9_500)),
    interrupted_at=(100, 160, 5_000, 5_100, 9_990),
)


class Box(NamedTuple):
    text: str
    left: float
    right: float
    top: float
    bottom: float

    def meets(self, other: "Box") -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


def texts(svg: str) -> list[Box]:
    """Where each text stands, if letters are as wide as they may be."""
    found: list[Box] = []
    for element in ET.fromstring(svg).iter(f"{SVG}text"):
        text = "".join(element.itertext())
        size = 1.4 if "title" in element.get("class", "") else 1
        width = len(text) * LETTER * size
        x, y = float(element.get("x", 0)), float(element.get("y", 0))
        left = x - {"start": 0, "middle": width / 2, "end": width}[element.get("text-anchor", "start")]
        found.append(Box(text, left, left + width, y - 9 * size, y + 2))
    return found


def test_that_of_the_readme_is_drawn_from_the_report_beside_it() -> None:
    run = msgspec.json.decode((DOCS / "demo-report.json").read_bytes(), type=Report)
    assert (DOCS / "demo-timeline.svg").read_text(encoding="utf-8") == draw_timeline(run), "copy both from demo-output"


@pytest.mark.sockets
@pytest.mark.xdist_group("demos")
def test_of_the_demo(demos: dict[str, Demo]) -> None:
    run = msgspec.json.decode((demos["plain"].output / "report.json").read_bytes(), type=Report)
    svg = (demos["plain"].output / "timeline.svg").read_text(encoding="utf-8")
    assert svg == draw_timeline(run)
    shown = [box.text for box in texts(svg)]
    for made in run.messages:
        assert f"message {made.number}" in shown
        assert made.state in shown
        if made.heard_ms:
            assert shown.count(f"{made.heard_ms / 1000:.3f} s") == 3
    [cut] = run.messages[1].effects
    assert f"truncate at {(cut.audio_end_ms or 0) / 1000:.3f} s" in shown
    assert {"delete", "interrupted", f"“{run.turns[1].text}”"} <= {*shown}
    assert_readable(svg)


def test_of_a_crowded_run() -> None:
    assert_readable(draw_timeline(CROWDED))


def assert_readable(svg: str) -> None:
    boxes = texts(svg)
    height = float(ET.fromstring(svg).get("height", 0))
    assert not [(one.text, other.text) for one, other in combinations(boxes, 2) if one.meets(other)]
    assert not [box for box in boxes if box.left < 0 or box.right > WIDTH or box.bottom > height]


def test_words_that_were_not_heard_are_struck_out() -> None:
    svg = draw_timeline(report(message(1, text="Heard and not", heard_text="Heard and", heard_ms=700)))
    assert '>Heard and<tspan class="soft unheard"> not</tspan></text>' in svg


def test_a_record_that_differs_is_marked() -> None:
    true = report(message(1))
    assert "skipped strong" not in draw_timeline(true)
    assert "hold exactly that" in draw_timeline(true)
    false = replace(true, messages=[message(1, server_ms=2000)], differences=["the server keeps 2000 ms"])
    svg = draw_timeline(false)
    assert len(re.findall('class="skipped strong halo paper-edge">2.000 s<', svg)) == 1
    assert "the record differs in 1 point." in svg


def test_markup_in_a_text_is_text() -> None:
    hostile = '<script>alert("&")</script>'
    steering = "\x1b[2J\x00Hm."
    assert " [2J Hm." in draw_timeline(report(turns=(turn(steering, 0),)))
    svg = draw_timeline(report(message(1, text=hostile, heard_text=hostile), turns=(turn(hostile, 0),)))
    assert [box.text for box in texts(svg)].count(hostile) == 1
    assert not list(ET.fromstring(svg).iter(f"{SVG}script"))


def test_light_and_dark() -> None:
    style = re.findall("<style>(.*)</style>", draw_timeline(CROWDED))[0]
    light, _, dark = style.partition("@media(prefers-color-scheme:dark)")
    for name, (by_day, by_night) in PALETTE.items():
        assert f".{name}{{fill:{by_day}}}" in light
        assert f".{name}{{fill:{by_night}}}" in dark


def test_of_a_run_in_which_nothing_happened() -> None:
    assert_readable(draw_timeline(report()))

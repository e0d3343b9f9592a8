"""Every format says what the chart says: it is read back and compared. Pictures are legible, whatever they show."""

import json
import re
from collections import defaultdict
from itertools import combinations, pairwise
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from statecharts.catalog import CHARTS
from statecharts.chart import Chart, name_of, on
from statecharts.drawing import FORMATS, draw
from statecharts.drawing.diagram import Arrow, Diagram, State, diagram
from statecharts.drawing.layout import SLOT, Box, Layout
from statecharts.drawing.mermaid import mermaid
from statecharts.drawing.scxml import scxml
from statecharts.drawing.svg import layout_of, svg
from statecharts.drawing.xstate import xstate

charts = pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS.keys())

SCXML = "{http://www.w3.org/2005/07/scxml}"
SVG = "{http://www.w3.org/2000/svg}"


class Row(NamedTuple):
    source: str
    event: str
    guard: str
    effects: tuple[str, ...]
    target: str


def rows(chart: Chart[Any, Any]) -> list[Row]:
    return [
        Row(
            edge.source,
            edge.event.__name__,
            name_of(edge.guard) if edge.guard else "",
            tuple(name_of(effect) for effect in edge.effects),
            edge.target,
        )
        for edge in chart.edges
    ]


def ignored(chart: Chart[Any, Any]) -> set[tuple[str, str]]:
    return {(state, event.__name__) for state, events in chart.ignored.items() for event in events}


def same(one: list[Row], other: list[Row]) -> bool:
    """The same rows; those of the same state and event in the same order, since the first that holds is taken."""
    return sorted(one, key=lambda row: row[:2]) == sorted(other, key=lambda row: row[:2])


# ------------------------------------------------------------------------------------------------- for other tools


@charts
def test_scxml_says_what_the_chart_says(chart: Chart[Any, Any]) -> None:
    root = ET.fromstring(draw(chart, "scxml"))
    assert root.tag == f"{SCXML}scxml"
    assert root.attrib == {
        "version": "1.0",
        "datamodel": "ecmascript",
        "name": chart.name,
        "initial": chart.initial,
    }
    assert [(element.tag, element.attrib) for element in root] == [
        (f"{SCXML}{'final' if state in chart.final else 'state'}", {"id": state}) for state in chart.states
    ]
    read: list[Row] = []
    quiet: set[tuple[str, str]] = {(state, event) for state, event in ignored(chart) if state in chart.final}
    for state in root:
        for transition in state:
            assert transition.tag == f"{SCXML}transition"
            assert all((send.tag, send.attrib["target"]) == (f"{SCXML}send", "#_parent") for send in transition)
            source, event, target = state.attrib["id"], transition.attrib["event"], transition.attrib.get("target")
            guard = transition.attrib.get("cond", "").removesuffix("(_event.data)")
            if target is None:
                quiet.add((source, event))
            else:
                read.append(Row(source, event, guard, tuple(send.attrib["event"] for send in transition), target))
    assert same(read, rows(chart))
    assert quiet == ignored(chart)


@charts
def test_xstate_says_what_the_chart_says(chart: Chart[Any, Any]) -> None:
    machine = json.loads(draw(chart, "xstate"))
    assert (machine["id"], machine["initial"]) == (chart.name, chart.initial)
    assert {name: state["description"] for name, state in machine["states"].items()} == chart.states
    assert [name for name, state in machine["states"].items() if state.get("type") == "final"] == list(chart.final)
    read: list[Row] = []
    quiet: set[tuple[str, str]] = set()
    for name, state in machine["states"].items():
        quiet |= {(name, event) for event in state.get("meta", {}).get("ignored", ())}
        for event, transitions in state.get("on", {}).items():
            if transitions == {}:
                quiet.add((name, event))
                continue
            read += [
                Row(name, event, each.get("guard", ""), tuple(each.get("actions", ())), each["target"])
                for each in transitions
            ]
    assert same(read, rows(chart))
    assert quiet == ignored(chart)


# -------------------------------------------------------------------------------------------------------- pictures

LABEL = re.compile(r"(?P<event>\w+)(?: \[(?P<guard>\w+)\])?(?: / (?P<effects>\w+(?:, \w+)*))?")


@charts
def test_mermaid_says_what_the_chart_says(chart: Chart[Any, Any]) -> None:
    first, *lines = draw(chart, "mermaid").splitlines()
    assert first == "stateDiagram-v2"
    assert lines.pop(0) == f"    [*] --> {chart.initial}"
    read: list[Row] = []
    quiet: set[tuple[str, str]] = set()
    ends: list[str] = []
    for line in lines:
        if comment := re.fullmatch(r"    %% (\w+) ignores (.+)", line):
            quiet |= {(comment[1], event) for event in comment[2].split(", ")}
        elif end := re.fullmatch(r"    (\w+) --> \[\*\]", line):
            ends.append(end[1])
        else:
            arrow = re.fullmatch(r"    (\w+) --> (\w+) : (.+)", line)
            assert arrow, line
            for text in arrow[3].split("<br>"):
                label = LABEL.fullmatch(text)
                assert label, text
                effects = tuple((label["effects"] or "").split(", ")) if label["effects"] else ()
                guard = (label["guard"] or "").replace("else", "")
                read.append(Row(arrow[1], label["event"], guard, effects, arrow[2]))
    assert sorted(read) == sorted(rows(chart))
    assert quiet == ignored(chart)
    assert ends == list(chart.final)


def words(element: ET.Element) -> str:
    return " ".join(" ".join(text.itertext()) for text in element.iter(f"{SVG}text")).replace("\N{NO-BREAK SPACE}", " ")


@charts
def test_svg_says_what_the_chart_says(chart: Chart[Any, Any]) -> None:
    root = ET.fromstring(draw(chart, "svg"))
    title, description = root.findtext(f"{SVG}title"), root.findtext(f"{SVG}desc")
    assert title == f"The {chart.name} chart"
    assert description
    named = [element.attrib["id"] for element in root if "id" in element.attrib]
    assert root.attrib["aria-labelledby"].split() == named
    boxes = {words(group).split()[0]: group for group in root.iter(f"{SVG}g") if group.get("class") == "state"}
    assert boxes.keys() == chart.states.keys()
    drawn = " ".join(words(root).split())
    for name, meaning in chart.states.items():
        assert meaning in " ".join(words(boxes[name]).split())
        borders = [rect for rect in boxes[name].iter(f"{SVG}rect") if rect.get("class") == "box"]
        assert len(borders) == (2 if name in chart.final else 1)
    for arrow in diagram(chart).arrows:
        inside = " ".join(words(boxes[arrow.source]).split())
        assert arrow.label in (inside if arrow.source == arrow.target else drawn)
        assert f"{arrow.source} to {arrow.target} on {arrow.label}." in description


@charts
def test_our_pictures_fit_a_page(chart: Chart[Any, Any]) -> None:
    root = ET.fromstring(draw(chart, "svg"))
    assert int(root.attrib["width"]) <= 960
    assert int(root.attrib["height"]) <= 1400


@charts
def test_a_picture_shows_the_state_of_now(chart: Chart[Any, Any]) -> None:
    for state in chart.states:
        root = ET.fromstring(draw(chart, "svg", active=state))
        assert root.findtext(f"{SVG}title") == f"The {chart.name} chart, now {state}"
        active = [group for group in root.iter(f"{SVG}g") if group.get("class") == "state active"]
        assert [words(group).split()[0] for group in active] == [state]
        assert draw(chart, "mermaid", active=state).endswith(f"\n    class {state} active\n")
    assert "class" not in draw(chart, "mermaid")


# --------------------------------------------------------------------------------------------------- any diagram


@st.composite
def diagrams(draw_from: st.DrawFn) -> Diagram:
    """Any diagram of a few states: also with states apart, cycles, and many edges between the same two."""
    texts = st.sampled_from(
        ["", "short", "a meaning of rather many words & <signs>, -- which has to be broken somewhere"]
    )
    names = ["a", "bee", "a_state_with_a_long_name", "d", "e", "f", "g"][: draw_from(st.integers(1, 7))]
    states = [State(name, draw_from(texts), draw_from(st.booleans()), ("Ignored",)) for name in names]
    arrow = st.builds(
        Arrow,
        source=st.sampled_from(names),
        event=st.sampled_from(["Go", "Come", "SomethingRatherLongHappened"]),
        guard=st.sampled_from(["", "holds", "a_guard_with_a_very_long_name_indeed"]),
        effects=st.sampled_from([(), ("tell",), ("tell", "shout_as_loud_as_can_be", "run")]),
        target=st.sampled_from(names),
        otherwise=st.booleans(),
    )
    arrows = draw_from(st.lists(arrow, max_size=25, unique=True))
    return Diagram("any", names[0], tuple(states), tuple(arrows))


def followed(layout: Layout) -> list[Row]:
    """What a reader finds who follows each line with a finger, past its label, to where it ends."""
    onward: defaultdict[Box, list[Box]] = defaultdict(list)
    for line in layout.lines:
        onward[line.tail].append(line.tip)
    read: list[Row] = []
    for box in layout.boxes:
        if box.state:
            name = box.state.name
            read += [Row(name, arrow.event, arrow.guard, arrow.effects, name) for arrow in box.arrows]
            for start in onward[box]:
                here, label = start, start.arrows
                while not here.state:
                    (here,) = onward[here]
                    label = label or here.arrows
                read += [Row(name, arrow.event, arrow.guard, arrow.effects, here.state.name) for arrow in label]
    return read


def assert_legible(layout: Layout) -> None:
    for upper, lower in pairwise(range(len(layout.layers))):
        assert layout.bottoms[upper] < layout.tops[lower]
    for row in layout.layers:
        for one, other in combinations(row, 2):
            assert abs(one.x - other.x) >= (one.width + other.width) / 2 + SLOT - 1  # places are rounded to px
    for box in layout.boxes:
        assert box.x - box.width / 2 >= -1
        assert box.x + box.width / 2 <= layout.width
    for line in layout.lines:
        assert abs(line.tail.layer - line.tip.layer) == 1
        for box, x in line.xs.items():
            assert abs(x - box.x) <= box.width / 2
    for box in layout.boxes:
        for side in (box.above, box.below) if box.state else ():
            ends = sorted(line.xs[box] for line in layout.lines if box in line.xs and line.other(box) in side)
            assert all(right - left >= SLOT - 1 for left, right in pairwise(ends))


@charts
def test_our_pictures_are_legible(chart: Chart[Any, Any]) -> None:
    layout = layout_of(diagram(chart))
    assert_legible(layout)
    assert sorted(followed(layout)) == sorted(rows(chart))


@given(diagrams())
def test_any_diagram_can_be_drawn(drawn: Diagram) -> None:
    layout = layout_of(drawn)
    assert_legible(layout)
    told = {(arrow.source, arrow.event, arrow.guard, arrow.effects, arrow.target) for arrow in drawn.arrows}
    assert set(followed(layout)) == told
    root = ET.fromstring(svg(drawn))
    assert sum(group.get("class") == "state" for group in root.iter(f"{SVG}g")) == len(drawn.states)
    paths = [path.attrib for path in root.iter(f"{SVG}path")]
    assert sum(path["d"].count("C") for path in paths) == len(layout.lines)
    labels = [box for box in layout.boxes if box.arrows and not box.state]
    assert sum(path["class"] == "head" for path in paths) == 1 + len(labels)
    assert len(ET.fromstring(scxml(drawn))) == len(drawn.states)
    assert list(json.loads(xstate(drawn))["states"]) == [state.name for state in drawn.states]
    assert mermaid(drawn).count("<br>") + mermaid(drawn).count(" : ") == len(drawn.arrows)


@given(diagrams())
def test_a_drawing_is_the_same_every_time(drawn: Diagram) -> None:
    one = svg(drawn)
    layout_of.cache_clear()
    assert svg(drawn) == one


# ------------------------------------------------------------------------------------------------------- mistakes


class Go(Struct, frozen=True):
    pass


TINY: Chart[Go, str] = Chart(
    "tiny",
    states={"here": 'a "quoted" <meaning> & more -- or less'},
    final={},
    edges=[on("here", Go, "here")],
    ignored={},
)


def test_meanings_are_text_in_every_format() -> None:
    assert ET.fromstring(draw(TINY, "svg")).findtext(f".//{SVG}g/{SVG}title") == f"here: {TINY.states['here']}"
    assert ET.fromstring(draw(TINY, "scxml"))[0].attrib == {"id": "here"}
    assert json.loads(draw(TINY, "xstate"))["states"]["here"]["description"] == TINY.states["here"]


@pytest.mark.parametrize(
    ("format", "active", "sentence"),
    [
        ("svg", "there", "chart tiny has no state 'there': it has here"),
        ("mermaid", "there", "chart tiny has no state 'there': it has here"),
        ("scxml", "here", "scxml is no picture, so it can't show an active state"),
        ("xstate", "here", "xstate is no picture, so it can't show an active state"),
        ("gif", None, "there is no format 'gif': there are mermaid, svg, scxml, xstate"),
    ],
)
def test_what_cannot_be_drawn_is_said(format: Any, active: str | None, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        draw(TINY, format, active=active)


def test_every_format_is_named() -> None:
    assert FORMATS == ("mermaid", "svg", "scxml", "xstate")
    assert all(draw(TINY, each) for each in FORMATS)

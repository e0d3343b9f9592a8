"""The check finds what can be wrong with a chart that could be built, and nothing in ours."""

import random
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from statecharts.catalog import CHARTS
from statecharts.chart import Chart, Edge, IllegalEvent, on
from statecharts.check import LIMIT, check, explore, histories, samples

charts = pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS.keys())


@charts
def test_our_charts_are_sound(chart: Chart[Any, Any]) -> None:
    assert check(chart) == []


@charts
def test_a_final_state_is_never_left(chart: Chart[Any, Any]) -> None:
    assert {(step.target, step.effects) for step in explore(chart) if step.state in chart.final} <= {
        (state, ()) for state in chart.final
    }


@charts
@given(data=st.data())
def test_any_events_in_any_order_are_survived_and_replayed(chart: Chart[Any, Any], data: st.DataObject) -> None:
    event = st.sampled_from(list(chart.events.values())).flatmap(lambda type_: st.sampled_from(samples(type_)))
    events: list[Any] = data.draw(st.lists(event, max_size=30))

    def live() -> list[tuple[str, object]]:
        life = chart.start("a")
        log: list[tuple[str, object]] = []
        for event in events:
            before = life.state
            reaction = chart.reaction(before, event.__class__)
            try:
                effects = chart.fire(life, event)
            except IllegalEvent:
                assert (reaction, life.state) == ("error", before)
                effects = None
            else:
                assert reaction != "error"
                assert reaction == "handled" or (life.state, effects) == (before, ())
            assert life.state in chart.states
            log.append((life.state, effects))
        return log

    assert live() == live()


class Knock(Struct, frozen=True):
    times: int


class Leave(Struct, frozen=True):
    pass


def greet(id: str, _event: Knock) -> str:
    return id


def never(event: Knock) -> bool:
    return event.times < 0


def always(event: Knock) -> bool:
    return event.times >= 0


def fragile(event: Knock) -> bool:
    return bool(1 // event.times)


def moody(_event: Knock) -> bool:
    return random.random() < 0.5


def dice(_id: str, _event: Knock) -> float:
    return random.random()


def door(*edges: Edge[Any, Any]) -> Chart[Any, Any]:
    return Chart(
        "door",
        states={"shut": "", "open": ""},
        final={"gone": ""},
        edges=(*edges, on("open", Leave, "gone")),
        ignored={},
    )


@pytest.mark.parametrize(
    ("edges", "sentences"),
    [
        pytest.param((on("shut", Knock, "open", greet),), [], id="sound"),
        pytest.param(
            (on("shut", Knock, "shut", when=never), on("shut", Knock, "open")),
            ["in shut, no event takes `Knock [never]`"],
            id="a guard that never holds",
        ),
        pytest.param(
            (on("shut", Knock, "open", when=always), on("shut", Knock, "shut")),
            ["in shut, always of `Knock [always]` always holds", "in shut, no event takes `Knock`"],
            id="a guard that always holds",
        ),
        pytest.param(
            (on("shut", Knock, "open", when=never), on("shut", Knock, "shut")),
            [
                "in shut, no event takes `Knock [never]`",
                "no event leads to open",
                "no event leads to gone",
                "from shut, no event leads to an end",
            ],
            id="a way that nothing takes",
        ),
        pytest.param(
            (on("shut", Knock, "open", when=fragile), on("shut", Knock, "shut")),
            ["in shut, Knock(times=0) raises ZeroDivisionError('integer division or modulo by zero')"],
            id="a guard that raises",
        ),
    ],
)
def test_what_is_wrong_is_found(edges: tuple[Edge[Any, Any], ...], sentences: list[str]) -> None:
    assert sorted(check(door(*edges))) == sorted(sentences)


@pytest.mark.parametrize(
    "edges",
    [
        pytest.param((on("shut", Knock, "open", when=moody), on("shut", Knock, "shut")), id="guard"),
        pytest.param((on("shut", Knock, "open", dice),), id="effect"),
    ],
)
def test_what_is_not_deterministic_is_found(edges: tuple[Edge[Any, Any], ...]) -> None:
    random.seed(4)
    assert any("should give" in problem for problem in check(door(*edges)))


def test_a_machine_that_differs_from_its_table_is_found() -> None:
    chart = door(on("shut", Knock, "open"))
    chart.edges = (on("shut", Knock, "shut"), *chart.edges[1:])
    assert check(chart)[0] == "in shut, Knock(times=0) should give ('shut', ()), and gave [('open', ()), ('open', ())]"


def test_histories_follow_a_life_until_nothing_new_can_happen() -> None:
    chart = door(on("shut", Knock, "open", greet))
    assert histories(chart, 0, lambda count, step: count + len(step.effects)) == {
        ("shut", 0),
        ("open", 1),
        ("gone", 1),
    }


class Part(Struct, frozen=True, kw_only=True):
    flag: bool


class Whole(Struct, frozen=True):
    kind: Literal["x", "y"]
    count: Annotated[int, Meta(ge=1, lt=10)]
    part: Part | None
    at: Annotated[float, Meta(gt=0, le=2)] = 1.0


def test_samples_cover_the_fields() -> None:
    assert set(samples(Whole)) == {
        Whole(kind, count, part, 1.5)
        for kind in ("x", "y")
        for count in (1, 2)
        for part in (Part(flag=False), Part(flag=True), None)
    }


class Wide(Struct, frozen=True):
    a: int
    b: int
    c: int
    d: int
    e: int
    f: int
    g: int


def test_samples_are_bounded_and_still_cover_every_pair() -> None:
    wide = samples(Wide)
    assert len(set(wide)) == LIMIT
    for one in "abcdefg":
        for other in "abcdefg".replace(one, ""):
            assert len({(getattr(sample, one), getattr(sample, other)) for sample in wide}) == 16


class Odd(Struct, frozen=True):
    what: object


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (Odd, "Odd.what is of a type that has no samples: events hold plain values and Structs"),
        (int, "int is not a msgspec Struct, so it has no samples"),
    ],
)
def test_what_has_no_samples_is_said(event: type[Any], sentence: str) -> None:
    with pytest.raises(TypeError) as caught:
        samples(event)
    assert str(caught.value) == sentence

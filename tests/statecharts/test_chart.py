"""A chart that is not sound can't be built, and says why; one that is built is atomic and total."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import pytest
from msgspec import Struct, defstruct

from statecharts.chart import Chart, ChartError, Edge, IllegalEvent, Life, on
from statecharts.item import Expired as ItemExpired
from statecharts.playback import PLAYBACK, Expired


class Coin(Struct, frozen=True):
    value: int


class Push(Struct, frozen=True):
    pass


class Kick(Struct, frozen=True):
    pass


CoinEvent: TypeAlias = Coin | Push | Kick


def enough(event: Coin) -> bool:
    return event.value > 1


def thank(id: str, event: Coin) -> str:
    return f"{id}: {event.value}"


def refuse(_id: str, event: Coin) -> str:
    raise ValueError(event)


STATES = {"locked": "no way through", "open": "one may pass"}
BROKEN = {"broken": "out of order"}
WAYS = (
    on("locked", Coin, "open", thank, when=enough),
    on("locked", Coin, "locked"),
    on("locked", Kick, "broken"),
    on("open", Push, "locked"),
)


def build(
    *edges: Edge[Any, Any],
    states: Mapping[str, str] = STATES,
    final: Mapping[str, str] = BROKEN,
    ignored: Mapping[str, Sequence[type[Any]]] | None = None,
) -> Chart[Any, Any]:
    return Chart("turnstile", states=states, final=final, edges=edges, ignored=ignored or {})


def test_a_sound_chart_runs() -> None:
    chart: Chart[CoinEvent, str] = build(*WAYS, ignored={"locked": (Push,)})
    life = chart.start("north")
    assert (life.id, life.state) == ("north", "locked")
    assert chart.fire(life, Push()) == ()
    assert chart.fire(life, Coin(1)) == ()
    assert life.state == "locked"
    assert chart.fire(life, Coin(2)) == ("north: 2",)
    assert life.state == "open"
    assert repr(life) == "Life('north', 'open')"


def test_reactions_are_known_before_the_event() -> None:
    chart = build(*WAYS, ignored={"locked": (Push,)})
    assert {
        (state, event): chart.reaction(state, type_) for state in STATES for event, type_ in chart.events.items()
    } == {
        ("locked", "Coin"): "handled",
        ("locked", "Kick"): "handled",
        ("locked", "Push"): "ignored",
        ("open", "Coin"): "error",
        ("open", "Kick"): "error",
        ("open", "Push"): "handled",
    }


def test_an_illegal_event_says_what_happened_and_changes_nothing() -> None:
    chart = build(*WAYS)
    life = Life("north", "open")
    with pytest.raises(IllegalEvent) as caught:
        chart.fire(life, Coin(2))
    assert str(caught.value) == "turnstile 'north' is open: Coin(value=2) cannot happen there, so nothing was changed"
    assert (caught.value.chart, caught.value.id, caught.value.state) == ("turnstile", "north", "open")
    assert caught.value.event == Coin(2)
    assert life.state == "open"


def test_events_are_told_apart_by_type_not_by_name() -> None:
    life = Life("m1", "playing")
    with pytest.raises(IllegalEvent):
        PLAYBACK.fire(life, ItemExpired(attempt=1))  # pyright: ignore[reportArgumentType]  the mistake itself
    assert life.state == "playing"
    assert PLAYBACK.fire(life, Expired(0, 0.0))


def test_an_effect_that_raises_leaves_the_life_where_it_was() -> None:
    chart = build(on("locked", Coin, "open", thank, refuse), on("open", Push, "locked"), final={})
    life = chart.start("north")
    with pytest.raises(ValueError, match=r"Coin\(value=2\)"):
        chart.fire(life, Coin(2))
    assert life.state == "locked"


def anonymous() -> Callable[[Coin], bool]:
    return lambda event: event.value > 1


def namesake() -> Callable[[str, Coin], str]:
    def thank(_id: str, event: Coin) -> str:
        return str(event)

    return thank


@pytest.mark.parametrize(
    ("edges", "table", "sentence"),
    [
        pytest.param((), {"states": {}}, "there is no initial state", id="no initial"),
        pytest.param(WAYS, {"final": {"open": "", **BROKEN}}, "open is both final and not", id="both"),
        pytest.param(
            WAYS, {"final": {"out of order": ""}}, "the state 'out of order' needs a name of letters", id="state's name"
        ),
        pytest.param(
            (*WAYS, on("open", Kick, "brokn")), {}, "`Kick` names the unknown state brokn", id="unknown target"
        ),
        pytest.param(
            (*WAYS, on("opne", Kick, "broken")), {}, "`Kick` names the unknown state opne", id="unknown source"
        ),
        pytest.param(
            WAYS, {"ignored": {"opne": (Kick,)}}, "the unknown state opne ignores events", id="unknown ignorer"
        ),
        pytest.param(
            WAYS, {"states": {**STATES, "lost": ""}, "final": {}}, "names the unknown state broken", id="no such end"
        ),
        pytest.param(WAYS, {"states": {**STATES, "lost": ""}}, "lost can't be reached", id="unreachable"),
        pytest.param(
            (*WAYS, on("open", Kick, "stuck")),
            {"states": {**STATES, "stuck": ""}},
            "stuck never ends",
            id="never ends",
        ),
        pytest.param(
            (*WAYS, on("broken", Coin, "open")), {}, "`Coin` leaves the final state broken", id="exit of a final state"
        ),
        pytest.param(
            (*WAYS, on("locked", Kick, "open")),
            {},
            "`Kick` from locked can't be reached: an edge before it always holds",
            id="ambiguous",
        ),
        pytest.param(
            (on("locked", Coin, "locked", when=enough), *WAYS),
            {},
            "`Coin [enough] / thank` from locked stands there twice",
            id="guarded twice",
        ),
        pytest.param(
            (*WAYS, on("open", Coin, "open", when=enough)),
            {},
            "open may find no edge for Coin: its last edge needs to be one without a guard",
            id="not total",
        ),
        pytest.param(
            (*WAYS, on("open", defstruct("Coin", []), "open")),
            {},
            "two different events are called Coin",
            id="event's name twice",
        ),
        pytest.param(
            WAYS, {"ignored": {"open": (Push,)}}, "open both handles and ignores Push", id="handled and ignored"
        ),
        pytest.param(
            (on("open", Coin, "open", when=anonymous()), on("open", Coin, "locked"), *WAYS),
            {},
            "`Coin [<lambda>]` uses a function without a name",
            id="lambda",
        ),
        pytest.param(
            (*WAYS, on("open", Coin, "open", partial(thank))), {}, "uses a function without a name", id="partial"
        ),
        pytest.param(
            (*WAYS, on("open", Coin, "open", namesake())), {}, "two different functions are called thank", id="namesake"
        ),
    ],
)
def test_an_unsound_table_is_refused(edges: tuple[Edge[Any, Any], ...], table: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ChartError) as caught:
        build(*edges, **table)
    assert str(caught.value).startswith("chart turnstile: ")
    assert sentence in str(caught.value)


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(ChartError) as caught:
        build(*WAYS, on("opne", Kick, "brokn"), ignored={"open": (Push,)})
    assert str(caught.value) == (
        "chart turnstile: `Kick` names the unknown state brokn; `Kick` names the unknown state opne; "
        "open both handles and ignores Push"
    )

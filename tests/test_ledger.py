"""The ledger: order, history, and where an item is to be put on the server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtactors.events import Item
from rtactors.ledger import Entry, Ledger
from statecharts import item as chart
from statecharts.item import ITEM, ItemEvent
from statecharts.message import ChatMessage


def ledger_of(*ids: str) -> Ledger:
    ledger = Ledger()
    for id in ids:
        fire(ledger, ledger.add(Item(id=id, role="user", text=f"text of {id}")), chart.Added())
    return ledger


def fire(ledger: Ledger, entry: Entry, event: ItemEvent) -> Entry:
    ITEM.fire(entry.life, event)
    ledger.see(entry)
    return entry


def order(ledger: Ledger) -> list[str]:
    forwards = [entry.item.id for entry in ledger]
    last = ledger[forwards[-1]]
    backwards = [last.item.id]
    while last.previous:
        last = last.previous
        backwards.append(last.item.id)
    assert forwards == backwards[::-1], "the links must agree in both directions"
    assert len(ledger) == len(forwards)
    return forwards


@pytest.mark.parametrize(
    ("after", "expected"),
    [(None, "abcx"), ("", "xabc"), ("a", "axbc"), ("c", "abcx"), ("never heard of", "abcx")],
)
def test_a_new_item_stands_where_it_was_put(after: str | None, expected: str) -> None:
    ledger = ledger_of(*"abc")
    ledger.add(Item(id="x"), after)
    assert order(ledger) == list(expected)


@pytest.mark.parametrize(
    ("moved", "after", "expected"),
    [
        ("a", "c", "bca"),
        ("c", "", "cab"),
        ("b", "a", "abc"),
        ("b", None, "abc"),
        ("b", "never heard of", "abc"),
        ("b", "b", "abc"),  # what OpenAI answers when an id is used twice
        ("a", "b", "bac"),
    ],
)
def test_an_item_moves_to_where_the_server_says(moved: str, after: str | None, expected: str) -> None:
    ledger = ledger_of(*"abc")
    ledger.place(ledger[moved], after)
    assert order(ledger) == list(expected)


def test_an_item_is_put_behind_what_the_server_holds() -> None:
    ledger = ledger_of(*"abc")
    assert ledger.anchor(ledger.add(Item(id="end"))) == "c"
    assert ledger.anchor(ledger.add(Item(id="front"), "")) == ""
    fire(ledger, ledger["b"], chart.Drop())
    assert ledger.anchor(ledger.add(Item(id="x"), "b")) == "a"
    fire(ledger, ledger["a"], chart.Drop())
    assert ledger.anchor(ledger["x"]) == ""  # `front` was never sent


def test_history_holds_of_the_model_only_what_was_heard() -> None:
    ledger = ledger_of("u")
    pending = ledger.add(Item(id="a1", role="assistant", status="in_progress"))
    pending.response_id = "resp_1"
    assert [item.id for item in ledger.history()] == ["u"]
    pending.spoken = ChatMessage(
        message_id="a1",
        heard_text="One two",
        generated_text="One two three.",
        heard_ms=700,
        generated_ms=1400,
        interrupted=True,
        started_at=1.0,
        stopped_at=1.7,
        confirmed=True,
    )
    said = ledger.history()[1]
    assert (said.heard_text, said.generated_text, said.heard_ms, said.interrupted) == (
        "One two",
        "One two three.",
        700,
        True,
    )


def test_text_that_comes_late_is_in_the_history_of_what_was_heard_in_full() -> None:
    ledger = Ledger()
    entry = ledger.add(Item(id="a1", role="assistant"))
    entry.spoken = ChatMessage(
        message_id="a1",
        heard_text="One",
        generated_text="One",
        heard_ms=700,
        generated_ms=700,
        interrupted=False,
        started_at=1.0,
        stopped_at=1.7,
        confirmed=True,
    )
    entry.item = Item(id="a1", role="assistant", text="One two.")
    assert ledger.history()[0].heard_text == "One two."


def test_of_what_broke_off_at_its_first_sound_the_history_has_no_words() -> None:
    """All of its audio was heard, less than a ms; its text was ahead of that."""
    ledger = Ledger()
    entry = ledger.add(Item(id="a1", role="assistant", text="One two.", status="incomplete"))
    entry.spoken = ChatMessage(
        message_id="a1",
        heard_text="",
        generated_text="One two.",
        heard_ms=0,
        generated_ms=0,
        interrupted=False,
        started_at=1.0,
        stopped_at=1.0,
        confirmed=True,
    )
    assert ledger.history()[0].heard_text == ""


def test_what_is_not_wanted_is_not_in_the_history() -> None:
    ledger = ledger_of(*"ab")
    ledger["a"].keep_ms = 0
    assert [item.id for item in ledger.history()] == ["b"]


def test_what_a_new_server_does_not_hold_yet_stays_before_what_that_one_adds() -> None:
    """It is still being heard, and the server that made it is gone; the user speaks over it."""
    ledger = ledger_of("a", "b")
    ledger["b"].retold = True
    fire(ledger, ledger["b"], chart.Lost())
    fire(ledger, ledger.learn(Item(id="user"), "a"), chart.Added())
    assert order(ledger) == ["a", "b", "user"]
    ledger.place(ledger["user"], "a")
    assert order(ledger) == ["a", "b", "user"]


def test_an_item_that_is_said_to_stand_behind_itself_is_at_the_end() -> None:
    """OpenAI says so of an item that it has twice."""
    ledger = ledger_of("a", "b")
    ledger.add(Item(id="c", role="user"), "c")
    assert order(ledger) == ["a", "b", "c"]
    ledger.place(ledger["b"], "b")
    assert order(ledger) == ["a", "b", "c"]


def test_what_an_app_puts_somewhere_stands_there_whatever_a_new_server_holds() -> None:
    ledger = ledger_of("a", "b")
    ledger.lose()
    for entry in ledger:
        fire(ledger, entry, chart.Lost())
    ledger.add(Item(id="first"), "")
    ledger.add(Item(id="second"), "a")
    assert order(ledger) == ["first", "a", "second", "b"]


EVENTS: tuple[ItemEvent, ...] = (
    chart.Added(),
    chart.Create(),
    chart.Reword(),
    chart.Drop(),
    chart.Deleted(),
    chart.Deleted(again=True),
    chart.Expired(2),
)


@given(
    st.lists(
        st.tuples(st.sampled_from(("add", "learn", "place", "fire", "lose")), st.integers(0, 99), st.integers(0, 99))
    )
)
def test_what_a_server_is_to_put_an_item_behind_is_found_as_if_one_looked_at_all(
    steps: list[tuple[str, int, int]],
) -> None:
    ledger = ledger_of(*"abc")
    for number, (step, which, other) in enumerate(steps):
        entries = list(ledger)
        entry, after = (
            entries[which % len(entries)],
            ["", *(each.item.id for each in entries)][other % (len(entries) + 1)],
        )
        match step:
            case "add":
                ledger.add(Item(id=f"added_{number}"), after)
            case "learn":
                ledger.learn(Item(id=f"learnt_{number}"), after)
            case "place":
                ledger.place(entry, after)
            case "lose":
                ledger.lose()
                for each in entries:
                    fire(ledger, each, chart.Lost())
            case _:
                event = EVENTS[other % len(EVENTS)]
                if ITEM.reaction(entry.life.state, type(event)) != "error":
                    fire(ledger, entry, event)
        order(ledger)
        for each in ledger:
            before = each.previous
            while before and not before.on_server:
                before = before.previous
            assert ledger.anchor(each) == (before.item.id if before else "")


def test_as_many_items_as_one_likes_fit_behind_the_same_one() -> None:
    ledger = ledger_of(*"ab")
    for number in range(1000):
        fire(ledger, ledger.add(Item(id=str(number)), "a"), chart.Added())
    assert order(ledger) == ["a", *map(str, range(999, -1, -1)), "b"]
    assert [ledger.anchor(ledger[id]) for id in ("b", "0", "999")] == ["0", "1", "a"]
    ranks = [entry.rank for entry in ledger]
    assert ranks == sorted({*ranks})

"""Reactive actors: one message after the other, reminders, failures."""

import anyio
import pytest

from rtactors.actor import ReactiveActor
from rtactors.channels import Inbox
from rtactors.reminders import Reminders
from rtactors.session_events import Problem, SessionEvent, Transition
from statecharts import message as chart
from statecharts.message import MESSAGE

pytestmark = pytest.mark.anyio


class Diary(ReactiveActor[str]):
    def __init__(self) -> None:
        self.reminders = Reminders()
        super().__init__(Inbox("diary", 16), self.published_add, self.reminders)
        self.published: list[SessionEvent] = []
        self.entries: list[tuple[float, str]] = []

    def published_add(self, event: SessionEvent) -> None:
        self.published.append(event)

    def handle(self, message: str) -> None:
        self.entries.append((anyio.current_time(), message))
        if message == "fail":
            raise ZeroDivisionError
        self.ended = message == "end"


async def test_reminders_come_in_time_and_in_order() -> None:
    diary = Diary()
    start = anyio.current_time()
    diary.remind(2, "two")
    diary.remind(1, "one")
    diary.remind(2, "two again")
    diary.remind(3, "end")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(diary.reminders.run)
        tasks.start_soon(diary.run)
        await anyio.sleep(1.5)
        diary.inbox.send("in between")
        diary.remind(0.25, "sooner")
        await anyio.sleep(2)
        tasks.cancel_scope.cancel()
    times = [(round(at - start, 6), what) for at, what in diary.entries]
    assert times == [(1, "one"), (1.5, "in between"), (1.75, "sooner"), (2, "two"), (2, "two again"), (3, "end")]
    assert diary.inbox.closed


class Talkative(Diary):
    """Says something to itself, and to another, while it handles something."""

    def __init__(self, other: Diary | None = None) -> None:
        super().__init__()
        self.other = other

    def handle(self, message: str) -> None:
        super().handle(message)
        if message == "talk":
            self.inbox.hand("to itself")
            self.inbox.urgent("urgent")
            if self.other:
                self.other.inbox.hand("to the other")


async def test_an_actor_that_waits_handles_what_is_handed_over_at_once() -> None:
    diary = Diary()
    diary.inbox.hand("before it runs")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(diary.run)
        await anyio.wait_all_tasks_blocked()
        diary.inbox.hand("at once")
        assert [what for _, what in diary.entries] == ["before it runs", "at once"]
        diary.inbox.send("sent")
        diary.inbox.hand("behind what was sent")
        assert [what for _, what in diary.entries] == ["before it runs", "at once"]
        await anyio.wait_all_tasks_blocked()
        diary.inbox.hand("end")  # it does, though it was waiting
    assert [what for _, what in diary.entries][2:] == ["sent", "behind what was sent", "end"]
    assert diary.inbox.closed
    diary.inbox.hand("too late")
    assert len(diary.entries) == 5


async def test_what_an_actor_is_told_while_it_handles_waits() -> None:
    other = Diary()
    talkative = Talkative(other)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other.run)
        tasks.start_soon(talkative.run)
        await anyio.wait_all_tasks_blocked()
        talkative.inbox.hand("talk")
        assert [what for _, what in talkative.entries] == ["talk"]
        assert [what for _, what in other.entries] == ["to the other"]
        await anyio.wait_all_tasks_blocked()
        assert [what for _, what in talkative.entries] == ["talk", "urgent", "to itself"]
        tasks.cancel_scope.cancel()


async def test_a_failure_on_what_was_handed_over_is_the_actors() -> None:
    diary = Diary()

    async def hand() -> None:
        await anyio.wait_all_tasks_blocked()
        diary.inbox.hand("fail")  # raises nothing here
        diary.inbox.send("never")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hand)
        with pytest.raises(ZeroDivisionError):
            await diary.run()
    assert [what for _, what in diary.entries] == ["fail"]
    assert diary.inbox.closed


async def test_a_failure_leaves_the_actor_and_closes_its_inbox() -> None:
    diary = Diary()
    diary.inbox.send("fail")
    diary.inbox.send("never")
    with pytest.raises(ZeroDivisionError):
        await diary.run()
    assert [what for _, what in diary.entries] == ["fail"]
    assert diary.inbox.closed


async def test_transitions_are_published_and_impossible_events_too() -> None:
    diary = Diary()
    life = MESSAGE.start("item_a1")
    assert diary.fire(MESSAGE, life, chart.Interrupted(segment_open=False)) == (chart.Delete("item_a1"),)
    assert diary.fire(MESSAGE, life, chart.Interrupted(segment_open=False)) == ()  # ignored on purpose: nothing to see
    playing = MESSAGE.start("item_a2")
    diary.fire(MESSAGE, playing, chart.PlaybackStarted(1.0))
    assert diary.fire(MESSAGE, playing, chart.Emptied()) == ()
    moved, started, problem = diary.published
    assert isinstance(moved, Transition)
    assert (moved.id, moved.before, moved.after) == ("item_a1", "pending", "skipped")
    assert isinstance(started, Transition)
    assert isinstance(problem, Problem)
    assert problem.operation == "item_a2"
    assert "cannot happen" in problem.message
    assert playing.state == "playing"
    diary.inbox.close()

"""Inboxes: order, the urgent lane, bounds, closing."""

import anyio
import pytest

from rtactors.channels import Inbox, InboxFull

pytestmark = pytest.mark.anyio


async def taken(inbox: Inbox[str], count: int) -> list[str]:
    return [await inbox.receive() for _ in range(count)]


async def test_in_order() -> None:
    inbox: Inbox[str] = Inbox("test", 8)
    for message in "abc":
        inbox.send(message)
    assert await taken(inbox, 3) == ["a", "b", "c"]
    inbox.close()


async def test_urgent_ones_are_taken_first_and_stay_in_order() -> None:
    inbox: Inbox[str] = Inbox("test", 8)
    for message in ("a", "b"):
        inbox.send(message)
    for message in ("u1", "u2"):
        inbox.urgent(message)
    assert await taken(inbox, 4) == ["u1", "u2", "a", "b"]
    inbox.close()


async def test_an_urgent_one_wakes_who_waits() -> None:
    inbox: Inbox[str] = Inbox("test", 8)
    got: list[str] = []

    async def wait() -> None:
        got.extend(await taken(inbox, 3))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        inbox.urgent("u1")
        await anyio.wait_all_tasks_blocked()
        assert got == []  # it is handled one by one; the list is extended at the end
        inbox.urgent("u2")
        inbox.send("a")
    assert got == ["u1", "u2", "a"]
    inbox.close()


async def test_what_came_while_waking_up_does_not_overtake_the_urgent() -> None:
    inbox: Inbox[str] = Inbox("test", 8)
    got: list[str] = []

    async def wait() -> None:
        got.extend(await taken(inbox, 2))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        inbox.send("a")  # wakes it up ...
        inbox.urgent("u")  # ... but before it runs, this comes
    assert got == ["u", "a"]
    inbox.close()


async def test_an_urgent_one_gets_through_a_full_inbox() -> None:
    inbox: Inbox[str] = Inbox("test", 2)
    inbox.send("a")
    inbox.send("b")
    inbox.urgent("u")
    assert await taken(inbox, 3) == ["u", "a", "b"]
    inbox.close()


@pytest.mark.parametrize("lane", ["send", "urgent"])
async def test_who_falls_behind_is_named(lane: str) -> None:
    inbox: Inbox[str] = Inbox("context", 2)
    tell = getattr(inbox, lane)
    tell("a")
    tell("b")
    with pytest.raises(InboxFull, match="the context actor does not keep up: 2 messages wait"):
        tell("c")
    inbox.close()


async def test_put_waits_for_room() -> None:
    inbox: Inbox[str] = Inbox("test", 1)
    inbox.send("a")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(inbox.put, "b")
        await anyio.wait_all_tasks_blocked()
        assert await taken(inbox, 2) == ["a", "b"]
    inbox.close()


async def test_a_closed_inbox_swallows() -> None:
    inbox: Inbox[str] = Inbox("test", 1)
    inbox.close()
    inbox.send("a")
    inbox.urgent("b")
    await inbox.put("c")
    assert inbox.closed


async def test_closing_frees_who_waits_for_room() -> None:
    inbox: Inbox[str] = Inbox("test", 1)
    inbox.send("a")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(inbox.put, "b")
        await anyio.wait_all_tasks_blocked()
        inbox.close()


async def test_delivered_is_what_nothing_urgent_overtakes() -> None:
    inbox: Inbox[str] = Inbox("test", 8)
    inbox.send("a")

    async def tell() -> None:
        await inbox.deliver("b")
        inbox.urgent("c")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tell)
        await anyio.wait_all_tasks_blocked()
        assert await taken(inbox, 3) == ["a", "b", "c"]
    inbox.close()


async def test_closing_frees_who_waits_for_delivery() -> None:
    inbox: Inbox[str] = Inbox("test", 8)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(inbox.deliver, "a")
        await anyio.wait_all_tasks_blocked()
        inbox.close()


async def test_a_cancelled_receive_loses_nothing() -> None:
    inbox: Inbox[str] = Inbox("test", 8)
    with anyio.move_on_after(1):
        await inbox.receive()
    inbox.urgent("u")
    inbox.send("a")
    assert await taken(inbox, 2) == ["u", "a"]
    inbox.close()

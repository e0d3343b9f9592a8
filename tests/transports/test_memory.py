"""The pair of sockets in memory: order, closing, breaking off."""

import anyio
import pytest
from anyio.lowlevel import checkpoint

from rtactors.testing.clock import BackendName, run_virtual
from rtactors.transports.base import SocketClosed
from rtactors.transports.memory import MemorySocket, socket_pair

pytestmark = pytest.mark.anyio


async def ended(socket: MemorySocket) -> tuple[int | None, str]:
    """How receiving ends, and sending with it."""
    with pytest.raises(SocketClosed) as receiving:
        await socket.receive()
    with pytest.raises(SocketClosed) as sending:
        await socket.send("too late")
    assert (receiving.value.code, receiving.value.reason) == (sending.value.code, sending.value.reason)
    return receiving.value.code, receiving.value.reason


async def test_frames_go_both_ways_in_order() -> None:
    ours, theirs = socket_pair()
    for n in range(20):
        await ours.send(str(n))
        await theirs.send(bytes([n]))
    assert [await theirs.receive() for _ in range(20)] == [str(n) for n in range(20)]
    assert [await ours.receive() for _ in range(20)] == [bytes([n]) for n in range(20)]


async def test_a_full_socket_makes_the_sender_wait() -> None:
    ours, theirs = socket_pair(capacity=2)
    sent: list[int] = []

    async def send() -> None:
        for n in range(5):
            await ours.send(str(n))
            sent.append(n)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send)
        await anyio.wait_all_tasks_blocked()
        assert sent == [0, 1]
        assert await theirs.receive() == "0"
        await anyio.wait_all_tasks_blocked()
        assert sent == [0, 1, 2]
        assert [await theirs.receive() for _ in range(4)] == ["1", "2", "3", "4"]


async def test_what_was_sent_before_a_close_is_received_then_its_code_and_reason() -> None:
    ours, theirs = socket_pair()
    await theirs.send("last words")
    await theirs.close(4001, "session expired")
    assert await ours.receive() == "last words"
    assert await ended(ours) == (4001, "session expired")
    assert await ended(theirs) == (4001, "session expired")


async def test_the_first_close_counts() -> None:
    ours, theirs = socket_pair()
    await ours.close()
    await theirs.close(1011, "too late")
    ours.drop()
    assert await ended(ours) == await ended(theirs) == (1000, "")


@pytest.mark.parametrize("how", ["close", "far close", "drop", "far drop"])
async def test_whoever_waits_is_woken_by_the_end(how: str) -> None:
    ours, theirs = socket_pair(capacity=1)
    await ours.send("fills it")
    woken: list[str] = []

    async def send() -> None:
        with pytest.raises(SocketClosed):
            await ours.send("waits")
        woken.append("send")

    async def receive() -> None:
        with pytest.raises(SocketClosed):
            await ours.receive()
        woken.append("receive")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send)
        tasks.start_soon(receive)
        await anyio.wait_all_tasks_blocked()
        side = theirs if "far" in how else ours
        if "drop" in how:
            side.drop()
        else:
            await side.close()
    assert sorted(woken) == ["receive", "send"]


async def test_a_dropped_connection_has_no_code_and_loses_what_is_under_way() -> None:
    ours, theirs = socket_pair()
    await ours.send("lost")
    await theirs.send("lost")
    theirs.drop("cable cut")
    assert await ended(ours) == await ended(theirs) == (None, "cable cut")


async def receive_under_fire() -> list[object]:
    """A frame comes in while the one who waits for it is cancelled."""
    ours, theirs = socket_pair()
    received: list[object] = []

    async def receive() -> None:
        received.append(await ours.receive())

    async with anyio.create_task_group() as senders, anyio.create_task_group() as receivers:
        receivers.start_soon(receive)
        await anyio.wait_all_tasks_blocked()
        senders.start_soon(theirs.send, "frame")
        for _ in range(2):
            await checkpoint()
        receivers.cancel_scope.cancel()
    if not received:
        await receive()
    return received


def test_a_cancelled_receive_loses_nothing(anyio_backend_name: BackendName) -> None:
    for seed in range(50):
        assert run_virtual(receive_under_fire, backend=anyio_backend_name, seed=seed) == ["frame"]

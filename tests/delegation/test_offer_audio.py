"""Audio that is offered: taken while there is room for it, dropped and told when there is none."""

from functools import partial

import pytest

from rtactors import Bounds, SessionClosed
from rtactors.loopback.script import Gate, replies
from rtactors.providers.base import Frame
from rtactors.testing.conversation import conversation
from rtactors.transports.base import Socket

pytestmark = pytest.mark.anyio

FRAME = bytes(960)


class Slow:
    """A network through which no audio goes out until the gate is open."""

    def __init__(self, socket: Socket, gate: Gate) -> None:
        self._socket = socket
        self._gate = gate
        self.receive = socket.receive
        self.close = socket.close

    async def send(self, frame: Frame) -> None:
        if "input_audio_buffer" in str(frame):
            await self._gate.passed()
        await self._socket.send(frame)


async def test_a_full_queue_drops_what_is_offered() -> None:
    gate = Gate()
    network = partial(Slow, gate=gate)
    async with conversation(replies("Hi."), provider={"turn_detection": None}, network=network) as talk:
        assert talk.session.offer_audio(FRAME)
        await gate.reached.wait()
        taken = [talk.session.offer_audio(FRAME) for _ in range(Bounds().offered + 10)]
        assert taken == [True] * Bounds().offered + [False] * 10
        gate.open()
        await talk.log.wait("input_audio_buffer.append", Bounds().offered + 1)
        assert talk.session.offer_audio(FRAME)
        await talk.session.clear_audio()
        with pytest.raises(TypeError):
            talk.session.offer_audio("sound")  # pyright: ignore[reportArgumentType]
    with pytest.raises(SessionClosed, match="not open"):
        talk.session.offer_audio(FRAME)

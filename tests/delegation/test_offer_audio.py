"""Audio that is offered: taken while there is room for it, dropped and told when there is none."""

from functools import partial

import pytest

from rtactors import Bounds, SessionClosed
from rtactors.loopback.script import Gate, replies
from rtactors.testing.conversation import conversation
from tests.delegation.lines import Slow

pytestmark = pytest.mark.anyio

FRAME = bytes(960)


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

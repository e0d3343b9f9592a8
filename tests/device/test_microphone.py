"""The microphone on a real device: it hears what the speaker plays, and tells when it can't any more."""

import anyio
import pytest

from rtactors.errors import ConfigurationError, MicrophoneLost
from rtactors.microphone import BLOCK_MS, QUEUE_MS, Microphone
from rtactors.sinks import Speaker
from rtactors.sinks.base import Finished
from rtactors.testing.sinks import probing

from .conftest import SoundCard

pytestmark = [  # see conftest.py
    pytest.mark.anyio,
    pytest.mark.device,
    pytest.mark.flaky(reruns=3),
    pytest.mark.xdist_group("device"),
]

BLOCK = 24 * BLOCK_MS


async def test_it_hears_what_is_played(sound_card: SoundCard) -> None:
    del sound_card
    said = [n + 1 for n in range(5_000)]
    heard: list[int] = []
    async with Microphone() as microphone, probing(Speaker(), tolerance_frames=BLOCK) as probe:
        await anext(microphone)
        probe.begin("m")
        probe.write("m", b"".join(sample.to_bytes(2, "little") for sample in said))
        probe.finish("m")
        with anyio.fail_after(10):
            async for pcm in microphone:
                assert len(pcm) == 2 * BLOCK
                heard.extend(sample for sample in memoryview(pcm).cast("h") if sample)
                if said[-1] in heard:
                    break
        await probe.until(Finished, "m")
    assert heard == said


async def test_a_late_reader_loses_the_oldest_and_is_told(sound_card: SoundCard) -> None:
    del sound_card
    async with Microphone() as microphone:
        await anyio.sleep(QUEUE_MS / 1000 + 0.2)
        kept = [await anext(microphone) for _ in range(QUEUE_MS // BLOCK_MS)]
    assert microphone.dropped > 0
    assert microphone.dropped % BLOCK == 0
    assert len(kept) == QUEUE_MS // BLOCK_MS


@pytest.mark.parametrize(("how", "anyio_backend"), [("unplug", "asyncio"), ("unplug", "trio"), ("freeze", "trio")])
async def test_a_device_that_goes_away_is_told(how: str, loose_card: SoundCard) -> None:
    with anyio.fail_after(10):
        async with Microphone() as microphone:
            await anext(microphone)
            loose_card.freeze() if how == "freeze" else loose_card.unplug()
            with pytest.raises(MicrophoneLost, match="plug it in"):
                [_ async for _ in microphone]


async def test_a_device_that_does_not_exist(sound_card: SoundCard) -> None:
    del sound_card
    with pytest.raises(ConfigurationError, match="can't use device 'no such card'"):
        async with Microphone(device="no such card"):
            pass

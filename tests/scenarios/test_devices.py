"""Devices that go mute, slow, or missing: what is not confirmed was not heard."""

import time

import anyio
import pytest

from rtactors import SinkLost
from rtactors.limits import Deadlines
from rtactors.loopback.script import replies
from rtactors.sinks import PacedSink
from rtactors.sinks.base import Finished, Report, Started
from rtactors.testing.stepped_sink import SteppedSink
from tests.scenarios.conftest import Begin
from tests.scenarios.test_interruption import FIRST, SECOND, THREE, length

pytestmark = pytest.mark.anyio

SOON = Deadlines(sink=0.1)


def never_ends(report: Report) -> bool:
    return isinstance(report, Finished)


def says_nothing_after_the_start(report: Report) -> bool:
    return not isinstance(report, Started)


async def test_e9_sink_never_confirms_the_stop(begin: Begin) -> None:
    """What it confirmed last counts, and is marked."""
    async with begin(THREE, loses=never_ends, deadlines=SOON) as talk:
        await talk.ask()
        await talk.sink.play(600)
        await talk.log.wait("response.done")
        await talk.speak()
        await talk.session.quiet()
        (message,) = talk.said()
        assert (message.heard_ms, message.interrupted, message.confirmed) == (600, True, False)
        assert talk.held() == talk.heard() == [(message.id, 600)]


async def test_e9_sink_confirmed_nothing(begin: Begin) -> None:
    """It started, and was never heard of again: nothing is known to have been heard, never all of it."""
    async with begin(THREE, loses=says_nothing_after_the_start, deadlines=SOON) as talk:
        await talk.ask()
        await talk.sink.play(600)
        await talk.log.wait("response.done")
        await talk.speak()
        await talk.session.quiet()
        assert talk.held() == talk.said() == []
        assert [ms for _, ms in talk.heard()] == [600]


async def test_e9_sink_never_confirms_the_end(begin: Begin) -> None:
    """It played all of it and did not say so. The next message is heard nevertheless."""
    async with begin(THREE, loses=never_ends, deadlines=SOON) as talk:
        reply = await talk.ask()
        talk.sink.play_all()
        messages = await reply.done()
        await talk.session.quiet()
        assert talk.held() == talk.heard() == [(message.id, message.heard_ms) for message in messages]
        assert not any(message.confirmed for message in messages)


async def test_e9_sink_that_stops_late(begin: Begin) -> None:
    """Its word counts as long as it comes in time, also when it played on a little."""
    async with begin(THREE) as talk:
        await talk.ask()
        await talk.sink.play(600)
        await talk.log.wait("response.done")
        talk.sink.tail_ms = 140
        await talk.speak()
        await talk.session.quiet()
        (message,) = talk.said()
        assert (message.heard_ms, message.confirmed) == (740, True)
        assert talk.held() == talk.heard() == [(message.id, 740)]


@pytest.mark.parametrize("heard_ms", [0, 500])
async def test_lost_device_ends_the_session_and_not_the_record(begin: Begin, heard_ms: int) -> None:
    async with begin(THREE, raises=(SinkLost,)) as talk:
        await talk.ask()
        await talk.sink.play(heard_ms)
        await talk.reaches("response", "finishing")
        talk.sink.lose("it was unplugged")
        await anyio.sleep_forever()
    assert "unplugged" in str(talk.failure)
    assert talk.heard() == talk.held() == [(message.id, message.heard_ms) for message in talk.said()]
    assert [(message.heard_ms, message.confirmed) for message in talk.said()] == [(500, False)] * bool(heard_ms)


async def test_lost_device_between_messages(begin: Begin) -> None:
    async with begin(THREE, raises=(SinkLost,)) as talk:
        await talk.ask()
        await talk.sink.play(length(FIRST))
        await talk.reaches("response", "finishing")
        talk.sink.lose("it was unplugged")
        await anyio.sleep_forever()
    (message,) = talk.said()
    assert (message.heard_text, message.confirmed) == (FIRST, True)
    assert talk.held() == talk.heard() == [(message.id, length(FIRST))]


@pytest.mark.parametrize("pause_s", [0.5, 2, 3, 5, 60])
async def test_d20_pause_of_any_length_while_it_plays_out(begin: Begin, pause_s: float) -> None:
    """All is generated and the device was told to play it out; no deadline from before the pause cuts it short."""
    async with begin(THREE) as talk:
        reply = await talk.ask()
        await talk.reaches("response", "finishing")
        await talk.sink.play(300)
        await talk.session.pause()
        await talk.reaches("message", "paused")
        await talk.time_passes(pause_s)
        await talk.session.unpause()
        await talk.sink.play(length(FIRST) - 500)
        await talk.time_passes(2)
        talk.sink.play_all()
        assert [message.heard_text for message in await reply.done()][:2] == [FIRST, SECOND]
        await talk.session.quiet()
        assert talk.held() == talk.heard()


async def test_d20_interrupted_in_a_pause(begin: Begin) -> None:
    async with begin(THREE) as talk:
        await talk.ask()
        await talk.sink.play(300)
        await talk.session.pause()
        await talk.reaches("message", "paused")
        await talk.time_passes(60)
        await talk.speak()
        await talk.session.quiet()
        (message,) = talk.said()
        assert talk.held() == talk.heard() == [(message.id, 300)]


async def test_d20_pause_before_anything_is_heard(begin: Begin) -> None:
    """It holds what comes: not a frame goes by... but the first, without which there is nothing to hold."""
    async with begin(THREE) as talk:
        reply = await talk.ask()
        await talk.log.wait("response.done")
        await talk.reaches("playback", "open")
        await talk.session.pause()
        await talk.session.unpause()
        talk.sink.play_all()
        await reply.done()
        await talk.session.quiet()
        assert talk.held() == talk.heard()


# ------------------------------------------------------------------------------------------------- slow and stalled


class SlowSink(PacedSink):
    """Plays at a fraction of its speed, as a device does that has no time for us or was opened at a wrong rate."""

    def __init__(self, speed: float) -> None:
        super().__init__(progress_ms=10)
        self._pace = self.rate * speed


@pytest.mark.parametrize("speed", [0.5, 0.25])
async def test_a_slow_device_is_heard_to_the_end(begin: Begin, speed: float) -> None:
    """It takes longer than its audio and the deadline, but it says that it plays: nothing is cut off."""
    async with begin(replies(["One.", "Two."]), sink=SlowSink(speed), deadlines=Deadlines(sink=0.05)) as talk:
        reply = await talk.ask()
        messages = await reply.done()
        await talk.session.quiet()
        assert [(each.heard_text, each.interrupted, each.confirmed) for each in messages] == [
            ("One.", False, True),
            ("Two.", False, True),
        ]
        assert talk.held() == talk.heard()


async def test_a_slow_device_stops_as_soon_as_another(begin: Begin) -> None:
    """The user speaks: what comes from the server is not behind what waits for the device."""
    async with begin(THREE, sink=SlowSink(0.1)) as talk:
        await talk.ask()
        await talk.reaches("response", "finishing")
        await talk.reaches("message", "playing")
        await talk.time_passes(0.5)
        await talk.speak()
        await talk.session.quiet()
        (message,) = talk.said()
        assert message.heard_ms < length(FIRST) / 2
        assert talk.held() == talk.heard()
        if talk.virtual:
            assert message.heard_ms == 50


async def test_a_stalled_device_holds_up_nothing(begin: Begin) -> None:
    """Minutes of audio wait for it; the server gets rid of all of them at once, and control comes through."""
    async with begin(replies("Well, " * 500)) as talk:
        await talk.ask()
        await talk.sink.play(100)
        await talk.reaches("response", "finishing")
        await talk.speak()
        await talk.session.quiet()
        (message,) = talk.said()
        assert talk.held() == talk.heard() == [(message.id, 100)]


class BlockingSink(SteppedSink):
    """Keeps the whole event loop waiting with every piece that it is given, as no sink may."""

    def write(self, message_id: str, pcm: bytes) -> None:
        time.sleep(0.002)
        super().write(message_id, pcm)


async def test_a_device_that_blocks_costs_time_and_not_the_record(begin: Begin) -> None:
    async with begin(THREE, sink=BlockingSink()) as talk:
        await talk.ask()
        await talk.sink.play(700)
        await talk.speak()
        await talk.session.quiet()
        (message,) = talk.said()
        assert talk.held() == talk.heard() == [(message.id, 700)]

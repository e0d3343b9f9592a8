import anyio, random
import pytest
from rtactors.loopback.script import replies, Timing, Say, Reply, Write, Call
from rtactors.testing.clock import run_virtual
from rtactors.testing.conversation import conversation
from rtactors.sinks import PacedSink

THREE = ["The first message of three.", "The second message, a bit longer than that.", "The third one."]


async def barge(at, by="voice", script=THREE, latency=0.0, **options):
    async with conversation(
        replies(script),
        sink=PacedSink(latency_ms=latency),
        timing=options.pop("timing", Timing(delta_ms=100)),
        **options,
    ) as talk:
        await talk.ask()
        await anyio.sleep(at)
        if by == "voice":
            await talk.speak()
        else:
            await talk.session.interrupt()
        await talk.session.quiet()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("by", ["voice", "app"])
@pytest.mark.parametrize("latency", [0, 200])
def test_sweep(backend, by, latency):
    broken = []
    for i in range(0, 600, 5):
        try:
            run_virtual(barge, i / 100, by, THREE, latency, backend=backend, seed=i)
        except Exception as e:
            broken.append((i, repr(e)[:600]))
    assert not broken, "\n".join(map(str, broken[:6])) + f"\n{len(broken)}"

import pytest
from rtactors.loopback.script import replies

pytestmark = pytest.mark.anyio
THREE = ["The first message.", "The second message.", "The third one."]

async def test_d1(begin):
    async with begin(replies(THREE)) as talk:
        reply = await talk.ask()
        await talk.sink.play(500)
        await talk.speak()
        await talk.session.quiet()
        await reply.done()
        (first,) = talk.said()
        assert talk.held() == talk.heard() == [(first.id, 500)]
        assert first.heard_text == "The"
        print(talk.log)

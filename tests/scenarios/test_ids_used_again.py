"""Servers that number what they make from one on each connection: what a session does with ids that it knows."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest

from rtactors import Reply, ReplyFailed, Session, SessionClosed, mail
from rtactors.events import Item
from rtactors.limits import Backoff
from rtactors.loopback.script import Call, replies
from rtactors.loopback.server import MemoryServer
from rtactors.providers import OpenAIRealtime
from rtactors.providers.base import Endpoint
from rtactors.reply import ReplyRecord
from rtactors.session_events import FunctionCalled, Problem
from rtactors.sinks import PacedSink
from rtactors.transports.base import Socket
from tests.scenarios.by_hand import MESSAGE, ServerByHand

pytestmark = pytest.mark.anyio

AT_ONCE = Backoff(luck=lambda: 0.0)


async def test_a_response_that_is_called_as_one_before_at_another_server_is_another_one() -> None:
    async with MemoryServer(replies("The first answer.")) as one, MemoryServer(replies("The second.")) as other:
        servers = iter([one, other])

        @asynccontextmanager
        async def connect(endpoint: Endpoint) -> AsyncGenerator[Socket]:
            async with next(servers).connect(endpoint) as socket:
                yield socket

        async with Session(OpenAIRealtime(api_key=""), sink=PacedSink(), connect=connect, reconnect=AT_ONCE) as session:
            first = await session.ask("One?")
            await first.done()
            await session.quiet()
            await one.sessions[0].close(1011, "See you.")
            second = await session.ask("Two?")
            assert [message.heard_text for message in await second.done()] == ["The second."]
            assert first.response_id == second.response_id
            assert [item.heard_text for item in session.history] == ["One?", "The first answer.", "Two?", "The second."]


@pytest.mark.parametrize("what", ["message", "turn"])
async def test_an_item_that_is_called_as_one_before_at_another_server_ends_the_session(what: str) -> None:
    """The record has one place for it, and what was heard stays there."""
    server = ServerByHand()
    session = Session(OpenAIRealtime(api_key=""), sink=PacedSink(), connect=server.connect, reconnect=AT_ONCE)
    with pytest.raises(SessionClosed, match="calls a new item item_message, as another one"):  # noqa: PT012 - it ends there
        async with session:
            await session.generate_reply()
            await server.begin(await server.receive("response.create"))
            await server.announce(MESSAGE)
            await server.speak(100)
            done = {**MESSAGE, "status": "completed", "content": [{"type": "output_audio", "transcript": "Heard."}]}
            await server.say("response.output_item.done", response_id="resp_1", output_index=0, item=done)
            await server.say("response.done", response={"id": "resp_1", "status": "completed"})
            await anyio.sleep(1)
            await server.socket.close(1011, "See you.")
            await anyio.sleep(1)
            await server.receive("conversation.item.create")
            if what == "message":
                await server.announce(MESSAGE, "resp_9")
            else:
                await server.say("input_audio_buffer.committed", item_id=MESSAGE["id"])
            await anyio.sleep_forever()
    assert [(item.heard_text, item.heard_ms) for item in session.history] == [("Heard.", 100)]


async def test_an_item_of_a_server_that_is_called_as_one_of_ours_would_be() -> None:
    """Ours is called otherwise. If it was called so already, it is not added, nothing is asked, and the app is told."""
    server = ServerByHand()
    session = Session(OpenAIRealtime(api_key=""), sink=PacedSink(), connect=server.connect)
    async with session:
        events = session.events()
        await server.say("conversation.item.added", item={**MESSAGE, "id": "rt_user_1", "role": "user"})
        await anyio.sleep(1)
        assert await session.add("Well?") == "rt_user_2"
        record = ReplyRecord("reply")
        late = mail.AddItem(Item(id="rt_user_1", role="user", text="Well?"), then=mail.RequestReply(record))
        session._actors.context.inbox.send(late)  # pyright: ignore[reportPrivateUsage] - nobody is so quick
        with pytest.raises(ReplyFailed, match="rt_user_1 was not added: the server has given its id to another one"):
            await Reply(record, session.interrupt).done()
        await server.receive("conversation.item.create")
        assert await server.take() == []
    assert [event.operation for event in [event async for event in events] if isinstance(event, Problem)] == [
        "rt_user_1"
    ]


async def test_an_item_that_is_its_own_predecessor_stands_at_the_end() -> None:
    server = ServerByHand()
    async with Session(OpenAIRealtime(api_key=""), sink=PacedSink(), connect=server.connect) as session:
        for item_id in ("item_1", "item_2"):
            content = [{"type": "input_text", "text": item_id}]
            item = {"id": item_id, "type": "message", "role": "user", "content": content}
            await server.say("conversation.item.added", item=item, previous_item_id=item_id)
        await anyio.sleep(1)
        last = await session.add("And now?", after="rt_user_1")  # which is its own id
        assert last == "rt_user_1"
        await anyio.sleep(1)
        assert [item.heard_text for item in session.history] == ["item_1", "item_2", "And now?"]


async def test_a_history_of_another_session_may_have_the_ids_that_ours_would_be() -> None:
    """It is what an app does that goes on with a conversation: nothing of it is lost, nothing new is refused."""
    call = Call(name="look", arguments="{}")
    async with MemoryServer(replies(call, "The first.", call, "The second.")) as server:

        async def talk(session: Session) -> None:
            events = session.events()
            await (await session.ask("Well?")).done()
            async for event in events:
                if isinstance(event, FunctionCalled):
                    await session.answer_call(event.call_id, "{}")
                    break
            await (await session.generate_reply()).done()
            await session.add("By the way.")
            await session.quiet()

        def make() -> Session:
            return Session(OpenAIRealtime(api_key=""), sink=PacedSink(), connect=server.connect)

        async with make() as session:
            await talk(session)
        old = session.history
        async with make() as session:
            await session.set_history(old)
            await talk(session)
            known = [(item.id, item.heard_text, item.output) for item in session.history[: len(old)]]
            assert known == [(item.id, item.heard_text, item.output) for item in old]
            assert len(session.history) == 2 * len(old)
            assert not server.sessions[-1].log.find("error")

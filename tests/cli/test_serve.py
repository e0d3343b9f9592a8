"""`rtactors serve`: a server that others can talk to, here the official client."""

import asyncio
import re

import anyio
import pytest
from openai import AsyncOpenAI
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.cli.command import Running, running

pytestmark = pytest.mark.sockets


def url_of(server: Running) -> str:
    return re.findall(r"ws://\S+", server.until("\n"))[0]


async def ask(url: str, key: str) -> str:
    """One short question, by the official client; the transcript of the first message."""
    client = AsyncOpenAI(api_key=key, websocket_base_url=url)
    async with client.realtime.connect(model="gpt-realtime") as connection:
        await connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Tell me a story."}]}
        )
        await connection.response.create()
        async for event in connection:
            if event.type == "response.output_audio_transcript.done":
                return event.transcript
    raise AssertionError("the connection ended without a transcript")


def test_the_official_client_talks_to_it() -> None:
    with running("serve", "--port", "0", "--token", "secret", "--word-times", "--log") as server:
        url = url_of(server)
        assert anyio.run(ask, url, "secret").startswith("Ada kept the lighthouse.")
        server.interrupt()
        result = server.end()
    assert (result.code, result.err) == (130, "")
    base_url = url.replace("ws:", "http:")
    copied = f"  export OPENAI_BASE_URL={base_url} OPENAI_API_KEY=<the token>\n  rtactors talk\n"
    assert result.out.startswith(f"serving at {url}\nin another terminal:\n{copied}")
    assert re.search(r"<- response\.create \{", result.out)
    assert re.search(r"-> response\.created \{.*resp_\w{12}_000001", result.out)
    assert re.search(r'-> response\.output_audio_transcript\.delta \{.*"start_time":0\.0', result.out)
    assert "output_audio.delta" not in result.out


def test_without_log_it_says_only_where_it_is() -> None:
    with running("serve", "--port", "0", "--voice", "tone") as server:
        url = url_of(server)
        anyio.run(ask, url, "anything")
        server.interrupt()
        result = server.end()
    assert (result.code, result.err) == (130, "")
    assert "OPENAI_API_KEY=none\n" in result.out
    assert len(result.out.splitlines()) == 4


async def goodbye(url: str, server: Running) -> int:
    """The close code that a client sees when the server is asked to end."""
    async with connect(f"{url}/realtime?model=any", proxy=None) as client:
        await client.recv()
        server.terminate()
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
    assert closed.value.rcvd
    return closed.value.rcvd.code


def test_a_service_manager_ends_it_in_order() -> None:
    with running("serve", "--port", "0", "--voice", "tone") as server:
        assert asyncio.run(goodbye(url_of(server), server)) == 1001
        result = server.end()
    assert (result.code, result.err) == (0, "")

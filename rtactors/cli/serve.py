"""`rtactors serve`: the embedded provider alone, for any client of the OpenAI Realtime protocol."""

import sys

import anyio

from rtactors import ConfigurationError
from rtactors.cli import embedded
from rtactors.loopback.log import Record
from rtactors.loopback.server import Options, Server

AUDIO = {"response.output_audio.delta", "input_audio_buffer.append"}
"""Hundreds a second: not worth a line each."""


def serve(host: str, port: int, *, token: str | None, voice: str | None, log: bool) -> int:
    """Until Ctrl-C. Raises ConfigurationError if it can't be served there, or not without a token."""
    options = Options(voice=embedded.voice_named(voice), recognizer=embedded.recognizer(), keep=False)
    if log:
        options["listener"] = _print
    if voice is None and not embedded.has_speech():
        print(f"rtactors: {embedded.MISSING}", file=sys.stderr)
    try:
        server = Server(host=host, port=port, api_key=token, **options)
    except ConfigurationError as error:
        raise ConfigurationError(f"{error} (its api_key is --token)") from None
    anyio.run(_serve, server, token is not None)
    return 0


async def _serve(server: Server, with_token: bool) -> None:  # noqa: FBT001 - anyio.run passes by position
    async with server:
        key = "the token" if with_token else "anything"
        print(f"serving at {server.url}", f"(websocket_base_url; api_key: {key})", flush=True)
        print(f"try it: rtactors talk --url {server.url}", flush=True)
        await anyio.sleep_forever()


def _print(record: Record) -> None:
    if record.type not in AUDIO:
        print(record, flush=True)

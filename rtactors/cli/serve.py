"""`rtactors serve`: the embedded provider alone, for any client of the OpenAI Realtime protocol."""

import signal
import sys

import anyio

from rtactors import ConfigurationError
from rtactors.cli import embedded
from rtactors.loopback.log import Record
from rtactors.loopback.server import Options, Server

AUDIO = {"response.output_audio.delta", "input_audio_buffer.append"}
"""Hundreds a second: not worth a line each."""


def serve(  # noqa: PLR0913 - a flag each; all but the address go by name
    host: str, port: int, *, token: str | None, voice: str | None, word_times: bool, log: bool
) -> int:
    """Until Ctrl-C or SIGTERM; all clients are told goodbye (1001).

    Raises ConfigurationError if it can't be served there, or not without a token.
    """
    options = Options(
        voice=embedded.voice_named(voice), recognizer=embedded.recognizer(), word_times=word_times, keep=False
    )
    if log:
        options["listener"] = _print
    if voice is None and not embedded.has_speech():
        print(f"rtactors: {embedded.MISSING}", file=sys.stderr)
    try:
        server = Server(host=host, port=port, api_key=token, **options)
    except ConfigurationError as error:
        raise ConfigurationError(str(error).replace("give the server an api_key", "give it a --token")) from None
    anyio.run(_serve, server, token is not None)
    return 0  # after SIGTERM: whoever sent it sees that all was left in order


async def _serve(server: Server, with_token: bool) -> None:  # noqa: FBT001 - anyio.run passes by position
    async with server:
        key = "<the token>" if with_token else "none"
        print(f"serving at {server.url}", "in another terminal:", sep="\n")
        if server.public:
            print("rtactors: there is no TLS: whoever is on the way can read the token and all else", file=sys.stderr)
        print(
            f"  export OPENAI_BASE_URL={server.base_url} OPENAI_API_KEY={key}", "  rtactors talk", sep="\n", flush=True
        )
        if sys.platform == "win32":  # which has no SIGTERM to receive
            await anyio.sleep_forever()
        with anyio.open_signal_receiver(signal.SIGTERM) as signals:
            await anext(signals)


def _print(record: Record) -> None:
    if record.type not in AUDIO:
        print(record, flush=True)

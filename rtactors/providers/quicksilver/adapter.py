"""A quicksilver server (V1) as a provider: the settings of one session, and what such a server can do."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from msgspec import UNSET

from rtactors.errors import ConfigurationError
from rtactors.events import AppendAudio, Command, ProviderEvent, Setup
from rtactors.providers.base import Capabilities, Endpoint, Frame
from rtactors.providers.openai import endpoint
from rtactors.providers.quicksilver import wire
from rtactors.providers.quicksilver.decode import RATE, Reader
from rtactors.providers.quicksilver.encode import encode, text_frame

ALPHA: Final = "quicksilver=v1"
"""What the header `openai-alpha` asks for."""
_VERSION_PATH: Final = "/v1"


class QuicksilverRealtime:
    """A session with a server that speaks V1 of the protocol: it hands work over by `conversation.handoff.requested`.

    Such a server hears when the user has finished and replies by itself, always; it can't be asked for a reply, told
    to stop, or made to cut or delete what was said. Function calls it has none. Its frames name no responses: what
    belongs to what is told by the rules at the top of `rtactors.providers.quicksilver.decode`. It holds what they need
    of the connection in use, so an adapter serves one session.

    - `api_key`, `base_url`, `websocket_base_url`: as of `OpenAIRealtime`; an empty path becomes `/v1/realtime`.
    - `session_id`: sent as `x-session-id`, for servers that keep a thread under it.

    Raises ConfigurationError for text as the output, which needs V2; for the key and the URLs only `endpoint()` does.
    """

    def __init__(  # noqa: PLR0913 (a session has that many settings; all but the model go by name)
        self,
        model: str = "gpt-realtime-1.5",
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        websocket_base_url: str | None = None,
        voice: str | None = None,
        instructions: str | None = None,
        output_modalities: Sequence[str] = ("audio",),
        session_id: str | None = None,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, str] | None = None,
        allow_unencrypted: bool = False,
    ) -> None:
        if "text" in output_modalities:
            raise ConfigurationError(
                "text realtime output modality requires realtime v2: use OpenAIRealtime for text, or leave it out"
            )
        self.model = model
        self._api_key = api_key
        self._base_url = _versioned(base_url)
        self._websocket_base_url = _versioned(websocket_base_url)
        self._session_id = session_id
        self._extra_headers = dict(extra_headers or {})
        self._extra_query = dict(extra_query or {})
        self._allow_unencrypted = allow_unencrypted
        self._session = wire.Session(
            instructions=UNSET if instructions is None else instructions,
            audio=wire.SessionAudio(
                input=wire.AudioInput(format=wire.AudioFormat()),
                output=wire.AudioOutput(voice=UNSET if voice is None else voice),
            ),
        )
        self._reader = Reader()

    def __repr__(self) -> str:  # never the key
        return f"QuicksilverRealtime({self.model!r})"

    @property
    def name(self) -> str:
        return "quicksilver"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            input_rate=RATE,
            output_rate=RATE,
            cancels_on_speech=True,
            replies_to_speech=True,
            replies_on_request=False,
            truncates=False,
            deletes=False,
            acknowledges=False,
            echoes_request=False,
            hands_off=True,
            greets=False,
        )

    def endpoint(self) -> Endpoint:
        """Raises ConfigurationError if there is no key, or no usable URL."""
        query = {"intent": "quicksilver", "model": self.model, **self._extra_query}
        session = {"x-session-id": self._session_id} if self._session_id else {}
        extra = {"openai-alpha": ALPHA, **session, **self._extra_headers}
        return Endpoint(
            url=endpoint.url(self._base_url, self._websocket_base_url, query),
            headers=endpoint.headers(self._api_key, "", "", extra),
            allow_unencrypted=self._allow_unencrypted,
        )

    def configure(self, setup: Setup) -> Sequence[Frame]:
        """Begins with a new connection. Raises ConfigurationError for functions, of which such a server knows none."""
        self._reader.begin()
        return self.update(setup, "")

    def update(self, setup: Setup, operation_id: str) -> Sequence[Frame]:
        del operation_id  # its events have no ids
        if setup.functions:
            names = ", ".join(function.name for function in setup.functions)
            raise ConfigurationError(
                f"a quicksilver server (V1) calls no functions, so it can't have {names}: leave the tools out, or use "
                "OpenAIRealtime"
            )
        return (text_frame(wire.SessionUpdate(self._session)),)

    def decode(self, frame: Frame) -> Sequence[ProviderEvent]:
        return self._reader.decode(frame)

    def encode(self, command: Command) -> Sequence[Frame]:
        """Raises ConfigurationError for what such a server has no event for, such as a commit."""
        if isinstance(command, AppendAudio):
            self._reader.sent(command.audio)
        return encode(command)


def _versioned(base: str | None) -> str | None:
    """An empty path stands for that of the first version."""
    if base is None:
        return None
    try:
        parts = urlsplit(base.strip())
    except ValueError:
        return base  # `endpoint` says what is wrong
    return base if parts.path.strip("/") or not parts.netloc else urlunsplit(parts._replace(path=_VERSION_PATH))

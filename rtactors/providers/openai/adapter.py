"""OpenAI Realtime as a provider: the settings of one session. The translation itself is `decode` and `encode`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import UNSET, ValidationError

from rtactors.errors import ConfigurationError
from rtactors.events import Command, ProviderEvent, Setup
from rtactors.providers.base import Capabilities, Endpoint, Frame
from rtactors.providers.openai import endpoint, wire
from rtactors.providers.openai.decode import decode
from rtactors.providers.openai.encode import encode
from rtactors.providers.openai.settings import PCM, Json, capabilities, part_of, secrets_of, settings, with_setup

CONFIGURE: Final = "configure"
"""The operation id of the setup: a ProviderError that names it says that the settings were refused."""

_AS_IT_IS: Final = Setup()
_SERVER_VAD: Final = wire.ServerVad()
_TRANSCRIPTION: Final = wire.Transcription(model="gpt-4o-mini-transcribe")


class OpenAIRealtime:
    """A session with OpenAI, or with a server that speaks its protocol (GA; the beta's event names are understood).

    OpenAI doesn't say when a word is spoken, so captions estimate it; of servers that do (xAI's `start_time`) it is
    taken.

    What isn't given is read, as the official SDK does, from `OPENAI_API_KEY`, `OPENAI_BASE_URL`, `OPENAI_ORG_ID` and
    `OPENAI_PROJECT_ID`, each time a connection is made.

    - `api_key`: `""` sends none, for servers that ask for none or want another header (see `extra_headers`).
    - `base_url`, `websocket_base_url`: `/realtime` is appended, https becomes wss and http ws; the second one wins.
    - `tools`: the types of this package, or dicts of the protocol's form.
    - `turn_detection`: `ServerVad` or `SemanticVad`; None: the app commits the audio and asks for each reply.
    - `transcription`: how the user's words are written down; None: they aren't, and the record has none of them.
    - `extra_session`: more settings by the protocol's names (`reasoning`, `truncation`, `max_output_tokens`,
      `{"audio": {"output": {"speed": 1.2}}}`, ...), merged over all others.
    - `allow_unencrypted`: send the key also over http or ws to another machine, where others may read it.

    Raises ConfigurationError for settings that can't be sent; for the key and the URLs only `endpoint()` does.
    """

    def __init__(  # noqa: PLR0913 (a session has that many settings; all but the model go by name)
        self,
        model: str = "gpt-realtime",
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        websocket_base_url: str | None = None,
        organization: str | None = None,
        project: str | None = None,
        voice: str | wire.VoiceId | None = None,
        instructions: str | None = None,
        tools: Sequence[wire.Tool | Mapping[str, Any]] = (),
        tool_choice: wire.ToolChoice | None = None,
        turn_detection: wire.TurnDetection | None = _SERVER_VAD,
        transcription: wire.Transcription | None = _TRANSCRIPTION,
        output_modalities: Sequence[wire.Modality] = ("audio",),
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, str] | None = None,
        extra_session: Mapping[str, Any] | None = None,
        allow_unencrypted: bool = False,
    ) -> None:
        self.model = model
        self._api_key = api_key
        self._base_url = base_url
        self._websocket_base_url = websocket_base_url
        self._organization = organization
        self._project = project
        self._extra_headers = dict(extra_headers or {})
        self._extra_query = dict(extra_query or {})
        self._allow_unencrypted = allow_unencrypted
        session = wire.RealtimeSession(
            instructions=UNSET if instructions is None else instructions,
            output_modalities=list(output_modalities),
            audio=wire.SessionAudio(
                input=wire.AudioInput(format=PCM, transcription=transcription, turn_detection=turn_detection),
                output=wire.AudioOutput(format=PCM, voice=UNSET if voice is None else voice),
            ),
            tool_choice=UNSET if tool_choice is None else tool_choice,
        )
        self._session = settings(session, {"tools": list(tools), **(extra_session or {})})
        self._capabilities = capabilities(self._session)
        try:
            wire.client_decoder.decode(self.configure()[0])
        except (TypeError, ValidationError) as error:
            raise ConfigurationError(f"these settings can't be sent to OpenAI: {error}") from None

    def __repr__(self) -> str:  # never the key
        return f"OpenAIRealtime({self.model!r})"

    @property
    def name(self) -> str:
        return "openai"

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def endpoint(self) -> Endpoint:
        """Raises ConfigurationError if there is no key, or no usable URL."""
        return Endpoint(
            url=endpoint.url(self._base_url, self._websocket_base_url, {"model": self.model, **self._extra_query}),
            headers=endpoint.headers(self._api_key, self._organization, self._project, self._extra_headers),
            secrets=secrets_of(self._session),
            allow_unencrypted=self._allow_unencrypted,
        )

    def configure(self, setup: Setup = _AS_IT_IS) -> Sequence[Frame]:
        return _session_update(CONFIGURE, with_setup(self._session, setup))

    def update(self, setup: Setup, operation_id: str) -> Sequence[Frame]:
        """Only what a `Setup` can change: a voice, for one, OpenAI takes only once."""
        return _session_update(operation_id, part_of(with_setup(self._session, setup)))

    def decode(self, frame: Frame) -> Sequence[ProviderEvent]:
        return decode(frame)

    def encode(self, command: Command) -> Sequence[Frame]:
        """Raises ConfigurationError for metadata, or an item, that OpenAI doesn't take."""
        return encode(command)


def _session_update(event_id: str, session: Json) -> Sequence[Frame]:
    return (wire.encoder.encode({"type": "session.update", "event_id": event_id, "session": session}).decode(),)

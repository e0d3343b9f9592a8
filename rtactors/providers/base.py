"""The provider protocol: a pure translation between one provider's wire and `rtactors.events`.

What a session needs of a provider, in this order: `SessionStarted`, then `SessionConfigured`; for each reply
`ResponseStarted`, `OutputStarted` for each message, its `AudioDelta`s and `TextDelta`s, `OutputDone`, and
`ResponseDone`, which always comes; `ItemAdded` for what the server holds, `ItemTruncated` and `ItemDeleted` for what it
was told to cut and delete. `SpeechStarted` is what interrupts.

An adapter holds no connection and awaits nothing. Actors know providers by this protocol only. Configuration errors
(no key, bad URL) are raised by `endpoint()` as `rtactors.errors.ConfigurationError`, in a sentence for people.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Literal, Protocol, runtime_checkable
from urllib.parse import parse_qsl, quote, quote_plus

from msgspec import Struct

from rtactors import discretion
from rtactors.events import Command, ProviderEvent, Setup

Frame = str | bytes


class Endpoint(Struct, frozen=True, kw_only=True):
    """Where and how to open the websocket."""

    url: str
    headers: dict[str, str] = {}
    subprotocols: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    """More that no log and no error may tell: what the settings hold, such as keys for tools."""
    allow_unencrypted: bool = False
    """Send what is secret also over ws:// to another machine. Otherwise that is refused."""

    def __repr__(self) -> str:  # headers hold keys: they may stand in no log
        return f"Endpoint(url={self.without_secrets(self.url.split('?')[0])!r})"

    @property
    def all_secrets(self) -> frozenset[str]:
        """What is to be told nowhere."""
        return frozenset(filter(None, self._secrets()))

    def without_secrets(self, text: str) -> str:
        """What a server says, with stars for our secrets, and for what begins like one: it may have been cut."""
        for secret in sorted(self.all_secrets, key=len, reverse=True):
            text = discretion.without(text, secret)
        return text

    def _secrets(self) -> Iterator[str]:
        """Headers and query parameters with a telling name, keys in subprotocols, a login, and what was said to be."""
        yield from self.secrets
        for name, value in self.headers.items():
            if _SECRET_NAME.search(name):
                yield from (value, value.rpartition(" ")[2])  # without "Bearer"
                yield from (part for part in re.split(r"[\s=;,]+", value) if len(part) >= discretion.SHORTEST)
        for name, value in parse_qsl(self.url.partition("?")[2]):
            if _SECRET_NAME.search(name):
                yield from {value, quote(value, safe=""), quote_plus(value)}
        for protocol in self.subprotocols:  # browsers can't set headers: "openai-insecure-api-key.sk-..."
            if _SECRET_NAME.search(protocol):
                yield protocol.partition(".")[2]
        login = self.url.partition("//")[2].partition("/")[0].rpartition("@")[0]
        yield from (login, login.partition(":")[2])


_SECRET_NAME = re.compile("key|token|auth|secret|cookie|passw|sign", re.IGNORECASE)


class Capabilities(Struct, frozen=True, kw_only=True):
    """What the provider can do, as configured; actors decide by this, never by a provider's name."""

    input_rate: int
    """Hz of the PCM16 that it takes."""
    output_rate: int
    """Hz of the PCM16 that it gives."""
    cancels_on_speech: bool
    """True if the server itself ends the active response when it hears the user."""
    replies_to_speech: bool
    """True if the server itself starts a response when the user's turn ends."""
    replies_on_request: bool = True
    """False if it can't be asked for a response."""
    acknowledges: bool = True
    """False if it never says that it holds an item which it was given: it is taken to, then."""
    hands_off: bool = False
    """True if it hands work to a text agent by an event of its own (`HandoffRequested`), not by a function call."""
    truncates: bool = True
    deletes: bool = True
    echoes_request: bool = True
    """True if `ResponseStarted.request_id` is reliable."""
    functions: frozenset[str] = frozenset()
    """Names of the functions that its own settings declare: their calls are the app's."""
    transcribes: bool = True
    """True if it tells what the user said (`InputTranscript`)."""
    speech_padding: float = 0.0
    """Seconds before the first sound that it counts as the user's speech (`SpeechStarted.audio_ms`)."""
    speech_silence: float = 0.0
    """Seconds of silence by which it notices that the user has stopped, and which it counts as speech."""
    turn_settings: bool = False
    """True if it obeys `Setup.server_acts`."""
    says: Literal["exactly", "by_request", "never"] = "never"
    """Whether it speaks given words (`ResponseOptions.say`): these, or what a model makes of them when it is asked."""
    greets: bool = True
    """False if the server says nothing before it is configured."""


@runtime_checkable
class Provider(Protocol):
    """One provider, configured for one session at a time."""

    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> Capabilities: ...

    def endpoint(self) -> Endpoint: ...

    def configure(self, setup: Setup) -> Sequence[Frame]:
        """The frames that set the session up, sent once the server has said `SessionStarted` (or first, if it doesn't
        greet).
        """
        ...

    def update(self, setup: Setup, operation_id: str) -> Sequence[Frame]:
        """The frames that change a session that is set up; the server answers with `SessionConfigured`."""
        ...

    def decode(self, frame: Frame) -> Sequence[ProviderEvent]:
        """Never raises: a frame that can't be read is a `ProviderError` of kind `malformed` that says what is wrong."""
        ...

    def encode(self, command: Command) -> Sequence[Frame]:
        """Raises ConfigurationError for what the app put into a command and the provider can't take. To find that out
        where the app asks for a reply, a session tries its `CreateResponse`, which so changes nothing.
        """
        ...

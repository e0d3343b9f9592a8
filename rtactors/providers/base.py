"""The provider protocol: a pure translation between one provider's wire and `rtactors.events`.

What a session needs of a provider, in this order: `SessionStarted`, then `SessionConfigured`; for each reply
`ResponseStarted`, `OutputStarted` for each message, its `AudioDelta`s and `TextDelta`s, `OutputDone`, and
`ResponseDone`, which always comes; `ItemAdded` for what the server holds, `ItemTruncated` and `ItemDeleted` for what it
was told to cut and delete. `SpeechStarted` is what interrupts.

An adapter holds no connection and awaits nothing. Actors know providers by this protocol only. Configuration errors
(no key, bad URL) are raised by `endpoint()` as `rtactors.errors.ConfigurationError`, in a sentence for people.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct

from rtactors.events import Command, ProviderEvent

Frame = str | bytes


class Endpoint(Struct, frozen=True, kw_only=True):
    """Where and how to open the websocket."""

    url: str
    headers: dict[str, str] = {}
    subprotocols: tuple[str, ...] = ()

    def __repr__(self) -> str:  # headers hold keys: they may stand in no log
        return f"Endpoint(url={self.url.split('?')[0]!r})"


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
    truncates: bool = True
    deletes: bool = True
    echoes_request: bool = True
    """True if `ResponseStarted.request_id` is reliable."""


@runtime_checkable
class Provider(Protocol):
    """One provider, configured for one session at a time."""

    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> Capabilities: ...

    def endpoint(self) -> Endpoint: ...

    def configure(self) -> Sequence[Frame]:
        """The frames that set the session up, sent once the server has said `SessionStarted`."""
        ...

    def decode(self, frame: Frame) -> Sequence[ProviderEvent]:
        """Never raises: a frame that can't be read is a `ProviderError` of kind `malformed` that says what is wrong."""
        ...

    def encode(self, command: Command) -> Sequence[Frame]:
        """Raises ConfigurationError for what the app put into a command and the provider can't take."""
        ...

"""How a response tells which request it answers: `response.created` doesn't repeat an event id, but metadata.

Two keys, one pair a request. Which of the two also says whether the response is out of band, as a null
`conversation_id` does, because some servers may never name a conversation.
"""

from typing import Final, NamedTuple

from rtactors.errors import ConfigurationError
from rtactors.events import CreateResponse
from rtactors.providers.openai import wire

IN_BAND: Final = "rtactors_request"
OUT_OF_BAND: Final = "rtactors_request_out_of_band"

PAIRS, KEY_LENGTH, VALUE_LENGTH = 16, 64, 512
"""OpenAI's limits on metadata: number of pairs, characters of a key and of a value."""


class Request(NamedTuple):
    operation_id: str | None
    """None for a response that the server started by itself."""
    out_of_band: bool


def asked_for(response: wire.Response) -> Request:
    metadata = response.metadata or {}
    for key, out_of_band in ((IN_BAND, False), (OUT_OF_BAND, True)):
        operation_id = metadata.get(key)
        if isinstance(operation_id, str):
            return Request(operation_id, out_of_band)
    # Absent says nothing; only an explicit null does.
    return Request(None, response.conversation_id is None)


def metadata_of(command: CreateResponse) -> dict[str, str]:
    """The caller's metadata and our pair. Raises ConfigurationError for what OpenAI would refuse."""
    metadata = dict(command.options.metadata)
    if len(metadata) >= PAIRS:
        raise ConfigurationError(
            f"a response's metadata may hold {PAIRS - 1} pairs, this has {len(metadata)}: leave some out "
            f"(OpenAI takes {PAIRS}, and rtactors needs one)"
        )
    for key, value in metadata.items():
        if key in {IN_BAND, OUT_OF_BAND}:
            raise ConfigurationError(f"the metadata key {key!r} belongs to rtactors: choose another name")
        if len(key) > KEY_LENGTH:
            raise ConfigurationError(
                f"the metadata key {key[:KEY_LENGTH]!r}... has {len(key)} characters: OpenAI takes {KEY_LENGTH}"
            )
        if len(value) > VALUE_LENGTH:
            raise ConfigurationError(
                f"the metadata value of {key!r} has {len(value)} characters: OpenAI takes {VALUE_LENGTH}"
            )
    metadata[OUT_OF_BAND if command.options.out_of_band else IN_BAND] = command.operation_id
    return metadata

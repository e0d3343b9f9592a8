"""Whatever a server sends, `decode` gives events and says what was wrong: it never raises."""

from typing import get_args

from hypothesis import given

from rtactors import events
from rtactors.events import AudioDelta, Item, ItemAdded, ItemDone, OutputDone, OutputStarted, ProviderError, Unknown
from rtactors.providers.openai import wire
from rtactors.providers.openai.decode import decode
from tests.fuzz.grammar import EVENTS_OF_A_SERVER, Sent, frames
from tests.fuzz.inputs import count, inputs

KNOWN = get_args(events.ProviderEvent)
LONGEST = 2500
"""Characters of a sentence about an error: it stands in logs."""


@inputs(1000, share=1)
@given(frames(EVENTS_OF_A_SERVER))
def test_any_frame_of_a_server(sent: Sent) -> None:
    decoded = decode(sent.frame)
    count("decode", sent.kind)
    assert len(decoded) <= 2
    for event in decoded:
        assert isinstance(event, KNOWN)
        check(event)


def check(event: events.ProviderEvent) -> None:
    """What the actors rely on, and the types promise."""
    match event:
        case ProviderError():
            assert len(event.message) <= LONGEST
            assert event.limit_ms is None or event.limit_ms >= 0
        case Unknown():
            assert event.name not in wire.SERVER_TYPES
        case AudioDelta():
            assert isinstance(event.audio, bytes)
        case ItemAdded() | ItemDone() | OutputStarted() | OutputDone():
            assert event.item.id
            texts(event.item)
        case _:
            pass


def texts(item: Item) -> None:
    for text in (item.id, item.text, item.call_id, item.name, item.arguments, item.output):
        text.encode()  # what could not go back to a server would end the session


@inputs(200, share=0.1)
@given(frames(EVENTS_OF_A_SERVER, wrong=0))
def test_what_follows_the_rules_is_understood_and_written_again_as_it_was(sent: Sent) -> None:
    event = wire.server_decoder.decode(sent.frame)
    count("encode of what was decoded", sent.kind)
    assert wire.server_decoder.decode(wire.encoder.encode(event)) == event

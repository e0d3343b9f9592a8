"""A filter of text: the digits of card numbers appear nowhere, neither in captions nor in the chat history.

    python examples/text_filter.py

Text comes in pieces, so what may become a card number is held back until it is one or can't be any more. A digit gives
way to a dot, so that the text stays as long as it was: where audio is cut, the words heard are found by their place.
"""

import re
from functools import partial

import anyio
from msgspec.structs import replace

from rtactors import Session, events, mail
from rtactors.loopback.script import replies
from rtactors.loopback.server import MemoryServer
from rtactors.loopback.voice import ToneVoice
from rtactors.pipeline import MessagePlace, Pipeline, Stage
from rtactors.providers import OpenAIRealtime
from rtactors.session_events import MessageText
from rtactors.sinks import MemorySink

CARD = re.compile(r"\d(?:[ -]?\d){12,18}")
"""Thirteen to nineteen digits, in groups or not."""
UNDECIDED = re.compile(r"\d[\d -]*$")
"""What a text may end with that is the beginning of one."""

ANSWER = "You paid 42 euros with the card 4111 1111 1111 1111, on 3 May. Was that you?"
SHOWN = "You paid 42 euros with the card •••• •••• •••• ••••, on 3 May. Was that you?"


class TextFilter(Stage[mail.MessageMail]):
    """Stands before a message, and hides what `secret` matches in its text."""

    def __init__(self, place: MessagePlace, secret: re.Pattern[str]) -> None:
        super().__init__(place)
        self._secret = secret
        self._text = ""  # as the model wrote it
        self._shown = 0  # characters of it that were passed on

    def handle(self, message: mail.MessageMail) -> None:
        match message:
            case events.TextDelta():
                self._text += message.text
                undecided = UNDECIDED.search(self._text, self._shown)
                self._show(message, undecided.start() if undecided else len(self._text))
            case events.TextDone():
                self._text = message.text
                rest = events.TextDelta(message.response_id, message.item_id, "", message.spoken)
                self._show(rest, len(self._text))
                self.pass_on(replace(message, text=self._hidden(self._text)))
            case events.OutputDone():
                item = message.item
                self.pass_on(replace(message, item=replace(item, text=self._hidden(item.text))))
            case _:
                self.pass_on(message)

    def _show(self, delta: events.TextDelta, end: int) -> None:
        if end > self._shown:
            self.pass_on(replace(delta, text=self._hidden(self._text[self._shown : end])))
            self._shown = end

    def _hidden(self, text: str) -> str:
        return self._secret.sub(lambda found: re.sub(r"\d", "•", found[0]), text)


async def main() -> None:
    pipeline = Pipeline(message=(partial(TextFilter, secret=CARD),))
    async with MemoryServer(replies(ANSWER), voice=ToneVoice()) as server:
        # With a real model: OpenAIRealtime("gpt-realtime"), without `connect`; and a Speaker as the sink.
        provider = OpenAIRealtime(api_key="")
        async with Session(provider, sink=MemorySink(), connect=server.connect, pipeline=pipeline) as session:
            news = session.events()
            reply = await session.ask("What was my last payment?")
            await reply.done()
        pieces = [event.text async for event in news if isinstance(event, MessageText)]

    print("the captions:", "|".join(pieces))
    print("the history: ", session.history[-1].heard_text)
    assert "".join(pieces) == session.history[-1].heard_text == SHOWN


if __name__ == "__main__":
    anyio.run(main)

"""A guardrail: a message is heard only after a judge has read all of it.

    python examples/guardrail.py

The judge is any async function, such as a call of a moderation model. While it reads, the message is not given the
floor; its audio waits with it. A message that is rejected leaves nothing: not a sound of it, nothing in the chat
history, nothing on the server, which is asked for another reply.
"""

from collections.abc import Awaitable, Callable
from functools import partial

import anyio

from rtactors import Session, events, mail
from rtactors.loopback.script import replies
from rtactors.loopback.server import MemoryServer
from rtactors.loopback.voice import ToneVoice
from rtactors.pipeline import MessagePlace, Pipeline, Stage
from rtactors.providers import OpenAIRealtime
from rtactors.reply import ReplyRecord
from rtactors.sinks import MemorySink

INSTEAD = "Your last answer was not allowed, and nobody heard it. Answer without giving any medical advice."

Judge = Callable[[str], Awaitable[bool]]
"""Reads a text, and says whether it may be heard."""


class Guardrail(Stage[mail.MessageMail]):
    """Stands before a message, and holds its turn to be heard until the `judge` has spoken."""

    def __init__(self, place: MessagePlace, judge: Judge) -> None:
        super().__init__(place)
        self._id = place.announced.item.id
        self._ring = place.ring
        self._judge = judge
        self._text = ""
        self._judged = False
        self._allowed = False
        self._turn: mail.TakeFloor | None = None

    def handle(self, message: mail.MessageMail) -> None:
        match message:
            case mail.TakeFloor() if not self._allowed:
                self._turn = message
                return
            case events.TextDelta():
                self._text += message.text
            case events.TextDone():
                self._text = message.text
                self._let_judge()
            case events.OutputDone() | mail.GenerationEnded():  # also if it breaks off: there is no more to come
                self._let_judge()
            case _:
                pass
        self.pass_on(message)

    def _let_judge(self) -> None:
        if not self._judged:
            self._judged = True
            self.ask(partial(self._judge, self._text), self._on_verdict)

    def _on_verdict(self, allowed: bool) -> None:  # noqa: FBT001 - it is the judge's answer
        self._allowed = allowed
        if not allowed:
            another = ReplyRecord(f"instead_of_{self._id}")
            self._ring.response.send(mail.RequestReply(another, events.ResponseOptions(instructions=INSTEAD)))
            self.pass_on(mail.InterruptMessage(), urgent=True)
        elif self._turn:
            self.pass_on(self._turn, urgent=True)


async def judge(text: str) -> bool:
    await anyio.sleep(0.1)  # it reads
    allowed = "tablets" not in text
    print(f"judged: {text!r} {'may be heard' if allowed else 'is rejected'}")
    return allowed


async def main() -> None:
    script = replies("Just take ten of these tablets.", "Please ask your doctor about that.")
    pipeline = Pipeline(message=(partial(Guardrail, judge=judge),))
    sink = MemorySink()
    async with MemoryServer(script, voice=ToneVoice()) as server:
        # With a real model: OpenAIRealtime("gpt-realtime"), without `connect`; and a Speaker as the sink.
        provider = OpenAIRealtime(api_key="")
        async with Session(provider, sink=sink, connect=server.connect, pipeline=pipeline) as session:
            await session.ask("What helps against a headache?")
            await session.quiet()
            held = [item.text for item in server.sessions[0].items if item.role == "assistant"]

    said = [item.heard_text for item in session.history if item.role == "assistant"]
    print("heard:          ", said)
    print("the server holds", held)
    assert said == held == ["Please ask your doctor about that."]
    assert len(sink.heard) == 1


if __name__ == "__main__":
    anyio.run(main)

"""The companion that lets a voice speak, by itself; in conversations it is tested with `say`."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import pytest

from rtactors import mail
from rtactors.companion import Company
from rtactors.limits import Bounds, Deadlines
from rtactors.providers import OpenAIRealtime
from rtactors.session_events import SpeechWanted, Transition
from rtactors.testing.clock import virtual_backend
from rtactors.voices.speaking import Speaking

pytestmark = pytest.mark.anyio


class Spoken:
    """A voice that gives the bytes of the text, letter by letter; `hold` stops it behind the first of them."""

    rate = 24_000

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.closed: list[str] = []
        self.hold = False

    async def speak(self, text: str) -> AsyncIterator[bytes]:
        self.asked.append(text)
        try:
            for letter in text:
                yield letter.encode()
                yield b""
                if self.hold:
                    await anyio.sleep_forever()
        finally:
            self.closed.append(text)


class Told:
    def __init__(self, speaking: Speaking) -> None:
        self.speaking = speaking
        self.mail: list[mail.ContextMail] = []
        self._news = anyio.Event()

    def tell(self, message: mail.ContextMail) -> None:
        self.mail.append(message)
        self._news.set()
        self._news = anyio.Event()

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            await self._news.wait()

    def want(self, message_id: str, number: int, text: str) -> None:
        self.speaking.hear(SpeechWanted(message_id, number, text))

    def end(self, message_id: str) -> None:
        self.speaking.hear(
            Transition(
                chart="message", id=message_id, before="playing", event=None, after="partial", effects=(), at=0.0
            )
        )

    def said(self, message_id: str) -> list[tuple[int, bytes, bool]]:
        """By sentence: its number, what was said of it, whether that was all."""
        said: dict[int, tuple[bytes, bool]] = {}
        for each in self.mail:
            if isinstance(each, mail.SpokenAudio) and each.message_id == message_id:
                said[each.number] = (said.get(each.number, (b"", False))[0] + each.pcm, each.over)
        return [(number, *what) for number, what in said.items()]


@asynccontextmanager
async def running(voice: object, deadlines: Deadlines) -> AsyncGenerator[Told]:
    speaking = Speaking(voice)  # pyright: ignore[reportArgumentType]  any kind of voice, also those that are none
    told = Told(speaking)
    company = Company(
        told.tell,
        lambda _event: None,
        lambda kind: kind,
        OpenAIRealtime(api_key="").capabilities,
        deadlines,
        Bounds(),
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(speaking.run, company)
        yield told
        tasks.cancel_scope.cancel()


async def test_one_sentence_after_the_other() -> None:
    voice = Spoken()
    async with running(voice, Deadlines()) as told:
        told.want("a", 0, "One.")
        told.want("a", 1, "Two.")
        told.want("b", 0, "Three.")
        await told.until(lambda: len(voice.closed) == 3)
        assert told.said("a") == [(0, b"One.", True), (1, b"Two.", True)]
        assert told.said("b") == [(0, b"Three.", True)]
        told.want("b", 1, "Four.")
        await told.until(lambda: len(voice.closed) == 4)


async def test_a_message_that_has_ended_is_spoken_no_further() -> None:
    """Neither what it speaks now, nor what was still to come; the others are."""
    voice = Spoken()
    voice.hold = True
    async with running(voice, Deadlines(voice=1e6)) as told:
        told.want("a", 0, "One.")
        told.want("a", 1, "Two.")
        told.want("b", 0, "Three.")
        await told.until(lambda: told.said("a"))
        voice.hold = False
        told.end("b")
        told.want("c", 0, "Four.")
        told.end("a")
        await told.until(lambda: "Four." in voice.closed)
    assert voice.asked == ["One.", "Four."]
    assert voice.closed == voice.asked
    assert told.said("a") == [(0, b"O", False)]


async def test_an_end_that_comes_before_it_began_to_speak() -> None:
    voice = Spoken()
    async with running(voice, Deadlines()) as told:
        told.want("a", 0, "One.")
        told.end("a")
        told.want("b", 0, "Two.")
        await told.until(lambda: told.said("b") == [(0, b"Two.", True)])
    assert voice.asked == ["Two."]


async def test_nothing_to_hear_in_it() -> None:
    async with running(Spoken(), Deadlines()) as told:
        told.want("a", 0, "")
        await told.until(lambda: told.mail)
        assert told.mail == [mail.SpokenAudio("a", 0, b"", over=True)]


async def test_it_hangs() -> None:
    """The message is told so once, and asked for no more; the next one has its chance."""
    voice = Spoken()
    voice.hold = True
    async with running(voice, Deadlines(voice=0.01)) as told:
        told.want("a", 0, "One.")
        told.want("a", 1, "Two.")
        await told.until(lambda: len(told.mail) == 2)
        assert told.mail[1] == mail.VoiceFailed("a", "TimeoutError: the voice gave nothing for 0.01 s")
        voice.hold = False
        told.want("b", 0, "Three.")
        await told.until(lambda: told.said("b") == [(0, b"Three.", True)])
    assert voice.asked == ["One.", "Three."]


class NoGenerator:
    """Gives something that is not a generator, and wrong: text."""

    rate = 24_000

    def speak(self, _text: str) -> AsyncIterator[bytes]:
        class Pieces:
            def __aiter__(self) -> "Pieces":
                return self

            async def __anext__(self) -> str:
                return "no bytes"

        return Pieces()  # pyright: ignore[reportReturnType]  as an app may


class Raises:
    rate = 24_000

    def speak(self, _text: str) -> AsyncIterator[bytes]:
        raise ValueError


@pytest.mark.parametrize("voice", [NoGenerator(), Raises()])
async def test_it_is_no_voice(voice: object) -> None:
    async with running(voice, Deadlines()) as told:
        told.want("a", 0, "One.")
        await told.until(lambda: told.mail)
        assert isinstance(told.mail[0], mail.VoiceFailed)
        assert told.mail[0].reason.startswith(("TypeError", "ValueError"))


class GivesUp:
    """What it waits for is cancelled, by somebody else."""

    rate = 24_000

    def __init__(self) -> None:
        self.asked = 0

    async def speak(self, text: str) -> AsyncIterator[bytes]:
        self.asked += 1
        if self.asked == 1:
            raise anyio.get_cancelled_exc_class()
        yield text.encode()


@pytest.mark.parametrize("anyio_backend", [virtual_backend("asyncio")], ids=["asyncio"])  # nobody else can, on trio
async def test_what_it_waits_for_is_cancelled() -> None:
    """That is a failure like others, and not the end of who lets it speak."""
    told = None
    async with running(GivesUp(), Deadlines()) as it:
        it.want("a", 0, "One.")
        it.want("b", 0, "Two.")
        await it.until(lambda: it.said("b") == [(0, b"Two.", True)])
        told = it.mail[0]
    assert told == mail.VoiceFailed("a", "what the voice waited for was cancelled")


async def test_what_is_no_audio_is_not_spoken() -> None:
    """A number of bytes is not that many bytes of silence."""

    class Counting:
        async def speak(self, text: str) -> AsyncIterator[int]:
            yield len(text)

    async with running(Counting(), Deadlines()) as told:
        told.want("a", 0, "One.")
        await told.until(lambda: told.mail)
        assert told.mail == [mail.VoiceFailed("a", "TypeError: audio has to be bytes of PCM16, not int")]

"""Where the words are in speech: the aligner of a session."""

# ruff: noqa: RUF001 - letters that look alike are what is meant

import json
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtactors import espeak
from rtactors.alignment import Aligner, EvenAligner, SpeechAligner, Word
from rtactors.alignment.words import whole_words

RATE = 16_000
ALIGNERS = [SpeechAligner(), EvenAligner()]


def tone(ms: int) -> bytes:
    return (8000 * np.sin(np.arange(ms * 16) / 12)).astype("<i2").tobytes()


def speech(syllables: int) -> bytes:
    """200 ms each: peaks of loudness, never silent in between."""
    times = np.arange(syllables * 3200)
    return (8000 * (0.55 - 0.45 * np.cos(2 * np.pi * times / 3200)) * np.sin(times / 12)).astype("<i2").tobytes()


def silence(ms: int) -> bytes:
    return bytes(ms * 32)


def aligned(text: str, *pcm: bytes, text_over: bool = True, audio_over: bool = True) -> list[Word]:
    alignment = SpeechAligner().begin(RATE)
    alignment.add_text(text)
    if text_over:
        alignment.end_text()
    for piece in pcm:
        alignment.add_audio(piece)
    if audio_over:
        alignment.end_audio()
    return list(alignment.words())


def check(words: Sequence[Word], text: str, audio_ms: float | None = None) -> None:
    """What any aligner has to keep to."""
    said = "".join(word.text for word in words)
    assert text == said if audio_ms is not None else text.startswith(said)
    for word in words:
        assert type(word.start_ms) is type(word.end_ms) is int
        assert 0 <= word.start_ms <= word.end_ms
        assert word.estimated
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(words))
    if audio_ms is not None and words:
        assert words[-1].end_ms <= audio_ms


texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["Hello, ", "wor", "ld. ", "你好，", "**", " 👋 ", "\n- ", "1984 ", "<b>", " "]),
)
SOUNDS = [tone(1500), speech(1), speech(5), silence(30), silence(90), silence(800), b"", b"\x01\x80" * 99]
steps = st.lists(st.one_of(texts, st.integers(0, len(SOUNDS) - 1), st.none()), max_size=30)


@pytest.mark.parametrize("aligner", ALIGNERS, ids=["speech", "even"])
@given(steps)
def test_it_keeps_to_the_contract_whatever_comes(aligner: Aligner, steps: list[str | int | None]) -> None:
    """A text; a number, of a sound; None: asked for the words in between."""
    alignment = aligner.begin(RATE)
    text, size, whole = "", 0, 0
    for step in steps:
        if isinstance(step, str):
            alignment.add_text(step)
            text += step
        elif isinstance(step, int):
            alignment.add_audio(SOUNDS[step])
            size += len(SOUNDS[step])
        else:
            words = alignment.words()
            check(words, text)
            assert len(words) >= whole
            whole = len(words)
    alignment.end_text()
    assert "".join(word.text for word in alignment.words()) == text
    check(alignment.words(), text)
    alignment.end_audio()
    check(alignment.words(), text, size / 32)


@given(steps, texts)
def test_another_text_is_as_if_it_had_been_the_first(steps: list[str | int | None], other: str) -> None:
    one, another = SpeechAligner().begin(RATE), SpeechAligner().begin(RATE)
    another.add_text(other)
    for step in steps:
        if isinstance(step, str):
            one.add_text(step)
        elif isinstance(step, int):
            one.add_audio(SOUNDS[step])
            another.add_audio(SOUNDS[step])
        else:
            one.words()
    one.replace_text(other)
    assert list(one.words()) == list(another.words())
    for each in one, another:
        each.end_text()
        each.end_audio()
    assert list(one.words()) == list(another.words())


def test_words_stand_where_somebody_speaks() -> None:
    one, two, three, four = aligned(
        "Only, little. Seven eleven.", silence(200), speech(2), silence(250), speech(2), silence(400), speech(5)
    )
    assert [each.start_ms for each in (one, two, three)] == pytest.approx([200, 850, 1650], abs=25)
    assert [each.end_ms for each in (one, two)] == pytest.approx([600, 1250], abs=25)
    assert three.end_ms == four.start_ms == pytest.approx(2050, abs=60)
    assert four.end_ms == pytest.approx(2650, abs=25)


def test_a_pause_is_where_the_text_has_one() -> None:
    """And not where the time alone would say it is."""
    words = aligned("However, this is a better one.", speech(3), silence(300), speech(6))
    assert words[0].end_ms == pytest.approx(600, abs=25)
    assert words[1].start_ms == pytest.approx(900, abs=25)


def test_a_closure_within_a_word_is_no_pause() -> None:
    (word,) = aligned("Photosynthesis", speech(2), silence(70), speech(3))
    assert (word.start_ms, word.end_ms) == pytest.approx((0, 1070), abs=10)


def test_what_nobody_says_takes_no_time() -> None:
    words = aligned("**Yes** 👋 — <b> no.", speech(1), silence(300), speech(1))
    assert [word.end_ms - word.start_ms for word in words[1:4]] == [0, 0, 0]
    assert words[-1].start_ms == pytest.approx(500, abs=25)


def test_text_runs_ahead_of_the_audio() -> None:
    text = "The first words are there, and all the others are still to come. Then it ends."
    words = aligned(text, tone(400), text_over=False, audio_over=False)
    assert [word.text for word in words] == whole_words(text, over=False)
    assert words[0].start_ms < 400
    assert words[-1].end_ms > 2500
    comma, stop = (next(i for i, word in enumerate(words) if word.text.endswith(end)) for end in ",.")
    assert words[comma].end_ms < words[comma + 1].start_ms
    assert words[stop].end_ms < words[stop + 1].start_ms


def test_while_it_is_silent_the_next_word_has_not_begun() -> None:
    alignment = SpeechAligner().begin(RATE)
    alignment.add_text("Seven. Two three four five six.")
    alignment.add_audio(speech(2))
    for ms in range(460, 3000, 60):
        alignment.add_audio(silence(60))
        words = alignment.words()
        assert words[1].start_ms > ms
        if ms > 600:  # before, it may have been no more than a plosive
            assert words[0].end_ms == pytest.approx(400, abs=25)


def test_nothing_is_said_before_somebody_speaks() -> None:
    assert aligned("One two", silence(700), text_over=False, audio_over=False)[0].start_ms > 700


def test_no_text_and_no_audio() -> None:
    assert aligned("") == aligned("", tone(500)) == []
    assert [(word.start_ms, word.end_ms) for word in aligned("One two")] == [(0, 0), (0, 0)]
    ahead = aligned("One two", text_over=True, audio_over=False)
    assert ahead[0].start_ms == 0 < ahead[0].end_ms <= ahead[1].start_ms < ahead[1].end_ms


def test_silence_that_was_said_to_be_a_text() -> None:
    words = aligned("One two three", silence(900))
    assert [word.end_ms for word in words] == [300, 600, 900]


def test_audio_runs_ahead_of_the_text() -> None:
    alignment = SpeechAligner().begin(RATE)
    for piece in speech(3), silence(300), speech(3), silence(300), speech(3):
        alignment.add_audio(piece)
    assert list(alignment.words()) == []
    alignment.add_text("Wonderful. ")
    assert alignment.words()[0].end_ms < 1000
    alignment.add_text("Excellent. Marvellous.")
    alignment.end_text()
    alignment.end_audio()
    assert [word.start_ms for word in alignment.words()] == pytest.approx([0, 900, 1800], abs=25)


def test_what_was_given_stays_as_it_was() -> None:
    """Also the words ahead, which are worked out when they are looked at."""
    alignment = SpeechAligner().begin(RATE)
    alignment.add_text("One, two. Three four five. ")
    alignment.add_audio(tone(200))
    words = alignment.words()
    before = list(words)
    alignment.add_audio(silence(500) + tone(2000))
    alignment.add_text("\nSix seven.")
    assert list(alignment.words()) != before
    assert list(words) == before == [words[index] for index in range(-len(before), 0)]
    assert list(words[1:]) == before[1:]
    assert words[-1:][0] == before[-1]
    with pytest.raises(IndexError):
        words[len(words)]


def test_a_long_message_costs_no_more_at_its_end() -> None:
    """10 minutes and 100 kB of text that is ahead: what is looked at again stays short, all the rest is settled."""
    alignment = SpeechAligner().begin(RATE)
    alignment.add_text("Some words, and others. " * 4500)
    phrase = b"".join([speech(2), silence(150), speech(3), silence(350)])
    looked_at: list[float] = []
    for _ in range(400):
        alignment.add_audio(phrase)
        alignment.words()
        settled = getattr(alignment, "_settled")  # noqa: B009 - of a private class
        first_unsettled = settled[-1].end_ms if settled else 0
        looked_at.append(getattr(alignment, "_sound").ms - first_unsettled)  # noqa: B009 - the same
    assert max(looked_at) < 40_000
    check(alignment.words(), "Some words, and others. " * 4500)
    sentence = alignment.words()[4 * 399].start_ms  # after 399 sentences of four words
    assert sentence == pytest.approx(399 * 1500, abs=3000)


def test_numpy_is_imported_with_the_aligner_and_not_when_audio_comes_and_in_a_thread() -> None:
    program = """
import json, sys, threading
import rtactors, rtactors.session
from rtactors.alignment import SpeechAligner

class Who:
    "Sees which thread looks for numpy."
    def find_spec(self, name, path, target=None):
        if name == "numpy":
            importers.append(threading.current_thread().name)

importers = []
sys.meta_path.insert(0, Who())
before = "numpy" in sys.modules
SpeechAligner()
for thread in threading.enumerate():
    if thread is not threading.main_thread():
        thread.join()
print(json.dumps([before, "numpy" in sys.modules, importers]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert json.loads(done.stdout) == [False, True, ["import numpy"]]


SENTENCES = {
    "en-us": "Well, the ticket costs 25 euros. Would you like to come with me this evening? If not, just tell me.",
    "de": "Guten Tag, mein Name ist Anna. Womit kann ich Ihnen heute behilflich sein? Ich habe viel Zeit.",
    "fr": "Bonjour, je m'appelle Jean. Le petit chat dort sur la table de la cuisine, mais il a faim.",
    "es": "El tren sale a las ocho de la mañana, así que nos levantamos muy temprano. Buenas noches.",
    "ru": "Вчера мы ходили в театр, а потом долго гуляли по набережной. Это было прекрасно.",
    "hi": "नमस्ते, मेरा नाम राहुल है। मैं आपकी क्या सहायता कर सकता हूँ?",
    "tr": "Merhaba, size nasıl yardımcı olabilirim? Lütfen sipariş numaranızı söyleyin.",
    "cmn": "请问，火车站怎么走？先往前走，然后向左拐，就在银行旁边。",
}


@pytest.mark.speech
@pytest.mark.parametrize("words_a_minute", [130, 200])
def test_it_knows_which_words_have_begun(words_a_minute: int) -> None:
    """Of eight languages, at a cut in the middle of each word that eSpeak NG marks, all of text and audio known."""
    off: list[int] = []
    for language, text in SENTENCES.items():
        sound = espeak.synthesize(text, language, words_a_minute, 50)
        alignment = SpeechAligner().begin(sound.rate)
        alignment.add_text(text)
        alignment.end_text()
        alignment.add_audio(sound.pcm)
        alignment.end_audio()
        for (_, begun_ms), (position, next_ms) in pairwise(sound.marks):
            begun = [word for word in alignment.words() if word.start_ms <= (begun_ms + next_ms) / 2]
            true = whole_words(text[:position], over=True)
            off.append(abs(len(begun) - len(true)))
    assert len(off) > 100
    assert median(off) == 0
    assert sorted(off)[int(0.95 * len(off))] <= 1

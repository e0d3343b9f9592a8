"""Voice detection on tones, noise and silence; on real speech where the voice is installed."""

import random
import sys
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtactors.errors import ConfigurationError
from rtactors.loopback.vad import Change, Detector, Loudness, SpeechBegan, SpeechEnded, TurnDetection, Vad, WebrtcVad
from rtactors.loopback.voice import EspeakVoice
from tests.loopback.client import silence, tone, utterance


def noise(ms: int, db: float, seed: int = 1) -> bytes:
    """White noise of so many dB below full scale."""
    sigma = 32768 * 10 ** (db / 20)
    dice = random.Random(seed)
    return array("h", (max(-32768, min(32767, round(dice.gauss(0, sigma)))) for _ in range(ms * 24))).tobytes()


def mixed(one: bytes, other: bytes) -> bytes:
    return array("h", (a + b for a, b in zip(array("h", one), array("h", other), strict=True))).tobytes()


def found(pcm: bytes, settings: TurnDetection | None = None, vad: Vad = Loudness) -> list[Change]:
    return Detector(settings or TurnDetection(), vad).feed(pcm)


def test_a_turn_begins_before_its_sound_and_ends_behind_its_silence() -> None:
    assert found(silence(1000) + tone(400) + silence(1000)) == [SpeechBegan(700), SpeechEnded(1900)]


def test_padding_and_patience_are_settings() -> None:
    settings = TurnDetection(prefix_padding_ms=100, silence_duration_ms=200)
    assert found(silence(1000) + tone(400) + silence(1000), settings) == [SpeechBegan(900), SpeechEnded(1600)]


def test_a_turn_does_not_begin_before_the_session_or_in_the_turn_before() -> None:
    pcm = tone(200) + silence(500) + tone(200) + silence(500)
    assert found(pcm) == [SpeechBegan(0), SpeechEnded(700), SpeechBegan(700), SpeechEnded(1400)]


def test_a_pause_shorter_than_the_patience_does_not_end_a_turn() -> None:
    pcm = silence(500) + tone(300) + silence(480) + tone(300) + silence(500)
    assert found(pcm) == [SpeechBegan(200), SpeechEnded(2080)]


@pytest.mark.parametrize(
    "pcm",
    [
        silence(3000),
        silence(500) + tone(40) + silence(500),  # a click
        silence(500) + tone(1000, amplitude=100) + silence(500),  # a whisper from next door
        noise(5000, -60),
        noise(5000, -45),
        silence(500) + noise(3000, -52) + silence(500),
    ],
    ids=["silence", "click", "whisper", "quiet noise", "noise", "noise from nothing"],
)
def test_not_speech(pcm: bytes) -> None:
    assert found(pcm) == []


@pytest.mark.parametrize("background_db", [-70, -50, -42])
def test_speech_over_noise(background_db: float) -> None:
    speech = mixed(silence(1000) + tone(600) + silence(1000), noise(2600, background_db))
    assert found(speech) == [SpeechBegan(700), SpeechEnded(2100)]


def test_a_background_that_rises_becomes_background() -> None:
    began, ended = found(noise(1000, -65) + noise(8000, -38))
    assert began == SpeechBegan(700)
    assert isinstance(ended, SpeechEnded)
    assert ended.end_ms < 5000


def test_a_loud_voice_is_a_voice_even_if_it_never_pauses() -> None:
    assert found(silence(500) + tone(20_000)) == [SpeechBegan(200)]


def test_a_higher_threshold_wants_louder_speech() -> None:
    pcm = silence(1000) + tone(400, amplitude=200) + silence(1000)  # -47 dB
    assert found(pcm, TurnDetection(threshold=0.5))
    over_noise = mixed(pcm, noise(2400, -56))
    assert found(over_noise, TurnDetection(threshold=0.1))
    assert not found(over_noise, TurnDetection(threshold=0.9))


def test_positions_go_on_from_where_the_detector_was_put() -> None:
    detector = Detector(TurnDetection(), position_ms=60_000)
    assert detector.feed(utterance()) == [SpeechBegan(60_000), SpeechEnded(61_200)]


@given(st.lists(st.integers(0, 5000), max_size=30))
def test_how_the_audio_is_cut_makes_no_difference(sizes: list[int]) -> None:
    pcm = utterance(100) + utterance(200)
    detector, changes, start = Detector(TurnDetection()), list[Change](), 0
    for size in [*sizes, len(pcm)]:
        changes += detector.feed(pcm[start : start + size])
        start += size
    assert changes == found(pcm)


@pytest.mark.speech
@pytest.mark.parametrize(
    "pcm", [silence(3000), noise(5000, -60), noise(5000, -30)], ids=["silence", "noise", "loud noise"]
)
def test_webrtc_is_not_fooled_by_noise(pcm: bytes) -> None:
    assert found(pcm, vad=WebrtcVad) == []


def test_without_the_extra_webrtc_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(ConfigurationError, match=r'pip install "rtactors\[speech\]"'):
        WebrtcVad(0.5)


@pytest.mark.speech
@pytest.mark.sockets  # real time: the voice works in a thread
@pytest.mark.anyio
@pytest.mark.parametrize("vad", [Loudness, WebrtcVad])
@pytest.mark.parametrize("background_db", [-70, -45])
@pytest.mark.parametrize("voice", ["en-us", "en-us+f3"])
async def test_real_speech_is_one_turn(voice: str, background_db: float, vad: Vad) -> None:
    speech = await EspeakVoice(voice).speak("Once upon a time, there was a lighthouse by the sea.")
    pcm = silence(800) + speech.pcm + silence(1000)
    began, ended = found(mixed(pcm, noise(len(pcm) // 48 + 1, background_db)[: len(pcm)]), vad=vad)
    assert isinstance(began, SpeechBegan)
    assert isinstance(ended, SpeechEnded)
    assert 400 <= began.start_ms <= 650
    assert abs(ended.end_ms - (800 + len(speech.pcm) / 48 + 500)) < 200

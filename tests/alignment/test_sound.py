"""What is heard in audio: pauses, and how much is said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtactors.alignment.sound import Sound


def tone(ms: float, rate: int = 16_000, level: float = 8000) -> bytes:
    times = np.arange(round(ms * rate / 1000)) / rate
    return (level * np.sin(2 * np.pi * 220 * times)).astype("<i2").tobytes()


def hiss(ms: float, level: float, rate: int = 16_000) -> bytes:
    return np.random.default_rng(1).normal(0, level, round(ms * rate / 1000)).astype("<i2").tobytes()


def syllables(count: int, ms: float) -> bytes:
    """Each a peak of loudness; never silent."""
    times = np.arange(round(count * ms * 16)) / 16
    loudness = 0.55 - 0.45 * np.cos(2 * np.pi * times / ms)
    return (8000 * loudness * np.sin(2 * np.pi * 0.22 * times)).astype("<i2").tobytes()


def heard(*pcm: bytes, rate: int = 16_000) -> Sound:
    sound = Sound(rate)
    for piece in pcm:
        sound.add(piece)
    sound.listen()
    return sound


@pytest.mark.parametrize(("level", "quiet"), [(400, 0), (400, 4), (8000, 0), (8000, 80), (30_000, 0), (30_000, 90)])
def test_gaps(level: float, quiet: float) -> None:
    """In silence and in noise, of a quiet voice and of a loud one."""
    sound = heard(hiss(200, quiet), tone(500, level=level), hiss(300, quiet), tone(400, level=level), hiss(250, quiet))
    assert [tuple(round(ms, -1) for ms in gap) for gap in sound.gaps] == [(0, 200), (700, 1000)]
    assert sound.quiet_since_ms == pytest.approx(1400, abs=10)
    assert sound.ms == pytest.approx(1650)


def test_it_may_begin_with_speech() -> None:
    sound = heard(tone(300))
    assert [gap.end_ms - gap.start_ms for gap in sound.gaps] == [0]
    assert sound.quiet_since_ms is None


def test_neither_silence_nor_the_hiss_of_a_line_is_speech() -> None:
    for sound in heard(), heard(bytes(32_000)), heard(hiss(1000, 8)):
        assert sound.gaps == []
        assert sound.quiet_since_ms == 0


def test_a_click_is_no_speech() -> None:
    assert len(heard(tone(300), bytes(6400), tone(10), bytes(6400), tone(300)).gaps) == 2


def test_a_tone_is_speech_without_a_gap() -> None:
    sound = heard(tone(5000))
    assert len(sound.gaps) == 1
    assert 0 < sound.said(1000) < sound.said(2000) < sound.said(5000)


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_times_are_those_of_the_audio_at_any_rate(rate: int) -> None:
    sound = heard(tone(60_000, rate), bytes(rate), tone(300, rate), rate=rate)
    assert sound.gaps[1] == pytest.approx((60_000, 60_500), abs=25)


def test_whoever_speaks_faster_says_more() -> None:
    slow, fast = heard(syllables(10, 250)), heard(syllables(20, 125))
    assert 1.5 < fast.said(2500) / slow.said(2500) < 2
    assert fast.speaking_rate > slow.speaking_rate


def test_nothing_is_said_in_a_pause() -> None:
    sound = heard(syllables(5, 200), bytes(16_000), syllables(5, 200))
    first, second = sound.gaps[1]
    assert sound.said(first) == sound.said(second)


PIECES = {
    "tone": tone(130),
    "blip": tone(20),
    "hiss": hiss(70, 500),
    "silence": bytes(640),
    "part of a frame": bytes(6),
    "syllables": syllables(3, 180),
    "loud": b"\x00\x80" * 500,
}
pieces = st.lists(st.sampled_from(sorted(PIECES)), max_size=12)


@given(pieces)
def test_it_is_the_same_in_whatever_pieces(names: list[str]) -> None:
    sound = Sound(16_000)
    for name in names:
        sound.add(PIECES[name])
        sound.listen()
    at_once = heard(*(PIECES[name] for name in names))
    assert sound.gaps == at_once.gaps
    assert [sound.said(ms) for ms in range(0, 2000, 100)] == [at_once.said(ms) for ms in range(0, 2000, 100)]


@given(pieces)
def test_more_is_said_the_later_it_is(names: list[str]) -> None:
    sound = heard(*(PIECES[name] for name in names))
    said = [sound.said(ms) for ms in range(0, int(sound.ms), 10)]
    assert said == sorted(said)
    for amount in said:
        assert sound.said(sound.when(amount)) == pytest.approx(amount)

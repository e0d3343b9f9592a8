"""The rate changes, the sound doesn't."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtactors.resample import resample


def sine(hz: float, rate: int, seconds: float = 0.5, amplitude: float = 20_000) -> bytes:
    return np.rint(amplitude * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)).astype("<i2").tobytes()


def samples(pcm: bytes) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.frombuffer(pcm, "<i2").astype(np.float64)


@pytest.mark.parametrize(("source", "target"), [(22_050, 24_000), (24_000, 16_000), (8_000, 24_000), (48_000, 24_000)])
@pytest.mark.parametrize("hz", [100, 1000, 3000])
def test_a_tone_stays_the_same_tone(source: int, target: int, hz: float) -> None:
    expected = samples(sine(hz, target))
    got = samples(resample(sine(hz, source), source, target))
    assert len(got) == len(expected)
    inner = slice(200, -200)  # at the ends there is nothing before or behind
    assert np.abs(got[inner] - expected[inner]).max() < 20_000 * 0.003


def test_what_the_lower_rate_cannot_hold_is_gone() -> None:
    got = samples(resample(sine(10_000, 24_000), 24_000, 16_000))
    assert np.abs(got[200:-200]).max() < 200


def test_a_full_scale_square_does_not_wrap_around() -> None:
    square = np.where(np.arange(4800) % 100 < 50, 32767, -32768).astype("<i2").tobytes()
    got = samples(resample(square, 22_050, 24_000))
    assert abs(got).max() <= 32768
    assert np.abs(np.diff(got)).max() < 66_000
    assert (np.sign(got[30:50]) == 1).all()


@given(st.integers(0, 3000), st.sampled_from([(22_050, 24_000), (24_000, 16_000), (16_000, 24_000)]))
def test_the_duration_stays_within_a_frame(frames: int, rates: tuple[int, int]) -> None:
    got = len(resample(bytes(2 * frames), *rates)) // 2
    assert abs(got - frames * rates[1] / rates[0]) <= 1


def test_equal_rates_change_nothing() -> None:
    assert resample(b"\1\2\3\4", 24_000, 24_000) == b"\1\2\3\4"

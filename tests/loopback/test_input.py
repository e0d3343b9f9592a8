"""The input audio buffer: what leaves it, and when."""

import pytest

from rtactors.loopback.conversation import Rejected
from rtactors.loopback.input import LARGEST_APPEND, SILENCE_KEPT_MS, InputBuffer
from rtactors.loopback.vad import SpeechBegan, SpeechEnded, TurnDetection
from tests.loopback.client import silence, tone


def test_a_turn_is_taken_with_its_padding_and_its_silence() -> None:
    buffer = InputBuffer(TurnDetection())
    pcm = silence(1000) + tone(400) + silence(900)
    assert buffer.append(pcm) == [SpeechBegan(700), SpeechEnded(1900)]
    assert buffer.take(700, 1900) == pcm[700 * 48 : 1900 * 48]
    assert buffer.end_ms == 2300
    assert buffer.commit() == silence(400)


def test_two_turns_in_one_append() -> None:
    buffer = InputBuffer(TurnDetection())
    one = silence(500) + tone(200) + silence(600)
    assert buffer.append(one + one) == [SpeechBegan(200), SpeechEnded(1200), SpeechBegan(1500), SpeechEnded(2500)]
    assert buffer.take(200, 1200) == (one + one)[200 * 48 : 1200 * 48]
    assert buffer.take(1500, 2500) == (one + one)[1500 * 48 : 2500 * 48]


@pytest.mark.parametrize("size", [1, 7, 999, 4801])
def test_frames_may_be_cut_in_half(size: int) -> None:
    buffer = InputBuffer(TurnDetection())
    pcm = silence(500) + tone(200) + silence(600)
    for _ in range(2):
        changes = [change for start in range(0, len(pcm), size) for change in buffer.append(pcm[start : start + size])]
        began, ended = changes
        assert isinstance(began, SpeechBegan)
        assert isinstance(ended, SpeechEnded)
        assert tone(200) in buffer.take(began.start_ms, ended.end_ms)
        buffer.append(b"\1")
        buffer.clear()
        buffer.append(b"\0")


@pytest.mark.parametrize(("bytes_in", "told"), [(0, "0.00"), (46, "0.96"), (4798, "99.96")])
def test_too_little_to_commit(bytes_in: int, told: str) -> None:
    buffer = InputBuffer(None)
    buffer.append(bytes(bytes_in))
    with pytest.raises(Rejected) as refusal:
        buffer.commit()
    assert refusal.value.code == "input_audio_buffer_commit_empty"
    assert refusal.value.message == (
        "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, "
        f"but buffer only has {told}ms of audio."
    )
    buffer.append(bytes(4800 - bytes_in))
    assert len(buffer.commit()) == 4800


def test_clearing_forgets_the_audio_and_a_turn_that_has_begun() -> None:
    buffer = InputBuffer(TurnDetection())
    assert buffer.append(silence(500) + tone(300)) == [SpeechBegan(200)]
    buffer.clear()
    assert buffer.append(silence(2000)) == []
    assert buffer.end_ms == 2800


def test_positions_count_all_audio_of_the_session() -> None:
    buffer = InputBuffer(None)
    buffer.append(silence(5000))
    buffer.commit()
    buffer.detect(TurnDetection())
    assert buffer.append(silence(1000) + tone(300) + silence(500)) == [SpeechBegan(5700), SpeechEnded(6800)]


def test_silence_is_not_kept_for_ever() -> None:
    buffer = InputBuffer(TurnDetection())
    for _ in range(60):
        buffer.append(silence(1000))
    assert buffer.append(tone(200) + silence(500)) == [SpeechBegan(59_700), SpeechEnded(60_700)]
    assert len(buffer.commit()) <= (SILENCE_KEPT_MS + 1000) * 48


def test_an_append_has_a_limit() -> None:
    buffer = InputBuffer(None)
    buffer.append(bytes(LARGEST_APPEND))
    with pytest.raises(Rejected, match="are more than the 15728640 that are allowed"):
        buffer.append(bytes(LARGEST_APPEND + 1))

"""What is kept of the user's voice, for a connection that was lost."""

from array import array
from collections.abc import Callable
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtactors.events import (
    AppendAudio,
    ClearAudio,
    CommitAudio,
    InputCleared,
    InputCommitted,
    InputTranscript,
    SpeechStarted,
    SpeechStopped,
)
from rtactors.limits import Bounds
from rtactors.user_audio import OVERHEAD, SPEECHES, InputCommand, InputEvent, UserAudio

RATE = 1000  # a frame a ms
PLENTY = 1 << 20
COMMIT, CLEAR = CommitAudio("input-1"), ClearAudio("input-2")


def ms(start: int, stop: int) -> bytes:
    """Audio in which each frame is its own time."""
    return array("H", range(start, stop)).tobytes()


def told(audio: UserAudio, *events: InputEvent) -> None:
    for event in events:
        audio.told(event)


def sent(*commands: InputCommand | bytes, capacity: int = PLENTY) -> UserAudio:
    audio = UserAudio(capacity, RATE)
    for command in commands:
        audio.sent(AppendAudio(command) if isinstance(command, bytes) else command)
    return audio


def pending(audio: UserAudio) -> list[InputCommand | bytes]:
    """What a new connection would be sent; asking changes nothing."""
    commands = deepcopy(audio).reconnected()
    return [command.audio if isinstance(command, AppendAudio) else command for command in commands]


# ------------------------------------------------------------------------------------------------ turns of the client


def test_what_is_no_item_is_sent_again_in_its_order() -> None:
    audio = sent(ms(0, 20), ms(20, 40), COMMIT, ms(40, 60))
    assert pending(audio) == [ms(0, 40), COMMIT, ms(40, 60)]


def test_a_commit_makes_a_turn_of_all_before_it() -> None:
    audio = sent(ms(0, 20), ms(20, 40), COMMIT, ms(40, 60))
    told(audio, InputCommitted("a"))
    assert audio.turns().get("a", b"") == ms(0, 40)
    assert pending(audio) == [ms(40, 60)]


def test_commits_are_answered_in_their_order() -> None:
    second = CommitAudio("input-3")
    audio = sent(ms(0, 20), COMMIT, ms(20, 50), second, ms(50, 60))
    told(audio, InputCommitted("a"))
    assert pending(audio) == [ms(20, 50), second, ms(50, 60)]
    told(audio, InputCommitted("b"))
    assert [audio.turns().get(item_id, b"") for item_id in "ab"] == [ms(0, 20), ms(20, 50)]
    assert pending(audio) == [ms(50, 60)]


def test_a_turn_begins_behind_the_clear_before_it() -> None:
    audio = sent(ms(0, 20), CLEAR, ms(20, 40), COMMIT)
    told(audio, InputCleared(), InputCommitted("a"))
    assert audio.turns().get("a", b"") == ms(20, 40)
    unanswered = sent(ms(0, 20), CLEAR, ms(20, 40), COMMIT)
    told(unanswered, InputCommitted("a"))  # the answer to the clear was lost
    assert unanswered.turns().get("a", b"") == ms(20, 40)
    assert pending(audio) == pending(unanswered) == []


def test_a_clear_without_answer_leaves_out_what_it_would_clear_but_no_turn() -> None:
    audio = sent(ms(0, 20), COMMIT, ms(20, 40), CLEAR, ms(40, 60))
    assert pending(audio) == [ms(0, 20), COMMIT, ms(40, 60)]


def test_a_server_may_clear_by_itself() -> None:
    audio = sent(ms(0, 20), ms(20, 40))
    told(audio, InputCleared())
    assert pending(audio) == []
    audio = sent(ms(0, 20), COMMIT, ms(20, 40))  # it has not seen the commit yet
    told(audio, InputCleared())
    assert pending(audio) == [COMMIT, ms(20, 40)]


def test_what_was_refused_goes_on() -> None:
    audio = sent(ms(0, 20), COMMIT, ms(20, 40))
    audio.refused("input-7")
    audio.refused(COMMIT.operation_id)
    assert pending(audio) == [ms(0, 40)]
    second = CommitAudio("input-3")
    audio.sent(second)
    told(audio, InputCommitted("a"))
    assert audio.turns().get("a", b"") == ms(0, 40)


# ------------------------------------------------------------------------------------------------ turns of the server


def test_a_server_says_where_a_turn_lies() -> None:
    audio = sent(ms(0, 20), ms(20, 40), ms(40, 60), ms(60, 80))
    told(audio, SpeechStarted("a", 15), SpeechStopped("a", 55))
    assert pending(audio) == [ms(15, 80)]
    told(audio, InputCommitted("a"))
    assert audio.turns().get("a", b"") == ms(15, 55)
    assert pending(audio) == [ms(55, 80)]


def test_speech_under_way_is_sent_again_without_the_silence_before_it() -> None:
    audio = sent(ms(0, 20), ms(20, 40))
    told(audio, SpeechStarted("a", 30))
    audio.sent(AppendAudio(ms(40, 60)))
    assert pending(audio) == [ms(30, 60)]


def test_silence_is_sent_again_since_it_may_be_none() -> None:
    assert pending(sent(ms(0, 20), ms(20, 40))) == [ms(0, 40)]


def test_a_new_connection_counts_anew() -> None:
    audio = sent(ms(0, 50))
    told(audio, SpeechStarted("a", 10), SpeechStopped("a", 40), InputCommitted("a"))
    assert audio.reconnected() == [AppendAudio(ms(40, 50))]
    audio.sent(AppendAudio(ms(50, 90)))
    told(audio, SpeechStarted("b", 5), SpeechStopped("b", 30), InputCommitted("b"))
    assert audio.turns().get("a", b"") == ms(10, 40)
    assert audio.turns().get("b", b"") == ms(45, 70)
    assert pending(audio) == [ms(70, 90)]


def test_speech_that_the_lost_server_heard_is_not_waited_for() -> None:
    audio = sent(ms(0, 50))
    told(audio, SpeechStarted("a", 20))
    assert audio.reconnected() == [AppendAudio(ms(20, 50))]
    assert audio.reconnected() == [AppendAudio(ms(20, 50))]


def test_a_turn_of_which_only_the_beginning_is_known_reaches_until_now() -> None:
    audio = sent(ms(0, 40))
    told(audio, SpeechStarted("a", 10), InputCommitted("a"))
    assert audio.turns().get("a", b"") == ms(10, 40)


def test_a_turn_of_which_only_the_end_is_known() -> None:
    audio = sent(ms(0, 40))
    told(audio, SpeechStopped("a", 30), InputCommitted("a"))
    assert audio.turns().get("a", b"") == ms(0, 30)


def test_a_turn_that_nobody_announced_is_all_until_now() -> None:
    audio = sent(ms(0, 40))
    told(audio, InputCommitted("a"))
    assert audio.turns().get("a", b"") == ms(0, 40)
    audio = sent(ms(0, 40), CLEAR, ms(40, 60))  # the clear is still on its way
    told(audio, InputCommitted("a"))
    assert audio.turns().get("a", b"") == ms(0, 40)
    assert pending(audio) == [ms(40, 60)]


def test_the_users_own_commit_ends_a_turn_that_the_server_began() -> None:
    audio = sent(ms(0, 40))
    told(audio, SpeechStarted("a", 10))
    audio.sent(COMMIT)
    audio.sent(AppendAudio(ms(40, 60)))
    told(audio, InputCommitted("a"))
    assert audio.turns().get("a", b"") == ms(0, 40)
    assert pending(audio) == [ms(40, 60)]


def test_a_commit_that_comes_too_late_is_not_answered_by_the_servers_own() -> None:
    audio = sent(ms(0, 40), COMMIT)
    told(audio, SpeechStarted("a", 10), SpeechStopped("a", 40), InputCommitted("a"))
    assert audio.turns().get("a", b"") == ms(10, 40)
    assert pending(audio) == [COMMIT]
    audio.refused(COMMIT.operation_id)  # as the server will say: nothing was left
    assert pending(audio) == []


def test_a_turn_that_was_cleared_never_comes() -> None:
    audio = sent(ms(0, 40))
    told(audio, SpeechStarted("a", 10))
    audio.sent(CLEAR)
    audio.sent(AppendAudio(ms(40, 60)))
    told(audio, InputCleared())
    assert pending(audio) == [ms(40, 60)]
    told(audio, SpeechStarted("b", 50))
    assert pending(audio) == [ms(50, 60)]


def test_a_turn_behind_a_command_whose_answer_was_lost() -> None:
    audio = sent(ms(0, 40), COMMIT, ms(40, 80))
    told(audio, SpeechStarted("a", 50), SpeechStopped("a", 70), InputCommitted("a"))
    assert audio.turns().get("a", b"") == ms(50, 70)
    assert pending(audio) == [ms(70, 80)]


@pytest.mark.parametrize("committed_again", [InputCommitted("a"), SpeechStopped("a", 60), InputCommitted("other")])
def test_repetitions_take_nothing_of_what_follows(committed_again: InputEvent) -> None:
    audio = sent(ms(0, 40))
    told(audio, SpeechStarted("a", 10), SpeechStopped("a", 40), InputCommitted("a"), committed_again)
    audio.sent(AppendAudio(ms(40, 60)))
    told(audio, InputCommitted("a"))
    assert audio.turns().get("a", b"") == ms(10, 40)
    assert pending(audio) == [ms(40, 60)]


def test_a_turn_that_is_committed_late_takes_nothing_of_the_next() -> None:
    audio = sent(ms(0, 90))
    told(audio, SpeechStarted("a", 10), SpeechStopped("a", 30), SpeechStarted("b", 40), InputCommitted("a"))
    assert audio.turns().get("a", b"") == ms(10, 30)
    assert pending(audio) == [ms(40, 90)]
    told(audio, SpeechStopped("b", 60), InputCommitted("b"))
    assert audio.turns().get("b", b"") == ms(40, 60)


@pytest.mark.parametrize(("start", "stop", "left"), [(500, 900, []), (30, 10, [ms(10, 40)])])
def test_places_that_cannot_be_are_no_turn(start: int, stop: int, left: list[bytes]) -> None:
    audio = sent(ms(0, 40))
    told(audio, SpeechStarted("a", start), SpeechStopped("a", stop), InputCommitted("a"))
    assert audio.turns().get("a", b"") == b""
    assert pending(audio) == left


def test_words_of_unknown_items_change_nothing() -> None:
    audio = sent(ms(0, 40))
    told(audio, InputTranscript("nobody", "Hello.", final=True))
    assert audio.turns().get("nobody", b"") == b""
    assert pending(audio) == [ms(0, 40)]


def test_only_the_newest_turns_are_known_again() -> None:
    audio = sent()
    told(audio, *(InputCommitted(str(number)) for number in range(SPEECHES + 1)))
    audio.sent(AppendAudio(ms(0, 40)))
    told(audio, InputCommitted("1"))
    assert pending(audio) == [ms(0, 40)]
    told(audio, InputCommitted("0"))
    assert pending(audio) == []


# ------------------------------------------------------------------------------------------------- how long it is kept


def test_a_turn_is_kept_until_its_words_are_known() -> None:
    audio = sent(ms(0, 40), COMMIT)
    told(audio, InputCommitted("a"), InputTranscript("a", "Hel"), InputTranscript("a", "", final=True))
    assert audio.turns().get("a", b"") == ms(0, 40)
    told(audio, InputTranscript("a", "Hello.", final=True))
    assert audio.turns().get("a", b"") == b""


def test_turns_last_over_connections() -> None:
    audio = sent(ms(0, 40), COMMIT)
    told(audio, InputCommitted("a"))
    assert audio.reconnected() == []
    assert audio.turns().get("a", b"") == ms(0, 40)


def of_20_ms(pieces: int) -> int:
    return pieces * (40 + OVERHEAD)


def test_the_oldest_falls_out_first() -> None:
    audio = sent(*(ms(start, start + 20) for start in range(0, 200, 20)), capacity=of_20_ms(4))
    assert pending(audio) == [ms(120, 200)]


def test_a_new_connection_costs_nothing_of_what_is_kept() -> None:
    audio = sent(ms(0, 20), COMMIT, ms(20, 40), ms(40, 60), capacity=of_20_ms(3))
    told(audio, InputCommitted("a"))
    for _ in range(3):
        assert audio.reconnected() == [AppendAudio(ms(20, 60))]
    assert audio.turns().get("a", b"") == ms(0, 20)


def test_turns_fall_out_before_what_is_being_said() -> None:
    audio = sent(ms(0, 20), ms(20, 40), COMMIT, ms(40, 60), ms(60, 80), CommitAudio("input-3"), capacity=of_20_ms(5))
    told(audio, InputCommitted("a"), InputCommitted("b"))
    audio.sent(AppendAudio(ms(80, 100)))
    assert [audio.turns().get(item_id, b"") for item_id in "ab"] == [ms(0, 40), ms(40, 80)]
    audio.sent(AppendAudio(ms(100, 120)))  # the older turn goes as a whole
    assert [audio.turns().get(item_id, b"") for item_id in "ab"] == [b"", ms(40, 80)]
    for start in (120, 140):
        audio.sent(AppendAudio(ms(start, start + 20)))
    assert [audio.turns().get(item_id, b"") for item_id in "ab"] == [b"", ms(60, 80)]
    audio.sent(AppendAudio(ms(160, 180)))
    audio.sent(AppendAudio(ms(180, 200)))
    assert audio.turns().get("b", b"") == b""
    assert pending(audio) == [ms(100, 200)]


def test_a_commit_whose_audio_fell_out_is_still_answered() -> None:
    audio = sent(ms(0, 20), COMMIT, ms(20, 40), ms(40, 60), capacity=of_20_ms(2))
    assert pending(audio) == [COMMIT, ms(20, 60)]
    told(audio, InputCommitted("a"))
    assert audio.turns().get("a", b"") == b""
    assert pending(audio) == [ms(20, 60)]


def test_positions_hold_when_the_beginning_fell_out() -> None:
    audio = sent(ms(0, 20), ms(20, 40), ms(40, 60), ms(60, 80), capacity=of_20_ms(3) + OVERHEAD)
    told(audio, SpeechStarted("a", 10), SpeechStopped("a", 50), InputCommitted("a"))
    assert audio.turns().get("a", b"") == ms(20, 50)


def test_long_audio_falls_out_by_the_second() -> None:
    audio = sent(ms(0, 5500), capacity=7000)
    assert pending(audio) == [ms(2000, 3000), ms(3000, 4000), ms(4000, 5000), ms(5000, 5500)][1:]


def test_pieces_are_of_a_second_at_most() -> None:
    audio = sent(*(ms(start, start + 20) for start in range(0, 2500, 20)), COMMIT)
    assert pending(audio) == [ms(0, 1000), ms(1000, 2000), ms(2000, 2500), COMMIT]


def test_tiny_pieces_are_bounded_too() -> None:
    audio = sent(*(ms(start, start + 1) for start in range(1000)), capacity=10 * (OVERHEAD + 2))
    assert pending(audio) == [ms(990, 1000)]


def test_half_a_frame_waits_for_its_other_half() -> None:
    whole = ms(256, 356)
    audio = sent(whole[:51], whole[51:99], whole[99:101])
    told(audio, SpeechStarted("a", 10), SpeechStopped("a", 30), InputCommitted("a"))
    assert audio.turns().get("a", b"") == whole[20:60]
    assert b"".join(piece for piece in pending(audio) if isinstance(piece, bytes)) == whole[60:101]
    audio.reconnected()
    audio.sent(AppendAudio(whole[101:]))
    assert pending(audio) == [whole[60:]]


def test_audio_is_held_not_copied() -> None:
    piece = ms(0, 20)
    audio = sent(piece, COMMIT)
    told(audio, InputCommitted("a"))
    assert audio.turns().get("a", b"") is piece  # joining one alone gives itself


def test_the_default_holds_ten_seconds() -> None:
    audio = UserAudio(Bounds().user_audio, 24_000)
    for _ in range(600):
        audio.sent(AppendAudio(bytes(960)))
    assert sum(len(command.audio) for command in audio.reconnected() if isinstance(command, AppendAudio)) == 512 * 960


# ---------------------------------------------------------------------------------------------------- any interleaving


def frames(pcm: bytes) -> list[int]:
    return [*array("H", pcm)]


def check(audio: UserAudio, ids: set[str], capacity: int) -> None:
    turns = [frames(audio.turns().get(item_id, b"")) for item_id in sorted(ids)]
    to_send = [command for command in pending(audio) if isinstance(command, bytes)]
    waiting = [frame for piece in to_send for frame in frames(piece)]
    held = [*waiting, *(frame for turn in turns for frame in turn)]
    assert len(held) == len(set(held))  # nothing is both, or in two turns
    assert waiting == sorted(waiting)
    assert all(turn == sorted(turn) for turn in turns)
    assert 2 * len(held) <= capacity
    assert all(0 < len(piece) <= 2 * RATE for piece in to_send)


IDS = st.sampled_from("abcd")
PLACES = st.integers(0, 3000)
STEPS = st.one_of(
    st.integers(0, 1500),  # so many ms of audio
    st.sampled_from([COMMIT, CLEAR, InputCleared(), "lost", "refused"]),
    st.builds(SpeechStarted, IDS, PLACES),
    st.builds(SpeechStopped, IDS, PLACES),
    st.builds(InputCommitted, IDS),
    st.builds(InputTranscript, IDS, st.sampled_from(["", "Hello."]), st.booleans()),
)


@given(st.lists(STEPS, max_size=30), st.integers(100, 10_000))
def test_whatever_a_server_says(steps: list[int | str | InputCommand | InputEvent], capacity: int) -> None:
    audio = UserAudio(capacity, RATE)
    now = 0
    for step in steps:
        if isinstance(step, int):
            audio.sent(AppendAudio(ms(now, now + step)))
            now += step
        elif step == "lost":
            audio.reconnected()
        elif isinstance(step, str):
            audio.refused(COMMIT.operation_id)
        elif isinstance(step, InputCommand):
            audio.sent(step)
        else:
            audio.told(step)
        check(audio, {*"abcd"}, capacity)


class TrueServer:
    """Takes what is sent, in order and when it pleases, and answers as servers do; it knows what became of all."""

    def __init__(self, number: int) -> None:
        self.wire: list[InputCommand] = []
        self.items: dict[str, list[int]] = {}
        self._number = number
        self._first = 0  # the position of the buffer's first frame
        self._buffer: list[int] = []

    def take_one(self) -> list[InputEvent]:
        match self.wire.pop(0) if self.wire else None:
            case AppendAudio(audio=audio):
                self._buffer += frames(audio)
            case CommitAudio():
                return [InputCommitted(self._item(len(self._buffer)))]
            case ClearAudio():
                self._leave(len(self._buffer))
                return [InputCleared()]
            case None:
                pass
        return []

    def hear_turn(self, start: int, length: int) -> list[InputEvent]:
        """A turn somewhere in what it has, as voice detection finds it."""
        self._leave(start := min(start, len(self._buffer)))
        first = self._first
        length = min(length, len(self._buffer))
        item_id = self._item(length)
        return [SpeechStarted(item_id, first), SpeechStopped(item_id, first + length), InputCommitted(item_id)]

    @property
    def unsettled(self) -> list[int]:
        """What is no item yet, nor cleared by a command that is under way."""
        committed: list[int] = []
        rest = [*self._buffer]
        for command in self.wire:
            match command:
                case AppendAudio(audio=audio):
                    rest += frames(audio)
                case CommitAudio():
                    committed += rest
                    rest = []
                case ClearAudio():
                    rest = []
        return committed + rest

    def _item(self, length: int) -> str:
        item_id = f"{self._number}-{len(self.items)}"
        self.items[item_id] = self._leave(length)
        return item_id

    def _leave(self, count: int) -> list[int]:
        gone, self._buffer = self._buffer[:count], self._buffer[count:]
        self._first += count
        return gone


DEEDS = st.one_of(
    st.tuples(st.just("speak"), st.integers(1, 300), st.just(0)),
    st.tuples(st.sampled_from(["commit", "clear", "serve", "serve", "serve", "lose"]), st.just(0), st.just(0)),
    st.tuples(st.just("hear"), st.integers(0, 300), st.integers(1, 300)),
)


@given(st.lists(DEEDS, max_size=60))
def test_nothing_is_lost_with_a_connection(deeds: list[tuple[str, int, int]]) -> None:
    """The same history as if the one server had never gone: each commit has what was said before it."""
    audio, server, now = UserAudio(PLENTY, RATE), TrueServer(0), 0
    items: dict[str, list[int]] = {}

    def send(command: InputCommand) -> None:
        audio.sent(command)
        server.wire.append(command)

    def speak(length: int, _two: int) -> None:
        nonlocal now
        send(AppendAudio(ms(now, now + length)))
        now += length

    def commit(_one: int, _two: int) -> None:
        send(COMMIT)

    def clear(_one: int, _two: int) -> None:
        send(CLEAR)

    def serve(_one: int, _two: int) -> None:
        told(audio, *server.take_one())

    def hear(start: int, length: int) -> None:
        told(audio, *server.hear_turn(start, length))

    def lose(_one: int, _two: int) -> None:
        nonlocal server
        items.update(server.items)
        server = TrueServer(len(items) + 1)
        server.wire += audio.reconnected()

    does: dict[str, Callable[[int, int], None]]
    does = {"speak": speak, "commit": commit, "clear": clear, "serve": serve, "hear": hear, "lose": lose}
    for deed, one, two in deeds:
        does[deed](one, two)
        for item_id, said in {**items, **server.items}.items():
            assert frames(audio.turns().get(item_id, b"")) == said
        again = [piece for piece in pending(audio) if isinstance(piece, bytes)]
        assert [frame for piece in again for frame in frames(piece)] == server.unsettled
        check(audio, {*items, *server.items}, PLENTY)

"""What must be true of every life of a chart, whatever happens in it: shown for all lives, not for examples."""

from typing import NamedTuple

import pytest

from statecharts import call, connection, delegation, interruption, item, message, playback, response
from statecharts.call import CALL
from statecharts.check import Step, explore, histories
from statecharts.connection import CONNECTION
from statecharts.delegation import DELEGATION
from statecharts.interruption import INTERRUPTION
from statecharts.item import ITEM
from statecharts.message import MESSAGE
from statecharts.playback import PLAYBACK
from statecharts.response import RESPONSE

MessageStep = Step[message.MessageEvent, message.MessageEffect]
ItemStep = Step[item.ItemEvent, item.ItemEffect]
ResponseStep = Step[response.ResponseEvent, response.ResponseEffect]
PlaybackStep = Step[playback.PlaybackEvent, playback.PlaybackEffect]
ConnectionStep = Step[connection.ConnectionEvent, connection.ConnectionEffect]
InterruptionStep = Step[interruption.InterruptionEvent, interruption.InterruptionEffect]
CallStep = Step[call.CallEvent, call.CallEffect]

# ---------------------------------------------------------------------------------------------------------- message


class Said(NamedTuple):
    """What a message's life told the world so far."""

    chats: int = 0
    interrupted: int = 0
    corrections: int = 0
    deletes: int = 0


def said(so_far: Said, step: MessageStep) -> Said:
    chats = [effect for effect in step.effects if isinstance(effect, message.ChatMessage)]
    return Said(
        so_far.chats + len(chats),
        so_far.interrupted + sum(chat.interrupted for chat in chats),
        so_far.corrections + sum(isinstance(effect, message.Truncate | message.Rewrite) for effect in step.effects),
        so_far.deletes + sum(isinstance(effect, message.Delete) for effect in step.effects),
    )


def test_a_message_says_what_its_end_is_and_says_it_once() -> None:
    assert histories(MESSAGE, Said(), said) == {
        ("pending", Said()),
        ("showing", Said()),
        ("playing", Said()),
        ("paused", Said()),
        ("full", Said(chats=1)),
        ("partial", Said(chats=1, interrupted=1, corrections=1)),
        ("skipped", Said(deletes=1)),
    }


@pytest.fixture(scope="module")
def finishes() -> list[tuple[message.PlaybackFinished, MessageStep]]:
    """Each step by which the sink's final position ends a message."""
    return [
        (step.event, step)
        for step in explore(MESSAGE)
        if isinstance(step.event, message.PlaybackFinished) and step.state not in MESSAGE.final
    ]


def test_a_cut_is_within_what_was_generated_and_never_at_0(
    finishes: list[tuple[message.PlaybackFinished, MessageStep]],
) -> None:
    cuts = [
        (event, effect) for event, step in finishes for effect in step.effects if isinstance(effect, message.Truncate)
    ]
    assert cuts
    for event, cut in cuts:
        assert 0 < cut.heard_ms <= event.generated_frames * 1000 // event.rate
        assert cut.heard_ms <= event.heard_frames * 1000 // event.rate
        more_was_generated = event.heard_frames < event.generated_frames
        more_may_come = event.stopped and not event.complete
        assert more_was_generated or more_may_come


def test_a_message_ends_by_what_was_heard(finishes: list[tuple[message.PlaybackFinished, MessageStep]]) -> None:
    for event, step in finishes:
        unheard = event.heard_frames < event.generated_frames or (event.stopped and not event.complete) or event.unshown
        nothing_heard = event.heard_frames == 0 or event.generated_frames == 0
        if nothing_heard and not event.shown:
            assert step.target == "skipped"
        elif not unheard and not nothing_heard:
            assert step.target == "full"
        else:  # less than a millisecond of it is nothing, as servers count, or less than a word
            assert step.target in ("partial", "skipped")


def test_what_can_be_cut_is_cut_and_nothing_else_is_written_anew(
    finishes: list[tuple[message.PlaybackFinished, MessageStep]],
) -> None:
    for event, step in finishes:
        for effect in step.effects:
            match effect:
                case message.Truncate():
                    assert effect.part == event.part
                    assert 0 <= effect.part_from_ms < effect.heard_ms
                case message.Rewrite():
                    heard_ms = min(event.heard_frames, event.generated_frames) * 1000 // event.rate
                    assert event.part is None or event.unshown or heard_ms == 0
                    assert effect.text == event.heard_text != ""
                case _:
                    pass


def test_of_text_the_server_keeps_what_was_shown() -> None:
    ends = [step for step in explore(MESSAGE) if isinstance(step.event, message.ShowingFinished)]
    for step in ends:
        event = step.event
        assert isinstance(event, message.ShowingFinished)
        if step.state in MESSAGE.final:
            assert (step.target, step.effects) == (step.state, ())
        elif event.complete and event.shown_text == event.generated_text:
            assert step.target == "full"
            assert not any(isinstance(effect, message.Rewrite) for effect in step.effects)
        elif event.shown_text:
            assert step.target == "partial"
            assert message.Rewrite("a", event.shown_text) in step.effects
        else:
            assert (step.target, step.effects) == ("skipped", (message.Delete("a"),))
    assert {step.target for step in ends} == set(MESSAGE.final)


def test_the_record_of_a_message_is_what_was_heard(
    finishes: list[tuple[message.PlaybackFinished, MessageStep]],
) -> None:
    for event, step in finishes:
        for chat in step.effects:
            if isinstance(chat, message.ChatMessage):
                assert chat.heard_ms <= chat.generated_ms
                assert chat.heard_text == event.heard_text
                assert chat.generated_text == event.generated_text
                assert (chat.started_at, chat.stopped_at) == (event.started_at, event.stopped_at)
                assert chat.confirmed == event.confirmed


def test_only_the_sink_ends_a_message_that_it_plays() -> None:
    interruptions = [
        step for step in explore(MESSAGE) if isinstance(step.event, message.Interrupted) and step.event.segment_open
    ]
    assert {(step.state, step.target, step.effects) for step in interruptions} == {
        *((state, state, (message.StopPlayback("a"),)) for state in ("pending", "showing", "playing", "paused")),
        *((state, state, ()) for state in MESSAGE.final),
    }


# ------------------------------------------------------------------------------------------------------------- item


class Sent(NamedTuple):
    """What the server was told about an item, and what it told us; all here by the server that is there now."""

    announced: bool = False
    creates: int = 0
    cutting: bool = False
    """A cut was sent, and neither refused nor left unanswered."""
    deleting: bool = False
    """The same of a delete."""
    reworded: bool = False
    """It is created again, once."""
    reported: bool = False


def sent(so_far: Sent, step: ItemStep) -> Sent:  # noqa: C901 - a case for each effect, and what must not be there
    """What was sent after this step; fails if it may not be sent there."""
    event = step.event
    if isinstance(event, item.Lost):
        assert not step.effects
        return Sent()
    announced = so_far.announced or isinstance(event, item.Added)
    creates, cutting, deleting, reworded = so_far.creates, so_far.cutting, so_far.deleting, so_far.reworded
    if isinstance(event, item.Refused | item.Expired):
        cutting = deleting = False
    if isinstance(event, item.Deleted):
        deleting = False
    if isinstance(event, item.Refused) and step.target == "unknown":
        creates = 0  # it is told again, to another server
    for effect in step.effects:
        match effect:
            case item.SendCreate() if isinstance(event, item.Create):
                assert not so_far.announced
                creates += 1
            case item.SendCreate():
                assert isinstance(event, item.Deleted) or (isinstance(event, item.Refused) and event.kind == "absent")
                assert effect.after == event.after
                announced, cutting, reworded = False, False, True  # it is another one, with the same id
                creates = min(creates + 1, 2)
            case item.SendTruncate(audio_end_ms=audio_end_ms):
                assert announced
                assert not cutting, "a cut is sent twice"
                assert not deleting, "a cut is sent after a delete"
                assert audio_end_ms > 0
                cutting = True
            case item.SendDelete():
                assert announced or creates, "a delete is sent for an item that nobody knows"
                assert not deleting, "a delete is sent twice"
                deleting = True
            case item.Report():
                assert isinstance(event, item.Refused | item.Expired)
    reported = any(isinstance(effect, item.Report) for effect in step.effects)
    return Sent(announced, creates, cutting, deleting, reworded, reported)


def test_an_item_is_never_told_twice_nor_in_the_wrong_order() -> None:
    lives = histories(ITEM, Sent(), sent)
    assert {state for state, _ in lives} == set(ITEM.states)
    assert {so_far.creates for _, so_far in lives if not so_far.reworded} == {0, 1}
    assert {state for state, so_far in lives if so_far.reported} == {"unknown", "creating", "unconfirmed", "gone"}


def test_an_item_is_written_anew_only_once_its_delete_is_acknowledged() -> None:
    for step in explore(ITEM):
        if isinstance(step.event, item.Reword):
            there = step.state in {"present", "truncating", "truncated"}
            assert step.target == ("rewriting" if there else step.state)
            assert step.effects == ((item.SendDelete("a"),) if there else ())
        elif step.state == "rewriting" and not isinstance(step.event, item.Deleted | item.Refused):
            assert not any(isinstance(effect, item.SendCreate) for effect in step.effects)


def test_an_item_is_cut_only_if_the_server_holds_more_than_was_heard() -> None:
    for step in explore(ITEM):
        if isinstance(step.event, item.Keep):
            more = 0 < step.event.heard_ms < step.event.generated_ms
            assert step.effects == (
                (item.SendTruncate("a", step.event.heard_ms),) if step.state == "present" and more else ()
            )


def test_a_condemned_item_is_deleted_as_soon_as_it_turns_up() -> None:
    life = ITEM.start("a")
    assert ITEM.fire(life, item.Drop()) == ()
    assert ITEM.fire(life, item.Added()) == (item.SendDelete("a"),)
    assert ITEM.fire(life, item.Refused("absent", "the item does not exist", attempt=1)) == ()
    assert life.state == "gone"


# --------------------------------------------------------------------------------------------------------- response


class Asked(NamedTuple):
    open_request: bool = False
    created: bool = False
    done: bool = False
    fails: int = 0


def asked(so_far: Asked, step: ResponseStep) -> Asked:
    open_request, fails = so_far.open_request, so_far.fails
    created = so_far.created or isinstance(step.event, response.Created)
    done = so_far.done or isinstance(step.event, response.Done)
    if isinstance(step.event, response.Refused | response.Created | response.Lost):
        open_request = False
    for effect in step.effects:
        match effect:
            case response.Request():
                assert not open_request, "a response is requested twice"
                open_request = True
            case response.Cancel(response_id=response_id):
                assert created, "a response that the server never named is cancelled"
                assert not so_far.done, "a response that is over is cancelled"
                assert not isinstance(step.event, response.Done)
                assert response_id == getattr(step.event, "response_id", None)
            case response.Fail():
                fails += 1
            case response.InterruptMessages():
                pass
    return Asked(open_request, created, done, fails)


def test_a_response_is_requested_once_cancelled_by_its_id_and_failed_once() -> None:
    lives = histories(RESPONSE, Asked(), asked)
    assert {state for state, _ in lives} == set(RESPONSE.states)
    assert {so_far.fails for _, so_far in lives} == {0, 1}


def test_an_interruption_reaches_the_messages_of_a_response_wherever_it_is() -> None:
    reached = {
        step.state
        for step in explore(RESPONSE)
        if isinstance(step.event, response.Interrupted) and response.InterruptMessages("a") in step.effects
    }
    assert reached == {"active", "finishing"}


def test_a_response_is_not_settled_while_a_message_is_open() -> None:
    for step in explore(RESPONSE):
        if isinstance(step.event, response.Done | response.MessageEnded) and step.state not in RESPONSE.final:
            assert (step.event.open_messages == 0) >= (step.target == "settled")


# --------------------------------------------------------------------------------------------------------- playback


def positions(told: int, step: PlaybackStep) -> int:
    for effect in step.effects:
        if isinstance(effect, playback.TellFinished):
            told += 1
            assert effect.confirmed == (isinstance(step.event, playback.Finished) and step.event.confirmed)
        else:
            assert not told, f"{effect} after the segment's end"
    return told


def test_a_segment_ends_once_and_only_the_sink_confirms_it() -> None:
    lives = histories(PLAYBACK, 0, positions)
    assert lives == {(state, int(state == "finished")) for state in PLAYBACK.states}


# ------------------------------------------------------------------------------------------------------- connection


def closings(count: int, step: ConnectionStep) -> int:
    return count + sum(isinstance(effect, connection.TellClosed) for effect in step.effects)


def test_a_connection_tells_once_that_it_is_over() -> None:
    assert histories(CONNECTION, 0, closings) == {(state, int(state == "closed")) for state in CONNECTION.states}


# ------------------------------------------------------------------------------------------------------------- call


class Served(NamedTuple):
    """What became of a call so far."""

    runs: int = 0
    answers: int = 0
    stops: int = 0


def served(so_far: Served, step: CallStep) -> Served:
    """Fails if something is told of the function that it was not, or told of what was dropped."""
    kinds = [type(effect) for effect in step.effects]
    then = Served(
        so_far.runs + kinds.count(call.Run),
        so_far.answers + kinds.count(call.Answer),
        so_far.stops + kinds.count(call.Stop),
    )
    assert then.stops <= then.runs, "a function is stopped that does not run"
    for effect in step.effects:
        if isinstance(effect, call.Answer) and not isinstance(step.event, call.Returned | call.Failed | call.Refused):
            assert ("was not run" in effect.output) == (so_far.runs == 0)
    return then


def test_a_call_runs_at_most_once_and_is_answered_just_once() -> None:
    assert histories(CALL, Served(), served) == {
        ("waiting", Served()),
        ("running", Served(runs=1)),
        ("stopping", Served(runs=1, answers=1, stops=1)),
        ("refused", Served(answers=1)),
        ("answered", Served(runs=1, answers=1)),
        ("failed", Served(runs=1, answers=1)),
        ("stopped", Served(runs=1, answers=1, stops=1)),
    }


def test_the_app_learns_of_each_call_that_went_wrong() -> None:
    for step in explore(CALL):
        wrong = isinstance(step.event, call.Refused | call.Failed | call.Expired)
        told = any(isinstance(effect, call.Report) for effect in step.effects)
        assert told == (wrong and step.state in {"waiting", "running"} and step.target != step.state)


# ------------------------------------------------------------------------------------------------------- delegation

DelegationStep = Step[delegation.DelegationEvent, delegation.DelegationEffect]
CLOSING = (delegation.Answer, delegation.Conclude, delegation.TellFailure, delegation.GiveUp)


class Handed(NamedTuple):
    """What became of a request so far."""

    runs: bool = False
    closed: int = 0


def handed(so_far: Handed, step: DelegationStep) -> Handed:
    runs = so_far.runs
    if isinstance(step.event, delegation.Returned | delegation.Raised):
        runs = False
    for effect in step.effects:
        if isinstance(effect, delegation.RunAgent):
            assert not runs, step
            runs = True
        if isinstance(effect, delegation.StopAgent):
            assert runs, step
            runs = False
    return Handed(runs, so_far.closed + sum(isinstance(effect, CLOSING) for effect in step.effects))


def test_a_request_is_closed_once_and_one_agent_works_on_it() -> None:
    assert histories(DELEGATION, Handed(), handed) == {
        ("collecting", Handed()),
        ("working", Handed(runs=True)),
        ("steering", Handed(runs=True)),
        ("finished", Handed(closed=1)),
        ("failed", Handed(closed=1)),
        ("stopped", Handed(closed=1)),
    }


def test_each_further_request_is_acknowledged_and_collected() -> None:
    for step in explore(DELEGATION):
        if isinstance(step.event, delegation.Steered) and step.state not in DELEGATION.final:
            assert delegation.Acknowledge(step.event.request_id) in step.effects
            assert step.effects[-1] == delegation.Collect("a")
        else:
            assert not any(isinstance(effect, delegation.Acknowledge) for effect in step.effects)


def test_what_was_collected_is_handed_over_unless_it_is_blank() -> None:
    for step in explore(DELEGATION):
        if isinstance(step.event, delegation.Due | delegation.Steered) and step.state in {"collecting", "steering"}:
            hands_over = any(isinstance(each, delegation.RunAgent | delegation.SteerAgent) for each in step.effects)
            assert hands_over is not step.event.blank


# ----------------------------------------------------------------------------------------------------- interruption


class Heard(NamedTuple):
    """What the user's speech did so far."""

    holds: bool = False
    replies: int = 0
    interrupted: bool = False


def heard(so_far: Heard, step: InterruptionStep) -> Heard:
    holds, replies, interrupted = so_far
    for effect in step.effects:
        match effect:
            case interruption.Hold():
                holds = True
            case interruption.Resume():
                holds = False
            case interruption.Interrupt():
                assert getattr(step.event, "enabled", False), "what can't be interrupted was"
                holds, interrupted = False, True
            case interruption.Reply():
                replies += 1
            case interruption.Dismiss():
                assert not replies, "what was answered is dismissed"
    return Heard(holds, replies, interrupted)


def test_speech_holds_nothing_for_ever_and_is_answered_exactly_if_it_is_a_turn() -> None:
    lives = histories(INTERRUPTION, Heard(), heard)
    assert {state for state, _ in lives} == set(INTERRUPTION.states)
    assert {state for state, so_far in lives if so_far.holds} == {"suspected", "committed"}  # whose waits have an end
    assert all(so_far.replies == (state == "taken") for state, so_far in lives)


def test_every_wait_for_the_users_words_has_an_end() -> None:
    for step in explore(INTERRUPTION):
        if isinstance(step.event, interruption.TimeUp) and step.state in {"suspected", "committed"}:
            assert step.target == "doubted"
            assert interruption.Resume("a") in step.effects


def test_a_turn_interrupts_wherever_it_turns_out_to_be_one() -> None:
    """By a policy that lets it; also when its words come late."""
    for step in explore(INTERRUPTION):
        if isinstance(step.event, interruption.Met) and step.state in {"suspected", "committed", "doubted"}:
            assert (interruption.Interrupt("a") in step.effects) == step.event.enabled

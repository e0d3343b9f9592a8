"""Deliberate breaks of the real code: one rule or invariant of the design each, as a bug would break it.

Each takes a `patch` (pytest's MonkeyPatch) and puts something wrong into the place of something right. The simulation
must notice every one of them (`test_mutants.py`). A chart is broken together with the catalogue that the judge replays
events by: that the code does not follow its chart would be too easy to see.
"""

# It breaks what is private, and what it puts there instead stands in for anything.
# pyright: reportPrivateUsage=false, reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownParameterType=false

from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import anyio
import pytest
from msgspec.structs import replace

from rtactors import events, mail
from rtactors.actor import Actor
from rtactors.actors import context, message, response, sink, transcript, turn, under_way
from rtactors.actors.audio_batch import AudioBatch
from rtactors.actors.calls_in_turn import CallsInTurn
from rtactors.actors.context import ContextActor
from rtactors.actors.floor import Floor
from rtactors.actors.message import MessageActor
from rtactors.actors.response import ResponseActor
from rtactors.actors.sink import SinkActor
from rtactors.actors.transcript import TranscriptActor
from rtactors.actors.transport import TransportActor
from rtactors.actors.turn import TurnActor
from rtactors.channels import Inbox
from rtactors.delegation import Work
from rtactors.delegation import actor as delegation
from rtactors.delegation.actor import DelegationActor
from rtactors.delegation.telling import ByCall
from rtactors.ensemble import Ensemble
from rtactors.ledger import Entry, Ledger
from rtactors.reminders import Reminder
from rtactors.reply import ReplyRecord
from rtactors.session import Session
from rtactors.session_events import AgentStartedSpeaking, Caption, Interrupted, Transition, UserSaid
from rtactors.sinks import base as sinks
from rtactors.testing.simulation import Plan
from rtactors.testing.simulation.plan import Policy
from rtactors.tools import calls
from rtactors.tools.calls import Calls
from rtactors.tools.parameters import Parameters
from rtactors.transcript import Transcript, _Stretch
from statecharts import agent as agent_chart
from statecharts import call as call_chart
from statecharts import interruption as interruption_chart
from statecharts import item as item_chart
from statecharts import message as message_chart
from statecharts import playback as playback_chart
from statecharts import response as response_chart
from statecharts import transcript as transcript_chart
from statecharts.catalog import CHARTS
from statecharts.chart import Chart, Edge, on

Patch = pytest.MonkeyPatch


class Mutant(NamedTuple):
    breaks: str
    """Which rule (R) or invariant (I) of the design."""
    seed: int
    """The first that catches it."""
    apply: Callable[[Patch], None]
    needs: Callable[[Plan], bool]
    """Plans in which it can be seen at all."""


MUTANTS: dict[str, Mutant] = {}
"""By name."""


def anything(_plan: Plan) -> bool:
    return True


def breaks_off(plan: Plan) -> bool:
    return bool(plan.network.breaks or plan.model.limit_s)


def narrow(plan: Plan) -> bool:
    return 0 < plan.network.up_kb_s < 100


def has_calls(plan: Plan) -> bool:
    return any(line.kind == "call" for reply in plan.replies for line in reply.lines)


def gives_up_calls(plan: Plan) -> bool:
    given_up = any(step.do == "stop_reply" or step.wish.timeout_ms for step in plan.steps)
    return given_up and has_calls(plan) and not plan.tools and plan.agent is None and plan.interruption == Policy()


def calls_beside(plan: Plan) -> bool:
    return has_calls(plan) and any(step.wish.beside for step in plan.steps)


def leaves_in_trouble(plan: Plan) -> bool:
    return plan.ending != "quiet" and any(fault.what in {"swallowed", "lost"} for fault in plan.faults)


def holds_less(plan: Plan) -> bool:
    return any(line.missing_ms for reply in plan.replies for line in reply.lines)


def tells_late(plan: Plan) -> bool:
    return plan.device.lag_ms > 100 and plan.device.mute == "progress"


def answers_twice(plan: Plan) -> bool:
    return plan.calls.times > 1


def mutant(
    breaks: str, *, seed: int = 0, needs: Callable[[Plan], bool] = anything
) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    def register(apply: Callable[[Patch], None]) -> Callable[[Patch], None]:
        MUTANTS[apply.__name__] = Mutant(breaks, seed, apply, needs)
        return apply

    return register


# -------------------------------------------------------------------------------------------------------------- charts

_USERS = {
    "message": [(message, "MESSAGE")],
    "response": [(response, "RESPONSE")],
    "item": [(context, "ITEM")],
    "playback": [(sink, "PLAYBACK")],
    "call": [(calls, "CALL")],
    "interruption": [(turn, "INTERRUPTION")],
    "delegation": [(delegation, "DELEGATION")],
    "transcript": [(transcript, "TRANSCRIPT")],
}


def rewire(
    patch: Patch,
    name: str,
    change: Callable[[Edge[Any, Any]], Edge[Any, Any] | None] = lambda edge: edge,
    *,
    add: tuple[Edge[Any, Any], ...] = (),
    ignored: dict[str, tuple[type, ...]] | None = None,
) -> None:
    """Change the edges of a chart, before all others `add` some, and name what a state ignores instead."""
    chart = CHARTS[name]
    kept = [changed for edge in chart.edges if (changed := change(edge)) is not None]
    final = {state: chart.states[state] for state in chart.final}
    wrong: Chart[Any, Any] = Chart(
        chart.name,
        states={state: meaning for state, meaning in chart.states.items() if state not in final},
        final=final,
        edges=(*add, *kept),
        ignored={**chart.ignored, **(ignored or {})},
    )
    patch.setitem(CHARTS, name, wrong)
    for module, constant in _USERS[name]:
        patch.setattr(module, constant, wrong)


def without_effect(name: str) -> Callable[[Edge[Any, Any]], Edge[Any, Any]]:
    return lambda edge: edge._replace(effects=tuple(effect for effect in edge.effects if effect.__name__ != name))


def with_effect(name: str, wrong: Callable[..., Any]) -> Callable[[Edge[Any, Any]], Edge[Any, Any]]:
    wrong.__name__ = name

    def change(edge: Edge[Any, Any]) -> Edge[Any, Any]:
        return edge._replace(effects=tuple(wrong if effect.__name__ == name else effect for effect in edge.effects))

    return change


def with_guard(name: str, wrong: Callable[[Any], bool]) -> Callable[[Edge[Any, Any]], Edge[Any, Any]]:
    wrong.__name__ = name
    return lambda edge: edge._replace(guard=wrong) if edge.guard and edge.guard.__name__ == name else edge


def after(patch: Patch, owner: type, name: str, more: Callable[..., None]) -> None:
    """Let a method do something more."""
    before = getattr(owner, name)

    def both(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = before(self, *args, **kwargs)
        more(self, *args, **kwargs)
        return result

    patch.setattr(owner, name, both)


def only_if(patch: Patch, owner: type, name: str, wanted: Callable[..., bool]) -> None:
    """Let a method do nothing at times."""
    before = getattr(owner, name)

    def sometimes(self: Any, *args: Any, **kwargs: Any) -> Any:
        return before(self, *args, **kwargs) if wanted(self, *args, **kwargs) else None

    patch.setattr(owner, name, sometimes)


# ---------------------------------------------------------------------------- rule 1: only the sink knows the position


@mutant("R1 I1", seed=2)
def heard_is_what_was_written(patch: Patch) -> None:
    def confirm(self: Any, _frames: int) -> int:
        self.confirmed = self.written
        return self.confirmed

    patch.setattr(sink._Segment, "confirm", confirm)


@mutant("R1 I2", seed=18)
def unconfirmed_counts_as_all(patch: Patch) -> None:
    def wrong(_id: str, event: Any) -> Any:
        return playback_chart.TellFinished(1 << 40, event.at, confirmed=True)

    rewire(patch, "playback", with_effect("tell_unconfirmed", wrong))


@mutant("R1 I1", seed=17)
def positions_add_up_over_messages(patch: Patch) -> None:
    total: dict[int, int] = {}

    def confirm(self: Any, frames: int) -> int:
        before = total.setdefault(id(self._sink), 0)
        self.confirmed = min(max(frames + before, self.confirmed), self.written)
        if frames == self.written:
            total[id(self._sink)] += frames
        return self.confirmed

    patch.setattr(sink._Segment, "confirm", confirm)


@mutant("R1 I1", seed=22)
def a_pause_starts_the_count_anew(patch: Patch) -> None:
    confirm, base = sink._Segment.confirm, dict[str, int]()

    def on_segment(self: Any, segment: Any, report: Any) -> None:
        if isinstance(report, sinks.Resumed):
            base[segment.life.id] = segment.confirmed
        before(self, segment, report)

    def short(self: Any, frames: int) -> int:
        return confirm(self, frames - base.get(self.life.id, 0))

    before = SinkActor._on_segment
    patch.setattr(SinkActor, "_on_segment", on_segment)
    patch.setattr(sink._Segment, "confirm", short)


@mutant("R1 I10", seed=18)
def a_mute_sink_is_waited_for(patch: Patch) -> None:
    patch.setattr(SinkActor, "_expect", lambda *_: None)


@mutant("R1 I4", seed=2)
def the_start_is_when_the_sink_was_asked(patch: Patch) -> None:
    def wrong(_id: str, event: Any) -> Any:
        return playback_chart.TellStarted(event.at - 0.01)

    rewire(patch, "playback", with_effect("tell_started", wrong))


# ------------------------------------------------------------------------------------- rule 2: control overtakes audio


@mutant("R2", seed=280, needs=narrow)
def nothing_is_urgent(patch: Patch) -> None:
    patch.setattr(Inbox, "urgent", Inbox.send)


# ----------------------------------------------------------------------------- rule 3: a message exists once announced


@mutant("R3 I2", seed=2)
def an_interruption_misses_what_has_no_floor(patch: Patch) -> None:
    only_if(patch, MessageActor, "_on_interrupt", lambda self: self._has_floor)


@mutant("R3 R8 I4", seed=16)
def what_is_announced_after_an_interruption_plays(patch: Patch) -> None:
    patch.setattr(response, "_PLAYS", response_chart.RESPONSE.group("active", "finishing", "interrupted"))
    patch.setattr(under_way.Response, "interrupted", property(lambda _: False, lambda *_: None))


@mutant("R3 I1", seed=2)
def an_unheard_message_is_left_on_the_server(patch: Patch) -> None:
    rewire(patch, "message", without_effect("delete"))


@mutant("R3 I2", seed=3)
def only_what_is_heard_is_interrupted(patch: Patch) -> None:
    def fire(self: Any, given: Any, event: Any) -> None:
        if isinstance(event, response_chart.Interrupted):
            kept = {id: one for id, one in given.open.items() if one is self._speaking}
            given.open, rest = kept, {id: one for id, one in given.open.items() if id not in kept}
            before(self, given, event)
            given.open.update(rest)
        else:
            before(self, given, event)

    before = ResponseActor._fire
    patch.setattr(ResponseActor, "_fire", fire)


# ---------------------------------------------------------------------------------- rules 4 and 5: effects, one writer


@mutant("R5 I3", seed=2)
def the_ledger_is_written_twice(patch: Patch) -> None:
    after(patch, ContextActor, "_on_said", ContextActor._on_said)


@mutant("R4 I12")
def a_transition_is_not_told(patch: Patch) -> None:
    def fire(self: Any, chart: Any, life: Any, event: Any) -> Any:
        publish, self.publish = self.publish, lambda told: publish(told) if _has_effects(told) else None
        try:
            return before(self, chart, life, event)
        finally:
            self.publish = publish

    def _has_effects(told: Any) -> bool:
        return not isinstance(told, Transition) or bool(told.effects)

    before = Actor.fire
    patch.setattr(Actor, "fire", fire)


@mutant("R4 I2", seed=2)
def an_effect_is_not_carried_out(patch: Patch) -> None:
    only_if(patch, ContextActor, "_on_said", lambda _self, spoken: not spoken.interrupted)


# ---------------------------------------------------------------------------------------- rule 6: every operation ends


@mutant("R6 I10", seed=142)
def a_lost_acknowledgement_is_waited_for(patch: Patch) -> None:
    patch.setattr(ContextActor, "_on_deadline", lambda *_: None)


@mutant("R6 I7", seed=109)
def a_request_that_is_not_answered_is_waited_for(patch: Patch) -> None:
    only_if(patch, ResponseActor, "_watch", lambda _self, given, *_: given.life.state != "requested")


@mutant("R6 I10", seed=72)
def a_response_that_never_ends_is_waited_for(patch: Patch) -> None:
    only_if(patch, ResponseActor, "_watch", lambda _self, given, *_: given.life.state == "requested")


@mutant("R6 R11", seed=62)
def an_error_without_owner_ends_the_session(patch: Patch) -> None:
    def on_error(self: Any, error: Any) -> None:
        if error.kind != "fatal" and not error.operation_id:
            error = events.ProviderError(kind="fatal", message=error.message)
        before(self, error)

    before = TransportActor._on_error
    patch.setattr(TransportActor, "_on_error", on_error)


@mutant("R6", seed=60)
def an_absent_item_can_not_be_deleted(patch: Patch) -> None:
    rewire(patch, "item", lambda edge: None if edge.source == "deleting" and edge.guard is item_chart.absent else edge)


@mutant("R6 R7", seed=178, needs=holds_less)
def a_cut_that_was_too_long_is_not_sent_again(patch: Patch) -> None:
    rewire(patch, "item", lambda edge: None if edge.guard is item_chart.shorter else edge)


@mutant("R6", seed=60)
def what_was_not_acknowledged_is_given_up_at_once(patch: Patch) -> None:
    never = with_guard("first_cut", lambda _: False), with_guard("first_time", lambda _: False)
    rewire(patch, "item", lambda edge: never[1](never[0](edge)))


@mutant("R6 I10", seed=60)
def reminders_ring_though_they_were_cancelled(patch: Patch) -> None:
    patch.setattr(Reminder, "cancel", lambda _: None)


@mutant("R6 I10", seed=4)
def reminders_do_not_ring(patch: Patch) -> None:
    patch.setattr(Reminder, "ring", lambda _: None)


@mutant("R6", seed=14)
def a_refusal_goes_to_another_operation(patch: Patch) -> None:
    def on_refused(self: Any, error: Any) -> None:
        others = [id for id in self._operations if id != error.operation_id]
        before(self, events.ProviderError(kind=error.kind, message=error.message, operation_id=(others or [""])[-1]))

    before = ContextActor._on_refused
    patch.setattr(ContextActor, "_on_refused", on_refused)


# ------------------------------------------------------------------------------------------------- rule 7: reconciling


@mutant("R7 I6", seed=2)
def a_delete_is_sent_twice(patch: Patch) -> None:
    chart = CHARTS["item"]
    kept = tuple(event for event in chart.ignored["deleting"] if event is not item_chart.Drop)
    again = on("deleting", item_chart.Drop, "deleting", item_chart.send_delete)
    rewire(patch, "item", add=(again,), ignored={"deleting": kept})
    after(patch, ContextActor, "_on_generated", lambda self, told: self._reconcile(self.ledger[told.message_id]))


@mutant("R7 I6", seed=32)
def what_was_not_announced_is_deleted(patch: Patch) -> None:
    at_once = on("unknown", item_chart.Drop, "deleting", item_chart.send_delete)
    rewire(
        patch,
        "item",
        lambda edge: None if (edge.source, edge.event) == ("unknown", item_chart.Drop) else edge,
        add=(at_once,),
    )


@mutant("R7 I1", seed=26)
def what_is_condemned_is_forgotten(patch: Patch) -> None:
    def forget(edge: Edge[Any, Any]) -> Edge[Any, Any]:
        condemned = (edge.source, edge.event) == ("condemned", item_chart.Added)
        return edge._replace(target="present", effects=()) if condemned else edge

    def fire(self: Any, entry: Any, event: Any, **more: Any) -> None:
        if entry.life.state == "condemned" and isinstance(event, item_chart.Added):
            entry.keep_ms = None
        before(self, entry, event, **more)

    before = ContextActor._fire
    rewire(patch, "item", forget)
    patch.setattr(ContextActor, "_fire", fire)


@mutant("R7 I2", seed=6)
def a_cut_message_is_made_anew(patch: Patch) -> None:
    def unchanged(self: Any, item: Any) -> bool:
        return before(self, item) and item.heard_text == item.generated_text

    before = ContextActor._unchanged
    patch.setattr(ContextActor, "_unchanged", unchanged)


@mutant("R7 I2", seed=3)
def items_always_go_to_the_end(patch: Patch) -> None:
    patch.setattr(Ledger, "anchor", lambda *_: None)


@mutant("R7 I2", seed=1)
def the_server_order_is_not_looked_at(patch: Patch) -> None:
    patch.setattr(Ledger, "place", lambda *_: None)


@mutant("R7 I2", seed=6)
def what_is_removed_stays_on_the_server(patch: Patch) -> None:
    def handle(self: Any, told: Any) -> None:
        if isinstance(told, mail.RemoveItem):
            self.ledger[told.item_id].keep_ms = 0
        else:
            before(self, told)

    before = ContextActor.handle
    patch.setattr(ContextActor, "handle", handle)


@mutant("R7 I2")
def what_is_removed_stays_everywhere(patch: Patch) -> None:
    only_if(patch, ContextActor, "handle", lambda _self, told: not isinstance(told, mail.RemoveItem))


# ------------------------------------------------------------------------------------------------ rule 8: scoped by id


@mutant("R8 I7")
def a_cancel_names_no_response(patch: Patch) -> None:
    rewire(patch, "response", with_effect("cancel", lambda _id, _event: response_chart.Cancel("")))


@mutant("R8 I1", seed=955, needs=tells_late)
def a_report_counts_for_whoever_plays(patch: Patch) -> None:
    def handle(self: Any, told: Any) -> None:
        segment = self._segment
        mine = isinstance(told, sinks.Progress | sinks.Finished | sinks.Starved)
        if mine and segment and segment.life.id != told.message_id:
            self._on_segment(segment, told)
        else:
            before(self, told)

    before = SinkActor.handle
    patch.setattr(SinkActor, "handle", handle)


@mutant("R8 I7", seed=4)
def stopping_one_reply_stops_all(patch: Patch) -> None:
    def handle(self: Any, told: Any) -> None:
        before(self, mail.FallSilent() if isinstance(told, mail.StopReply) else told)

    before = ResponseActor.handle
    patch.setattr(ResponseActor, "handle", handle)


# ---------------------------------------------------------------------------------- rules 10 and 11: adapters, crashes


@mutant("R10", seed=30)
def unknown_events_are_errors(patch: Patch) -> None:
    def on_unknown(_self: Any, event: Any) -> None:
        raise ValueError(event.name)

    patch.setattr(TransportActor, "_on_unknown", on_unknown)


@mutant("R11", seed=35)
def a_session_survives_its_connection(patch: Patch) -> None:
    patch.setattr(Session, "_fail", lambda *_: None)


@mutant("R11 I10", seed=2)
def a_dead_actor_is_not_noticed(patch: Patch) -> None:
    async def watch(_self: Any, run: Callable[[], Any]) -> None:
        with suppress(Exception):
            await run()

    def on_said(self: Any, spoken: Any) -> None:
        if spoken.interrupted:
            raise RuntimeError("a defect")
        said(self, spoken)

    said = ContextActor._on_said
    patch.setattr(Ensemble, "_watch", watch)
    patch.setattr(ContextActor, "_on_said", on_said)


# ---------------------------------------------------------------------------------------------- I1 to I3: what is kept


@mutant("I1 I5", seed=2)
def everything_generated_is_kept(patch: Patch) -> None:
    def wrong(message_id: str, event: Any) -> Any:
        return message_chart.Truncate(message_id, message_chart._ms(event.generated_frames, event))

    rewire(patch, "message", with_effect("truncate", wrong))


@mutant("I1 I5", seed=17)
def a_message_without_text_is_not_cut(patch: Patch) -> None:
    def wrong(message_id: str, event: Any) -> Any:
        heard_ms = message_chart._heard_ms(event) if event.generated_text else message_chart._ms(1 << 30, event)
        return message_chart.Truncate(message_id, heard_ms)

    rewire(patch, "message", with_effect("truncate", wrong))


@mutant("I1", seed=114)
def dropped_audio_is_not_counted(patch: Patch) -> None:
    only_if(patch, MessageActor, "_on_audio", lambda self, _audio: not (self._stopped or self._final))


@mutant("I3", seed=23)
def an_unheard_message_is_told_as_said(patch: Patch) -> None:
    rewire(patch, "message", with_guard("can_be_cut", lambda _: True))


@mutant("I3 I2", seed=2)
def what_was_cut_is_called_full(patch: Patch) -> None:
    rewire(patch, "message", with_guard("heard_everything", lambda event: event.heard_frames > 0))


@mutant("I3", seed=5)
def the_order_is_that_of_arrival(patch: Patch) -> None:
    def give_floor(self: Any) -> None:
        if self.speaking is None and len(self._waiting) > 1 and not self.held:
            self._waiting.rotate(1)
        before(self)

    before = Floor.give
    patch.setattr(Floor, "give", give_floor)


@mutant("I3", seed=2)
def interrupted_is_not_told(patch: Patch) -> None:
    def on_said(self: Any, spoken: Any) -> None:
        before(self, replace(spoken, interrupted=False))

    before = ContextActor._on_said
    patch.setattr(ContextActor, "_on_said", on_said)


# --------------------------------------------------------------------------------------------------- I4: one at a time


@mutant("I4", seed=2)
def the_next_message_does_not_wait(patch: Patch) -> None:
    def give_floor(self: Any) -> None:
        self.speaking = None
        before(self)

    before = Floor.give
    patch.setattr(Floor, "give", give_floor)


@mutant("I4", seed=2)
def speaking_starts_with_each_message(patch: Patch) -> None:
    def on_playing(self: Any, told: Any) -> None:
        if playing := self._messages.get(told.message_id):
            playing.response.speech = "begun"
            self.publish(AgentStartedSpeaking(playing.response.response_id, told.at))

    patch.setattr(ResponseActor, "_on_playing", on_playing)


@mutant("I4", seed=2)
def speaking_never_stops_when_interrupted(patch: Patch) -> None:
    only_if(patch, ResponseActor, "_tell_if_silent", lambda _self, given: not given.interrupted)


@mutant("I4", seed=56)
def the_users_speech_stops_nothing(patch: Patch) -> None:
    def interrupt(self: Any, by: str, **more: Any) -> None:
        responses = self._responses
        if by == "user":
            self._responses = {}
        before(self, by, **more)
        self._responses = responses

    before: Any = ResponseActor._interrupt_all
    patch.setattr(ResponseActor, "_interrupt_all", interrupt)


# -------------------------------------------------------------------------------------------- I5, I6: cuts and deletes


@mutant("I5", seed=4)
def what_was_heard_in_full_is_cut(patch: Patch) -> None:
    def cut(edge: Edge[Any, Any]) -> Edge[Any, Any]:
        full = edge.target == "full" and edge.event is message_chart.PlaybackFinished
        return edge._replace(effects=(message_chart.truncate, *edge.effects)) if full else edge

    rewire(patch, "message", cut)
    rewire(patch, "item", with_guard("holds_more", lambda event: 0 < event.heard_ms <= event.generated_ms))


@mutant("I5", seed=2)
def a_cut_is_sent_twice(patch: Patch) -> None:
    def send(self: Any, command: Any) -> None:
        before(self, command)
        if isinstance(command, events.TruncateItem):
            before(self, command)

    before = ContextActor._send
    patch.setattr(ContextActor, "_send", send)


@mutant("I5", seed=2)
def a_cut_is_rounded_up(patch: Patch) -> None:
    patch.setattr(message_chart, "_ms", lambda frames, event: -(-frames * 1000 // event.rate) + 1)


# -------------------------------------------------------------------------------------------------------- I7: requests


@mutant("I7", seed=23)
def a_busy_server_loses_the_request(patch: Patch) -> None:
    rewire(patch, "response", lambda edge: None if edge.guard is response_chart.busy else edge)


@mutant("I7", seed=1)
def the_slot_is_not_waited_for(patch: Patch) -> None:
    patch.setattr(under_way.Response, "generating", property(lambda _: False))


@mutant("I7", seed=4)
def the_users_speech_loses_what_waits(patch: Patch) -> None:
    def interrupt(self: Any, by: str, **more: Any) -> None:
        if by == "user":
            self._requests.clear()
        before(self, by, **more)

    before: Any = ResponseActor._interrupt_all
    patch.setattr(ResponseActor, "_interrupt_all", interrupt)


@mutant("I7", seed=1)
def nothing_is_cancelled(patch: Patch) -> None:
    rewire(patch, "response", without_effect("cancel"))


@mutant("I7", seed=1)
def the_server_is_trusted_to_cancel(patch: Patch) -> None:
    def interrupt(self: Any, given: Any, *, server_cancels: bool, **more: bool) -> None:
        del server_cancels
        before(self, given, server_cancels=True, **more)

    before = ResponseActor._interrupt
    patch.setattr(ResponseActor, "_interrupt", interrupt)


@mutant("I7", seed=1)
def a_reply_that_failed_counts_as_done(patch: Patch) -> None:
    def over(self: Any, given: Any, status: str, failure: str | None) -> None:
        del failure
        before(self, given, status, None)

    before = ResponseActor._reply_over
    patch.setattr(ResponseActor, "_reply_over", over)


@mutant("I7", seed=8)
def an_answer_to_the_last_request_is_not_waited_for(patch: Patch) -> None:
    slot = under_way.HAS_SLOT
    patch.setattr(
        under_way.Response,
        "generating",
        property(lambda self: not self.out_of_band and self.life.state in slot),
    )


@mutant("I7", seed=121)
def what_is_urgent_waits_like_all_others(patch: Patch) -> None:
    patch.setattr(under_way.Response, "priority", property(lambda _: 0))


@mutant("I7", seed=121)
def what_came_last_is_asked_for_first(patch: Patch) -> None:
    before = ResponseActor._enqueue
    patch.setattr(ResponseActor, "_enqueue", lambda self, given, **_: before(self, given, in_front=True))


@mutant("I7", seed=45)
def anything_joins_anything(patch: Patch) -> None:
    patch.setattr(under_way.Response, "can_join", lambda *_: True)


@mutant("I7", seed=17)
def who_joined_is_not_told(patch: Patch) -> None:
    def over(self: Any, given: Any, status: str, failure: str | None) -> None:
        first, *others = given.requests or [None]
        given.requests = [first] if first else []
        before(self, given, status, failure)
        given.requests = others
        before(self, given, "completed", None)

    before = ResponseActor._reply_over
    patch.setattr(ResponseActor, "_reply_over", over)


@mutant("I7")
def replies_are_all_alike(patch: Patch) -> None:
    def ask(self: Any, given: Any) -> None:
        request = given.requests[0]
        given.requests[0] = replace(request, options=events.ResponseOptions(out_of_band=request.options.out_of_band))
        before(self, given)

    before = ResponseActor._ask
    patch.setattr(ResponseActor, "_ask", ask)


@mutant("I10", seed=1)
def a_request_has_all_the_time_there_is(patch: Patch) -> None:
    patch.setattr(ResponseActor, "_on_request_deadline", lambda *_: None)


@mutant("I10", seed=4)
def a_request_that_was_started_may_be_too_late(patch: Patch) -> None:
    def on_deadline(self: Any, reply_id: str) -> None:
        for given in self._all():
            if any(request.reply.id == reply_id for request in given.requests):
                self._stop(given, "the server did not start it within its time")

    patch.setattr(ResponseActor, "_on_request_deadline", on_deadline)


@mutant("I7", seed=4)
def what_was_given_up_is_said_all_the_same(patch: Patch) -> None:
    def revive(edge: Edge[Any, Any]) -> Edge[Any, Any]:
        late = (edge.source, edge.event) == ("abandoned", response_chart.Created)
        return edge._replace(target="active", effects=()) if late else edge

    rewire(patch, "response", revive)


@mutant("I7", seed=6559, needs=gives_up_calls)
def calls_of_what_was_given_up_are_kept(patch: Patch) -> None:
    patch.setattr(under_way.Response, "unwanted", property(lambda _: False, lambda *_: None))


@mutant("I7")
def what_is_out_of_band_is_played(patch: Patch) -> None:
    patch.setattr(under_way.Response, "out_of_band", property(lambda _: False, lambda *_: None))


@mutant("I7", seed=255, needs=calls_beside)
def calls_out_of_band_are_run(patch: Patch) -> None:
    def on_done(self: Any, given: Any, item: Any) -> None:
        beside, given.out_of_band = given.out_of_band, False
        before(self, given, item)
        given.out_of_band = beside

    before = ResponseActor._on_output_done
    patch.setattr(ResponseActor, "_on_output_done", on_done)


@mutant("I7", seed=4)
def what_is_out_of_band_is_interrupted_with_all_others(patch: Patch) -> None:
    def interrupt(self: Any, given: Any, *, server_cancels: bool, **_: bool) -> None:
        before(self, given, server_cancels=server_cancels and not given.out_of_band, out_of_band=True)

    before = ResponseActor._interrupt
    patch.setattr(ResponseActor, "_interrupt", interrupt)


@mutant("I10")
def who_waits_to_hear_it_waits_for_ever(patch: Patch) -> None:
    after(patch, ReplyRecord, "__init__", lambda self, _id: setattr(self, "heard", anyio.Event()))

    def resolve(self: Any, *args: Any, **more: Any) -> None:
        heard, self.heard = self.heard, anyio.Event()
        before(self, *args, **more)
        self.heard = heard

    before = ReplyRecord.resolve
    patch.setattr(ReplyRecord, "resolve", resolve)


@mutant("I7", seed=2)
def what_has_begun_counts_as_heard(patch: Patch) -> None:
    after(patch, ReplyRecord, "start", lambda self, _id: self.heard.set())


@mutant("I7", seed=2)
def nothing_counts_as_heard_before_all_is_over(patch: Patch) -> None:
    def handle(self: Any, told: Any) -> None:
        if not isinstance(told, mail.ReplyHeard):
            before(self, told)

    before = ContextActor.handle
    patch.setattr(ContextActor, "handle", handle)


@mutant("I7", seed=5)
def a_handle_forgets_what_was_said(patch: Patch) -> None:
    def resolve(self: Any, *args: Any, **more: Any) -> None:
        before(self, *args, **more)
        self.said = self.said[:1]

    before = ReplyRecord.resolve
    patch.setattr(ReplyRecord, "resolve", resolve)


@mutant("I4")
def the_agent_speaks_while_it_thinks(patch: Patch) -> None:
    def fire(self: Any, event: Any) -> None:
        before(self, agent_chart.Speaks() if isinstance(event, agent_chart.Thinks) else event)

    before = ResponseActor._fire_agent
    patch.setattr(ResponseActor, "_fire_agent", fire)


@mutant("I4", seed=2)
def the_agent_listens_while_it_thinks(patch: Patch) -> None:
    def fire(self: Any, event: Any) -> None:
        before(self, agent_chart.Listens() if isinstance(event, agent_chart.Thinks) else event)

    before = ResponseActor._fire_agent
    patch.setattr(ResponseActor, "_fire_agent", fire)


@mutant("I4", seed=3)
def the_agent_never_stops_thinking(patch: Patch) -> None:
    def fire(self: Any, event: Any) -> None:
        before(self, agent_chart.Thinks() if isinstance(event, agent_chart.Listens) else event)

    before = ResponseActor._fire_agent
    patch.setattr(ResponseActor, "_fire_agent", fire)


@mutant("I4", seed=1)
def the_app_gets_the_blame_for_the_user(patch: Patch) -> None:
    before = ResponseActor._interrupt_all
    patch.setattr(ResponseActor, "_interrupt_all", lambda self, _by, **more: before(self, "app", **more))


# -------------------------------------------------------------------------------------------------- I8: function calls


@mutant("I8", seed=33, needs=has_calls)
def half_a_call_is_run(patch: Patch) -> None:
    def on_output_done(self: Any, given: Any, item: Any) -> None:
        interrupted, given.interrupted = given.interrupted, False
        before(self, given, replace(item, status="completed"))
        given.interrupted = interrupted

    before = ResponseActor._on_output_done
    patch.setattr(ResponseActor, "_on_output_done", on_output_done)


@mutant("I8", seed=2)
def a_call_is_run_twice(patch: Patch) -> None:
    class Forgetful(set[str]):
        def __contains__(self, _: object) -> bool:
            return False

    after(patch, CallsInTurn, "__init__", lambda self, *_, **__: setattr(self, "_known", Forgetful()))


@mutant("I8", seed=17, needs=answers_twice)
def an_output_is_sent_twice(patch: Patch) -> None:
    class Keeps(dict[str, str]):
        def pop(self, key: str, default: Any = None) -> Any:
            return self.get(key, default)

    after(patch, Ledger, "__init__", lambda self, *_, **__: setattr(self, "unanswered", Keeps()))


@mutant("I8", seed=25)
def an_output_is_lost(patch: Patch) -> None:
    patch.setattr(ContextActor, "_on_answer", lambda self, answer: self.ledger.unanswered.pop(answer.call_id, None))


# -------------------------------------------------------------------------------------------------- I10: the end of it


@mutant("I10", seed=1)
def a_failed_reply_is_never_told(patch: Patch) -> None:
    def handle(self: Any, told: Any) -> None:
        if not (isinstance(told, mail.ReplyOver) and told.failure):
            before(self, told)

    before = ContextActor.handle
    patch.setattr(ContextActor, "handle", handle)
    patch.setattr(Session, "_let_go", lambda self: self._streams.close())


@mutant("I10 I1", seed=2)
def leaving_does_not_settle_the_record(patch: Patch) -> None:
    async def close(self: Any) -> None:
        self._transport.inbox.send(mail.CloseConnection())
        await self._transport.closed.wait()

    patch.setattr(Session, "_close", close)


@mutant("I10", seed=241, needs=leaves_in_trouble)
def leaving_waits_for_ever(patch: Patch) -> None:
    async def close(self: Any) -> None:
        self._context.inbox.send(mail.FallSilent())
        await self.quiet()
        await before(self)

    before = Session._close
    patch.setattr(Session, "_close", close)


# ---------------------------------------------------------------------------------------------------------- I11: texts


@mutant("I11", seed=38)
def all_of_the_text_counts_as_heard(patch: Patch) -> None:
    patch.setattr(Transcript, "heard", lambda self, _frames: ("".join(each.text for each in self._stretches), []))


@mutant("I11", seed=2)
def no_text_counts_as_heard(patch: Patch) -> None:
    patch.setattr(Transcript, "heard", lambda *_: ("", []))


def changes_its_mind(plan: Plan) -> bool:
    return plan.text.aligner == "fickle"


def has_a_mark(plan: Plan) -> bool:
    return plan.text.mark


def holds_late_text(plan: Plan) -> bool:
    late = (plan.text.lead_ms or 0) < 0 or any(
        line.transcript != "ahead" for each in plan.replies for line in each.lines
    )
    return late and any(step.do == "pause" for step in plan.steps)


@mutant("I11", seed=4)
def captions_are_ahead_of_the_ears(patch: Patch) -> None:
    before = Transcript.follow
    patch.setattr(Transcript, "follow", lambda self, frames: before(self, frames + 7200))


@mutant("I11", seed=6)
def captions_come_when_it_is_over(patch: Patch) -> None:
    def on_position(_: Any, followed: Any, frames: int, at: float | None, **__: Any) -> None:
        followed.frames, followed.at = frames, at

    patch.setattr(TranscriptActor, "_on_position", on_position)


@mutant("I11", seed=2)
def captions_wait_for_the_whole_text(patch: Patch) -> None:
    before = _Stretch.begin
    patch.setattr(
        _Stretch, "begin", lambda self, ms, *, whole: before(self, ms, whole=whole) if self._text_over else iter(())
    )


@mutant("I11", seed=4, needs=changes_its_mind)
def captions_go_back(patch: Patch) -> None:
    def begin(self: Any, ms: int, *, whole: bool) -> Any:
        self._words = self._alignment.words()
        for word in self._words[len(self._told) :]:
            if word.start_ms <= ms or whole:
                self._told.append(replace(word, start_ms=min(word.start_ms, ms)))
                yield self._told[-1]

    patch.setattr(_Stretch, "begin", begin)


@mutant("I11", seed=77, needs=changes_its_mind)
def words_move_after_they_were_told(patch: Patch) -> None:
    def heard(self: Any, ms: int, *, whole: bool) -> Any:
        return [word for word in self._alignment.words() if word.end_ms <= ms or whole]

    patch.setattr(_Stretch, "heard", heard)


@mutant("R8 I11", seed=4)
def captions_are_of_whose_text_came_last(patch: Patch) -> None:
    def handle(self: Any, about: Any) -> None:
        if isinstance(about, mail.TranscriptText):
            self.newest = about.message_id
        before(self, about)

    def init(self: Any, ring: Any, surroundings: Any, **options: Any) -> None:
        inits(self, ring, surroundings, **options)
        publishes = self.publish
        self.publish = lambda event: publishes(
            replace(event, message_id=self.newest) if isinstance(event, Caption) else event
        )

    before, inits = TranscriptActor.handle, TranscriptActor.__init__
    patch.setattr(TranscriptActor, "handle", handle)
    patch.setattr(TranscriptActor, "__init__", init)


@mutant("I11", seed=2)
def the_word_in_which_it_was_stopped_counts(patch: Patch) -> None:
    before = _Stretch.heard
    patch.setattr(_Stretch, "heard", lambda self, _ms, *, whole: before(self, 1 << 40, whole=whole))


@mutant("I11", seed=2)
def captions_begin_before_their_message(patch: Patch) -> None:
    def tell_words(self: Any, followed: Any) -> None:
        at, followed.at = followed.at, followed.at and followed.at - 2
        followed.sounds_from = None
        before(self, followed)
        followed.at = at

    before = TranscriptActor._tell_words
    patch.setattr(TranscriptActor, "_tell_words", tell_words)


@mutant("I11", seed=211, needs=holds_late_text)
def words_begin_while_it_is_held(patch: Patch) -> None:
    """Those whose text comes only then: as if they were heard when it came."""

    def tell_words(self: Any, followed: Any) -> None:
        at, followed.at = followed.at, None if followed.life.state == "held" else followed.at
        before(self, followed)
        followed.at = at

    before = TranscriptActor._tell_words
    patch.setattr(TranscriptActor, "_tell_words", tell_words)


@mutant("I11", seed=2)
def captions_have_no_end(patch: Patch) -> None:
    rewire(patch, "transcript", without_effect("end_captions"))


@mutant("I11", seed=1)
def captions_of_what_was_never_heard_have_an_end(patch: Patch) -> None:
    ended = (transcript_chart.end_captions,)
    rewire(
        patch,
        "transcript",
        lambda edge: edge._replace(effects=ended) if edge.event is transcript_chart.Settled else edge,
    )


@mutant("I11", seed=2)
def what_is_whole_and_what_is_cut_is_mixed_up(patch: Patch) -> None:
    other = {"whole": "cut", "cut": "whole"}
    rewire(patch, "transcript", lambda edge: edge._replace(target=other.get(edge.target, edge.target)))


@mutant("I11", seed=2)
def the_history_has_other_words_than_the_captions(patch: Patch) -> None:
    def handle(self: Any, about: Any) -> None:
        if isinstance(about, mail.TranscriptEnded):
            about = mail.TranscriptEnded(about.heard_text.rpartition(" ")[0])
        before(self, about)

    before = MessageActor.handle
    patch.setattr(MessageActor, "handle", handle)


@mutant("I11", seed=169, needs=has_a_mark)
def a_cut_has_no_mark(patch: Patch) -> None:
    before = Entry.project

    def project(self: Any) -> Any:
        item = before(self)
        return replace(item, heard_text=item.heard_text.removesuffix(self._ledger.cut_mark))

    patch.setattr(Entry, "project", project)


@mutant("I10", seed=3)
def words_of_what_was_never_heard_are_kept(patch: Patch) -> None:
    def handle(self: Any, about: Any) -> None:
        if not isinstance(about, mail.ForgetTranscript):
            before(self, about)

    before = TranscriptActor.handle
    patch.setattr(TranscriptActor, "handle", handle)


@mutant("I10", seed=16)
def what_comes_after_the_end_is_kept(patch: Patch) -> None:
    patch.setattr(AudioBatch, "close", AudioBatch.flush)


@mutant("I11", seed=1)
def the_users_words_are_not_recorded(patch: Patch) -> None:
    def on_transcript(self: Any, event: Any) -> None:
        if event.final:
            self._know(events.Item(id=event.item_id, role="user"))
            self.publish(UserSaid(event.item_id, event.text, 0.0))

    patch.setattr(ContextActor, "_on_transcript", on_transcript)


def has_tools(plan: Plan) -> bool:
    return bool(plan.tools) and has_calls(plan)


@mutant("I8", seed=72, needs=has_tools)
def a_tool_is_run_twice(patch: Patch) -> None:
    async def outcome(self: Any, each: Any, tool: Any) -> Any:
        await before(self, each, tool)
        return await before(self, each, tool)

    before = Calls._outcome
    patch.setattr(Calls, "_outcome", outcome)


@mutant("I8", seed=72, needs=has_tools)
def a_tool_gets_other_arguments(patch: Patch) -> None:
    before = Parameters.decode

    def decode(self: Any, arguments: str) -> Any:
        return {name: f"{value}!" for name, value in before(self, arguments).items()}

    patch.setattr(Parameters, "decode", decode)


@mutant("I8", seed=172, needs=has_tools)
def a_tool_has_all_the_time_there_is(patch: Patch) -> None:
    def no_time(edge: Edge[Any, Any]) -> Edge[Any, Any]:
        late = (edge.source, edge.event) == ("running", call_chart.Expired)
        return edge._replace(target="running", effects=()) if late else edge

    rewire(patch, "call", no_time)


@mutant("I8", seed=603, needs=has_tools)
def all_tools_are_cancelled_when_one_speaks(patch: Patch) -> None:
    def handle(self: Any, told: Any) -> None:
        if isinstance(told, Interrupted):
            for each in list(self._calls.values()):
                self._fire(each, call_chart.Cancelled("the user interrupted"))
        before(self, told)

    before = Calls.handle
    patch.setattr(Calls, "handle", handle)


@mutant("I8", seed=693, needs=has_tools)
def no_tool_is_cancelled(patch: Patch) -> None:
    only_if(patch, Calls, "handle", lambda _self, told: not isinstance(told, Interrupted))


@mutant("I8", seed=172, needs=has_tools)
def a_cancelled_tool_runs_on(patch: Patch) -> None:
    rewire(patch, "call", without_effect("stop"))


@mutant("I8", seed=25, needs=has_tools)
def an_error_is_told_as_nothing(patch: Patch) -> None:
    rewire(patch, "call", with_effect("answer_error", lambda _id, _event: call_chart.Answer("")))


@mutant("I8", seed=25, needs=has_tools)
def a_tool_that_nobody_has_is_not_answered(patch: Patch) -> None:
    rewire(patch, "call", without_effect("answer_error"))


@mutant("I8", seed=91, needs=has_tools)
def a_reply_is_asked_for_with_each_output(patch: Patch) -> None:
    after(patch, Calls, "_answer", lambda self, *_, **__: self._company.tell(self._request()))


@mutant("I8", seed=335, needs=has_tools)
def nobody_asks_the_model_to_go_on(patch: Patch) -> None:
    patch.setattr(Calls, "_go_on", lambda _: None)


@mutant("I8", seed=3356, needs=has_tools)
def what_was_cancelled_is_spoken_of(patch: Patch) -> None:
    before = Calls._answer
    patch.setattr(Calls, "_answer", lambda self, each, output, **_: before(self, each, output, cancelled=False))


@mutant("I8", seed=1224, needs=has_tools)
def tools_are_left_running(patch: Patch) -> None:
    async def close(self: Any) -> None:
        self._closing = True

    async def run(self: Any, each: Any, tool: Any) -> None:
        with anyio.CancelScope(shield=True):
            await before(self, each, tool)

    before = Calls._run
    patch.setattr(Calls, "_close", close)
    patch.setattr(Calls, "_run", run)


@mutant("I8", seed=9682, needs=gives_up_calls)
def what_is_repeated_is_run(patch: Patch) -> None:
    def on_done(self: Any, given: Any, item: Any) -> None:
        if not (given.out_of_band or given.unwanted):
            before(self, given, item)

    before = ResponseActor._on_output_done
    patch.setattr(ResponseActor, "_on_output_done", on_done)


def delegates(plan: Plan) -> bool:
    lines = [line for reply in plan.replies for line in reply.lines]
    return plan.agent is not None and any(line.kind == "delegate" for line in lines)


@mutant("I8", seed=236, needs=delegates)
def a_request_that_comes_meanwhile_is_dropped(patch: Patch) -> None:
    rewire(patch, "delegation", with_guard("unread", lambda _: False))


@mutant("I8", seed=1702, needs=delegates)
def what_the_agent_has_read_stays_unread(patch: Patch) -> None:
    seen = set[str]()

    def next_steering(self: Any) -> Any:
        request = before(self)
        if request and request.id not in seen:
            seen.add(request.id)
            self._further.append(request)
        return request

    before = Work.next_steering
    patch.setattr(Work, "next_steering", next_steering)


@mutant("I8", seed=236, needs=delegates)
def a_second_agent_is_run(patch: Patch) -> None:
    before = DelegationActor._on_request

    def on_request(self: Any, asked: Any) -> None:
        active, self._active = self._active, None
        before(self, asked)
        self._active = self._active or active

    patch.setattr(DelegationActor, "_on_request", on_request)


@mutant("I8", seed=75, needs=delegates)
def progress_is_told_twice(patch: Patch) -> None:
    after(patch, ByCall, "progress", ByCall.progress)


@mutant("I8", seed=236, needs=delegates)
def what_steers_is_not_answered(patch: Patch) -> None:
    patch.setattr(ByCall, "acknowledge", lambda *_: None)


@mutant("I8", seed=87, needs=delegates)
def an_answer_is_not_told(patch: Patch) -> None:
    patch.setattr(ByCall, "answer", lambda *_: None)


@mutant("I8", seed=204, needs=delegates)
def silence_is_spoken_of(patch: Patch) -> None:
    def on_call(self: Any, call: Any) -> None:
        before(self, call)
        if call.name == self._delegate.silence:
            self._company.tell(self._telling._request())

    before = DelegationActor._on_call
    patch.setattr(DelegationActor, "_on_call", on_call)


def waits_for_words(plan: Plan) -> bool:
    return bool(plan.interruption.enabled and plan.interruption.min_words)


def may_not_be_interrupted(plan: Plan) -> bool:
    return not plan.interruption.enabled or any(step.wish.uninterruptible for step in plan.steps)


@mutant("I4", seed=22, needs=waits_for_words)
def any_sound_interrupts(patch: Patch) -> None:
    rewire(patch, "interruption", with_guard("at_once", lambda event: event.enabled))


@mutant("I4", seed=14, needs=may_not_be_interrupted)
def nothing_is_heard_to_its_end(patch: Patch) -> None:
    rewire(patch, "interruption", with_guard("at_once", lambda _: True))


@mutant("I4 I10", seed=22, needs=waits_for_words)
def a_false_alarm_ends_it(patch: Patch) -> None:
    patch.setattr(TurnActor, "_let_go", lambda *_: None)


@mutant("I4", seed=22, needs=waits_for_words)
def a_false_alarm_interrupts(patch: Patch) -> None:
    def stop(edge: Edge[Any, Any]) -> Edge[Any, Any]:
        alarm = edge.target == "dismissed" and any(effect.__name__ == "resume" for effect in edge.effects)
        return edge._replace(effects=(interruption_chart.interrupt,)) if alarm else edge

    rewire(patch, "interruption", stop)


@mutant("I4", seed=404, needs=waits_for_words)
def words_interrupt_nothing(patch: Patch) -> None:
    rewire(patch, "interruption", with_guard("enabled", lambda _: False))


# ------------------------------------------------------------------------------------ I9: one server after the other


@mutant("I9", seed=105, needs=breaks_off)
def a_new_server_is_told_what_was_generated(patch: Patch) -> None:
    def told(self: Any, audio: bytes) -> Any:
        said = before(self, audio)
        return replace(said, text=self.project().generated_text or said.text)

    before = Entry.told
    patch.setattr(Entry, "told", told)


@mutant("I9 I2", seed=11, needs=breaks_off)
def a_new_server_is_told_nothing(patch: Patch) -> None:
    patch.setattr(ContextActor, "_tell", lambda *_: None)


@mutant("I9", seed=195, needs=breaks_off)
def a_new_server_is_not_told_of_function_calls(patch: Patch) -> None:
    only_if(patch, ContextActor, "_tell", lambda _self, entry, _after: entry.item.kind == "message")


@mutant("I9 I2", seed=103, needs=breaks_off)
def what_is_heard_to_its_end_is_not_told_any_more(patch: Patch) -> None:
    def on_said(self: Any, spoken: Any) -> None:
        entry = self.ledger[spoken.message_id]
        retold, entry.retold = entry.retold, False
        before(self, spoken)
        entry.retold = retold

    before = ContextActor._on_said
    patch.setattr(ContextActor, "_on_said", on_said)


@mutant("I9 I2", seed=83, needs=breaks_off)
def a_new_server_is_told_the_newest_first(patch: Patch) -> None:
    before = Ledger.__iter__

    def backwards(self: Any) -> Any:
        entries = list(before(self))
        lost = any(entry.retold and entry.life.state == "unknown" for entry in entries)
        return iter(entries[::-1] if lost else entries)

    patch.setattr(Ledger, "__iter__", backwards)


@mutant("I7 I9", seed=83, needs=breaks_off)
def a_lost_connection_loses_what_was_asked_for(patch: Patch) -> None:
    def on_lost(self: Any, reason: str) -> None:
        self._requests.clear()
        before(self, reason)
        self._requests.clear()

    before = ResponseActor._on_connection_lost
    patch.setattr(ResponseActor, "_on_connection_lost", on_lost)


@mutant("I9", seed=103, needs=breaks_off)
def a_lost_connection_stops_what_is_heard(patch: Patch) -> None:
    def on_lost(self: Any, reason: str) -> None:
        before(self, reason)
        for given in self._all():
            self._interrupt(given, server_cancels=True)

    before = ResponseActor._on_connection_lost
    patch.setattr(ResponseActor, "_on_connection_lost", on_lost)


@mutant("R6 I9", seed=131, needs=breaks_off)
def the_rest_is_not_asked_for(patch: Patch) -> None:
    def settle(self: Any, given: Any) -> None:
        given.broken_off = ""
        before(self, given)

    before = ResponseActor._settle
    patch.setattr(ResponseActor, "_settle", settle)


@mutant("R6 I9", seed=11, needs=breaks_off)
def what_was_meant_for_the_old_server_goes_to_the_new_one(patch: Patch) -> None:
    patch.setattr(ContextActor, "_on_connection_lost", lambda self: self._ring.transport.urgent(mail.LossKnown()))

"""The rules of delegation, one by one: what the agent is given and when, and what the model is told."""

from xml.etree import ElementTree as ET

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtactors import ConfigurationError, SessionClosed
from rtactors.channels import Inbox
from rtactors.delegation import Delegate, Job, Line, Request, Work, by_actor
from rtactors.delegation.actor import REMEMBERED
from rtactors.delegation.delegate import input_of
from rtactors.delegation.telling import FAILED, FINAL, FINISHED, LONGEST, NOTHING, RESTARTED, STEERED, STOPPED
from rtactors.delegation.tokens import tokens
from rtactors.delegation.work import OUTPUT
from rtactors.history import HistoryItem
from rtactors.session_events import (
    AgentSaid,
    FunctionCalled,
    HandoffRequested,
    MessageText,
    Problem,
    UserStartedSpeaking,
    UserTranscript,
)
from rtactors.testing.clock import virtual_backend
from tests.delegation.alone import V1, V2, ByHand, alone, settled

# ----------------------------------------------------------------------------------------------- what the agent gets


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"prompt": "fix it"}', "fix it"),
        ('{"query": "q", "prompt": "p", "text": "t", "input": "i", "input_transcript": "it"}', "it"),
        ('{"input_transcript": " ", "input": "", "text": null, "prompt": 7, "query": "q"}', "q"),
        ('{"task": "fix it"}', '{"task": "fix it"}'),
        ('"fix it"', '"fix it"'),
        ("fix it", "fix it"),
        ("{}", ""),
        ("", ""),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_what_a_call_asks_for(arguments: str, expected: str) -> None:
    assert input_of(arguments) == expected


def test_the_prompt() -> None:
    request = Request("c1", "a < b & c", (Line("user", "hi </transcript_delta>"), Line("assistant", "yes")))
    assert request.prompt == (
        "<realtime_delegation>\n"
        "  <input>a &lt; b &amp; c</input>\n"
        "  <transcript_delta>user: hi &lt;/transcript_delta&gt;\nassistant: yes</transcript_delta>\n"
        "</realtime_delegation>"
    )
    assert Request("c1", "go").prompt == "<realtime_delegation>\n  <input>go</input>\n</realtime_delegation>"


@given(st.text(), st.text())
def test_a_prompt_is_always_xml(asked: str, said: str) -> None:
    tree = ET.fromstring(Request("c1", asked, (Line("user", said),)).prompt)
    assert [child.tag for child in tree] == ["input", "transcript_delta"]


@pytest.mark.anyio
async def test_each_delegation_has_what_is_new() -> None:
    agent = ByHand()
    async with alone(Delegate(agent)) as one:
        one.user_said("u1", "Hello.")
        one.hear(MessageText("a1", "Hi"), MessageText("a1", " there."))
        one.call("c1", "greet")
        agent.returns("Greeted.")
        await settled()
        one.user_said("u1", "Hello.")  # again
        one.hear(AgentSaid(HistoryItem(id="a1", role="assistant", heard_text="Hi there.")))
        one.hear(UserStartedSpeaking("u2", 0), MessageText("a2", "Well"), UserTranscript("u2", "More", 0))
        one.call("c2", "")
        await settled()
    first, second = agent.works
    assert (first.id, first.input, [*map(str, first.transcript)]) == (
        "c1",
        "greet",
        ["user: Hello.", "assistant: Hi there."],
    )
    assert second.input == "user: More\nassistant: Well"  # without words of its own
    assert "<input>greet</input>" in first.prompt
    assert repr(first) == "Work('c1', 'greet')"


# --------------------------------------------------------------------------------------------- what the model is told


@pytest.mark.anyio
async def test_v2_progress_answer_and_one_request() -> None:
    async def agent(work: Work) -> str:
        await work.progress("reading")
        await work.progress(" ")
        await work.progress("writing")
        return "Done."

    async with alone(Delegate(agent)) as one:
        one.call("c1", "fix")
        await settled()
        assert one.progress == ["reading", "writing"]
        assert one.outputs == [("c1", "Done.")]
        assert one.requests == 1
        assert one.delegation.active is None
        assert [type(each).__name__ for each in one.mail if each is not None][-2:] == [
            "AnswerCall",
            "RequestReply",
        ]


@pytest.mark.anyio
async def test_v2_progress_that_is_to_be_spoken() -> None:
    async def agent(work: Work) -> str:
        await work.progress("reading")
        return "Done."

    async with alone(Delegate(agent, speak_progress=True)) as one:
        one.call("c1", "fix")
        await settled()
        added = next(each for each in one.mail if hasattr(each, "then"))
        assert getattr(added, "then").joins  # noqa: B009


@pytest.mark.anyio
async def test_v1_appends_with_and_without_the_prefix() -> None:
    async def agent(work: Work) -> str:
        await work.progress("Looking.")
        return "Three files."

    async with alone(Delegate(agent), V1) as one:
        one.hand_off("h1", "list the files")
        await anyio.sleep(1.1)
        assert one.appended == [("h1", "Looking."), ("h1", FINAL + "Three files.")]
        assert one.outputs == []
        assert one.requests == 0


@pytest.mark.anyio
@pytest.mark.parametrize("capabilities", [V1, V2])
async def test_long_texts_keep_head_and_tail(capabilities: object) -> None:
    text = "begin " + "ä" * 9000 + " end"

    async def agent(work: Work) -> str:
        await work.progress(text)
        return text

    async with alone(Delegate(agent, grace=0), V1 if capabilities is V1 else V2) as one:
        one.hand_off("h1", "go") if capabilities is V1 else one.call("h1", "go")
        await settled()
        told = [text for _, text in one.appended] or [*one.progress, *(output for _, output in one.outputs)]
        assert len(told) == 2
        for each in told:
            assert "begin" in each
            assert each.endswith(" end")
            assert tokens(each) <= LONGEST


@pytest.mark.anyio
async def test_remain_silent() -> None:
    async with alone(Delegate(ByHand())) as one:
        one.hear(FunctionCalled("c1", "remain_silent", "{}"))
        await settled()
        assert one.outputs == [("c1", "")]
        assert one.requests == 0
        assert one.states == []


@pytest.mark.anyio
async def test_names_of_the_functions() -> None:
    agent = ByHand()
    async with alone(Delegate(agent, name="codex", silence=None)) as one:
        assert [each.name for each in one.delegation.functions] == ["codex"]
        one.call("c1", "no", name="background_agent")
        one.call("c2", "no", name="remain_silent")
        one.call("c3", "yes", name="codex")
        await settled()
        assert one.outputs == []
    assert [work.id for work in agent.works] == ["c3"]


def test_what_a_delegate_can_not_be() -> None:
    with pytest.raises(TypeError, match="an agent is an async function"):
        Delegate("me")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigurationError, match="0 or more seconds"):
        Delegate(ByHand(), grace=-1)
    with pytest.raises(ConfigurationError, match="two functions"):
        Delegate(ByHand(), name="remain_silent")


@pytest.mark.anyio
@pytest.mark.parametrize("capabilities", [V1, V2], ids=["v1", "v2"])
async def test_a_request_counts_once(capabilities: object) -> None:
    agent = ByHand()
    async with alone(Delegate(agent, grace=0), V1 if capabilities is V1 else V2) as one:
        for number in range(2 * REMEMBERED):
            again = max(0, number - REMEMBERED + 1)
            for each in (number, again):
                one.hand_off(f"c{each}", "go") if capabilities is V1 else one.call(f"c{each}", "go")
            agent.returns("done")
            await settled()
    assert [work.id for work in agent.works] == [f"c{number}" for number in range(2 * REMEMBERED)]


@pytest.mark.anyio
async def test_a_request_without_any_words() -> None:
    agent = ByHand()
    async with alone(Delegate(agent)) as one:
        one.call("c1", " ")
        await settled()
        assert one.outputs == [("c1", NOTHING)]
    assert agent.works == []


@pytest.mark.anyio
async def test_a_call_of_before_a_restart() -> None:
    agent = ByHand()
    async with alone(Delegate(agent)) as one:
        one.hear(FunctionCalled("c1", "background_agent", '{"prompt": "fix"}', resumed=True))
        await settled()
        assert one.outputs == [("c1", RESTARTED)]
        assert one.requests == 0
    assert agent.works == []


# ------------------------------------------------------------------------------------------------------------ failing


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("there is no word for it")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ValueError("no such file"), "ValueError: no such file"),
        (KeyError(), "KeyError"),
        (ExceptionGroup("several", [OSError("one"), ValueError("two")]), "OSError: one (and 1 more)"),
        (ValueError("half \ud800"), "ValueError: half ?"),
        (Unspeakable("no"), "Unspeakable"),
    ],
)
@pytest.mark.parametrize("capabilities", [V1, V2], ids=["v1", "v2"])
async def test_what_an_agent_raises_is_told(error: Exception, sentence: str, capabilities: object) -> None:
    agent = ByHand()
    agent.returns(error)
    async with alone(Delegate(agent, grace=0), V1 if capabilities is V1 else V2) as one:
        one.hand_off("c1", "go") if capabilities is V1 else one.call("c1", "go")
        await settled()
        if capabilities is V1:
            assert one.appended == [("c1", FINAL + FAILED + sentence)]
        else:
            assert one.outputs == [("c1", FAILED + sentence)]
            assert one.requests == 1
        (problem,) = [each for each in one.events if isinstance(each, Problem)]
        assert problem.operation == "c1"
        assert sentence in problem.message
        assert one.states[-1] == ("c1", "failed")


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", [virtual_backend("asyncio")], ids=["asyncio"])  # nobody else can, on trio
async def test_what_an_agent_waits_for_is_cancelled() -> None:
    """By somebody else: it has failed, and the next one has its chance."""
    failing = True

    async def agent(work: Work) -> str:
        if failing:
            raise anyio.get_cancelled_exc_class()
        return f"did {work.input}"

    async with alone(Delegate(agent)) as one:
        one.call("c1", "one")
        await settled()
        assert one.outputs == [("c1", FAILED + "what the agent waited for was cancelled")]
        failing = False
        one.call("c2", "two")
        await settled()
        assert one.outputs[1:] == [("c2", "did two")]


@pytest.mark.anyio
async def test_an_answer_that_is_no_text() -> None:
    async def agent(_work: Work) -> int:
        return 7

    async with alone(Delegate(agent)) as one:  # pyright: ignore[reportArgumentType]
        one.call("c1", "go")
        await settled()
        assert one.outputs[0][1].endswith("TypeError: the agent's answer is a text, not a int")


@pytest.mark.anyio
async def test_half_a_character_is_told_as_none() -> None:
    async def agent(work: Work) -> str:
        await work.progress("still \ud800")
        return "done \ud800"

    async with alone(Delegate(agent)) as one:
        one.call("c1", "go")
        await settled()
        assert one.progress == ["still ?"]
        assert one.outputs == [("c1", "done ?")]


@pytest.mark.anyio
async def test_an_answer_without_words() -> None:
    agent = ByHand()
    agent.returns(" ")
    async with alone(Delegate(agent)) as one:
        one.call("c1", "go")
        await settled()
        assert one.outputs == [("c1", FINISHED)]


# ----------------------------------------------------------------------------------------------------------- steering


@pytest.mark.anyio
async def test_v2_steering() -> None:
    read: list[str] = []

    async def agent(work: Work) -> str:
        async for more in work.steering():
            read.append(more.input)
            if len(read) == 2:
                break
        return "All done."

    async with alone(Delegate(agent)) as one:
        one.call("c1", "first")
        one.call("c2", "second")
        await settled()
        assert one.outputs == [("c2", STEERED)]
        assert one.delegation.active == "c1"
        one.call("c3", "third")
        await settled()
        assert read == ["second", "third"]
        assert one.outputs == [("c2", STEERED), ("c3", STEERED), ("c1", "All done.")]
        assert one.requests == 3


@pytest.mark.anyio
async def test_v1_steering_takes_the_place_of_the_first() -> None:
    agent = ByHand()
    async with alone(Delegate(agent, grace=0), V1) as one:
        one.hand_off("h1", "first")
        await settled()
        one.hand_off("h2", "second")
        await settled()
        (work,) = agent.works
        assert work.next_steering() == Request("h2", "second")
        await work.progress("working")
        agent.returns("Done.")
        await settled()
        assert one.appended == [("h2", "working"), ("h2", FINAL + "Done.")]
        assert one.delegation.active is None


@pytest.mark.anyio
async def test_what_the_agent_left_unread_it_is_run_again_with() -> None:
    agent = ByHand()
    async with alone(Delegate(agent)) as one:
        for number in range(3):
            one.call(f"c{number}", f"request {number}")
        await settled()
        for number in range(3):
            agent.returns(f"answer {number}")
            await settled()
        assert [work.input for work in agent.works] == ["request 0", "request 1", "request 2"]
        assert one.progress == ["answer 0", "answer 1"]
        assert one.outputs == [("c1", STEERED), ("c2", STEERED), ("c0", "answer 2")]
        assert all(work.over for work in agent.works)


@pytest.mark.anyio
async def test_the_agent_returns_while_further_words_are_collected() -> None:
    """They are still waited for, and it is run again with them."""
    agent = ByHand()
    async with alone(Delegate(agent, grace=1)) as one:
        one.call("c1", "first")
        await anyio.sleep(1.1)
        one.call("c2", "second")
        await settled()
        agent.returns("One.")
        await settled()
        one.user_said("u1", "and quickly")
        await anyio.sleep(1)
        assert [str(line) for line in agent.works[1].transcript] == ["user: and quickly"]
        agent.returns("Two.")
        await settled()
        assert one.progress == ["One."]
        assert one.outputs == [("c2", STEERED), ("c1", "Two.")]
        assert [state for _, state in one.states if state != "working"] == ["steering", "collecting", "finished"]


@pytest.mark.anyio
async def test_steering_without_any_words() -> None:
    agent = ByHand()
    async with alone(Delegate(agent)) as one:
        one.call("c1", "first")
        one.call("c2", " ")
        await settled()
        assert agent.works[0].next_steering() is None
        agent.returns("One.")
        await settled()
        assert one.outputs == [("c2", STEERED), ("c1", "One.")]


@pytest.mark.anyio
async def test_steering_takes_the_place_of_a_request_without_words() -> None:
    agent = ByHand()
    async with alone(Delegate(agent, grace=1)) as one:
        one.call("c1", "")
        await anyio.sleep(0.5)
        one.call("c2", "second")
        await anyio.sleep(0.9)
        assert agent.works == []  # its own time of grace
        agent.returns("One.")
        await anyio.sleep(0.2)
        assert [work.input for work in agent.works] == ["second"]
        assert one.outputs == [("c2", STEERED), ("c1", "One.")]


@pytest.mark.anyio
async def test_steering_ends_with_the_work() -> None:
    ends: list[bool] = []

    async def agent(work: Work) -> str:
        async def listen() -> None:
            async for _ in work.steering():
                pass
            ends.append(True)

        tasks.start_soon(listen)
        await anyio.sleep(0.1)
        return "Done."

    async with alone(Delegate(agent)) as one, anyio.create_task_group() as tasks:
        one.call("c1", "go")
        await anyio.sleep(0.2)
    assert ends == [True]


# ---------------------------------------------------------------------------------------------------------- the grace


@pytest.mark.anyio
async def test_grace_is_1_s_for_handoffs_and_none_for_calls() -> None:
    for capabilities, seconds in ((V1, 1.0), (V2, 0.0)):
        begun: list[float] = []

        async def agent(_work: Work, begun: list[float] = begun) -> str:
            begun.append(anyio.current_time())
            return "Done."

        async with alone(Delegate(agent), capabilities) as one:
            asked = anyio.current_time()
            one.hand_off("c1", "go") if capabilities is V1 else one.call("c1", "go")
            await anyio.sleep(2)
        assert begun == [pytest.approx(asked + seconds, abs=0.001)]


@pytest.mark.anyio
async def test_words_that_trail_are_handed_over_once() -> None:
    agent = ByHand()
    async with alone(Delegate(agent), V1) as one:
        one.hear(UserTranscript("u1", "please run the tests", 0), MessageText("a1", "On it"))
        one.hand_off("h1", "please run the tests")
        await anyio.sleep(0.5)
        one.hear(UserTranscript("u1", " on main", 0), MessageText("a1", ", one sec."))
        await anyio.sleep(0.6)
        one.hear(MessageText("a1", " There."))
        agent.returns("Passed.")
        await settled()
        one.hand_off("h2", "again", "u2")
        await anyio.sleep(1.1)
    first, second = agent.works
    assert [*map(str, first.transcript)] == ["user: please run the tests on main", "assistant: On it, one sec."]
    assert [*map(str, second.transcript)] == ["assistant: There."]
    assert (first.input, second.input) == ("please run the tests", "again")


@pytest.mark.anyio
async def test_words_that_came_with_the_handoff_alone_are_not_told_again() -> None:
    agent = ByHand()
    async with alone(Delegate(agent), V1) as one:
        one.hand_off("h1", "please run the tests", "u1")
        await anyio.sleep(1.1)
        one.user_said("u1", "Please run the tests, on main.")
        agent.returns("Passed.")
        await settled()
        one.hand_off("h2", "again", "u2")
        await anyio.sleep(1.1)
    assert [*map(str, agent.works[0].transcript)] == []
    assert [*map(str, agent.works[1].transcript)] == ["user: on main."]


@pytest.mark.anyio
async def test_the_next_request_ends_the_grace() -> None:
    agent = ByHand()
    async with alone(Delegate(agent), V1) as one:
        one.hand_off("h1", "first")
        await anyio.sleep(0.5)
        one.hear(UserTranscript("u2", "second", 0))
        one.hand_off("h2", "second", "u2")
        await settled()
        (work,) = agent.works
        assert work.input == "first"
        await anyio.sleep(0.9)
        assert work.next_steering() is None
        await anyio.sleep(0.1)
        assert work.next_steering() == Request("h2", "second")
        await anyio.sleep(5)
    assert len(agent.works) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("wanted", [True, False])
async def test_the_end_of_the_session_ends_the_grace(*, wanted: bool) -> None:
    """What was asked is not handed to the agent any more, but to who wants the rest."""
    agent = ByHand()
    tails: list[Request] = []

    async def tail(request: Request) -> None:
        await anyio.sleep(0.1)
        tails.append(request)

    async with alone(Delegate(agent, tail=tail if wanted else None), V1) as one:
        one.hand_off("h1", "run the tests", "")
        one.user_said("u1", "On main.")
        await anyio.sleep(0.5)
    assert agent.works == []
    assert tails == ([Request("h1", "run the tests", (Line("user", "On main."),))] if wanted else [])


@pytest.mark.anyio
async def test_the_tail_of_a_conversation() -> None:
    """Once, with all that nobody was told; nothing if there is nothing; no longer than its deadline."""
    agent = ByHand()
    tails: list[Request] = []

    async def tail(request: Request) -> None:
        tails.append(request)
        await anyio.sleep_forever()

    async with alone(Delegate(agent, tail=tail)) as one:
        one.call("c1", "first")
        await settled()
        one.call("c2", "unread")
        one.user_said("u1", "Bye.")
    assert tails == [Request("c1", "unread", (Line("user", "Bye."),))]
    assert agent.cancelled == 1
    async with alone(Delegate(agent, tail=tail)) as one:
        pass
    assert len(tails) == 1


@pytest.mark.anyio
async def test_a_tail_that_fails() -> None:
    async def tail(_request: Request) -> None:
        raise OSError("disk full")

    async with alone(Delegate(ByHand(), tail=tail)) as one:
        one.user_said("u1", "Bye.")
    (problem,) = [each for each in one.events if isinstance(each, Problem)]
    assert "could not be handed over: OSError: disk full" in problem.message


# ----------------------------------------------------------------------------------------------------------- stopping


@pytest.mark.anyio
async def test_stopping() -> None:
    agent = ByHand()
    async with alone(Delegate(agent)) as one:
        one.delegation.stop()  # nothing is under way
        await settled()
        one.call("c1", "go")
        await settled()
        one.delegation.stop("the user hung up")
        await settled()
        assert agent.cancelled == 1
        assert one.outputs == [("c1", STOPPED + "the user hung up")]
        assert one.requests == 0
        assert one.delegation.active is None
        one.call("c2", "go on")
        agent.returns("Done.")
        await settled()
        assert one.outputs[1:] == [("c2", "Done.")]


@pytest.mark.anyio
async def test_an_agent_that_takes_its_time_to_stop() -> None:
    """The next one waits for it: one works at a time."""
    working: list[str] = []

    async def agent(work: Work) -> str:
        assert working == []
        working.append(work.input)
        try:
            await anyio.sleep(1)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(1)
            working.clear()
        return f"did {work.input}"

    async with alone(Delegate(agent)) as one:
        one.call("c1", "one")
        await settled()
        one.delegation.stop()
        one.call("c2", "two")
        await anyio.sleep(0.5)
        assert working == ["one"]
        await anyio.sleep(3)
        assert one.outputs[1:] == [("c2", "did two")]


@pytest.mark.anyio
async def test_stopping_while_words_are_collected() -> None:
    agent = ByHand()
    async with alone(Delegate(agent), V1) as one:
        one.hand_off("h1", "go")
        await settled()
        one.delegation.stop()
        await anyio.sleep(2)
        assert one.appended == []
    assert agent.works == []


@pytest.mark.anyio
async def test_what_an_agent_says_when_it_is_over() -> None:
    agent = ByHand()
    for delegate, expected in (
        (Delegate(agent, grace=0), []),
        (Delegate(agent, grace=0, unattached="codex"), [("codex", "By the way.")]),
    ):
        agent.returns("Done.")
        async with alone(delegate, V1) as one:
            delegation = one.delegation
            one.hand_off("h1", "go")
            await settled()
            await agent.works[-1].progress("By the way.")
            await settled()
            assert one.appended[1:] == expected
        with pytest.raises(SessionClosed, match="the session is over"):
            await agent.works[-1].progress("And then.")
        delegation.stop()


# ------------------------------------------------------------------------------------------------------------- queues


@pytest.mark.anyio
async def test_progress_waits_while_the_network_is_slow() -> None:
    said: list[int] = []

    async def agent(work: Work) -> str:
        for number in range(200):
            await work.progress(f"step {number}")
            said.append(number)
        return "Done."

    async with alone(Delegate(agent)) as one:
        one.slow = True
        one.call("c1", "go")
        await anyio.sleep(5)
        assert len(said) == OUTPUT + 1  # one is on its way
        assert one.progress == ["step 0"]
        one.slow = False
        for each in one.mail:
            if hasattr(each, "sent"):
                getattr(each, "sent").set()  # noqa: B009
        await anyio.sleep(5)
        assert one.progress == [f"step {number}" for number in range(200)]
        assert one.outputs == [("c1", "Done.")]  # behind all of it


@pytest.mark.anyio
async def test_progress_has_to_be_a_text() -> None:
    async def agent(work: Work) -> str:
        with pytest.raises(TypeError, match="progress is a text, not a int"):
            await work.progress(7)  # pyright: ignore[reportArgumentType]
        return "Done."

    async with alone(Delegate(agent)) as one:
        one.call("c1", "go")
        await settled()
        assert one.outputs == [("c1", "Done.")]


# ------------------------------------------------------------------------------------------------------------- actors


@pytest.mark.anyio
async def test_an_actor_as_the_agent() -> None:
    inbox: Inbox[Job] = Inbox("planner", 8)

    async def planner() -> None:
        count = 0
        while True:
            job = await inbox.receive()
            count += 1
            if job.work.input == "fail":
                job.fail(ValueError("no way"))
            else:
                await job.work.progress("planning")
                job.answer(f"plan {count} for {job.work.input}")
            job.answer("too late")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(planner)
        async with alone(Delegate(by_actor(inbox))) as one:
            for number, text in enumerate(("a", "fail", "b")):
                one.call(f"c{number}", text)
                await settled()
            inbox.close()
            one.call("c3", "d")
            await settled()
            assert one.progress == ["planning", "planning"]
            assert [output for _, output in one.outputs] == [
                "plan 1 for a",
                FAILED + "ValueError: no way",
                "plan 3 for b",
                FAILED + "RuntimeError: the planner actor has ended",
            ]
        tasks.cancel_scope.cancel()


@pytest.mark.anyio
async def test_requests_from_before_it_runs_are_not_lost() -> None:
    agent = ByHand()
    agent.returns("Done.")
    from tests.delegation.alone import Alone  # noqa: PLC0415

    one = Alone(Delegate(agent), V2)
    one.hear(HandoffRequested("h1", "u1", "go"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one.delegation.run, one.company)
        await settled()
        tasks.cancel_scope.cancel()
    assert [work.id for work in agent.works] == ["h1"]

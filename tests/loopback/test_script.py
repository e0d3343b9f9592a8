"""Scripts: replies in their order, and the conversation that the server holds by default."""

import pytest

from rtactors.loopback.script import STORY_PHRASES, Call, Reply, Say, Turn, Write, replies, story


def turn(text: str = "", index: int = 0) -> Turn:
    return Turn(index=index, text=text, instructions="", history=(), metadata={}, out_of_band=False)


def test_replies_come_in_their_order_and_the_last_again() -> None:
    whole = Reply(outputs=(Write(text="shown"),), batch_done=True)
    script = replies("one", ["two", Say(text="three")], Call(name="f"), whole)
    given = [script(turn(index=index)) for index in range(5)]
    assert given == [
        Reply(outputs=(Say(text="one"),)),
        Reply(outputs=(Say(text="two"), Say(text="three"))),
        Reply(outputs=(Call(name="f"),)),
        whole,
        whole,
    ]


def test_no_replies_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one"):
        replies()


def first(reply: Reply) -> str:
    output = reply.outputs[0]
    assert isinstance(output, Say)
    return output.text


def test_the_story_is_told_in_three_messages_whatever_is_said_first() -> None:
    told = story(turn("Hello there."))
    assert len(told.outputs) == 3
    assert [output.phase for output in told.outputs if isinstance(output, Say)][-1] == "final_answer"
    assert story(turn("Tell me the story again!", index=4)) == told


@pytest.mark.parametrize("phrase", [phrase for phrase in STORY_PHRASES if "story" not in phrase])
def test_each_phrase_that_is_listened_for_has_an_answer(phrase: str) -> None:
    answer = first(story(turn(phrase, index=1)))
    known = {first(story(turn(text, index=1))) for text in ("Who is Ada?", "Why?", "What happened?", "Thanks.")}
    assert answer in known or phrase == "stop"
    assert "I have stopped" in first(story(turn("stop", index=1)))

"""What `rtactors talk` says when the server says nothing, or is gone."""

from io import StringIO

import anyio
import pytest

from rtactors.cli.caption import Captions
from rtactors.cli.seen import Seen
from rtactors.cli.talk import tell_of_silence
from rtactors.cli.terminal import Terminal
from rtactors.reply import Reply, ReplyRecord
from rtactors.session_events import ConnectionChanged, MessageAnnounced, Problem


async def nobody(_reply: Reply) -> None:
    """Interrupts it."""


pytestmark = pytest.mark.anyio

LOST = "         (the connection is lost; what has arrived still plays; connecting again ...)\n"
AGAIN = "         (connected again; the server was told what was said)\n"
FOR_GOOD = "         (the connection is lost for good; what has arrived still plays)\n"


class Told(Captions):
    """A view in memory."""

    def __init__(self) -> None:
        self.stream = StringIO()
        self.seen = Seen()
        super().__init__(Terminal(self.stream), self.seen, 24_000)


async def test_a_server_that_is_silent_is_said_once() -> None:
    told = Told()
    await tell_of_silence(Reply(ReplyRecord("r1"), nobody), told.seen, told)
    assert told.stream.getvalue() == "         (waiting for the server ...)\n"


async def test_a_server_that_answers_is_not_silent() -> None:
    told = Told()
    record = ReplyRecord("r1")
    record.start("resp_1")
    await tell_of_silence(Reply(record, nobody), told.seen, told)
    assert told.stream.getvalue() == ""


async def test_while_something_is_heard_nobody_waits() -> None:
    told = Told()
    told.seen.event(MessageAnnounced("msg_1", "resp_1", None, anyio.current_time()))
    await tell_of_silence(Reply(ReplyRecord("r1"), nobody), told.seen, told)
    assert told.stream.getvalue() == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["connected", "reconnecting"], LOST),
        (["connected", "reconnecting", "connected"], LOST + AGAIN),
        (["connected", "reconnecting", "closed: no key"], LOST + FOR_GOOD),
        (["connected", "closed: no money"], FOR_GOOD),
        (["connected", "preparing", "prepared", "changing", "connected"], ""),
        (["connected", "closed"], ""),  # we closed it
        (["closed: nobody there"], ""),  # there never was one
    ],
)
async def test_a_lost_connection_is_said_once(changes: list[str], said: str) -> None:
    told = Told()
    for change in changes:
        state, _, reason = change.partition(": ")
        told.event(ConnectionChanged(state, reason, 0.0))
    assert told.stream.getvalue() == said
    told.event(Problem(kind="other", message="the connection was lost: why", operation="r1"))
    assert ("problem" in told.stream.getvalue()) == (not said or said.endswith(AGAIN))

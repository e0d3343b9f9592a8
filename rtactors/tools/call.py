"""What a function may know of the call that it is run for, and tell of its progress."""

import threading
from collections.abc import Callable, Generator
from typing import Any, TypeAlias

import anyio.lowlevel

from rtactors import arguments

LONGEST_PROGRESS = 2000
"""Characters of what is told of it at a time."""

Progress: TypeAlias = Callable[[str, bool], None]


class _Told:
    """Done already; who awaits it lets others run."""

    def __await__(self) -> Generator[Any, None, None]:
        return anyio.lowlevel.checkpoint().__await__()


class Call:
    """One call of a function by the model. A parameter of this type gets it, and the model knows nothing of that.

        async def book(hotel: str, call: Call) -> str:
            await call.progress("The hotel has rooms, I am booking one.", say=True)
            ...

    It may be used in whatever task or thread the function runs in.
    """

    def __init__(self, id: str, name: str, progress: Progress) -> None:
        self.id = id
        """The model's; the same when the call is told again in a resumed session."""
        self.name = name
        """The function's."""
        self.over = False
        """True once it was answered without the function: cancelled, or out of time. What the function gives is
        dropped. A function that runs in a thread can't be stopped: let it look here, and return."""
        self._progress = progress
        self._home = threading.get_ident()

    def progress(self, text: str, *, say: bool = False) -> "_Told":
        """Let the app (`ToolProgress`) and the model know how far it is; with `say` the model is asked to speak of it.

        Await it in an async function; in one that runs in a thread it needs no await. Once the call is `over` it does
        nothing. Raises TypeError or ValueError for what is no text of up to 2000 characters.
        """
        arguments.text("progress", text, LONGEST_PROGRESS)
        if self.over:
            pass
        elif threading.get_ident() == self._home:
            self._progress(text, say)
        else:
            from anyio import from_thread  # noqa: PLC0415 - it is much, and few need it

            from_thread.run_sync(self._progress, text, say)
        return _Told()

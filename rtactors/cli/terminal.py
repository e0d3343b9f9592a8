"""The terminal: styled lines, and a block at the bottom that is drawn anew in place.

Without a terminal (a pipe, a file, `TERM=dumb`) there is no block and no colour, and the lines are the same.
"""

import os
import shutil
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Literal, TextIO, TypeAlias

Style: TypeAlias = Literal["", "strong", "faint", "good", "bad", "warm", "live", "spoken"]
Piece: TypeAlias = tuple[str, Style]
Line: TypeAlias = Sequence[Piece]

_CONTROLS = dict.fromkeys([*range(32), *range(127, 160)], " ")
_CODES: dict[Style, str] = {
    "strong": "1",
    "faint": "2",
    "good": "32",
    "bad": "31",
    "warm": "33",
    "live": "36",
    "spoken": "1;4;36",
}
_UP_AND_CLEAR = "\x1b[{}F\x1b[J"
_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


def plain(text: str) -> str:
    """What came from elsewhere, as one line: nothing in it steers the terminal."""
    return text.translate(_CONTROLS)


class Terminal:
    """`live` if a block can be drawn; `NO_COLOR` in the environment takes the colours (`coloured`) away."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.live = stream.isatty() and os.environ.get("TERM") != "dumb"
        self.coloured = self.live and not os.environ.get("NO_COLOR")
        self._block: list[str] = []

    @property
    def columns(self) -> int:
        return shutil.get_terminal_size().columns

    def shows(self, text: str) -> bool:
        """Whether the encoding of the terminal has all of it."""
        try:
            text.encode(getattr(self._stream, "encoding", None) or "utf-8")
        except UnicodeEncodeError:
            return False
        return True

    def print(self, *pieces: Piece) -> None:
        """One line, above the block if there is one."""
        self.write("".join([*self._erased(), self._styled(pieces), "\n", *self._drawn()]))

    def row(self, *pieces: Piece) -> None:
        """The same, cut to the width of the terminal if it is one."""
        self.print(*(_cut(pieces, self.columns - 1) if self.live else pieces))

    def draw(self, lines: Sequence[Line]) -> None:
        """The block, in place of the last one; lines are cut to the width of the terminal."""
        block = [self._styled(list(_cut(line, self.columns - 1))) for line in lines]
        if block != self._block:
            erased = self._erased() if self._block else [_HIDE_CURSOR]
            self._block = block
            self.write("".join([*erased, *self._drawn()]))

    def leave(self) -> None:
        """Let the block stand as it is; what comes next is below it."""
        if self._block:
            self._block = []
            self.write(_SHOW_CURSOR)

    def _erased(self) -> list[str]:
        return [_UP_AND_CLEAR.format(len(self._block))] if self._block else []

    def _drawn(self) -> list[str]:
        return [line + "\n" for line in self._block]

    def _styled(self, line: Line) -> str:
        styled = "".join(self.styled(plain(text), style) for text, style in line)
        return styled if self.coloured else styled.rstrip()

    def styled(self, text: str, style: Style) -> str:
        """With the codes for it, if the terminal has any."""
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if style and text and self.coloured else text

    def write(self, text: str) -> None:
        """Where the cursor stands, as it is."""
        self._stream.write(text)
        self._stream.flush()


def _cut(line: Line, columns: int) -> Iterator[Piece]:
    for text, style in line:
        fitting = text
        while width(fitting) > columns:
            fitting = fitting[:-1]
        columns -= width(fitting)
        yield fitting, style
        if fitting != text:
            return


def width(text: str) -> int:
    """How wide a terminal shows it: an ideograph takes two columns, an accent none."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)

"""Running text on the terminal: a line that grows word by word, with the word that is being spoken at its end.

That word stands *behind* the cursor until it is over, or until it is known that it was not: so it is either written
over by itself or erased, and nothing else is ever gone back to. The keyboard's echo may come between at any time.

Without a terminal there are no lines but those of the text, no highlight and no codes.
"""

from rtactors.alignment.words import whole_words
from rtactors.cli.terminal import Style, Terminal, plain, width

_ERASE = "\x1b[K"
_BACK = "\x1b[{}D"
_UP_TO = "\x1b[A\x1b[{}G"


class RunningText:
    """Lines that are broken between words, and go on behind `margin` columns of space."""

    def __init__(self, terminal: Terminal, margin: int) -> None:
        self._terminal = terminal
        self._margin = margin
        self._column = 0
        self._ahead = ""  # what stands behind the cursor

    def begin(self, head: str) -> None:
        """A line, with what stands before the text."""
        self._put(f"{head:{self._margin}}")

    def add(self, text: str, style: Style = "") -> None:
        """More words, of which the last may go on; at the end of the line."""
        for word in whole_words(plain(text), over=True):
            self._put(self._fitted(word), style)

    def highlight(self, word: str) -> None:
        """What is being spoken, until `add` has it, or anything else is written. Needs a terminal with colours."""
        word = plain(word)
        if word == self._ahead:
            return
        fitted = self._fitted(word)
        text = fitted.lstrip()
        columns = width(fitted)
        if self._column + columns < self._terminal.columns:
            space = fitted[: len(fitted) - len(text)]
            shown = space + self._terminal.styled(text, "spoken")
            self._terminal.write(f"{_ERASE}{shown}{_BACK.format(columns)}")
            self._ahead = word

    def end(self) -> None:
        self._put("\n")

    def typed(self, line: str) -> bool:
        """The keyboard has echoed a line here. Gives whether this one goes on, as it does if that was just Enter."""
        if line:
            self._column, self._ahead = 0, ""
            return False
        self._terminal.write(_UP_TO.format(self._column + 1))
        return True

    def _fitted(self, word: str) -> str:
        """With the line broken before it if there is no room for it."""
        too_long = self._terminal.live and self._column + width(word) >= self._terminal.columns
        if too_long and self._column > self._margin:
            self._put("\n" + " " * self._margin)
        return word if self._column > self._margin else word.lstrip()

    def _put(self, text: str, style: Style = "") -> None:
        erase = _ERASE if self._ahead else ""
        self._ahead = ""
        self._terminal.write(erase + self._terminal.styled(text, style))
        line = text.rpartition("\n")
        self._column = width(line[2]) + (0 if line[1] else self._column)

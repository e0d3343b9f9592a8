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
    """Texts that take turns, each known by its id; a line is broken between words, and goes on behind a `margin`."""

    def __init__(self, terminal: Terminal, margin: int) -> None:
        self._terminal = terminal
        self._margin = margin
        self._shown: dict[str, str] = {}  # by id, all of it
        self._heard: dict[str, str] = {}  # by id, what of it was spoken
        self._column = 0
        self._ahead = ""  # what stands behind the cursor
        self.open: str | None = None
        """Whose line it is that has no end yet."""

    def shown(self, id: str) -> str:
        """All of a text that stands there."""
        return self._shown.get(id, "")

    def follow(self, id: str, head: str, heard: str, word: str) -> None:
        """A text as far as it was heard by now, and the word that is being spoken."""
        before = self._heard.get(id, "")
        if heard.startswith(before):
            self.add(id, head, heard[len(before) :], "strong")
            self._heard[id] = heard
        if word:
            self.highlight(id, head, word)

    def add(self, id: str, head: str, text: str, style: Style = "") -> None:
        """More of a text, in whole words. Where it has no line, or not the last one, a new one begins with `head`."""
        text = text if id in self._shown else text.lstrip()
        if text:
            self._go_to(id, head)
            self._put_words(text, style)
            self._shown[id] = self.shown(id) + text

    def remark(self, id: str, head: str, text: str) -> None:
        """Something about a text, at its end."""
        self._go_to(id, head)
        self._put_words(text)

    def highlight(self, id: str, head: str, word: str) -> None:
        """What is being spoken of a text, until `add` has it, or anything else is written.

        It is not shown while another text has the line, nor where there are no colours.
        """
        word = plain(word)
        if not (self._terminal.coloured and word != self._ahead and self.open in {id, None}):
            return
        self._go_to(id, head)
        fitted = self._fitted(word)
        text = fitted.lstrip()
        columns = width(fitted)
        if self._column + columns < self._terminal.columns:
            shown = fitted[: len(fitted) - len(text)] + self._terminal.styled(text, "spoken")
            self._terminal.write(f"{_ERASE}{shown}{_BACK.format(columns)}")
            self._ahead = word

    def end(self) -> None:
        """The line, if there is one: what comes next is below it."""
        if self.open is not None:
            self.open = None
            self._put("\n")

    def typed(self, line: str) -> None:
        """The keyboard has echoed a line here. After one of words the text goes on below it, after Enter as before."""
        if self.open is None or not self._terminal.live:
            return
        if line:
            self.open, self._column, self._ahead = None, 0, ""
        else:
            self._terminal.write(_UP_TO.format(self._column + 1))

    def _go_to(self, id: str, head: str) -> None:
        if self.open != id:
            self.end()
            self.open = id
            self._put(f"{head:{self._margin}}{'…' if id in self._shown else ''}")

    def _put_words(self, text: str, style: Style = "") -> None:
        for word in whole_words(plain(text), over=True):
            self._put(self._fitted(word), style)

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

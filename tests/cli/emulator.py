"""What a person sees on a terminal: as much of one as the commands use."""

import re

from rtactors.cli.terminal import width

_PART = re.compile(r"\x1b\[\??([\d;]*)([A-Za-z])|\x1b.?|[\x00-\x1f]|[^\x00-\x1f\x1b]+")


class Emulator:
    """Feed it what a command prints, and what the keyboard echoes. It has no end at the bottom."""

    def __init__(self, columns: int = 80) -> None:
        self._columns = columns
        self._rows: list[list[tuple[str, str]]] = [[]]  # characters, each with its codes
        self._row = self._column = 0
        self._codes = ""

    def feed(self, output: str) -> None:
        for part in _PART.finditer(output):
            match part[0]:
                case "\n":
                    self._new_line()
                case "\r":
                    self._column = 0
                case text if text.isprintable():
                    for character in text:
                        self._show(character)
                case _:
                    self._obey(part[2], part[1])

    def _obey(self, command: str, argument: str) -> None:
        match command:
            case "m":
                self._codes = "" if argument == "0" else argument
            case "A":
                self._row -= 1
            case "D":
                self._column = max(self._column - int(argument), 0)
            case "G":
                self._column = int(argument) - 1
            case "K":
                del self._rows[self._row][self._column :]
            case _:
                raise AssertionError(f"it does not know {command!r}")

    @property
    def lines(self) -> list[str]:
        """Without the empty ones at the end."""
        return "\n".join("".join(character for character, _ in row).rstrip() for row in self._rows).rstrip().split("\n")

    def styled(self, codes: str) -> str:
        """All that is shown with these."""
        return "".join(character for row in self._rows for character, its in row if its == codes)

    def _new_line(self) -> None:
        self._row, self._column = self._row + 1, 0
        if self._row == len(self._rows):
            self._rows.append([])

    def _show(self, character: str) -> None:
        if self._column + width(character) > self._columns:
            self._new_line()
        row = self._rows[self._row]
        row += [(" ", "")] * (self._column - len(row))
        cells = [(character, self._codes), *[("", self._codes)] * (width(character) - 1)]
        row[self._column : self._column + len(cells)] = cells
        self._column += len(cells)

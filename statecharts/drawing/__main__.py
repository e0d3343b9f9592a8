"""`python -m statecharts.drawing docs`: write the pages and pictures of all charts into a folder."""

import sys
from pathlib import Path

from statecharts.drawing.pages import pages


def main(arguments: list[str]) -> None:
    if len(arguments) != 1:
        sys.exit("usage: python -m statecharts.drawing FOLDER   (writes statecharts.md and charts/ there)")
    for path, text in pages().items():
        file = Path(arguments[0], path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1:])

"""What a docstring tells the model: what the function is for, and what its parameters are (Google's style)."""

import inspect
import re
from typing import NamedTuple

_SECTION = re.compile(r"(Args|Arguments|Parameters):\s*$")
_PARAMETER = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)")


class Described(NamedTuple):
    summary: str
    """The first paragraph, on one line."""
    parameters: dict[str, str]


def described(docstring: str | None) -> Described:
    """Both are empty of what has no docstring."""
    lines = inspect.cleandoc(docstring or "").splitlines()
    heads = [number for number, line in enumerate(lines) if _SECTION.match(line)]
    summary = lines[: heads[0]] if heads else lines
    return Described(_first_paragraph(summary), _parameters(lines[heads[0] + 1 :]) if heads else {})


def _first_paragraph(lines: list[str]) -> str:
    return " ".join("\n".join(lines).strip().split("\n\n")[0].split())


def _parameters(lines: list[str]) -> dict[str, str]:
    """Of a section, which ends with the first line that is not indented. Deeper lines go on with the one above."""
    found: dict[str, str] = {}
    margin, name = 0, ""
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if line and not indent:
            break
        margin = margin or indent
        if indent == margin and (entry := _PARAMETER.match(line.strip())):
            name = entry[1]
            found[name] = entry[2]
        elif name:
            found[name] += f" {line.strip()}"
    return {name: text.strip() for name, text in found.items()}

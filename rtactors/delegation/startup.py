"""What a speech model is told at the start of the work that its agent does: recent work, the workspace, notes.

    instructions = with_context("You are the voice of a builder.", startup_context(recent, workspace=Path.cwd()))
    Session(OpenAIRealtime(instructions=instructions), ..., delegate=Delegate(builder))

Each section has its budget, and all of it one: a speech model's context is small, and it is told in every session.
"""

import platform
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from msgspec import Struct

from rtactors.delegation.tokens import head

HEADER = (
    "What follows is context of this machine and of earlier work, made when the conversation began. It may be out of "
    "date or of no matter here: what the user says counts more."
)
NEWEST = 40
"""Threads that are looked at."""
GROUPS = 8
"""Places that are told of, the current one first, then those of the newest work."""
ENTRIES = 4
"""Threads that are told of in each place."""
ENTRY = 240
"""Characters of what is told of a thread."""
DEPTH = 2
"""How deep the map of the workspace goes."""
LISTED = 20
"""Entries of one directory on the map."""
NOISY = frozenset(
    {
        *(".cache", ".direnv", ".eggs", ".git", ".gradle", ".hg", ".hypothesis", ".idea", ".mypy_cache", ".next"),
        *(".nox", ".pytest_cache", ".ruff_cache", ".svn", ".terraform", ".tox", ".venv", ".vscode", "__pycache__"),
        *("bower_components", "build", "coverage", "dist", "node_modules", "target", "vendor", "venv"),
        *(".DS_Store", "Thumbs.db"),
    }
)
"""Names that tell nothing about a workspace."""


class Budget(Struct, frozen=True, kw_only=True):
    """In tokens, of about four bytes each."""

    total: int = 5300
    recent: int = 2200
    workspace: int = 1600
    notes: int = 300


class Thread(Struct, frozen=True):
    """Earlier work: where it was done, what it was about, and when it was last gone on with (any clock)."""

    place: str
    text: str
    at: float


def startup_context(  # noqa: PLR0913 - a section each; all but the first go by name
    recent: Iterable[Thread] = (),
    *,
    current: str | None = None,
    workspace: Path | None = None,
    notes: str = "",
    header: str = HEADER,
    budget: Budget = Budget(),  # noqa: B008 - immutable
    override: str | None = None,
) -> str:
    """The context, or "" if there is neither work nor a workspace: notes and a header alone tell nothing.

    `current` is the place that comes first (that of `workspace`, if it is left out). `override` is taken instead of all
    of it, also if it is empty. Reads directories, so call it before the conversation.
    """
    if override is not None:
        return override
    work = _recent(recent, current if current is not None else str(workspace or ""))
    tree = "\n".join(_map(workspace)) if workspace else ""
    if not work and not tree:
        return ""
    machine = f"System: {platform.system() or 'unknown'}\nDirectory: {workspace}\n{tree}" if tree else ""
    sections = (
        ("Recent Work", head(work, budget.recent)),
        ("Machine / Workspace Map", head(machine, budget.workspace)),
        ("Notes", head(notes.strip(), budget.notes)),
    )
    told = "\n\n".join([header, *(f"## {title}\n{text}" for title, text in sections if text)])
    return head(told, budget.total)


def with_context(instructions: str, context: str) -> str:
    """The instructions, and behind a blank line the context, if there is any."""
    return f"{instructions}\n\n{context}" if instructions and context else instructions or context


def _recent(threads: Iterable[Thread], current: str) -> str:
    newest = sorted(threads, key=lambda thread: thread.at, reverse=True)[:NEWEST]
    groups: dict[str, list[str]] = {current: []}
    for thread in newest:
        if text := " ".join(thread.text.split())[:ENTRY]:
            groups.setdefault(thread.place, []).append(text)
    told = [(place, texts) for place, texts in groups.items() if texts][:GROUPS]
    return "\n".join(
        line for place, texts in told for line in (f"### {place}", *(f"- {text}" for text in texts[:ENTRIES]))
    )


def _map(directory: Path, depth: int = DEPTH) -> Iterator[str]:
    """A line for each entry that tells something, directories first; what can't be read has none."""
    try:
        entries = sorted((not entry.is_dir(), entry.name) for entry in directory.iterdir() if entry.name not in NOISY)
    except OSError:
        return
    for is_file, name in islice(entries, LISTED):
        entry = directory / name
        indent = "  " * (DEPTH - depth)
        shown = name.encode("utf-8", "replace").decode()
        yield f"{indent}- {shown}{'' if is_file else '/'}"
        if not is_file and depth > 1 and not entry.is_symlink():
            yield from _map(entry, depth - 1)
    if len(entries) > LISTED:
        yield f"{'  ' * (DEPTH - depth)}- ... and {len(entries) - LISTED} more"

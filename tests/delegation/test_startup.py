"""What is told at the start: each section within its budget, and nothing if there is nothing to tell."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtactors.delegation import startup
from rtactors.delegation.startup import Budget, Thread, startup_context, with_context
from rtactors.delegation.tokens import head, head_and_tail, tokens


def sections(context: str) -> dict[str, list[str]]:
    """Title to lines."""
    _header, *parts = context.split("\n\n## ")
    return {part.split("\n")[0]: part.split("\n")[1:] for part in parts}


def test_nothing_to_tell() -> None:
    assert startup_context() == ""
    assert startup_context(notes="Be kind.", current="/a") == ""
    assert startup_context([Thread("/a", "  ", 1)], workspace=Path("/does/not/exist")) == ""


def test_what_the_app_says_instead(tmp_path: Path) -> None:
    assert startup_context([Thread("/a", "x", 1)], workspace=tmp_path, override="Only this.") == "Only this."
    assert startup_context([Thread("/a", "x", 1)], override="") == ""


def test_recent_work_by_place() -> None:
    threads = [Thread(f"/place{number % 10}", f"work {number}", number) for number in range(100)]
    lines = sections(startup_context(threads, current="/place3"))["Recent Work"]
    places = [line for line in lines if line.startswith("###")]
    assert places == [f"### /place{place}" for place in (3, 9, 8, 7, 6, 5, 4, 2)]
    assert lines[:5] == ["### /place3", "- work 93", "- work 83", "- work 73", "- work 63"]
    assert len(lines) == 8 + 8 * 4


def test_only_the_newest_are_looked_at() -> None:
    threads = [Thread("/busy", "new", 100 + number) for number in range(40)] + [Thread("/old", "old", 1)]
    assert "/old" not in startup_context(threads)


def test_a_thread_is_one_line() -> None:
    lines = sections(startup_context([Thread("/a", "first\n\n## second " + "x" * 500, 1)]))["Recent Work"]
    assert lines == ["### /a", "- first ## second " + "x" * (startup.ENTRY - 16)]


def test_the_map(tmp_path: Path) -> None:
    (tmp_path / "src" / "deep" / "deeper").mkdir(parents=True)
    (tmp_path / "src" / "main.py").touch()
    (tmp_path / "node_modules" / "junk").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (tmp_path / "README.md").touch()
    (tmp_path / "many").mkdir()
    for number in range(25):
        (tmp_path / "many" / f"{number:02}").touch()
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    lines = sections(startup_context(workspace=tmp_path))["Machine / Workspace Map"]
    assert lines[1] == f"Directory: {tmp_path}"
    assert lines[2:5] == ["- loop/", "- many/", "  - 00"]
    assert lines[5 + 18 :] == ["  - 19", "  - ... and 5 more", "- src/", "  - deep/", "  - main.py", "- README.md"]


def test_the_notes_come_last(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    context = startup_context([Thread("/a", "x", 1)], workspace=tmp_path, notes=" Be kind. ")
    assert list(sections(context)) == ["Recent Work", "Machine / Workspace Map", "Notes"]
    assert context.startswith(startup.HEADER)
    assert context.endswith("## Notes\nBe kind.")


@given(
    st.lists(st.builds(Thread, st.text(max_size=30), st.text(max_size=600), st.floats(0, 9)), max_size=60),
    st.text(max_size=4000),
    st.builds(
        Budget,
        total=st.integers(0, 6000),
        recent=st.integers(0, 3000),
        workspace=st.integers(0, 2000),
        notes=st.integers(0, 400),
    ),
)
def test_it_stays_within_its_budget(threads: list[Thread], notes: str, budget: Budget) -> None:
    assert tokens(startup_context(threads, notes=notes, budget=budget)) <= budget.total


def test_it_is_appended_behind_a_blank_line() -> None:
    assert with_context("Be brief.", "## Notes") == "Be brief.\n\n## Notes"
    assert with_context("Be brief.", "") == "Be brief."
    assert with_context("", "## Notes") == "## Notes"


@given(st.text(), st.integers(0, 50))
def test_a_head_is_a_beginning(text: str, budget: int) -> None:
    cut = head(text, budget)
    assert text.startswith(cut)
    assert tokens(cut) <= budget
    assert cut == text or tokens(text) > budget


@given(st.text(min_size=1).map(lambda text: text * 40), st.integers(20, 60))
def test_head_and_tail_are_kept(text: str, budget: int) -> None:
    cut = head_and_tail(text, budget)
    if tokens(text) <= budget:
        assert cut == text
    else:
        first, _, rest = cut.partition("\n... (")
        assert text.startswith(first)
        assert text.endswith(rest.rpartition(") ...\n")[2])
        assert tokens(cut) <= budget


@pytest.mark.parametrize("text", ["ä" * 4000, "a\ud800" * 3000])
def test_any_text_can_be_cut(text: str) -> None:
    assert tokens(head_and_tail(text, 1000)) <= 1000
    assert "bytes left out" in head_and_tail(text, 1000)

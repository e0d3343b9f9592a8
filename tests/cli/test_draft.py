"""Results are replaced all together or not at all, and never by half of another run."""

from pathlib import Path

import pytest

from rtactors import ConfigurationError
from rtactors.cli.draft import draft


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_all_are_replaced_when_all_are_complete(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    files[0].write_text("old")
    with draft(files) as (first, second):
        first.write_text("new a")
        second.write_text("new b")
        assert files[0].read_text() == "old"
    assert [file.read_text() for file in files] == ["new a", "new b"]
    assert names(tmp_path) == ["a", "b"]


def test_two_at_once_do_not_meet(tmp_path: Path) -> None:
    file = tmp_path / "new" / "a"
    with draft([file]) as (one,), draft([file]) as (other,):
        one.write_text("one")
        other.write_text("other")
        assert one.read_text() == "one"
    assert file.read_text() == "one"  # the last to be complete
    assert names(file.parent) == ["a"]


def half_written(file: Path) -> None:
    with draft([file]) as (written,):
        written.write_text("half")
        raise ZeroDivisionError


def test_a_failure_leaves_all_as_it_was(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        half_written(tmp_path / "new" / "folder" / "a")
    assert names(tmp_path) == []


def test_a_folder_in_the_place_of_a_file_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(ConfigurationError, match="which is a folder"), draft([tmp_path / "a"]):
        pytest.fail("it was not found")

"""Files that replace those of an earlier run only when all of them are complete."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from rtactors import ConfigurationError


@contextmanager
def draft(files: Sequence[Path]) -> Generator[list[Path]]:
    """Where to write `files`, all of one folder, until the block has ended well: then they take their names.

    If it ends otherwise, all is as it was before, also the folders that were not there. Drafts of several processes
    don't meet. Raises ConfigurationError at once for what can't be written.
    """
    folder = files[0].parent
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if taken := next((file for file in files if file.is_dir()), None):
            raise ConfigurationError(f"cannot write {taken}, which is a folder: choose another one with --output")
        hidden = TemporaryDirectory(prefix=".draft-", dir=folder)  # there, so that renaming is all that is left to do
    except OSError as error:
        _remove(missing)
        what = f"cannot write to {folder} ({error.strerror}): choose another folder with --output"
        raise ConfigurationError(what) from None
    try:
        with hidden as name:
            drafts = [Path(name) / file.name for file in files]
            yield drafts
            for written, file in zip(drafts, files, strict=True):
                written.replace(file)
    finally:
        _remove(missing)


def _remove(folders: Sequence[Path]) -> None:
    """Those that hold nothing; the innermost comes first."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()

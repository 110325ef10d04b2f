"""Atomic output: a reader sees the old file or folder or the new one, never a part of either.

Everything is written aside, in the parent of its destination (so that the last step is a rename, not a copy),
flushed to the disk, renamed into place, and the parent's entry is flushed as well. A write that fails removes
what it left.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from scanwise.errors import DataError, OutputExists

__all__ = ["ESCAPE", "atomic_file", "atomic_folder", "atomic_write"]

ESCAPE = "backslashreplace"
"""How text is written that is no Unicode, as a file's name need not be; in JSON it is read back as it was."""


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a binary file that appears at `path`, replacing what was there, once the block ends well.

    Raises
    ------
    DataError
        When the system cannot write it (disk full, no permission); the old file is as it was.
    """
    path = Path(path)
    with _reporting(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = _aside(path)
        try:
            with aside.open("xb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            aside.replace(path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        _sync(path.parent)


def atomic_write(path: str | os.PathLike[str], data: bytes | str) -> None:
    """Write one whole file atomically; text is stored as UTF-8. Raises as `atomic_file` does."""
    with atomic_file(path) as stream:
        stream.write(data.encode(errors=ESCAPE) if isinstance(data, str) else data)


@contextmanager
def atomic_folder(
    path: str | os.PathLike[str], overwrite: bool = False, *, marker: str | None = None
) -> Iterator[Path]:
    """Give an empty folder to fill; it becomes `path` when the block ends without an error.

    Parameters
    ----------
    path
        Where the folder shall stand. Missing parents are made.
    overwrite
        Whether a folder that stands there may be replaced. It stays until the new one is complete.
    marker
        Only a folder that holds a file of this name is ever replaced (such as ``model.json``), so that a slip
        of the hand cannot delete somebody's home. None means any folder.

    Yields
    ------
    Path
        A hidden folder beside `path`.

    Raises
    ------
    OutputExists
        When something stands at `path` and may not be replaced; tested before and after the block.
    DataError
        When the system cannot write (disk full, no permission); the old folder is as it was.
    """
    path = Path(path)
    with _reporting(path):
        _check_replaceable(path, overwrite, marker)
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = _aside(path)
        aside.mkdir()
        try:
            yield aside
            _sync_tree(aside)
            _check_replaceable(path, overwrite, marker)
            _swap(aside, path)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise


def _check_replaceable(path: Path, overwrite: bool, marker: str | None) -> None:
    if not (path.exists() or path.is_symlink()):
        return
    if not overwrite:
        raise OutputExists(f"{path}: exists already. Choose another folder, or allow overwriting (--overwrite).")
    if path.is_symlink() or not path.is_dir():
        raise OutputExists(f"{path}: exists and is not a folder. Choose another folder.")
    if marker is not None and any(path.iterdir()) and not (path / marker).is_file():
        raise OutputExists(f"{path}: exists and holds no {marker}: not replaced. Choose another folder.")


def _swap(new: Path, path: Path) -> None:
    """Rename `new` to `path`. An old folder goes aside first, and comes back when anything fails."""
    old = _aside(path)
    replaces = path.exists()
    if replaces:
        path.rename(old)
    try:
        new.rename(path)
        _sync(path.parent)
    except BaseException:
        if path.exists():
            path.rename(new)
        if replaces:
            old.rename(path)
        raise
    if replaces:
        shutil.rmtree(old, ignore_errors=True)


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


def _sync(path: Path) -> None:
    """Flush one file or, where the system can, one folder's entries to the disk."""
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_tree(folder: Path) -> None:
    for root, _, files in os.walk(folder, topdown=False):
        for name in files:
            _sync(Path(root, name))
        _sync(Path(root))


@contextmanager
def _reporting(path: Path) -> Iterator[None]:
    """Turn what the system says into one line that names the destination."""
    try:
        yield
    except OutputExists:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise DataError(
            f"{path}: cannot be written ({reason}). Choose another place, or make room or permission there."
        ) from error

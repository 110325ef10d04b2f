"""What kind a file is, and which recordings one path means."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from scanwise.sources._files import problem
from scanwise.sources._images import IMAGE_SUFFIXES
from scanwise.sources._manifest import is_manifest, read_manifest
from scanwise.sources._recordings import RECORDING_SUFFIXES

__all__ = ["kind_of", "list_recordings"]


def kind_of(path: str | os.PathLike[str]) -> str | None:
    """``image`` or ``recording``, by the suffix; None for other files, and for tables that name files."""
    suffix = Path(path).suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return "image"
    return "recording" if suffix in RECORDING_SUFFIXES and not is_manifest(path) else None


def list_recordings(path: str | os.PathLike[str]) -> list[tuple[str, str]]:
    """The recordings that are meant by one path, each as its name and its path.

    Parameters
    ----------
    path
        A file: called by its own name. A manifest (`read_manifest`): as it writes them, in its order. A
        folder: the recordings in it and in its folders, in the order of their names, which are relative to it
        with forward slashes; hidden files and tables that name files are passed over.

    Raises
    ------
    DataError
        When a folder holds no recording or cannot be read, or as `read_manifest` does. Whether a file is
        there is seen when it is opened.

    Examples
    --------
    >>> list_recordings("data/long.wav")
    [('long.wav', 'data/long.wav')]
    """
    if Path(path).is_dir():
        return _in_folder(Path(path))
    if is_manifest(path):
        manifest = read_manifest(path)
        return list(zip(manifest.names, manifest.files, strict=True))
    return [(Path(path).name, os.fspath(path))]


def _in_folder(root: Path) -> list[tuple[str, str]]:
    files = [file for file in _visible_files(root) if kind_of(file) == "recording"]
    if not files:
        what = f"holds no recordings ({' '.join(RECORDING_SUFFIXES)})"
        raise problem(root, what, "Put recordings there, or name another folder")
    return sorted((file.relative_to(root).as_posix(), str(file)) for file in files)


def _visible_files(root: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> NoReturn:
        raise problem(error.filename, f"cannot be read ({error.strerror})", "Check its permissions") from error

    for folder, folders, files in os.walk(root, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(folder, name) for name in files if not name.startswith("."))

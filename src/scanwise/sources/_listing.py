"""What kind a file is, and which recordings one path means."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from scanwise.sources._files import is_folder, open_file, problem
from scanwise.sources._images import IMAGE_SUFFIXES
from scanwise.sources._manifest import is_manifest, read_manifest
from scanwise.sources._recordings import RECORDING_SUFFIXES

__all__ = ["kind_of", "list_recordings", "visible_files"]


def kind_of(path: str | os.PathLike[str]) -> str | None:
    """``image`` or ``recording``, by the suffix; None for other files, and for tables that name files."""
    suffix = Path(path).suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return "image"
    return "recording" if suffix in RECORDING_SUFFIXES and not is_manifest(path) else None


def list_recordings(path: str | os.PathLike[str]) -> list[tuple[str, str]]:
    r"""The recordings that are meant by one path, each as its name and its path.

    Parameters
    ----------
    path
        A file: called by its own name. A manifest (`read_manifest`): as it writes them, in its order. A
        folder: the recordings in it and in its folders, in the order of their names, which are relative to it
        with forward slashes; hidden files and tables that name files are passed over, and so is an
        empty table beside a recording, which says that there is nothing in it.

    Raises
    ------
    DataError
        When there is no such file or folder, or it is empty or cannot be read; when a folder holds no
        recording; or as `read_manifest` does.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "b.csv").write_text("1\n2\n"), (folder / "a.wav").write_bytes(b"RIFF")
    >>> [name for name, _ in list_recordings(folder)]
    ['a.wav', 'b.csv']
    """
    if is_folder(path):
        return _in_folder(Path(path))
    if is_manifest(path):
        manifest = read_manifest(path)
        return list(zip(manifest.names, manifest.files, strict=True))
    open_file(path).close()
    return [(Path(path).name, os.fspath(path))]


def _in_folder(root: Path) -> list[tuple[str, str]]:
    found = [file for file in visible_files(root) if kind_of(file) == "recording"]
    others = {file.with_suffix("") for file in found if file.suffix.lower() != ".csv"}
    files = [file for file in found if not (_is_empty_table(file) and file.with_suffix("") in others)]
    if not files:
        what = f"holds no recordings ({' '.join(RECORDING_SUFFIXES)})"
        raise problem(root, what, "Put recordings there, or name another folder")
    return sorted((file.relative_to(root).as_posix(), str(file)) for file in files)


def _is_empty_table(file: Path) -> bool:
    return file.suffix.lower() == ".csv" and file.is_file() and not file.stat().st_size


def visible_files(root: Path) -> Iterator[Path]:
    """Files in a folder and its folders; what is hidden, such as a result half written, is passed over.

    Raises
    ------
    DataError
        When a folder cannot be read.
    """

    def refuse(error: OSError) -> NoReturn:
        raise problem(error.filename, f"cannot be read ({error.strerror})", "Check its permissions") from error

    for folder, folders, files in os.walk(root, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(folder, name) for name in files if not name.startswith("."))

"""Manifests: tables that name files."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

from scanwise.errors import DataError
from scanwise.sources._files import open_file, problem
from scanwise.sources._tables import read_table

__all__ = ["Manifest", "is_manifest", "read_manifest"]

_MAX_HEADER_BYTES = 2**16


@dataclass(frozen=True)
class Manifest:
    """Files that a table names.

    Parameters
    ----------
    files
        Paths that can be opened from where the program runs.
    names
        The files as the table writes them.
    labels
        The class of each; None when the table has no column `label`.
    """

    files: tuple[str, ...]
    names: tuple[str, ...]
    labels: tuple[str, ...] | None


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    r"""Read a CSV table whose column `file` names files.

    Parameters
    ----------
    path
        The table. Its files are absolute or relative to its own folder; a column `label` gives the class of
        each, further columns are passed over.

    Raises
    ------
    DataError
        As `read_table` does, and when it names no file or one twice.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "clips.csv")
    >>> _ = path.write_text("file,label\nyes/1.wav,yes\n")
    >>> read_manifest(path).names
    ('yes/1.wav',)
    """
    has_label = "label" in _header(path)
    table = read_table(path, {"file": str, "label": str} if has_label else {"file": str})
    if table.empty:
        raise problem(path, "names no files", "Add a row a file")
    names = tuple(table["file"])
    folder = os.path.dirname(path)  # noqa: PTH120
    files = tuple(os.path.join(folder, name) for name in names)  # noqa: PTH118 - names stay text
    seen: dict[str, int] = {}
    for row, file in enumerate(files, 1):
        first = seen.setdefault(os.path.normpath(file), row)
        if first != row:
            raise problem(path, f"row {row} names the file of row {first} again, {names[row - 1]}", "Remove one")
    return Manifest(files, names, tuple(table["label"]) if has_label else None)


def is_manifest(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a `.csv` whose first line names a column `file`; False if it cannot be read."""
    try:
        return Path(path).suffix.lower() == ".csv" and "file" in _header(path)
    except DataError:
        return False


def _header(path: str | os.PathLike[str]) -> list[str]:
    """The cells of the first line that is not blank."""
    with open_file(path) as stream:
        line = b"\n"
        while line and not line.strip():
            line = stream.readline(_MAX_HEADER_BYTES)
    return next(csv.reader(line.decode("utf-8-sig", errors="replace").splitlines()[:1]), [])

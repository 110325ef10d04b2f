"""Small text files."""

from __future__ import annotations

import os

from scanwise.sources._files import open_file, problem

__all__ = ["read_text"]

_MAX_BYTES = 2**28


def read_text(path: str | os.PathLike[str]) -> str:
    """Read a text file, which may be empty.

    Raises
    ------
    DataError
        When the file is missing, may not be read, is longer than 256 MiB, or is not UTF-8.
    """
    if os.path.isfile(path) and not os.path.getsize(path):  # noqa: PTH113, PTH202 - a name may be too long
        return ""
    with open_file(path) as stream:
        content = stream.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise problem(path, "is longer than 256 MiB", "Divide it")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise problem(path, f"is not UTF-8 text ({error.reason} at byte {error.start})", "Save it as UTF-8") from error

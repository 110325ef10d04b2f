"""What every reader does first: open the file, or say in one line why not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from scanwise.errors import DataError

FREE_BYTES = 2**29
MAX_RATIO = 100


def problem(path: str | os.PathLike[str], what: str, remedy: str) -> DataError:
    """The error for one file: which, what is wrong with it, and what to do."""
    return DataError(f"{os.fspath(path)}: {what}. {remedy}.")


def open_file(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file of at least one byte for reading.

    Raises
    ------
    DataError
        When there is no such file, it is a folder, it may not be read, or it is empty.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise problem(path, "is a folder, not a file", "Name a file inside it")
        stream = path.open("rb")
    except DataError:
        raise
    except FileNotFoundError:
        raise problem(path, "no such file", "Check the path") from None
    except OSError as error:
        raise problem(path, f"cannot be opened ({error.strerror})", "Check its name and permissions") from error
    except ValueError as error:
        raise problem(path, f"cannot be opened ({error})", "Check its name") from error
    if os.fstat(stream.fileno()).st_size == 0:
        stream.close()
        raise problem(path, "the file is empty", "Write it again or remove it")
    return stream


@contextmanager
def kept_open(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file as `open_file` does, to be handed on; it is closed here only if the block fails."""
    stream = open_file(path)
    try:
        yield stream
    except BaseException:
        stream.close()
        raise


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether there is a folder of that name; unlike `Path.is_dir`, a name that is too long is none."""
    return os.path.isdir(path)  # noqa: PTH112


def file_size(stream: BinaryIO) -> int:
    """Bytes of an open file."""
    return os.fstat(stream.fileno()).st_size


def check_unpacked(path: str | os.PathLike[str], packed: int, unpacked: int) -> None:
    """Refuse a compressed file that would fill the memory ("bomb") before anything is allocated.

    A file may unpack to `MAX_RATIO` times its own size, or to `FREE_BYTES` whatever its size. The rule
    belongs to this call alone: no global setting of Pillow or numpy is touched.
    """
    if unpacked > max(FREE_BYTES, MAX_RATIO * packed):
        what = f"{packed:,} bytes would unpack to {unpacked:,}, more than {MAX_RATIO} times as many"
        raise problem(path, what, "If the file can be trusted, save it uncompressed (.npy)")


def finite_float32(array: np.ndarray, path: str | os.PathLike[str], start: int = 0) -> np.ndarray:
    """The array as float32, of any shape; NaN, infinity and what float32 cannot hold are refused.

    `start` is where the last axis begins in the file, for the message.
    """
    with np.errstate(over="ignore"):
        converted = array.astype(np.float32, copy=False)
    bad = ~np.isfinite(converted)
    if bad.any():
        *outer, last = (int(i) for i in np.argwhere(bad)[0])
        where = ", ".join(map(str, [*outer, start + last]))
        count = f"{int(bad.sum()):,} of {bad.size:,}"
        what = f"{count} values are NaN or infinite (as float32), the first at [{where}]"
        raise problem(path, what, "Replace them or leave that part out")
    return converted

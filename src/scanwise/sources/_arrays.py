"""Arrays of numpy's own formats, `.npy` and `.npz`, read without trusting their headers.

`numpy.load` believes a header: 80 bytes can ask for 32 GiB. Here the shape is compared with the bytes that
are there before anything is allocated, and pickles are never opened.
"""

from __future__ import annotations

import io
import math
import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np

from scanwise.errors import DataError
from scanwise.sources._files import check_unpacked, file_size, kept_open, open_file, problem
from scanwise.sources._readers import HeldReader, RawReader, Reader

__all__ = ["ARRAY_SUFFIXES", "open_array", "read_array", "read_members"]

ARRAY_SUFFIXES = (".npy", ".npz")
_MAX_HEADER_BYTES = 10_000
_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_array(path: str | os.PathLike[str]) -> np.ndarray:
    """Read the array of a `.npy` file, or of a `.npz` archive that holds exactly one.

    Parameters
    ----------
    path
        The file; its first bytes, not its name, tell the format.

    Returns
    -------
    ndarray
        Numbers or strings, of the shape and dtype that were saved.

    Raises
    ------
    DataError
        When the file is missing, empty, truncated, neither format, an archive of none or several arrays,
        holds objects (pickles) or complex numbers, or unpacks to far more than its own size.

    Examples
    --------
    >>> import numpy as np, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "a.npy")
    >>> np.save(path, np.arange(3.0))
    >>> read_array(path)
    array([0., 1., 2.])
    """
    with open_file(path) as stream:
        if stream.read(2) != b"PK":
            stream.seek(0)
            with _explaining(path):
                return _read_npy(stream, file_size(stream))
    members = read_members(path)
    if len(members) != 1:
        names = ", ".join(members) or "none"
        what = f"must hold exactly one array; holds {len(members)} ({names})"
        raise problem(path, what, "Save one by itself")
    return next(iter(members.values()))


def read_members(path: str | os.PathLike[str], names: tuple[str, ...] | None = None) -> dict[str, np.ndarray]:
    """Read arrays of a `.npz` archive by name: those of `names` that are there, or all of them.

    Raises
    ------
    DataError
        As `read_array` does.
    """
    with open_file(path) as stream, _explaining(path), zipfile.ZipFile(stream) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        wanted = {name: info for name, info in members.items() if names is None or name in names}
        check_unpacked(path, file_size(stream), sum(info.file_size for info in wanted.values()))
        arrays = {}
        for name, info in wanted.items():
            with archive.open(info) as member:
                arrays[name] = _read_npy(member, info.file_size)
        return arrays


def open_array(path: str | os.PathLike[str]) -> Reader:
    """Open an array `(samples,)` or `(channels, samples)` as a recording; a `.npz` archive is loaded whole.

    Raises
    ------
    DataError
        As `read_array` does, and when the array has another shape or holds strings.
    """
    with kept_open(path) as stream:
        if stream.read(2) == b"PK":
            stream.close()
            array = read_array(path)
            return HeldReader(array.reshape(_as_recording(array.shape, array.dtype, path)), None)
        stream.seek(0)
        with _explaining(path):
            shape, fortran, dtype, offset = _read_header(stream, file_size(stream))
        channels, length = _as_recording(shape, dtype, path)
        return RawReader(
            stream,
            path,
            channels=channels,
            length=length,
            rate_hz=None,
            offset=offset,
            width=dtype.itemsize,
            decode=lambda data: np.frombuffer(data, dtype),
            planar=not fortran,
        )


def _as_recording(shape: tuple[int, ...], dtype: np.dtype, path: str | os.PathLike[str]) -> tuple[int, int]:
    """Channels and samples of an array that is a recording."""
    if dtype.kind not in "biuf":
        raise problem(path, f"holds {dtype}, not numbers", "Save numbers")
    if len(shape) not in (1, 2):
        what = f"a recording must be (samples,) or (channels, samples); has shape {shape}"
        raise problem(path, what, "Reshape it")
    return (1, shape[0]) if len(shape) == 1 else (shape[0], shape[1])


def _read_npy(stream: IO[bytes], size: int) -> np.ndarray:
    """Read one array from the start of a seekable stream of `size` bytes."""
    _read_header(stream, size)
    stream.seek(0)
    return np.lib.format.read_array(stream, allow_pickle=False)


def _read_header(stream: IO[bytes], size: int) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Shape, whether it is in Fortran's order, dtype and place of an array whose bytes are all there."""
    header = io.BytesIO(stream.read(_MAX_HEADER_BYTES))
    version = np.lib.format.read_magic(header)
    if version not in _READERS:
        raise ValueError(f"version {version} of the .npy format is for records, which are not read")
    shape, fortran, dtype = _READERS[version](header)
    if dtype.kind not in "biufUS":
        raise ValueError(f"holds {dtype}, neither real numbers nor strings")
    needed = math.prod(shape) * dtype.itemsize
    available = size - header.tell()
    if min(shape, default=0) < 0 or needed > available:
        raise ValueError(f"its header promises {shape} {dtype}, {needed:,} bytes, but {available:,} follow")
    return shape, fortran, dtype, header.tell()


@contextmanager
def _explaining(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what numpy and zipfile raise over a damaged file into one line that names it."""
    try:
        yield
    except DataError:
        raise
    except (
        ValueError,
        OSError,
        EOFError,
        RuntimeError,
        zipfile.BadZipFile,
        zlib.error,
        tokenize.TokenError,
    ) as error:
        raise problem(path, f"not a readable .npy or .npz file ({error})", "Save it again with numpy") from error

"""Work on index arrays of many million entries, in pieces that fit in the cache and never as a second copy."""

from __future__ import annotations

import hashlib
import reprlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from scanwise.errors import ArgumentError

__all__ = [
    "Indices",
    "chunks",
    "digest",
    "first_uses",
    "frozen",
    "integers",
    "listed",
    "narrow",
    "shown",
    "whole_array",
]

Indices = Sequence[int] | np.ndarray | Tensor

_CHUNK = 1 << 17


def chunks(length: int) -> Iterator[slice]:
    """Yield slices that cover ``range(length)``."""
    for start in range(0, length, _CHUNK):
        yield slice(start, min(start + _CHUNK, length))


def narrow(limit: int) -> type[np.signedinteger[Any]]:
    """Return the integer type for numbers up to `limit` in size: 4 bytes if they are enough."""
    return np.int32 if limit < 2**31 else np.int64


def frozen(array: np.ndarray) -> np.ndarray:
    """Return the array, which nobody can write to any more."""
    array.flags.writeable = False
    return array


def digest(start: str, arrays: Iterable[tuple[np.ndarray, str]]) -> str:
    """Return the SHA-256 of a text and of arrays, each in a type, in hexadecimal."""
    made = hashlib.sha256(start.encode())
    for array, dtype in arrays:
        for part in chunks(len(array)):
            made.update(array[part].astype(dtype).tobytes())
    return made.hexdigest()


def shown(value: Any) -> str:
    """Say what a wrong value is, in a few words however large it is."""
    if isinstance(value, Tensor | np.ndarray):
        return f"{str(value.dtype).removeprefix('torch.')} of shape {tuple(value.shape)}"
    return reprlib.repr(value)


def listed(name: str, value: Any) -> Any:
    """Return `value` if it is a list, or another sequence, of whatever is."""
    array = isinstance(value, np.ndarray | Tensor) and value.ndim > 0
    if not array and (isinstance(value, str) or not isinstance(value, Sequence)):
        raise ArgumentError(f"{name} must be a list; got {shown(value)}. Write [...], also around one entry.")
    return value


def integers(name: str, value: Any) -> np.ndarray | None:
    """Return whole numbers, in lists or arrays of equal lengths, as one array; None if they are something else."""
    try:
        array = np.asarray(value.detach().cpu() if isinstance(value, Tensor) else value)
    except (ValueError, TypeError, RuntimeError):  # lists of different lengths; types that numpy does not have
        return None
    if array.size and not np.issubdtype(array.dtype, np.integer):
        return None
    if array.dtype == np.uint64 and (most := array.max(initial=0)) >= 2**63:
        raise ArgumentError(f"{name} must be whole numbers below 2**63; got {most}. Count from 0.")
    small = array.dtype.kind != "i" or array.dtype.itemsize < 4  # differences of these would wrap around
    return array.astype(np.int64) if small else array


def whole_array(name: str, value: Any) -> np.ndarray:
    """Return a sequence of whole numbers as an array of one axis."""
    array = integers(name, value)
    if array is None or array.ndim != 1:
        raise ArgumentError(f"{name} must be a sequence of whole numbers; got {shown(value)}. Write [0, 1], say.")
    return array


def first_uses(values: np.ndarray, below: int) -> np.ndarray:
    """Return the distinct values, which are at least ``-below``, in the order of their first use."""
    most = int(values.max(initial=-1))
    if most > 4 * len(values) + 1024:  # a table over all numbers would be larger than the edges
        distinct, first = np.unique(values, return_index=True)
        return distinct[np.argsort(first)].astype(np.int64)
    unused = len(values)
    first = np.full(below + most + 1, unused, np.int64)
    for part in reversed(list(chunks(len(values)))):  # backwards: of several assignments the last one stays
        first[values[part][::-1].astype(np.intp) + below] = np.arange(part.stop - 1, part.start - 1, -1)
    used = np.flatnonzero(first < unused)
    return used[np.argsort(first[used])] - below

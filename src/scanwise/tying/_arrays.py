"""Work on index arrays of many million entries, in pieces that fit in the cache and never as a second copy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from scanwise.errors import ArgumentError

__all__ = ["Indices", "chunks", "first_uses", "frozen", "narrow", "whole_array"]

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


def whole_array(name: str, value: Any) -> np.ndarray:
    """Return a sequence of whole numbers as an array of one axis."""
    array = np.asarray(value.detach().cpu() if isinstance(value, Tensor) else value)
    if array.ndim == 1 and (len(array) == 0 or np.issubdtype(array.dtype, np.integer)):
        small = array.dtype.kind == "u" or array.dtype.itemsize < 4  # differences of these would wrap around
        return array.astype(np.int64) if small or not len(array) else array
    raise ArgumentError(f"{name} must be a sequence of whole numbers; got {value!r}. Give one per edge.")


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

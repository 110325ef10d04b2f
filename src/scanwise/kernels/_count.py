"""Counting scores by digits of their order; in C where that was built."""

from __future__ import annotations

import numpy as np

from scanwise.kernels._engine import _native, instruction_sets

__all__ = ["count_digits"]

DIGIT_BITS = 16


def count_digits(
    scores: np.ndarray,
    shift: int,
    prefix: int,
    bins: np.ndarray,
    edges: np.ndarray,
    instruction_set: str | None = None,
) -> None:
    """Count scores by 16 bits of their keys, numbers of the same order as the scores.

    A key is the score's bits, negative ones turned round, so that keys compare as scores do; zeros of both signs have
    one key. The lock is released meanwhile.

    Parameters
    ----------
    scores
        ``(n,)`` float32 or float64 without gaps.
    shift
        Bits below those that are counted: a multiple of 16.
    prefix
        What the bits above them must be for a score to be counted.
    bins
        ``(65536,)`` int64, added to.
    edges
        ``(2,)`` uint64: the highest key with lower bits above than `prefix`, and the lowest with higher ones; moved
        towards it.
    instruction_set
        One of `instruction_sets`; by default the best.
    """
    if _native is None:
        _count(scores, shift, prefix, bins, edges)
    else:
        chosen = instruction_set or instruction_sets()[0]
        _native.count_digits(chosen, scores.dtype == np.float64, scores, shift, prefix, bins, edges)


def _count(scores: np.ndarray, shift: int, prefix: int, bins: np.ndarray, edges: np.ndarray) -> None:
    """The same in numpy."""
    whole = np.dtype(f"u{scores.itemsize}").type
    sign = whole(1 << 8 * scores.itemsize - 1)
    raw = (scores + scores.dtype.type(0)).view(whole)
    keys = np.where(raw & sign, ~raw, raw | sign)
    digits = keys >> whole(shift)
    high = digits >> whole(DIGIT_BITS) if shift + DIGIT_BITS < 8 * scores.itemsize else np.zeros_like(digits)
    bins += np.bincount((digits[high == prefix] & whole(0xFFFF)).astype(np.int64), minlength=len(bins))
    below, above = keys[high < prefix], keys[high > prefix]
    if len(below):
        edges[0] = max(edges[0], below.max())
    if len(above):
        edges[1] = min(edges[1], above.min())

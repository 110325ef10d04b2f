"""The exact equal error rate of scores that never stand in memory together."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from typing import Any

import numpy as np

from scanwise._checks import choice, whole
from scanwise.errors import ArgumentError
from scanwise.kernels import count_digits
from scanwise.verify._eer import EER, Point, eer_between
from scanwise.verify._roc import between
from scanwise.verify._similarity import BLOCK, pair_blocks

__all__ = ["EERCounter", "eer_of_blocks", "eer_of_pairs"]

_DIGIT = 16  # bits that a pass tells apart
_BINS = 1 << _DIGIT
_SLICE = 1 << 22  # scores that a thread takes at a time
_NONFINITE = {4: 0x80, 8: 0x10}  # by bytes of a number: bins of either end that hold infinity and NaN


class EERCounter:
    """Counts scores, pass by pass, until it knows their equal error rate to the last trial.

    The bits of floating point numbers, read as whole numbers, order them. So a first pass counts by the highest 16 bits
    and finds the bin in which the errors cross; the next one counts by the 16 bits below, in that bin alone. Two passes
    end it for float32, four for float64. Each pass must see the same scores, in any order and any parts; parts may be
    counted by several counters and merged.

    Parameters
    ----------
    dtype
        ``"float32"`` or ``"float64"``, of all scores.
    threads
        Threads to count with at most; by default all cores.

    Examples
    --------
    >>> target, nontarget = np.float32([0.9, 0.8, 0.3]), np.float32([0.1, 0.5, 0.2, 0.4])
    >>> counter = EERCounter()
    >>> while not counter.done:
    ...     counter.add(target, nontarget)
    ...     counter.end_pass()
    >>> round(counter.result().value, 4)
    0.3333
    """

    def __init__(self, dtype: str = "float32", *, threads: int | None = None) -> None:
        self.dtype = np.dtype(choice("dtype", dtype, ("float32", "float64")))
        self.threads = (cpu_count() or 1) if threads is None else whole("threads", threads)
        self.passes = 0
        self._shift = 8 * self.dtype.itemsize - _DIGIT
        self._prefix = 0
        self._below = [0, 0]
        self._totals = [0, 0]
        self._in_bin: list[int] | None = None
        self._clear()
        self._found: tuple[Point, Point] | None = None

    def _clear(self) -> None:
        self._seen = [0, 0]
        self._bins = np.zeros((2, _BINS), np.int64)
        self._edges = np.array([0, np.iinfo(np.uint64).max], np.uint64)  # highest key below the bin, lowest above

    @property
    def done(self) -> bool:
        """Whether no further pass is needed."""
        return self._found is not None

    def add(self, target: Any, nontarget: Any) -> None:
        """Count some scores in this pass.

        Parameters
        ----------
        target, nontarget
            ``(trials,)`` scores of the counter's type; either may be empty.

        Raises
        ------
        ArgumentError
            If they are of another type or shape, or all passes are over.
        """
        self._going_on()
        kinds = [self._checked(name, scores) for name, scores in (("target", target), ("nontarget", nontarget))]
        for number, scores in enumerate(kinds):
            self._count(scores, self._bins[number])
            self._seen[number] += len(scores)

    def _checked(self, name: str, scores: Any) -> np.ndarray:
        array = np.asarray(scores)
        if array.dtype != self.dtype or array.ndim != 1:
            raise ArgumentError(
                f"{name} must be {self.dtype} of shape (trials,); got {array.dtype} {array.shape}. Convert it, or make "
                "a counter for its type."
            )
        return np.ascontiguousarray(array)

    def _count(self, scores: np.ndarray, bins: np.ndarray) -> None:
        parts = [scores[first : first + _SLICE] for first in range(0, len(scores), _SLICE)]
        workers = min(self.threads, len(parts))
        if workers <= 1:
            for part in parts:
                count_digits(part, self._shift, self._prefix, bins, self._edges)
            return

        def work(number: int) -> tuple[np.ndarray, np.ndarray]:
            own, edges = np.zeros(_BINS, np.int64), self._edges.copy()
            for part in parts[number::workers]:
                count_digits(part, self._shift, self._prefix, own, edges)
            return own, edges

        with ThreadPoolExecutor(workers) as pool:
            for own, edges in pool.map(work, range(workers)):
                bins += own
                self._widen(edges)

    def _widen(self, edges: np.ndarray) -> None:
        self._edges[0] = max(self._edges[0], edges[0])
        self._edges[1] = min(self._edges[1], edges[1])

    def merge(self, other: EERCounter) -> None:
        """Add what another counter has counted in the same pass.

        Raises
        ------
        ArgumentError
            If it is in another pass, or of another type.
        """
        self._going_on()
        if (other.dtype, other._shift, other._prefix) != (self.dtype, self._shift, self._prefix):
            raise ArgumentError(
                f"other must be of the same type, in the same pass; got {other.dtype} in pass {other.passes + 1}, not "
                f"{self.dtype} in pass {self.passes + 1}. Fork it from the merged one in every pass."
            )
        self._seen = [mine + more for mine, more in zip(self._seen, other._seen, strict=True)]
        self._bins += other._bins
        self._widen(other._edges)

    def fork(self) -> EERCounter:
        """Return an empty counter for the same pass, to count elsewhere and be merged; it can be pickled."""
        other = EERCounter(self.dtype.name, threads=self.threads)
        other.passes, other._shift, other._prefix, other._found = self.passes, self._shift, self._prefix, self._found
        return other

    def end_pass(self) -> None:
        """Find out in which bin the errors cross, which the next pass looks into; after the last, the result is there.

        Raises
        ------
        ArgumentError
            If there are no scores of one kind, one is not finite, or this pass saw other scores than the last one.
        """
        self._going_on()
        counts = [int(kind.sum()) for kind in self._bins]
        if self._in_bin is None:
            self._check_first(counts)
            self._totals = counts
        for found, before in ((self._seen, self._totals), (counts, self._in_bin or counts)):
            if found != before:
                raise ArgumentError(
                    f"scores must be the same in each pass; got {found} where the last one had {before}. Compute them "
                    "in the same way, in float32 or float64 alike."
                )
        misses = self._below[0] + np.append(0, np.cumsum(self._bins[0]))
        accepts = self._totals[1] - self._below[1] - np.append(0, np.cumsum(self._bins[1]))
        crossed = bisect_left(
            range(1, _BINS),
            True,
            key=lambda k: int(misses[k]) * self._totals[1] >= int(accepts[k]) * self._totals[0],
        )
        self._prefix = self._prefix << _DIGIT | crossed
        self._below = [int(misses[crossed]), self._totals[1] - int(accepts[crossed])]
        self._in_bin = [int(kind[crossed]) for kind in self._bins]
        self.passes += 1
        if self._shift == 0:
            self._found = self._points(crossed, misses, accepts)
        self._shift -= _DIGIT
        self._clear()

    def _going_on(self) -> None:
        if self.done:
            raise ArgumentError(f"scores must come in one of {self.passes} passes; got more. Take the result.")

    def _check_first(self, counts: Sequence[int]) -> None:
        if not all(counts):
            name = ("target", "nontarget")[counts.index(0)]
            raise ArgumentError(
                f"{name} must hold a score at least; got none. Without trials of both kinds no error can be measured."
            )
        ends = _NONFINITE[self.dtype.itemsize]
        wrong = int(self._bins[:, :ends].sum() + self._bins[:, -ends:].sum())
        if wrong:
            raise ArgumentError(f"scores must be finite; got {wrong:,} that are not. Find out why there is no score.")

    def _points(self, bin_: int, misses: np.ndarray, accepts: np.ndarray) -> tuple[Point, Point]:
        """The operating points on either side of the score at which the errors cross."""
        filled = np.flatnonzero(self._bins.any(axis=0))
        base = self._prefix - bin_
        lower = [int(k) + base for k in filled[filled < bin_]] or ([int(self._edges[0])] if self._edges[0] else [])
        higher = [int(k) + base for k in filled[filled > bin_]]
        if not higher and self._edges[1] != np.iinfo(np.uint64).max:
            higher = [int(self._edges[1])]
        score = self._number(self._prefix)
        start = float(between(self._number(lower[-1]), score)) if lower else float(score)
        stop = float(between(score, self._number(higher[0]))) if higher else float("inf")
        return (
            Point(start, int(misses[bin_]), int(accepts[bin_])),
            Point(stop, int(misses[bin_ + 1]), int(accepts[bin_ + 1])),
        )

    def _number(self, key: int) -> np.ndarray:
        """The score of a key: as in ``count.c``, negative numbers are turned round."""
        bits = 8 * self.dtype.itemsize
        raw = key ^ (1 << bits - 1) if key >> bits - 1 else key ^ (1 << bits) - 1
        return np.array(raw, f"u{self.dtype.itemsize}").view(self.dtype)

    def result(self, method: str = "interpolated") -> EER:
        """Return the equal error rate, to the bit that of `eer` for all scores at once.

        Parameters
        ----------
        method
            ``"interpolated"`` or ``"midpoint"``; a convex hull needs all scores.

        Raises
        ------
        ArgumentError
            If passes are missing.
        """
        choice("method", method, ("interpolated", "midpoint"))
        if self._found is None:
            raise ArgumentError(f"scores must be counted in another pass; got {self.passes} passes. Go on until done.")
        return eer_between(*self._found, targets=self._totals[0], nontargets=self._totals[1], method=method)


def eer_of_blocks(
    blocks: Callable[[], Iterable[tuple[Any, Any]]], dtype: str = "float32", method: str = "interpolated"
) -> EER:
    """Return the exact equal error rate of scores that come in blocks, more than fit in memory.

    Parameters
    ----------
    blocks
        Called once a pass, two passes for float32: gives blocks of target and nontarget scores, the same each time.
    dtype, method
        See `EERCounter`.

    Raises
    ------
    ArgumentError
        As `EERCounter`.

    Examples
    --------
    >>> parts = [(np.float32([0.9, 0.8]), np.float32([0.1])), (np.float32([0.3]), np.float32([0.5, 0.2, 0.4]))]
    >>> round(eer_of_blocks(lambda: parts).value, 4)
    0.3333
    """
    counter = EERCounter(dtype)
    while not counter.done:
        for target, nontarget in blocks():
            counter.add(target, nontarget)
        counter.end_pass()
    return counter.result(method)


def eer_of_pairs(
    embeddings: Any,
    identities: Sequence[Any] | np.ndarray,
    kind: str = "cosine",
    *,
    method: str = "interpolated",
    block: int = BLOCK,
) -> EER:
    """Return the exact equal error rate of all pairs of different samples; no more than a block of them is in memory.

    Parameters, and what is raised, as in `all_pairs`; `method` as in `EERCounter`.

    Examples
    --------
    >>> eer_of_pairs([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]], ["a", "a", "b", "b"]).value
    0.0
    """
    dtype = "float32" if np.asarray(embeddings).dtype == np.float32 and kind == "cosine" else "float64"
    return eer_of_blocks(lambda: pair_blocks(embeddings, identities, kind, block=block), dtype, method)

"""The native backend: decides how a scan is cut; the cut changes no bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, gcd, prod

import numpy as np
import torch

from scanwise.geometry import positions
from scanwise.kernels import Engine, operation_codes
from scanwise.program import Program

from ._arguments import as_array
from ._expected import expected_share
from ._lower import Lowered, NotNative, lower
from ._phases import Phases, phases
from ._scores import new_scores

# Outputs of a strip: numbers that many tiles of vectors divide. The maps of a strip should stay in the second-level
# cache, 1 MiB on most processors, and strips of images should be wide beside what neighbouring columns both compute.
STRIPS = (3840, 2880, 1920, 1440, 960, 480, 336, 240, 192, 144, 96, 48, 16)
CACHE_BYTES = 3 * 2**18
TILE = 48  # outputs of a register tile
VECTOR = 16  # of the widest vector
# More memory than this for one thread is a sign of many positions per window, which torch computes in its own way.
NATIVE_BYTES = 2**28
# A thread pays off from about this many multiply-accumulates or numbers written.
THREAD_WORK = 2_000_000
# Bytes of small inputs that are laid side by side at a time.
GROUP_BYTES = 2**22


@dataclass(frozen=True)
class Walk:
    """A program at multiples of a step, and the engine that computes it."""

    lowered: Lowered
    step: tuple[int, ...]
    dtype: str
    instruction_set: str | None

    @cached_property
    def phases(self) -> Phases:
        """The positions that are computed."""
        return phases(self.lowered, self.step)

    @cached_property
    def engine(self) -> Engine:
        """The program, compiled for these positions."""
        steps = self.lowered.steps
        args = np.zeros((len(steps), 4))
        for i, step in enumerate(steps):
            args[i, : len(step.args)] = step.args
        params = [[tensor.detach().numpy() for tensor in step.params] for step in steps]
        table = self.phases.table(operation_codes())
        return Engine(np.dtype(self.dtype), table, args, params, self.instruction_set)

    @cached_property
    def least_bytes(self) -> int:
        """Memory of one thread with the narrowest strips."""
        return self.engine.scratch_bytes(STRIPS[-1])

    @cached_property
    def overlap(self) -> list[int]:
        """Outputs before a job or column, per axis, that read what it reads."""
        return [max(max(c.ahead) for c in axis) for axis in zip(*self.phases.classes, strict=True)]

    def work(self, counts: Sequence[int]) -> int:
        """Multiply-accumulates for so many outputs, as if all vectors were full and each row had one more."""
        total = 0
        for step, classes in zip(self.lowered.steps, self.phases.classes, strict=True):
            places = sum(_whole(counts[-1] + ahead) + VECTOR for ahead in classes[-1].ahead)
            if len(counts) == 2:
                places *= sum(counts[0] + ahead for ahead in classes[0].ahead)
            total += places * (step.macs + step.channels)
        return total


class NativeScan:
    """A program at a hop, on the native engine.

    Parameters
    ----------
    program
        What to compute.
    hop
        Step between windows in samples, per axis.
    max_bytes
        Upper bound for the memory of all threads together; None for what the cache holds.
    instruction_set
        By default the best.

    Raises
    ------
    NotNative
        When the engine cannot run the program.
    """

    name = "native"

    def __init__(
        self,
        program: Program,
        hop: Sequence[int],
        max_bytes: int | None = None,
        instruction_set: str | None = None,
    ) -> None:
        self.program, self.hop, self.max_bytes = program, tuple(hop), max_bytes
        self._lowered, self._instruction_set = lower(program), instruction_set
        self._walks: dict[tuple[int, ...], Walk] = {}
        self.walk = self._walk_at(self.hop)
        if self.least_bytes > self._allowed:
            limit = f"{self._allowed:,} are allowed" + (" unless max_memory says more" if max_bytes is None else "")
            raise NotNative(f"its maps need {self.least_bytes:,} bytes on the native engine, and {limit}")

    def _walk_at(self, step: tuple[int, ...]) -> Walk:
        if step not in self._walks:
            self._walks[step] = Walk(self._lowered, step, self.program.dtype, self._instruction_set)
        return self._walks[step]

    @property
    def _allowed(self) -> int:
        return NATIVE_BYTES if self.max_bytes is None else self.max_bytes

    @property
    def macs(self) -> int:
        """Multiply-accumulates per output of an endless scan."""
        return self.walk.phases.macs

    @property
    def description(self) -> str:
        """What runs, and how well it should use the machine."""
        share = expected_share(self.walk.phases)
        expected = f", some {share:.0%} of the multiply-add peak expected on large inputs" if self.macs else ""
        return f"native ({self.walk.engine.instruction_set}){expected}"

    @property
    def least_bytes(self) -> int:
        """Memory of one thread with the narrowest strips."""
        return self.walk.least_bytes

    def scan(
        self,
        x: np.ndarray | torch.Tensor,
        out: list[torch.Tensor] | None = None,
        *,
        threads: int | None = None,
        strip: int | None = None,
    ) -> list[torch.Tensor]:
        """Return ``(batch, channels, *counts)`` for each output of the program.

        Parameters
        ----------
        x
            ``(batch, channels, *space)``, any real number type and strides.
        out
            Tensors to write to and to return, as `new_scores` makes them.
        threads
            Threads to use at most; by default as many as torch uses.
        strip
            Outputs that are computed at a time along the last axis; by default as many as suit the cache.
        """
        array = as_array(x, np.dtype(self.program.dtype))
        sizes = zip(array.shape[2:], self.program.window, self.hop, strict=True)
        counts = tuple(positions(s, w, h) for s, w, h in sizes)
        items, threads = len(array), torch.get_num_threads() if threads is None else threads
        scores = new_scores(self.program, items, counts, torch.device("cpu")) if out is None else out
        outs = [one.numpy() for one in scores]
        if items and prod(counts):
            walk, every = self._fewest(counts)
            beside = self._beside(counts, walk) if items > 1 else None
            if beside:
                self._scan_beside(beside, array, outs, threads, strip)
            else:
                computed = (*counts[:-1], (counts[-1] - 1) * every + 1)
                walk.engine.scan(array, outs, every=every, **self._cut(walk, items, computed, threads, strip))
        return scores

    def _fewest(self, counts: tuple[int, ...]) -> tuple[Walk, int]:
        """Return how to compute with the least work: at multiples of the hop, or at a smaller step.

        With few outputs along the last axis, vectors of them are not full, and neighbouring positions may fill them
        better; then one of so many outputs computed is wanted. A score is the same sum either way.
        """
        chosen, hop = (self.walk, 1), self.hop[-1]
        if counts[-1] >= 4 * VECTOR:
            return chosen
        best = self.walk.work(counts)
        for step in {1, gcd(hop, self.program.jump[-1])} - {hop}:
            walk, every = self._walk_at((*self.hop[:-1], step)), hop // step
            work = walk.work((*counts[:-1], (counts[-1] - 1) * every + 1))
            if work < best and walk.least_bytes <= self._allowed:
                best, chosen = work, (walk, every)
        return chosen

    # Items with one output along the last axis may be laid side by side, so that vectors are of items ---------------

    def _beside(self, counts: tuple[int, ...], walk: Walk) -> Walk | None:
        """Return how to compute items side by side, if that is less work than one after the other."""
        window, reach = self.program.window[-1], self.program.reach()[-1]
        if counts[-1] > 1 or reach[0] < 0 or reach[1] > window:
            return None
        try:
            beside = self._walk_at((*self.hop[:-1], window))
            less = beside.work((*counts[:-1], 4 * VECTOR)) < 4 * VECTOR * walk.work(counts)
        except NotNative:
            return None
        return beside if less and beside.least_bytes <= self._allowed else None

    def _scan_beside(
        self, walk: Walk, array: np.ndarray, outs: list[np.ndarray], threads: int, strip: int | None
    ) -> None:
        window = self.program.window[-1]
        windows = array[..., :window]
        group = max(4 * VECTOR, GROUP_BYTES // (windows[0].size * array.itemsize))
        for first in range(0, len(array), group):
            part = windows[first : first + group]
            row = np.moveaxis(part, 0, -2).reshape(1, *part.shape[1:-1], len(part) * window)
            scores = [np.empty((1, *out.shape[1:-1], len(part)), out.dtype) for out in outs]
            walk.engine.scan(row, scores, **self._cut(walk, 1, scores[0].shape[2:], threads, strip))
            for out, score in zip(outs, scores, strict=True):
                out[first : first + group, ..., 0] = np.moveaxis(score[0], -1, 0)

    def _cut(self, walk: Walk, items: int, counts: tuple[int, ...], threads: int, strip: int | None) -> dict[str, int]:
        """Cut a scan into jobs for threads, and those into strips; no bit of any score depends on it."""
        threads = max(1, min(threads, items * walk.work(counts) // THREAD_WORK))
        if self.max_bytes is not None:
            threads = max(1, min(threads, self.max_bytes // walk.least_bytes))
        strip = min(strip or self._strip(walk, threads), _whole(counts[-1]))
        across, columns = 0, 1
        if len(counts) == 2:
            columns = ceil(counts[1] / strip)
            if items * columns < 8 * threads:
                columns = ceil(columns / threads) * threads  # so that all threads have as much to do
            across = min(strip, _whole(ceil(counts[1] / columns)))
            columns = ceil(counts[1] / across)
        # The first outputs of a job read what the job before has computed as well; that should be a small part of it.
        least = 16 * (1 + walk.overlap[0])
        wanted = ceil(8 * threads / (items * columns)) if threads > 1 else 1
        jobs = max(1, min(wanted, max(counts[0] // least, ceil(threads / (items * columns)))))
        return {"strip": strip, "along": ceil(counts[0] / jobs), "across": across, "threads": threads}

    def _strip(self, walk: Walk, threads: int) -> int:
        """The widest strip whose maps stay in the cache; wider if else most of it would be what later strips read.

        Neither is it narrower than a register tile, nor, for images, than half of what neighbours both compute.
        """
        allowed = self.max_bytes // threads if self.max_bytes is not None else None
        sizes = {strip: walk.engine.scratch_bytes(strip) for strip in STRIPS}
        wanted = max(CACHE_BYTES, 2 * walk.least_bytes)
        least = max(TILE, 2 * walk.overlap[1] if len(self.hop) == 2 else 0)
        possible = [strip for strip in STRIPS if allowed is None or sizes[strip] <= allowed] or [STRIPS[-1]]
        return next((s for s in possible if sizes[s] <= wanted or s <= least), possible[-1])


def _whole(outputs: int) -> int:
    return ceil(outputs / VECTOR) * VECTOR

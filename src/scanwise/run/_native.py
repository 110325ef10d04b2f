"""The native backend: decides how a scan is cut; the cut changes no bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
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

# Outputs of a strip: numbers that many tiles of vectors divide. The maps of a strip should stay in the second-level
# cache, 1 MiB on most processors, and strips of images should be wide beside what neighbouring columns both compute.
STRIPS = (3840, 2880, 1920, 1440, 960, 480, 336, 240, 192, 144, 96, 48, 16)
CACHE_BYTES = 3 * 2**18
TILE = 48  # outputs of a register tile
# More memory than this for one thread is a sign of many positions per window, which torch computes in its own way.
NATIVE_BYTES = 2**28
# A thread pays off from about this many multiply-accumulates.
THREAD_MACS = 2_000_000
# A job should not be longer than a fraction of a second: between jobs a scan can be interrupted.
JOB_MACS = 4_000_000_000


@dataclass(frozen=True)
class Walk:
    """A program on the engine, computed at multiples of a step."""

    phases: Phases
    engine: Engine

    @classmethod
    def of(cls, lowered: Lowered, step: Sequence[int], dtype: str, instruction_set: str | None) -> Walk:
        """Compile a lowered program for outputs at multiples of ``step``."""
        found = phases(lowered, step)
        args = np.zeros((len(lowered.steps), 4))
        for i, s in enumerate(lowered.steps):
            args[i, : len(s.args)] = s.args
        params = [[tensor.detach().numpy() for tensor in s.params] for s in lowered.steps]
        return cls(found, Engine(np.dtype(dtype), found.table(operation_codes()), args, params, instruction_set))

    @cached_property
    def overlap(self) -> list[int]:
        """Outputs before a job or column, per axis, that read what it reads."""
        return [max(max(c.ahead) for c in axis) for axis in zip(*self.phases.classes, strict=True)]

    def work(self, counts: Sequence[int]) -> int:
        """Multiply-accumulates for so many outputs, those of vectors that are not full included."""
        total = 0
        for step, classes in zip(self.phases.lowered.steps, self.phases.classes, strict=True):
            places = sum(_whole(counts[-1] + ahead) for ahead in classes[-1].ahead)
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
        lowered = lower(program)
        self._walk_at = lru_cache(maxsize=None)(lambda step: Walk.of(lowered, step, program.dtype, instruction_set))
        self._every = lru_cache(maxsize=64)(self._find_every)
        self.walk: Walk = self._walk_at(self.hop)
        self.allowed = NATIVE_BYTES if max_bytes is None else max_bytes
        if self.least_bytes > self.allowed:
            need = f"{self.least_bytes:,} bytes on the native engine, and {self.allowed:,} are allowed"
            raise NotNative(f"its maps need {need}")

    @property
    def macs(self) -> int:
        """Multiply-accumulates per output of an endless scan."""
        return self.walk.phases.macs

    @property
    def description(self) -> str:
        """What runs, and how well it should use the machine."""
        share = expected_share(self.walk.phases)
        return f"native ({self.walk.engine.instruction_set}), some {share:.0%} of the multiply-add peak expected"

    @property
    def least_bytes(self) -> int:
        """Memory of one thread with the narrowest strips."""
        return self.walk.engine.scratch_bytes(STRIPS[-1])

    def scan(
        self, x: np.ndarray | torch.Tensor, *, threads: int | None = None, strip: int | None = None
    ) -> list[torch.Tensor]:
        """Return ``(batch, channels, *counts)`` for each output of the program.

        Parameters
        ----------
        x
            ``(batch, channels, *space)``, any real number type and strides.
        threads
            Threads to use at most; by default as many as torch uses.
        strip
            Outputs that are computed at a time along the last axis; by default as many as suit the cache.
        """
        array = as_array(x, self.walk.engine.dtype)
        sizes = zip(array.shape[2:], self.program.window, self.hop, strict=True)
        counts = tuple(positions(s, w, h) for s, w, h in sizes)
        items, threads = len(array), torch.get_num_threads() if threads is None else threads
        every, walk = self._every(counts)
        computed = (*counts[:-1], max(0, (counts[-1] - 1) * every + 1))
        outs = [np.empty((items, prod(o.shape), *computed), walk.engine.dtype) for o in self.program.outputs]
        if items and prod(counts):
            walk.engine.scan(array, outs, **self._cut(walk, items, computed, threads, strip))
        return [torch.from_numpy(out[..., ::every]) for out in outs]

    def _find_every(self, counts: tuple[int, ...]) -> tuple[int, Walk]:
        """Return how to compute so few outputs that vectors of windows would not be full: neighbouring positions, too.

        At each multiple of the hop, or at a smaller step, of which every so-many-th output is wanted: whichever is
        less work. A score is the same sum either way.
        """
        hop = self.hop[-1]
        if hop == 1 or not prod(counts) or counts[-1] >= 4 * STRIPS[-1]:
            return 1, self.walk
        best, chosen = self.walk.work(counts), (1, self.walk)
        for step in {1, gcd(hop, self.program.jump[-1])} - {hop}:
            walk = self._walk_at((*self.hop[:-1], step))
            every = hop // step
            work = walk.work((*counts[:-1], (counts[-1] - 1) * every + 1))
            if work < best and walk.engine.scratch_bytes(STRIPS[-1]) <= self.allowed:
                best, chosen = work, (every, walk)
        return chosen

    def _cut(self, walk: Walk, items: int, counts: tuple[int, ...], threads: int, strip: int | None) -> dict[str, int]:
        """Cut a scan into jobs for threads, and those into strips; no bit of any score depends on it."""
        macs = walk.phases.macs * prod(counts)
        threads = max(1, min(threads, macs * items // THREAD_MACS))
        if self.max_bytes is not None:
            threads = max(1, min(threads, self.max_bytes // walk.engine.scratch_bytes(STRIPS[-1])))
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
        balanced = ceil(8 * threads / (items * columns)) if threads > 1 else 1
        wanted = max(balanced, macs // (columns * JOB_MACS))
        jobs = max(1, min(wanted, max(counts[0] // least, ceil(threads / (items * columns)))))
        return {"strip": strip, "along": ceil(counts[0] / jobs), "across": across, "threads": threads}

    def _strip(self, walk: Walk, threads: int) -> int:
        """The widest strip whose maps stay in the cache; wider if else most of it would be what later strips read.

        Neither is it narrower than a register tile, nor, for images, than half of what neighbours both compute.
        """
        allowed = self.max_bytes // threads if self.max_bytes is not None else None
        sizes = {strip: walk.engine.scratch_bytes(strip) for strip in STRIPS}
        wanted = max(CACHE_BYTES, 2 * sizes[STRIPS[-1]])
        least = max(TILE, 2 * walk.overlap[1] if len(self.hop) == 2 else 0)
        possible = [strip for strip in STRIPS if allowed is None or sizes[strip] <= allowed] or [STRIPS[-1]]
        return next((s for s in possible if sizes[s] <= wanted or s <= least), possible[-1])


def _whole(outputs: int) -> int:
    return ceil(outputs / STRIPS[-1]) * STRIPS[-1]

"""The torch backend: a program on tiles that keep their maps small, or window by window."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, lru_cache
from math import prod

import numpy as np
import torch

from scanwise.errors import ArgumentError
from scanwise.geometry import positions
from scanwise.plan import Plan, tiles
from scanwise.program import Program

from ._arguments import as_tensor
from ._torch import TileEvaluator

# Maps of a tile should stay in the processor's cache: whole-array maps are written to memory and fault on every page.
CACHE_BYTES = 8 * 2**20
GPU_BYTES = 2**30


class TorchScan:
    """A program at a hop, on torch.

    Parameters
    ----------
    program, plan
        What to compute, and where.
    device
        Where to run.
    max_bytes
        Upper bound for the feature maps alive at a time; None for what the cache holds.
    """

    name = "torch"

    def __init__(self, program: Program, plan: Plan, device: torch.device, max_bytes: int | None) -> None:
        self.plan, self.hop, self.device, self.max_bytes = plan, plan.hop, device, max_bytes
        self.dtype: torch.dtype = getattr(torch, program.dtype)
        self.extent = program.extent()
        nodes = (
            replace(node, params={name: t.to(device) for name, t in node.params.items()}) for node in program.nodes
        )
        self.program = replace(program, nodes=tuple(nodes))
        # A tile at the end of an input has a size of its own; of the latest sizes the evaluators are kept.
        self.evaluator = lru_cache(maxsize=16)(self._new_evaluator)

    @property
    def macs(self) -> float:
        """Multiply-accumulates per output of an endless scan."""
        return self.plan.macs_per_window

    @property
    def description(self) -> str:
        """What runs, and where."""
        return f"torch on {self.device.type}"

    def scan(self, x: np.ndarray | torch.Tensor) -> list[torch.Tensor]:
        """Return ``(batch, channels, *counts)`` for each output of the program, for ``(batch, channels, *space)``."""
        return self.scan_surrounded(self._surrounded(as_tensor(x).to(device=self.device, dtype=self.dtype)))

    @torch.no_grad()
    def scan_surrounded(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Scan an input that already has the surroundings that an extended program reads."""
        counts = tuple(positions(s, w, h) for s, w, h in zip(x.shape[2:], self.extent, self.hop, strict=True))
        outputs = self.program.outputs
        flat = [x.new_empty(len(x), prod(o.shape), *counts, dtype=getattr(torch, o.dtype)) for o in outputs]
        if len(x) and 0 not in counts:
            (self._fill_tiles if self.plan.shared else self._fill_windows)(x, counts, flat)
        return flat

    def _surrounded(self, x: torch.Tensor) -> torch.Tensor:
        """Surround the input by the zeros that an extended program reads outside it; nothing for an exact one."""
        widths = []
        for (start, stop), window in reversed(list(zip(self.program.reach(), self.program.window, strict=True))):
            widths += [max(0, -start), max(0, stop - window)]
        return torch.nn.functional.pad(x, widths) if any(widths) else x

    def _fill_tiles(self, x: torch.Tensor, counts: tuple[int, ...], flat: list[torch.Tensor]) -> None:
        tile = self._tile
        per_item = self.plan.tile_values([min(t, n) for t, n in zip(tile, counts, strict=True)])
        group = max(1, self._max_values // per_item)
        for spans in tiles(counts, tile):
            evaluate = self.evaluator(tuple(b - a for a, b in spans))
            space = tuple(
                slice(a * h, (b - 1) * h + r) for (a, b), h, r in zip(spans, self.hop, self.extent, strict=True)
            )
            place = tuple(slice(a, b) for a, b in spans)
            for first in range(0, len(x), group):
                items = slice(first, first + group)
                region = x[(items, slice(None), *space)]
                for out, values in zip(flat, evaluate(self._trimmed(region)), strict=True):
                    out[(items, slice(None), *place)] = values

    def _fill_windows(self, x: torch.Tensor, counts: tuple[int, ...], flat: list[torch.Tensor]) -> None:
        for axis, (reach, hop) in enumerate(zip(self.extent, self.hop, strict=True)):
            x = x.unfold(axis + 2, reach, hop)
        axes = len(counts)
        windows = x.movedim(1, axes + 1)  # (batch, *positions, channels, *window)
        evaluate = self.evaluator((1,) * axes)
        group = max(1, self._max_values // self._least_values)
        total = len(x) * prod(counts)
        for first in range(0, total, group):
            flat_index = torch.arange(first, min(first + group, total), device=x.device)
            index = torch.unravel_index(flat_index, (len(x), *counts))
            for out, values in zip(flat, evaluate(self._trimmed(windows[index])), strict=True):
                out.movedim(1, -1)[index] = values.flatten(1).to(out.dtype)

    def _trimmed(self, region: torch.Tensor) -> torch.Tensor:
        """Cut a region to the positions that the plan reads, which begin at the first one any output needs."""
        span = self.plan.spans[0]
        assert span is not None
        low = [min(0, a) for a, _ in self.program.reach()]
        for axis, ((first, last), start) in enumerate(zip(span, low, strict=True)):
            lead = first - start
            size = region.shape[axis + 2] - self.extent[axis] + (last - first + 1)
            region = region.narrow(axis + 2, lead, size)
        return region

    def _new_evaluator(self, counts: tuple[int, ...]) -> TileEvaluator:
        return TileEvaluator(self.program, self.plan, counts, self._max_values)

    @cached_property
    def _max_values(self) -> int:
        usual = GPU_BYTES if self.device.type == "cuda" else CACHE_BYTES
        return max(1, (self.max_bytes or usual) // self.dtype.itemsize)

    @cached_property
    def least_bytes(self) -> int:
        """Memory for the maps of one window, the least that a bound has to allow."""
        return self.plan.tile_values((1,) * self.program.axes) * self.dtype.itemsize

    @cached_property
    def _least_values(self) -> int:
        if self.max_bytes is not None and self.least_bytes > self.max_bytes:
            raise ArgumentError(
                f"max_memory must hold the feature maps of one window, {self.least_bytes} bytes; "
                f"got {self.max_bytes}. Allow more."
            )
        return self.least_bytes // self.dtype.itemsize

    @cached_property
    def _tile(self) -> tuple[int, ...]:
        fits = self._least_values <= self._max_values
        return self.plan.tile(self._max_values if fits else 4 * self._least_values)

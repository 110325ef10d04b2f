"""The torch backend: a program on tiles that keep their maps small, or window by window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from math import prod
from typing import Any

import numpy as np
import torch

from scanwise.errors import ArgumentError
from scanwise.geometry import positions
from scanwise.plan import Plan, tiles
from scanwise.program import Program

from ._arguments import as_tensor
from ._cuts import cut, every_window, sharable
from ._device import Delivery, placed, repeatable, sent, suits_channels_last, usual_bytes
from ._scores import new_scores
from ._torch import TileEvaluator

# A place in the scores ``(batch, *positions, channels)``, and what leads there: outputs per axis of the tile, input.
Piece = tuple[Any, tuple[int, ...], torch.Tensor]


class TorchScan:
    """A program at a hop, on torch.

    The input is read piece by piece: what a piece does not need is neither converted nor sent to the device.

    Parameters
    ----------
    program, plan
        What to compute, and where.
    device
        Where to run.
    max_bytes
        Upper bound for the feature maps alive at a time; None for what suits the device.
    precision
        Name of the number type of weights and maps; None for the network's own. Scores are in the network's.
    """

    name = "torch"

    def __init__(
        self, program: Program, plan: Plan, device: torch.device, max_bytes: int | None, precision: str | None = None
    ) -> None:
        self.plan, self.hop, self.device, self.max_bytes = plan, plan.hop, device, max_bytes
        self.precision = precision
        self.dtype: torch.dtype = getattr(torch, precision or program.dtype)
        channels_last = suits_channels_last(program, device, self.dtype)
        self.program = placed(program, device, self.dtype, channels_last=channels_last)
        # A tile at the end of an input has a size of its own; of the latest sizes the evaluators are kept.
        self.evaluator = lru_cache(maxsize=16)(self._new_evaluator)

    @property
    def macs(self) -> float:
        """Multiply-accumulates per output of an endless scan."""
        return self.plan.macs_per_window

    @property
    def description(self) -> str:
        """What runs, and where."""
        return f"torch on {self.device.type}" + (f" in {self.precision}" if self.precision else "")

    def scan(self, x: np.ndarray | torch.Tensor, out: list[torch.Tensor] | None = None) -> list[torch.Tensor]:
        """Return ``(batch, channels, *counts)`` for each output of the program, for ``(batch, channels, *space)``.

        Scores are where the input is, or in ``out``, as `new_scores` makes it. Outside the input an extended program
        reads zeros.
        """
        return self._scan(x, self.program.window, (0,) * len(self.hop), out)

    def scan_surrounded(self, x: np.ndarray | torch.Tensor) -> list[torch.Tensor]:
        """Scan an input that already has the surroundings that an extended program reads."""
        return self._scan(x, self.program.extent(), [max(0, -start) for start, _ in self.program.reach()])

    @torch.no_grad()
    def _scan(
        self,
        x: np.ndarray | torch.Tensor,
        extent: Sequence[int],
        origin: Sequence[int],
        out: list[torch.Tensor] | None = None,
    ) -> list[torch.Tensor]:
        """Scan for outputs of which each takes ``extent`` of the input, the first one's window beginning at origin."""
        x = sharable(x)
        home = x.device if isinstance(x, torch.Tensor) else torch.device("cpu")
        counts = tuple(positions(s, e, h) for s, e, h in zip(x.shape[2:], extent, self.hop, strict=True))
        flat = new_scores(self.program, len(x), counts, home) if out is None else out
        if not len(x) or 0 in counts:
            return flat

        def write(place: Any, scores: Sequence[torch.Tensor]) -> None:
            for to, values in zip(flat, scores, strict=True):
                to.movedim(1, -1)[place] = values.movedim(1, -1).to(to.dtype)

        delivery = Delivery(write, self.device, home)
        pieces = self._tiles if self.plan.shared else self._windows
        with repeatable(self.device):
            for place, size, region in pieces(x, counts, origin):
                delivery.put(place, self.evaluator(size)(region))
            delivery.finish()
        return flat

    def _tiles(self, x: np.ndarray | torch.Tensor, counts: tuple[int, ...], origin: Sequence[int]) -> Iterator[Piece]:
        tile = self._tile
        per_item = self.plan.tile_values([min(t, n) for t, n in zip(tile, counts, strict=True)])
        group = max(1, self._max_values // per_item)
        for spans in tiles(counts, tile):
            size, place = tuple(b - a for a, b in spans), tuple(slice(a, b) for a, b in spans)
            for first in range(0, len(x), group):
                items = slice(first, first + group)
                yield (items, *place), size, self._region(x, items, spans, origin)

    def _windows(self, x: np.ndarray | torch.Tensor, counts: tuple[int, ...], origin: Sequence[int]) -> Iterator[Piece]:
        axes = len(counts)
        group = max(1, self._max_values // self._least_values)
        total = len(x) * prod(counts)
        starts = [first + o for (first, _), o in zip(self._span, origin, strict=True)]
        sizes = [last - first + 1 for first, last in self._span]
        inside = all(
            a >= 0 and a + (n - 1) * h + size <= s
            for a, n, h, size, s in zip(starts, counts, self.hop, sizes, x.shape[2:], strict=True)
        )
        windows = every_window(x, starts, sizes, self.hop) if inside else None
        for first in range(0, total, group):
            index = np.unravel_index(np.arange(first, min(first + group, total)), (len(x), *counts))
            if windows is not None:
                region = self._sent(windows[index])
            else:
                spans = [(item, [(p, p + 1) for p in place]) for item, *place in zip(*index, strict=True)]
                region = torch.cat([self._region(x, slice(i, i + 1), span, origin) for i, span in spans])
            yield tuple(i.reshape(-1, *[1] * axes) for i in index), (1,) * axes, region

    def _region(
        self, x: np.ndarray | torch.Tensor, items: slice, spans: Sequence[tuple[int, int]], origin: Sequence[int]
    ) -> torch.Tensor:
        """Return what the outputs of ``spans`` read, which begins at the first position that any of them needs."""
        reads = [
            (a * h + first + o, (b - 1) * h + last + 1 + o)
            for (a, b), h, (first, last), o in zip(spans, self.hop, self._span, origin, strict=True)
        ]
        return cut(x, items, reads, self._sent)

    def _sent(self, region: np.ndarray | torch.Tensor) -> torch.Tensor:
        return sent(as_tensor(region), self.device, self.dtype)

    @cached_property
    def _span(self) -> tuple[tuple[int, int], ...]:
        """First and last position, per axis, that output 0 needs."""
        span = self.plan.spans[0]
        assert span is not None
        return span

    def _new_evaluator(self, counts: tuple[int, ...]) -> TileEvaluator:
        return TileEvaluator(self.program, self.plan, counts, self._max_values, self.device)

    @cached_property
    def _max_values(self) -> int:
        # Of the network's type even where maps are smaller: what is not shared is not.
        return max(1, (self.max_bytes or usual_bytes(self.device)) // self._itemsize)

    @property
    def _itemsize(self) -> int:
        dtype: torch.dtype = getattr(torch, self.program.dtype)
        return dtype.itemsize

    @cached_property
    def least_bytes(self) -> int:
        """Memory for the maps of one window, the least that a bound has to allow."""
        return self.plan.tile_values((1,) * self.program.axes) * self._itemsize

    @cached_property
    def _least_values(self) -> int:
        if self.max_bytes is not None and self.least_bytes > self.max_bytes:
            raise ArgumentError(
                f"max_memory must hold the feature maps of one window, {self.least_bytes} bytes; "
                f"got {self.max_bytes}. Allow more."
            )
        return self.least_bytes // self._itemsize

    @cached_property
    def _tile(self) -> tuple[int, ...]:
        fits = self._least_values <= self._max_values
        return self.plan.tile(self._max_values if fits else 4 * self._least_values)

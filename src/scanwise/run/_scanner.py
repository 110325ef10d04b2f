"""The scanner: a window network, run everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from math import prod
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as pytree

from scanwise._checks import per_axis
from scanwise.errors import ArgumentError, ScanwiseError
from scanwise.geometry import positions
from scanwise.plan import Plan, Stage, memory_bytes, plan_scan, tiles
from scanwise.program import Program, comparable, rewrite

from ._arguments import as_tensor, copied, usable_device
from ._ends import report_ends
from ._explain import Explanation
from ._oracle import scan_windows
from ._torch import TileEvaluator

# Maps of a tile should stay in the processor's cache: whole-array maps are written to memory and fault on every page.
CACHE_BYTES = 8 * 2**20
GPU_BYTES = 2**30


class Scanner:
    """Runs a network that was trained on windows at every position of an input of any size, exactly.

    Output ``i`` is what the network gives for window ``[i * hop, i * hop + window)``. Work that neighbouring windows
    have in common is done once. Not to be confused with tiling, which averages windows that overlap: nothing here is
    blended, padded or approximated.

    Parameters
    ----------
    module
        Any torch module in eval mode that maps windows ``(batch, channels, *window)`` to ``(batch, *out)``, or to a
        tuple or dict of such. Its weights are copied: training it further does not change the scanner.
    window_shape
        ``(channels, *window)``, one to three window axes, in samples.
    hop
        Step between windows in samples, one for all axes or one per axis.
    strict
        Refuse a network whose sharing ends at some layer, instead of running the rest window by window.
    padding
        ``"exact"``, or ``"extend"`` to scan a padded network as if each window's neighbours stood where its padding
        was, and zeros only outside the input (for maximum pooling too). That is another function than the network's;
        `explain` says how far off.
    max_memory
        Upper bound for the feature maps alive at a time, bytes or text such as ``"512MB"``; input and scores come on
        top. By default maps are kept small enough for the processor's cache.
    device
        Where to run; by default where the module's parameters are.

    Raises
    ------
    NotScannable
        When no scan can equal the network (training mode, batch statistics, randomness), or when sharing ends and
        ``strict``.
    ArgumentError
        When the window does not fit the module, or an argument is out of range.

    Warns
    -----
    SharingEnds
        When a layer cannot be shared between windows; the scan stays exact, and slower.

    Notes
    -----
    Scores equal the network's on each window up to rounding: the order of additions differs. Networks of convolutions,
    linear layers, ReLU, maximum and addition with small integer weights and inputs agree to the last bit.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(8, 2)).eval()
    >>> scanner = Scanner(net, window_shape=(1, 8))
    >>> scanner.scan(torch.zeros(1, 100)).shape
    torch.Size([2, 93])
    """

    def __init__(
        self,
        module: torch.nn.Module,
        window_shape: Sequence[int],
        hop: int | Sequence[int] = 1,
        *,
        strict: bool = False,
        padding: str = "exact",
        max_memory: int | str | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        if not isinstance(module, torch.nn.Module):
            raise ArgumentError(
                f"module must be a torch.nn.Module; got {type(module).__name__}. Wrap the function in one."
            )
        like = next(module.parameters(), torch.zeros(()))
        self.device = like.device if device is None else usable_device(device)
        module = copied(module)
        self._prepare(rewrite(module, window_shape, padding), hop, max_memory)
        self.module: torch.nn.Module | None = module
        self._check_against(module)
        self.module = module.to(self.device)
        if self.program.ends:
            report_ends(self.program, self.reuse_factor, strict=strict)

    @classmethod
    def from_program(
        cls,
        program: Program,
        hop: int | Sequence[int] = 1,
        *,
        max_memory: int | str | None = None,
        device: torch.device | str = "cpu",
    ) -> Scanner:
        """Build a scanner from a program alone, as loaded from a file; its oracle runs the program window by window."""
        scanner = cls.__new__(cls)
        scanner.device = usable_device(device)
        scanner.module = None
        scanner._prepare(program, hop, max_memory)
        return scanner

    def _prepare(self, program: Program, hop: int | Sequence[int], max_memory: int | str | None) -> None:
        self.program = program
        self.window_shape, self.window, self.jump = program.window_shape, program.window, program.jump
        self.hop = per_axis("hop", hop, program.axes)
        self.dtype: torch.dtype = getattr(torch, program.dtype)
        self.max_bytes = None if max_memory is None else memory_bytes(max_memory)
        # A tile at the end of an input has a size of its own; of the latest sizes the evaluators are kept.
        self._evaluator = lru_cache(maxsize=16)(self._new_evaluator)

    # Running ----------------------------------------------------------------------------------------------------

    def scan(self, x: np.ndarray | torch.Tensor) -> Any:
        """Scan an input.

        Parameters
        ----------
        x
            ``(channels, *space)`` or ``(batch, channels, *space)``, numpy or torch, any real number type.

        Returns
        -------
        array or tensor, as given
            Scores ``(*out, *positions)``, with the batch in front if there was one: at ``[..., i]`` the network's
            output for window ``[i * hop, i * hop + window)``. Along an axis shorter than the window there are 0
            positions. For networks that return several tensors, a tuple or dict of such. Computed in the network's
            number type, float32 for a network without parameters.

        Raises
        ------
        ArgumentError
            When the number of dimensions or channels does not fit.
        """
        return self._around(x, self._scan)

    def scan_windows(self, x: np.ndarray | torch.Tensor) -> Any:
        """Cut every window out of ``x`` and run the network on it: the slow oracle that `scan` must equal.

        Parameters and returns are those of `scan`.
        """
        network = self.module if self.module is not None else self._one_window
        return self._around(x, lambda batch: scan_windows(network, batch, self.window, self.hop))

    def _around(self, x: np.ndarray | torch.Tensor, run: Any) -> Any:
        """Accept numpy and torch, with and without a batch, and give back the same."""
        tensor = as_tensor(x)
        if not isinstance(tensor, torch.Tensor) or tensor.is_complex() or tensor.layout != torch.strided:
            kind = f"an array of {x.dtype}" if isinstance(x, np.ndarray | torch.Tensor) else type(x).__name__
            raise ArgumentError(
                f"x must be a dense numpy array or torch tensor of real numbers; got {kind}. Convert it."
            )
        if tensor.dim() not in (self.program.axes + 1, self.program.axes + 2):
            raise ArgumentError(
                f"x must be an array (channels, *space) or (batch, channels, *space); got {tuple(tensor.shape)}. "
                f"The window has shape {self.window_shape}."
            )
        batched = tensor.dim() == self.program.axes + 2
        batch = tensor if batched else tensor[None]
        if batch.shape[1] != self.window_shape[0]:
            raise ArgumentError(
                f"x must have {self.window_shape[0]} channels; got {batch.shape[1]} in shape {tuple(tensor.shape)}. "
                "Channels come first, (channels, *space)."
            )
        scores = run(batch.to(device=self.device, dtype=self.dtype))

        def back(out: torch.Tensor) -> Any:
            out = out if batched else out[0]
            return out.cpu().numpy() if isinstance(x, np.ndarray) else out.to(tensor.device)

        return pytree.tree_map(back, scores)

    @torch.no_grad()
    def _scan(self, x: torch.Tensor) -> Any:
        return self._scan_surrounded(self._surrounded(x))

    @torch.no_grad()
    def _scan_surrounded(self, x: torch.Tensor) -> Any:
        """Scan an input that already has the surroundings that an extended program reads."""
        counts = tuple(positions(s, w, h) for s, w, h in zip(x.shape[2:], self._extent, self.hop, strict=True))
        shapes = [output.shape for output in self.program.outputs]
        types = [getattr(torch, output.dtype) for output in self.program.outputs]
        flat = [
            x.new_empty(len(x), prod(shape), *counts, dtype=dtype) for shape, dtype in zip(shapes, types, strict=True)
        ]
        if len(x) and 0 not in counts:
            (self._fill_tiles if self.plan.shared else self._fill_windows)(x, counts, flat)
        outputs = [out.reshape(len(x), *shape, *counts) for out, shape in zip(flat, shapes, strict=True)]
        return _packed(outputs, self.program.structure)

    def _surrounded(self, x: torch.Tensor) -> torch.Tensor:
        """Surround the input by the zeros that an extended program reads outside it; nothing for an exact one."""
        widths = []
        for (start, stop), window in reversed(list(zip(self.program.reach(), self.window, strict=True))):
            widths += [max(0, -start), max(0, stop - window)]
        return torch.nn.functional.pad(x, widths) if any(widths) else x

    @cached_property
    def _extent(self) -> tuple[int, ...]:
        """Input samples per axis that one output may read: the window, and its surroundings when extended."""
        return tuple(max(b, w) - min(a, 0) for (a, b), w in zip(self.program.reach(), self.window, strict=True))

    def _fill_tiles(self, x: torch.Tensor, counts: tuple[int, ...], flat: list[torch.Tensor]) -> None:
        tile = self._tile
        per_item = self.plan.tile_values([min(t, n) for t, n in zip(tile, counts, strict=True)])
        group = max(1, self._max_values // per_item)
        for spans in tiles(counts, tile):
            evaluate = self._evaluator(tuple(b - a for a, b in spans))
            space = tuple(
                slice(a * h, (b - 1) * h + r) for (a, b), h, r in zip(spans, self.hop, self._extent, strict=True)
            )
            place = tuple(slice(a, b) for a, b in spans)
            for first in range(0, len(x), group):
                items = slice(first, first + group)
                region = x[(items, slice(None), *space)]
                for out, values in zip(flat, evaluate(self._trimmed(region)), strict=True):
                    out[(items, slice(None), *place)] = values

    def _fill_windows(self, x: torch.Tensor, counts: tuple[int, ...], flat: list[torch.Tensor]) -> None:
        for axis, (reach, hop) in enumerate(zip(self._extent, self.hop, strict=True)):
            x = x.unfold(axis + 2, reach, hop)
        axes = len(counts)
        windows = x.movedim(1, axes + 1)  # (batch, *positions, channels, *window)
        evaluate = self._evaluator((1,) * axes)
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
            size = region.shape[axis + 2] - self._extent[axis] + (last - first + 1)
            region = region.narrow(axis + 2, lead, size)
        return region

    def _new_evaluator(self, counts: tuple[int, ...]) -> TileEvaluator:
        return TileEvaluator(self._program_on_device, self.plan, counts, self._max_values)

    def _one_window(self, x: torch.Tensor) -> Any:
        alone = Scanner.from_program(self.program, self.window, device=self.device)._scan(x)
        axes = self.program.axes
        return pytree.tree_map(lambda out: out.reshape(out.shape[: out.dim() - axes]), alone)

    # Planning ---------------------------------------------------------------------------------------------------

    @cached_property
    def _program_on_device(self) -> Program:
        nodes = (
            replace(node, params={name: t.to(self.device) for name, t in node.params.items()})
            for node in self.program.nodes
        )
        return replace(self.program, nodes=tuple(nodes))

    @cached_property
    def plan(self) -> Plan:
        """Which positions of which map a scan computes."""
        outputs = [(output.node, output.shift) for output in self.program.outputs]
        return plan_scan(_stages(self.program), outputs, self.hop, self._extent)

    @cached_property
    def _max_values(self) -> int:
        usual = GPU_BYTES if self.device.type == "cuda" else CACHE_BYTES
        return max(1, (self.max_bytes or usual) // self.dtype.itemsize)

    @cached_property
    def _least_values(self) -> int:
        """Numbers alive at a time for one output, the least that a bound has to allow."""
        least = self.plan.tile_values((1,) * self.program.axes)
        if self.max_bytes is not None and least > self._max_values:
            raise ArgumentError(
                f"max_memory must hold the feature maps of one window, {least * self.dtype.itemsize} bytes; "
                f"got {self.max_bytes}. Allow more."
            )
        return least

    @cached_property
    def _tile(self) -> tuple[int, ...]:
        fits = self._least_values <= self._max_values
        return self.plan.tile(self._max_values if fits else 4 * self._least_values)

    @property
    def reuse_factor(self) -> float:
        """Multiply-accumulates of all windows one by one over those of the plan, for an endless input."""
        ours = self.plan.macs_per_window
        return self.program.window_macs() / ours if ours else 1.0

    def explain(self) -> Explanation:
        """Return what the scan does and costs; print it."""
        return Explanation.of(self)

    def deviation(self, samples: int = 16) -> float:
        """Return by how much the scan's function differs from the network's, relative to the network's largest output.

        Measured on ``samples`` windows of normally distributed noise, each in the middle of more noise. Rounding only,
        unless padding is extended.
        """
        if self.module is None:
            raise ArgumentError("deviation must have the network to compare with; got a program. Build from a module.")
        generator = torch.Generator().manual_seed(11)
        low = [min(0, a) for a, _ in self.program.reach()]
        shape = (samples, self.window_shape[0], *self._extent)
        x = torch.randn(shape, generator=generator, dtype=torch.float64).to(self.device, self.dtype)
        cut = tuple(slice(-a, w - a) for a, w in zip(low, self.window, strict=True))
        alone = Scanner.from_program(self.program, self._extent, device=self.device)
        with torch.no_grad():
            whole = alone._scan_surrounded(x)
            single = self.module(x[(slice(None), slice(None), *cut)].clone())
        worst = 0.0
        for have, want in zip(*map(pytree.tree_leaves, (whole, single)), strict=True):
            have, want = comparable(have.reshape(want.shape)), comparable(want)
            worst = max(worst, float((have - want).abs().max() / want.abs().max().clamp(min=1e-300)))
        return worst

    # Checks -----------------------------------------------------------------------------------------------------

    def _check_against(self, module: torch.nn.Module) -> None:
        """Compare program and network on random windows: a rewriting that is wrong must not be used."""
        if self.program.padding == "extend":
            return
        generator = torch.Generator().manual_seed(7)
        shape = (2, self.window_shape[0], *self.window)
        x = torch.randn(shape, generator=generator, dtype=torch.float64).to(self.dtype)
        checker = Scanner.from_program(self.program, self.window)
        with torch.no_grad():
            expected, got = pytree.tree_leaves(module(x.clone())), pytree.tree_leaves(checker._scan(x))
        for want, have in zip(expected, got, strict=True):
            have, want = comparable(have.reshape(want.shape)), comparable(want)
            scale = float(want.abs().nan_to_num(posinf=0, neginf=0).max()) if want.numel() else 0.0
            tolerance = torch.finfo(self.dtype).eps ** 0.5 * max(scale, 1e-3)
            if not torch.allclose(have, want, rtol=0, atol=tolerance, equal_nan=True):
                worst = float((have - want).abs().max())
                raise ScanwiseError(
                    f"the rewritten network must equal the module; it differs by {worst:.3g} on random windows. "
                    "This is a defect of scanwise: please report the module."
                )


def _packed(outputs: list[torch.Tensor], structure: str | list[str] | None) -> Any:
    if structure is None:
        return outputs[0]
    return tuple(outputs) if structure == "tuple" else dict(zip(structure, outputs, strict=True))


def _stages(program: Program) -> list[Stage]:
    """Return the program as the planner sees it."""
    stages = []
    for node in program.nodes:
        reads = tuple(
            (source.node, tuple(node.taps(i, axis) for axis in range(program.axes)))
            for i, source in enumerate(node.inputs)
        )
        stages.append(Stage(reads, node.channels, node.macs))
    return stages

"""The scanner: a window network, run everywhere."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as pytree

from scanwise._checks import choice, per_axis
from scanwise.errors import ArgumentError, ReducedPrecision, ScanwiseError
from scanwise.geometry import positions
from scanwise.plan import Plan, Stage, memory_bytes, plan_scan
from scanwise.program import Program, comparable, rewrite

from ._arguments import as_tensor, copied, numbers, usable_device
from ._choice import BACKENDS, Choice, choose
from ._device import repeatable
from ._ends import report_ends
from ._explain import Explanation
from ._oracle import scan_windows
from ._precision import MeasuredError, checked_precision, measure
from ._scores import given_scores
from ._tiles import TorchScan


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
    backend
        ``"native"``: the compiled engine, fastest, and on one machine the same bits however an input is cut.
        ``"torch"``: anything, on any device. ``"auto"``: native where it can run the network, by rules that look at
        nothing but the network, the hop, the device and ``max_memory``; `explain` says which and why.
    max_memory
        Upper bound for the feature maps alive at a time, bytes or text such as ``"512MB"``; input and scores come on
        top. By default maps are kept small enough for the processor's cache; on a GPU, 1 GiB or an eighth of all its
        memory.
    device
        Where to run; by default where the module's parameters are. An input elsewhere is sent there piece by piece,
        and its scores come back as they are computed, so it may be larger than the device's memory.
    precision
        ``"bfloat16"`` to have torch keep weights and maps in that type: less exact, and faster on hardware made for
        it. Where sharing has ended, the network's own type, which None stands for, is kept; scores are in it too. Each
        scan also runs the network itself on up to 64 windows of its input and warns by how much scores differ;
        `measured_error` keeps it.

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
    ReducedPrecision
        At each scan with a `precision`: how far off its scores are.

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
        backend: str = "auto",
        max_memory: int | str | None = None,
        device: torch.device | str | None = None,
        precision: str | None = None,
    ) -> None:
        if not isinstance(module, torch.nn.Module):
            raise ArgumentError(
                f"module must be a torch.nn.Module; got {type(module).__name__}. Wrap the function in one."
            )
        like = next(module.parameters(), torch.zeros(()))
        self.device = like.device if device is None else usable_device(device)
        module = copied(module)
        self._prepare(rewrite(module, window_shape, padding), hop, backend, max_memory, precision)
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
        backend: str = "auto",
        max_memory: int | str | None = None,
        device: torch.device | str = "cpu",
        precision: str | None = None,
    ) -> Scanner:
        """Build a scanner from a program alone, as loaded from a file; its oracle runs the program window by window."""
        scanner = cls.__new__(cls)
        scanner.device = usable_device(device)
        scanner.module = None
        scanner._prepare(program, hop, backend, max_memory, precision)
        return scanner

    def _prepare(
        self,
        program: Program,
        hop: int | Sequence[int],
        backend: str,
        max_memory: int | str | None,
        precision: str | None,
    ) -> None:
        self.program = program
        self.window_shape, self.window, self.jump = program.window_shape, program.window, program.jump
        self.hop = per_axis("hop", hop, program.axes)
        self.dtype: torch.dtype = getattr(torch, program.dtype)
        self.max_bytes = None if max_memory is None else memory_bytes(max_memory)
        self._wanted = choice("backend", backend, BACKENDS)
        self.precision = checked_precision(precision, program.dtype)
        self.measured_error: MeasuredError | None = None
        if backend == "native":
            self.chosen  # noqa: B018  (refused here rather than at the first scan)

    # Running ----------------------------------------------------------------------------------------------------

    def scan(self, x: np.ndarray | torch.Tensor, out: Any = None) -> Any:
        """Scan an input.

        Parameters
        ----------
        x
            ``(channels, *space)`` or ``(batch, channels, *space)``, numpy or torch, any real number type.
        out
            What an earlier scan of an input of this size returned, or the like, to write to: new memory costs time. A
            writable `numpy.memmap` takes scores that do not fit in memory.

        Returns
        -------
        array or tensor, as given
            Scores ``(*out, *positions)``, with the batch in front if there was one: at ``[..., i]`` the network's
            output for window ``[i * hop, i * hop + window)``. Along an axis shorter than the window there are 0
            positions. For networks that return several tensors, a tuple or dict of such. Computed in the network's
            number type, float32 for a network without parameters, unless the scanner has a `precision`.

        Raises
        ------
        ArgumentError
            When the number of dimensions or channels does not fit, or ``out`` is not what would be returned.
        """
        scores = self._around(x, lambda batch: self._scan(batch, self._given(x, out)))
        if self.measured_error is not None:
            message = ReducedPrecision(str(self.measured_error), self.measured_error.relative)
            warnings.warn(message, stacklevel=2)
        return scores if out is None else out

    def _given(self, x: np.ndarray | torch.Tensor, out: Any) -> list[torch.Tensor] | None:
        if out is None:
            return None
        axes = self.program.axes
        counts = tuple(positions(s, w, h) for s, w, h in zip(x.shape[-axes:], self.window, self.hop, strict=True))
        return given_scores(out, self.program, tuple(x.shape[: x.ndim - axes - 1]), counts, x)

    def _scan(self, batch: np.ndarray | torch.Tensor, out: list[torch.Tensor] | None) -> Any:
        scores = self._packed(self.chosen.scan.scan(batch, out))
        if self.precision is not None:
            reads = [(min(a, 0), max(b, w)) for (a, b), w in zip(self.program.reach(), self.window, strict=True)]
            types = (self.precision, self.program.dtype)
            self.measured_error = measure(batch, pytree.tree_leaves(scores), self._alone, reads, self.hop, types)
        return scores

    def scan_windows(self, x: np.ndarray | torch.Tensor) -> Any:
        """Cut every window out of ``x`` and run the network on it: the slow oracle that `scan` must equal.

        Parameters and returns are those of `scan`.
        """
        network = self.module if self.module is not None else self._one_window

        def run(batch: np.ndarray | torch.Tensor) -> Any:
            tensor = as_tensor(batch).to(device=self.device, dtype=self.dtype)
            with repeatable(self.device):
                return scan_windows(network, tensor, self.window, self.hop)

        return self._around(x, run)

    def _around(self, x: np.ndarray | torch.Tensor, run: Callable[[np.ndarray | torch.Tensor], Any]) -> Any:
        """Accept numpy and torch, with and without a batch, and give back the same."""
        x = numbers(x)
        if x.ndim not in (self.program.axes + 1, self.program.axes + 2):
            raise ArgumentError(
                f"x must be an array (channels, *space) or (batch, channels, *space); got {tuple(x.shape)}. "
                f"The window has shape {self.window_shape}."
            )
        batched = x.ndim == self.program.axes + 2
        batch = x if batched else x[None]
        if batch.shape[1] != self.window_shape[0]:
            raise ArgumentError(
                f"x must have {self.window_shape[0]} channels; got {batch.shape[1]} in shape {tuple(x.shape)}. "
                "Channels come first, (channels, *space)."
            )

        def back(out: torch.Tensor) -> Any:
            out = out if batched else out[0]
            return out.cpu().numpy() if isinstance(x, np.ndarray) else out.to(x.device)

        return pytree.tree_map(back, run(batch))

    def _packed(self, flat: Sequence[torch.Tensor]) -> Any:
        """Give scores ``(batch, channels, *counts)`` the shapes and the structure of the network's outputs."""
        outputs = [
            out.reshape(len(out), *output.shape, *out.shape[2:])
            for out, output in zip(flat, self.program.outputs, strict=True)
        ]
        structure = self.program.structure
        if structure is None:
            return outputs[0]
        return tuple(outputs) if structure == "tuple" else dict(zip(structure, outputs, strict=True))

    def _alone(self, window: torch.Tensor) -> list[torch.Tensor]:
        """Return all outputs for one window with its surroundings, as exactly as they can be had."""
        x = window.to(self.device, self.dtype, copy=True)
        if self.module is None or self.program.padding == "extend":
            return pytree.tree_leaves(self._packed(self._surrounded.scan_surrounded(x)))
        with torch.no_grad(), repeatable(self.device):
            return pytree.tree_leaves(self.module(x))

    @cached_property
    def _surrounded(self) -> TorchScan:
        """Takes windows with their surroundings, one by one."""
        single = Scanner.from_program(self.program, self.program.extent(), backend="torch", device=self.device)
        return TorchScan(self.program, single.plan, self.device, None)

    def _one_window(self, x: torch.Tensor) -> Any:
        alone = Scanner.from_program(self.program, self.window, backend="torch", device=self.device).scan(x)
        axes = self.program.axes
        return pytree.tree_map(lambda out: out.reshape(out.shape[: out.dim() - axes]), alone)

    # Planning ---------------------------------------------------------------------------------------------------

    @cached_property
    def plan(self) -> Plan:
        """Which positions of which map a scan on torch computes."""
        outputs = [(output.node, output.shift) for output in self.program.outputs]
        return plan_scan(_stages(self.program), outputs, self.hop, self.program.extent())

    @cached_property
    def chosen(self) -> Choice:
        """The backend that runs the scan, and why it was chosen."""
        return choose(
            self.program, self.hop, self._wanted, self.device, self.max_bytes, self.precision, lambda: self.plan
        )

    @property
    def backend(self) -> str:
        """What runs the scan: ``"native"`` or ``"torch"``."""
        return self.chosen.scan.name

    @property
    def least_bytes(self) -> int:
        """The least ``max_memory`` that a scan on this backend can keep to."""
        return self.chosen.scan.least_bytes

    @property
    def reuse_factor(self) -> float:
        """Multiply-accumulates of all windows one by one over those of the scan, for an endless input."""
        ours = self.chosen.scan.macs
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
        shape = (samples, self.window_shape[0], *self.program.extent())
        x = torch.randn(shape, generator=generator, dtype=torch.float64).to(self.device, self.dtype)
        cut = tuple(slice(-a, w - a) for a, w in zip(low, self.window, strict=True))
        whole = self._packed(self._surrounded.scan_surrounded(x))
        with torch.no_grad(), repeatable(self.device):
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
        checker = Scanner.from_program(self.program, self.window, backend="torch")
        with torch.no_grad():
            expected, got = pytree.tree_leaves(module(x.clone())), pytree.tree_leaves(checker.scan(x))
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

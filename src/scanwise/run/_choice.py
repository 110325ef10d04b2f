"""Which backend runs a scan, and why: by the network, the hop, the device and the memory allowed, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from scanwise.errors import ArgumentError
from scanwise.kernels import absent
from scanwise.plan import Plan
from scanwise.program import Program

from ._lower import NotNative
from ._native import NativeScan
from ._tiles import TorchScan

BACKENDS = ("auto", "native", "torch")


class Scan(Protocol):
    """A program at a hop on some backend."""

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def macs(self) -> float: ...

    @property
    def least_bytes(self) -> int: ...

    def scan(self, x: np.ndarray | torch.Tensor, out: list[torch.Tensor] | None = None) -> list[torch.Tensor]: ...


@dataclass(frozen=True)
class Choice:
    """A backend, and why it was chosen."""

    scan: Scan
    reason: str


def choose(
    program: Program,
    hop: Sequence[int],
    wanted: str,
    device: torch.device,
    max_bytes: int | None,
    precision: str | None,
    plan: Callable[[], Plan],
) -> Choice:
    """Return the backend that was asked for, or that suits a program.

    Raises
    ------
    ArgumentError
        When the native backend was asked for and cannot run the program.
    """
    reason = "it was asked for"
    if wanted != "torch":
        try:
            scan = _native(program, hop, device, max_bytes, precision)
        except NotNative as why:
            reason = why.args[0]
        else:
            return Choice(scan, "it runs all of the network" if wanted == "auto" else reason)
    if wanted == "native":
        raise ArgumentError(f"backend must be one that can run this scan; got 'native', but {reason}. Use 'auto'.")
    return Choice(TorchScan(program, plan(), device, max_bytes, precision), reason)


def _native(
    program: Program, hop: Sequence[int], device: torch.device, max_bytes: int | None, precision: str | None
) -> NativeScan:
    if precision is not None:
        raise NotNative(f"{precision} was asked for")
    if device.type != "cpu":
        raise NotNative(f"the native engine runs on the cpu, not on {device.type}")
    missing = absent()
    if missing is not None:
        raise NotNative(f"there is no native engine: {missing}")
    return NativeScan(program, hop, max_bytes)

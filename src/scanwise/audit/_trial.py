"""The same trial for every architecture: build, train, measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from statistics import median
from typing import Any

import numpy as np
import torch

from scanwise.audit._architectures import architecture
from scanwise.audit._comparison import Crossing, Measured
from scanwise.audit._measure import accuracy, deviation, shifted_accuracy
from scanwise.audit._memory import peak_of_step
from scanwise.audit._shape import Shape
from scanwise.errors import TrainingError
from scanwise.geometry import Ledger, LedgerRow
from scanwise.nn import WindowNet
from scanwise.training import fit

__all__ = ["Trial", "crossings"]


@dataclass(frozen=True, eq=False)
class Trial:
    """What all architectures are given."""

    shape: Shape
    account: Ledger
    x: np.ndarray
    y: np.ndarray
    held: tuple[np.ndarray, np.ndarray]
    shifts: tuple[int, ...]
    epochs: int
    batch: int
    lr: float
    seed: int
    heard: Callable[[str, dict[str, Any]], None]

    def measured(self, row: LedgerRow, *, train: bool) -> Measured:
        """Build, train and measure one architecture; or only count it."""
        counted = Measured(
            name=row.name,
            what=row.what,
            shared=row.shared,
            distributed=row.distributed,
            output="values" if row.name == "dense" else "map",
            parameters=row.weights,
            parameters_at_twice=self.shape.account(times=2)[row.name].weights,
            macs=row.macs,
        )
        if not train:
            return counted
        some = torch.from_numpy(self.x[: self.batch]), torch.from_numpy(self.y[: self.batch])
        peak = peak_of_step(self._net(row), *some)  # it also pays for what is loaded once, before the clock runs
        net = self._net(row)
        try:
            history = fit(
                net,
                self.x,
                self.y,
                lr=self.lr,
                epochs=self.epochs,
                batch=self.batch,
                seed=self.seed,
                label_smoothing=0.0,
                on_epoch=lambda epoch: self.heard(row.name, epoch),
            )
        except TrainingError as error:
            raise TrainingError(f"{row.name}: {error}") from error
        return replace(
            counted,
            parameters=_counted(net),
            peak_bytes=peak,
            seconds=median(epoch["seconds"] for epoch in history.rows) * self.epochs,
            train_accuracy=accuracy(net, self.x, self.y),
            held_out_accuracy=accuracy(net, *self.held),
            shifted_accuracies=tuple(shifted_accuracy(net, *self.held, shift) for shift in self.shifts),
            deviation=deviation(net, self.held[0], self.account.hop),
        )

    def _net(self, row: LedgerRow) -> WindowNet:
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            return architecture(row, self.shape)


def crossings(shape: Shape, account: Ledger) -> tuple[Crossing, ...]:
    """Both shared architectures with second layers below, at and above the crossover, and as they are; counted."""
    if account.crossover is None:
        return ()
    around = {int(account.crossover * factor) for factor in (Fraction(1, 2), 1, 2)} | {shape.widths[1]}
    return tuple(_crossing(shape, width) for width in sorted(around) if width > 0)


def _crossing(shape: Shape, width: int) -> Crossing:
    other = replace(shape, widths=(shape.widths[0], width, *shape.widths[2:]))
    account = other.account()
    with torch.device("meta"):  # to count, not to run
        nets = [architecture(account[name], other) for name in ("scanning", "convolutional")]
    return Crossing(width, *map(_counted, nets))


def _counted(net: WindowNet) -> int:
    return sum(parameter.numel() for parameter in net.parameters())

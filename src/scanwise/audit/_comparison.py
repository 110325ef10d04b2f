"""What a comparison found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from textwrap import fill

import numpy as np
import pandas as pd

from scanwise.audit._words import conclusions, header, plain_table
from scanwise.geometry import Ledger

__all__ = ["Comparison", "Crossing", "Measured"]


@dataclass(frozen=True, slots=True)
class Measured:
    """One architecture on the data. What training tells is None where it was too large to be trained.

    Attributes
    ----------
    name, what, shared, distributed
        As in `LedgerRow`.
    output
        ``map``, scores at positions that keep the input's order and distances, or ``values``, collected from
        everywhere and tied to no place.
    parameters
        Numbers learnt, biases included.
    parameters_at_twice
        The same for an input of twice the extent per axis.
    macs
        Multiply-accumulates for one clip.
    peak_bytes
        Most bytes of tensors alive at a time in one training step; see `Comparison`.
    seconds
        Of training: the median epoch times the number of epochs, so that what else the machine does counts little.
    train_accuracy, held_out_accuracy
        Share of right answers, to the clips that were learnt from and to the others.
    shifted_accuracies
        To held-out clips that were moved, for each of `Comparison.shifts`: the mean over both directions of each axis.
    deviation
        Relative difference (root mean square) between the map of an input moved by one hop and the map moved by one
        position: 0, up to rounding, if the map moves with its input. On held-out clips.
    """

    name: str
    what: str
    shared: bool
    distributed: bool
    output: str
    parameters: int
    parameters_at_twice: int
    macs: int
    peak_bytes: int | None = None
    seconds: float | None = None
    train_accuracy: float | None = None
    held_out_accuracy: float | None = None
    shifted_accuracies: tuple[float, ...] | None = None
    deviation: float | None = None

    @property
    def gap(self) -> float | None:
        """Accuracy in training minus that on held-out clips: the overfitting."""
        if self.train_accuracy is None or self.held_out_accuracy is None:
            return None
        return self.train_accuracy - self.held_out_accuracy

    @property
    def shifted_accuracy(self) -> float | None:
        """Mean over the shifts."""
        return None if self.shifted_accuracies is None else float(np.mean(self.shifted_accuracies))


@dataclass(frozen=True, slots=True)
class Crossing:
    """Parameters of the two shared architectures, counted, with another width of the second layer.

    Attributes
    ----------
    width
        ``N2``.
    scanning, convolutional
        Parameters.
    """

    width: int
    scanning: int
    convolutional: int

    @property
    def saving(self) -> int:
        """Parameters that distributing saves; negative if it costs."""
        return self.scanning - self.convolutional


@dataclass(frozen=True, eq=False)
class Comparison:
    """Five architectures of the same layer widths on the same data; ``print`` it.

    Attributes
    ----------
    rows
        One per architecture, in the order of `Ledger.rows`: from nothing shared to everything.
    account
        The ledger of the same networks, biases counted: window, hop, symbols, formulas.
    crossings
        What distributing saves for widths of the second layer around `Ledger.crossover`, where it begins to cost.
        Empty with a single layer.
    channels, space, unit
        Of the input; what the axes of space count.
    kernels, strides
        Of the distributed form, per layer and axis.
    classes
        Names.
    train_count, held_out_count
        Clips.
    shifts
        By how much clips were moved.
    epochs, batch, lr, seed
        Of the training, the same for all: AdamW, one cycle, plain cross-entropy, nothing augmented.
    max_parameters
        Above, an architecture is counted and not trained.

    Notes
    -----
    *Peak memory* counts bytes of tensors in one training step on a batch: the batch, parameters, gradients, AdamW's
    moments, activations, and temporary tensors, from the operation that makes each until it is freed. Scratch
    space inside one operation, the allocator's and the libraries' own memory are not counted.
    """

    rows: tuple[Measured, ...]
    account: Ledger
    crossings: tuple[Crossing, ...]
    channels: int
    space: tuple[int, ...]
    unit: str
    kernels: tuple[tuple[int, ...], ...]
    strides: tuple[tuple[int, ...], ...]
    classes: tuple[str, ...]
    train_count: int
    held_out_count: int
    shifts: tuple[int, ...]
    epochs: int
    batch: int
    lr: float
    seed: int
    max_parameters: int

    def __getitem__(self, name: str) -> Measured:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    def table(self) -> pd.DataFrame:
        """One row per architecture: the fields of `Measured`, `gap`, and a column ``shifted_<shift>`` per shift."""
        return pd.DataFrame([self._record(row) for row in self.rows])

    def _record(self, row: Measured) -> dict[str, object]:
        shifted = row.shifted_accuracies or [None] * len(self.shifts)
        record = asdict(row) | {"gap": row.gap, "shifted_accuracy": row.shifted_accuracy}
        del record["shifted_accuracies"]
        return record | {f"shifted_{shift}": right for shift, right in zip(self.shifts, shifted, strict=True)}

    @property
    def conclusions(self) -> tuple[str, ...]:
        """What the numbers say, a sentence or two each."""
        return conclusions(self)

    def __str__(self) -> str:
        bullets = [fill(f"* {sentence}", 110, subsequent_indent="  ") for sentence in self.conclusions]
        return "\n".join([*header(self), "", *plain_table(self), "", *bullets])

"""The training loop: epochs, steps, and which weights to keep."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from scanwise.errors import TrainingError
from scanwise.nn import WindowNet
from scanwise.training._augment import Augmentation
from scanwise.training._batches import Batches
from scanwise.training._history import History
from scanwise.training._identity_batches import IdentityBatches
from scanwise.training._metrics import predict
from scanwise.training._objectives import Objective
from scanwise.training._optimisers import rate_factor
from scanwise.training._seeds import AUGMENTATION, DRAWING, DROPOUT, generator, seed_layers


class Source(Protocol):
    """Where windows come from: ``draw`` gives those of some examples, the same at each draw or not."""

    def __len__(self) -> int: ...

    def draw(self, rows: Tensor, generator: torch.Generator) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class Stored:
    """Windows that lie in memory, ``(n, channels, *window)``."""

    x: Tensor

    def __len__(self) -> int:
        return len(self.x)

    def draw(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Return the windows `rows`."""
        return self.x[rows]


@dataclass
class Run:
    """One call of `fit`, checked: what it trains, with what, on what."""

    net: WindowNet
    goal: Objective
    source: Source
    targets: Tensor
    held: tuple[Tensor, Tensor] | None
    front: nn.Module
    optimiser: torch.optim.Optimizer
    rate: float
    schedule: str
    batches: Batches | IdentityBatches
    epochs: int
    augment: Augmentation | None
    layout: torch.memory_format

    def go(self, *, patience: int, keep: str, on_epoch: Callable[[dict[str, Any]], None]) -> History:
        """Train until the last epoch or the end of patience, then take the best or the last weights."""
        history = History(metric_name=self.goal.metric_name)
        best, lowest = copy.deepcopy(self.net.state_dict()), math.inf
        with torch.random.fork_rng():
            try:
                self.net.to(memory_format=self.layout)  # type: ignore[call-overload]
                for epoch in range(self.epochs):
                    row = self.epoch(epoch)
                    history.rows.append(row)
                    if keep == "last" or row["val_loss"] is None or row["val_loss"] < lowest:
                        best, history.best = copy.deepcopy(self.net.state_dict()), epoch
                        lowest = math.inf if row["val_loss"] is None else row["val_loss"]
                    on_epoch(row)
                    if epoch - history.best >= patience:
                        history.stopped_early = epoch + 1 < self.epochs
                        break
            finally:
                self.net.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
                self.net.load_state_dict(best)
                self.net.eval()
        return history

    def epoch(self, epoch: int) -> dict[str, Any]:
        """Train for one epoch and return its row of the history."""
        started = time.perf_counter()
        self.net.train()
        losses = [self.step(epoch, index) for index in range(len(self.batches))]
        row = {"epoch": epoch, "loss": math.fsum(losses) / len(losses), "val_loss": None, "metric": None}
        if self.held is not None:
            outputs, targets = predict(self.net, self.held[0], front=self.front), self.held[1]
            row["val_loss"] = self.goal.judge(outputs, targets).item()
            row["metric"] = self.goal.metric(outputs, targets).item()
        weights = torch.cat([parameter.detach().flatten() for parameter in self.net.parameters()])
        self._finite(weights.abs().sum().item() + (row["val_loss"] or 0.0), epoch)
        return {**row, "lr": self.optimiser.param_groups[0]["lr"], "seconds": time.perf_counter() - started}

    def step(self, epoch: int, index: int) -> float:
        """Train on one batch and return its loss."""
        chosen = torch.from_numpy(self.batches.indices(epoch, index).copy())
        seed = self.batches.seed
        parameter = next(self.net.parameters())
        x = self.source.draw(chosen, generator(seed, DRAWING, epoch, index)).to(parameter.dtype)
        if self.augment is not None:
            x = self.augment(x, generator(seed, AUGMENTATION, epoch, index))
        progress = (epoch + index / len(self.batches)) / self.epochs
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * rate_factor(self.schedule, progress)
        with torch.no_grad():
            x = self.front(x.to(parameter.device)).to(memory_format=self.layout)
        y = self.targets[chosen].to(parameter.device)

        def closure() -> float:
            seed_layers(seed, DROPOUT, epoch, index)
            self.optimiser.zero_grad()
            loss = self.goal.loss(self.net(x), y)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss.item()

        return self._finite(self.optimiser.step(closure), epoch)

    def _finite(self, value: float, epoch: int) -> float:
        if math.isfinite(value):
            return value
        raise TrainingError(
            f"loss must stay finite; got {value} in epoch {epoch}. Lower lr ({self.rate:g}), or look for "
            "extreme values in the data."
        )

"""Networks that no scan can equal."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 - as everybody writes it
from torch import Tensor, nn

from .case import Apply, Case

__all__ = ["REFUSED"]


class Counting(nn.Module):
    """Changes a buffer with every call."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 3, 3)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls.add_(1)
        return self.conv(x).mean(-1) / self.calls


class Training(nn.Module):
    """Stays in training mode, whoever says otherwise."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.conv, self.layer = nn.Conv1d(2, 3, 3), layer

    def eval(self) -> Training:
        return self.train()

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(self.conv(x)).mean(-1)


def odd(function: Callable[[Tensor], Tensor]) -> Callable[[], nn.Module]:
    return lambda: Apply(nn.Conv1d(2, 3, 3), function)


def branch(x: Tensor) -> Tensor:
    return x.mean(-1) if x.sum() > 0 else x.amax(-1)


def batch_statistics() -> nn.Module:
    return nn.Sequential(nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3, track_running_stats=False), nn.Flatten())


REFUSED = [
    Case("batch norm in training mode", lambda: Training(nn.BatchNorm1d(3)), (2, 8), refused="training mode"),
    Case("dropout in training mode", lambda: Training(nn.Dropout(0.5)), (2, 8), refused="training mode"),
    Case("batch norm without statistics", batch_statistics, (2, 8), refused="batch"),
    Case("dropout always on", odd(lambda x: F.dropout(x, training=True).mean(-1)), (2, 8), refused="random"),
    Case("noise", odd(lambda x: (x + torch.rand_like(x)).mean(-1)), (2, 8), refused="random"),
    Case("a changed buffer", Counting, (2, 8), refused="buffer|calls"),
    Case("mean over the batch", odd(lambda x: (x - x.mean(0, keepdim=True)).mean(-1)), (2, 8), refused="batch"),
    Case("softmax over the batch", odd(lambda x: x.mean(-1).softmax(0)), (2, 8), refused="batch"),
    Case("neighbours in the batch", odd(lambda x: x.mean(-1) + x.mean(-1).roll(1, 0)), (2, 8), refused="batch"),
    Case("a number read out", odd(lambda x: x.mean(-1) * float(x.max())), (2, 8), refused="values|data|control"),
    Case("control flow by values", odd(branch), (2, 8), refused="values|data|control"),
]

"""Two small networks that are shared throughout, one for signals and one for images."""

from __future__ import annotations

import torch
from torch import nn


def small(axes: int = 1, dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(0)
    if axes == 1:
        net = nn.Sequential(nn.Conv1d(2, 4, 3), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(4 * 5, 3))
    else:
        net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4 * 12, 3))
    return net.to(dtype).eval()


def window(axes: int) -> tuple[int, ...]:
    return (2, 12) if axes == 1 else (2, 8, 10)

"""The module that is scanned: the front end, normalisation, the network, and scores that can be compared."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from scanwise.features import Front
from scanwise.nn import WindowNet

__all__ = ["front_module", "window_module"]


class _Normalise(nn.Module):
    """``(x - mean) / std`` of ``(batch, channels, *space)``, by numbers per channel fixed in training."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float], *, axes: int) -> None:
        super().__init__()
        per_channel = (len(mean), *(1,) * axes)
        self.register_buffer("mean", torch.tensor(mean).reshape(per_channel))
        self.register_buffer("std", torch.tensor(std).reshape(per_channel))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


def front_module(front: Front | None, *, mean: Sequence[float], std: Sequence[float], axes: int) -> nn.Sequential:
    """Raw windows ``(batch, channels, *window)`` to what the network looks at; steps `features` and `normalise`."""
    module = nn.Sequential()
    if front is not None:
        module.add_module("features", front)
    module.add_module("normalise", _Normalise(mean, std, axes=axes))
    return module.eval()


def window_module(front: nn.Sequential, net: WindowNet, *, classify: bool) -> nn.Sequential:
    """Raw windows ``(batch, channels, *window)`` to scores ``(batch, outputs)``.

    Scores are probabilities for classes, the predicted values for regression. The steps are named
    ``front``, ``net`` and ``softmax``.
    """
    module = nn.Sequential()
    module.add_module("front", front)
    module.add_module("net", net)
    if classify:
        module.add_module("softmax", nn.Softmax(dim=1))
    return module.eval()

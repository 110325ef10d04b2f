"""One network of the zoo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

__all__ = ["Apply", "Case"]

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.InstanceNorm2d, nn.GroupNorm, nn.LayerNorm)


@dataclass(frozen=True)
class Case:
    """One network, built anew and alike by every `make`.

    Parameters
    ----------
    name
        The architecture, and what is peculiar to it.
    build
        Constructs the module.
    window_shape
        `(channels, *window)`.
    ends
        Path of the layer where sharing ends; empty where everything is shared.
    refused
        What the refusal says, a regular expression; empty for a network that can be scanned.
    """

    name: str
    build: Callable[[], nn.Module]
    window_shape: tuple[int, ...]
    ends: str = ""
    refused: str = ""

    def make(self) -> nn.Module:
        """The module in eval mode, its weights drawn at random, those and the statistics of norms too."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(len(self.name))
            module = self.build()
            for layer in module.modules():
                if isinstance(layer, _NORMS):
                    for name, values in layer.state_dict(keep_vars=True).items():
                        if name != "num_batches_tracked":
                            nn.init.uniform_(values, *((-0.5, 0.5) if name.endswith(("bias", "mean")) else (0.5, 1.5)))
        return module.eval()


class Apply(nn.Module):
    """A body, and a function of its output and of weights of the given shapes."""

    def __init__(self, body: nn.Module, function: Callable[..., Tensor], *shapes: tuple[int, ...]) -> None:
        super().__init__()
        self.body = body
        self.function = function
        self.weights = nn.ParameterList([nn.Parameter(0.3 * torch.randn(shape)) for shape in shapes])

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.body(x), *self.weights)

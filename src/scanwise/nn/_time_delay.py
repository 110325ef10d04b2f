"""The layer of time-delay networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from scanwise._checks import flag, whole
from scanwise.nn._contexts import offsets_of


@final
class TimeDelay(nn.Module):
    """A convolution over frames whose taps may lie at any distances.

    Output ``i`` is ``bias + sum over k of weight[:, :, k] @ x[i * stride + offsets[k] - offsets[0]]``. Where taps are
    equally spaced that is torch's ``Conv1d`` with a dilation. Elsewhere the frames read are spliced and multiplied by
    the same weights, so that nothing is multiplied by zeros. Nothing is padded.

    Parameters
    ----------
    inputs, outputs : int
        Channels read and computed.
    offsets : sequence of int
        Frames read, strictly increasing. Only their distances matter.
    stride : int
        Frames between those that two neighbouring outputs read.
    bias : bool
        Whether a bias is added.

    Raises
    ------
    ArgumentError
        If an argument breaks its rule.

    Examples
    --------
    >>> layer = TimeDelay(40, 64, offsets=(-3, 0, 1))
    >>> layer.weight.shape, layer(torch.zeros(1, 40, 10)).shape
    (torch.Size([64, 40, 3]), torch.Size([1, 64, 6]))
    """

    def __init__(
        self, inputs: int, outputs: int, offsets: Sequence[int], stride: int = 1, *, bias: bool = True
    ) -> None:
        super().__init__()
        first, *_ = offsets = offsets_of("offsets", offsets)
        self.taps: tuple[int, ...] = tuple(offset - first for offset in offsets)
        self.stride = whole("stride", stride)
        shape = whole("outputs", outputs), whole("inputs", inputs), len(self.taps)
        self.weight = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.empty(shape[0])) if flag("bias", bias) else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new weights, as torch's convolutions do."""
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.weight[0].numel())
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's frames.

        Parameters
        ----------
        x : torch.Tensor
            ``(batch, inputs, frames)``, at least as many frames as the taps span.

        Returns
        -------
        torch.Tensor
            ``(batch, outputs, (frames - span) // stride + 1)``.
        """
        distances = {b - a for a, b in pairwise(self.taps)}
        if len(distances) <= 1:
            return functional.conv1d(x, self.weight, self.bias, self.stride, dilation=max(distances, default=1))
        stop = x.shape[-1] - self.taps[-1]
        spliced = torch.cat([x[..., tap : tap + stop : self.stride] for tap in self.taps], 1)
        return functional.conv1d(spliced, self.weight.transpose(1, 2).flatten(1)[..., None], self.bias)

    def extra_repr(self) -> str:
        """Return the settings, for ``print``."""
        outputs, inputs, _ = self.weight.shape
        return f"{inputs}, {outputs}, offsets={self.taps}, stride={self.stride}, bias={self.bias is not None}"

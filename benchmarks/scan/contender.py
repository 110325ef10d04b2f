"""What a contender offers: forms of the same scan, of which the fastest correct one is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import nn

from .layers import Layer, dense_layers
from .workloads import Workload

Call = Callable[[], np.ndarray]
"""Scans once; returns scores ``(outputs, *positions)``."""


class NotApplicableError(Exception):
    """A library cannot do the workload; the text says why."""


@dataclass(frozen=True)
class Case:
    """A workload, its network, and the threads to use."""

    load: Workload
    threads: int

    @cached_property
    def net(self) -> nn.Sequential:
        """The window network."""
        return self.load.network()

    @cached_property
    def layers(self) -> list[Layer]:
        """The network's layers over a whole input."""
        return dense_layers(self.net, self.load.window, self.load.hop)

    @cached_property
    def outs(self) -> int:
        """The number of output channels."""
        return next(len(layer.weight) for layer in reversed(self.layers) if layer.weight is not None)

    @property
    def axes(self) -> int:
        """The number of window axes."""
        return len(self.load.window)


@dataclass(frozen=True)
class Form:
    """One way to use a library.

    Parameters
    ----------
    name
        What distinguishes it from the library's other forms.
    prepare
        From the input ``(channels, *space)`` to the call that is timed; conversions of weights, compilation and
        buffers come before the call.
    tried_on
        Share of the input on which the form is compared with the other forms: pieces cost the same everywhere.
    least
        Outputs along the first axis that it needs at least.
    long
        May take very long: is measured on so much of the input that a call takes seconds, and says so.
    same
        Whether it computes the scores at all; a tiler that blends does not.
    """

    name: str
    prepare: Callable[[np.ndarray], Call]
    tried_on: float = 1.0
    least: int = 1
    long: bool = False
    same: bool = True

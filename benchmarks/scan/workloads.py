"""What is scanned, and what is asked of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import torch
from torch import nn


@dataclass(frozen=True)
class Workload:
    """A window network, the input it scans, and how."""

    name: str
    text: str
    make: Callable[[], nn.Sequential]
    window: tuple[int, ...]
    size: tuple[int, ...]
    hop: int = 1
    double: bool = False

    @property
    def positions(self) -> tuple[int, ...]:
        """The number of windows per axis."""
        return tuple((n - w) // self.hop + 1 for n, w in zip(self.size, self.window, strict=True))

    @property
    def outputs(self) -> int:
        """The number of windows."""
        return prod(self.positions)

    def network(self) -> nn.Sequential:
        """Return the network in eval mode; weights that keep the values' size, so that every position counts."""
        torch.manual_seed(0)
        net = self.make()
        for module in net:
            if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        return (net.double() if self.double else net).eval()

    def input(self) -> np.ndarray:
        """Return the input, ``(1, *size)``."""
        dtype = np.float64 if self.double else np.float32
        return np.random.default_rng(1).standard_normal((1, *self.size)).astype(dtype)

    def tiny(self) -> Workload:
        """Return the same with an input of a few windows."""
        extra = (700,) if len(self.size) == 1 else (21, 34)
        return replace(self, size=tuple(w + n for w, n in zip(self.window, extra, strict=True)))


def signals(channels: Sequence[int], kernels: Sequence[int], dilations: Sequence[int], pools: int = 0) -> nn.Sequential:
    """Return 1-D convolutions with ReLU between them, and maximum pools of 2 after the first ``pools``."""
    net = nn.Sequential()
    for i, (kernel, dilation) in enumerate(zip(kernels, dilations, strict=True)):
        net.append(nn.Conv1d(channels[i], channels[i + 1], kernel, dilation=dilation))
        if i < len(kernels) - 1:
            net.append(nn.ReLU())
        if i < pools:
            net.append(nn.MaxPool1d(2))
    return net


def images(channels: Sequence[int], kernels: Sequence[int], dilations: Sequence[int]) -> nn.Sequential:
    """Return 2-D convolutions with ReLU between them."""
    net = nn.Sequential()
    for i, (kernel, dilation) in enumerate(zip(kernels, dilations, strict=True)):
        net.append(nn.Conv2d(channels[i], channels[i + 1], kernel, dilation=dilation))
        if i < len(kernels) - 1:
            net.append(nn.ReLU())
    return net


def _a() -> nn.Sequential:
    return signals((1, 8, 8, 16, 1), (9, 9, 9, 9), (1, 1, 1, 1), pools=3)


def _b() -> nn.Sequential:
    return signals((1, 16, 32, 32, 64, 10), (9, 9, 9, 9, 1), (1, 2, 4, 8, 1))


def _c() -> nn.Sequential:
    return signals((1, 4, 4, 1), (9, 9, 9), (1, 1, 1))


def _d() -> nn.Sequential:
    return images((1, 16, 32, 32, 64, 10), (5, 3, 3, 3, 1), (1, 1, 2, 4, 1))


def _e() -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(512, 128), nn.ReLU(), nn.Linear(128, 10)),
    )


_A = Workload("A", "1-D 1-8-8-16-1, k 9, max-pool 2 after the first three", _a, (128,), (1 << 20,))
_B = Workload("B", "1-D 1-16-32-32-64-10, k 9, dilations 1, 2, 4, 8, then 1x1", _b, (121,), (1 << 20,))
WORKLOADS = {
    w.name: w
    for w in (
        _A,
        _B,
        Workload("C", "1-D 1-4-4-1, k 9", _c, (25,), (1 << 24,)),
        Workload("D", "2-D 1-16-32-32-64-10, k 5, 3, 3, 3, dilations 1, 1, 2, 4, then 1x1", _d, (19, 19), (2048, 2048)),
        Workload("E", "2-D conv5x16, pool, conv5x32, pool, flatten, 128, 10", _e, (28, 28), (1024, 1024)),
        replace(_B, name="B2s", text="B on 2 seconds at 8 kHz", size=(16000,)),
        replace(_A, name="A8", text="A with hop 8, its total jump", hop=8),
        replace(_B, name="B10", text="B with hop 10", hop=10),
        replace(_B, name="B64", text="B in float64", double=True),
    )
}
"""By name."""

DENSE = (
    *("torch-eager", "torch-channels-last", "torch-compile", "torch-tiles", "ort-whole", "ort-tiles"),
    *("openvino-whole", "openvino-tiles", "jax", "monai", "braindecode"),
)
"""The peers that compute what neighbouring windows share once."""


@dataclass(frozen=True)
class Asked:
    """A factor to reach, against the fastest of some peers or, with none, as a share of the peak.

    With ``reuse`` it is that many times the reuse factor.
    """

    workload: str
    peers: tuple[str, ...]
    least: float
    text: str
    reuse: bool = False


ASKED = (
    Asked("A", DENSE, 5.0, "the best dense peer"),
    Asked("A", (), 0.65, "share of the peak"),
    Asked("B", ("ort-whole", "ort-tiles"), 1.0, "the best form of ONNX Runtime"),
    Asked("B", ("torch-channels-last",), 3.0, "torch channels_last"),
    Asked("B", (), 0.85, "share of the peak"),
    Asked("C", DENSE, 5.0, "the best dense peer"),
    Asked("C", (), 0.5, "share of the peak"),
    Asked("D", ("ort-tiles",), 1.0, "ONNX Runtime in tiles"),
    Asked("D", ("torch-channels-last",), 3.0, "torch channels_last"),
    Asked("D", (), 0.8, "share of the peak"),
    Asked("E", ("ort-whole", "ort-tiles"), 1.0, "the best form of ONNX Runtime"),
    Asked("E", ("torch-channels-last",), 2.5, "torch channels_last"),
    Asked("E", (), 0.8, "share of the peak"),
    Asked("E", ("windows",), 3.0, "batched windows in torch, in reuse factors", reuse=True),
    Asked("B2s", ("torch-eager",), 1.5, "torch eager"),
    Asked("A8", ("torch-eager",), 3.0, "torch eager on the plain strided net"),
    Asked("B64", ("torch-eager",), 3.0, "torch eager"),
    Asked("B64", (), 0.7, "share of the float64 peak"),
)

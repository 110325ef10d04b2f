"""Random window networks for property tests, drawn by hypothesis from the last layer to the first."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import nn


@dataclass(frozen=True)
class Drawn:
    """A network's recipe: its blocks from input to output, its window, and its kind of numbers."""

    axes: int
    blocks: tuple[tuple[str, dict[str, object]], ...]
    head: str
    window_shape: tuple[int, ...]
    integers: bool
    seed: int

    def build(self, dtype: torch.dtype) -> nn.Module:
        torch.manual_seed(self.seed)
        net = Net(self).to(dtype).eval()
        with torch.no_grad():
            for parameter in net.parameters():
                drawn = torch.randint(-2, 3, parameter.shape) if self.integers else torch.randn(parameter.shape) * 0.5
                parameter.copy_(drawn)
            for norm in net.modules():
                if isinstance(norm, nn.modules.batchnorm._BatchNorm):
                    norm.running_mean.normal_()
                    norm.running_var.uniform_(0.5, 2)
        return net

    def values(self, space: tuple[int, ...], dtype: torch.dtype, seed: int = 0) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        shape = (self.window_shape[0], *space)
        if self.integers:
            return torch.randint(-3, 4, shape, generator=generator).to(dtype)
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


class Net(nn.Module):
    """The network of a recipe."""

    def __init__(self, drawn: Drawn) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(drawn.axes, kind, settings) for kind, settings in drawn.blocks)
        self.axes, self.head = drawn.axes, drawn.head
        with torch.no_grad():
            features = self.features(torch.zeros(2, *drawn.window_shape))
        width = features.flatten(1).shape[1] if drawn.head == "flatten" else features.shape[1]
        self.linear = nn.Linear(width, 3)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x)
        return x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.features(x)
        space = tuple(range(2, 2 + self.axes))
        if self.head == "flatten":
            return self.linear(x.flatten(1))
        return self.linear(x.mean(space) if self.head == "mean" else x.amax(space))


class Block(nn.Module):
    """A convolution, a pooling, an activation, or two branches joined."""

    def __init__(self, axes: int, kind: str, settings: dict[str, object]) -> None:
        super().__init__()
        self.kind, self.axes = kind, axes
        conv = (nn.Conv1d, nn.Conv2d)[axes - 1]
        if kind in ("conv", "add", "cat"):
            self.conv = conv(**settings)
        if kind == "norm":
            self.layer = (nn.BatchNorm1d, nn.BatchNorm2d)[axes - 1](settings["channels"])
        if kind in ("max", "avg"):
            names = {"max": (nn.MaxPool1d, nn.MaxPool2d), "avg": (nn.AvgPool1d, nn.AvgPool2d)}
            self.layer = names[kind][axes - 1](**settings)
        if kind == "relu":
            self.layer = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.kind == "conv":
            return self.conv(x)
        if self.kind in ("add", "cat"):
            y = self.conv(x)
            for axis in range(self.axes):
                x = x.narrow(axis + 2, (x.shape[axis + 2] - y.shape[axis + 2]) // 2, y.shape[axis + 2])
            return x + y if self.kind == "add" else torch.cat([x, y], 1)
        return self.layer(x)


@st.composite
def networks(draw: st.DrawFn, *, integers: bool = False) -> Drawn:
    """Draw a network of 1 or 2 window axes whose every layer fits its window."""
    axes = draw(st.integers(1, 2))
    largest = 3 if axes == 1 else 2
    kinds = ["conv", "conv", "max", "relu", "add", "cat", *([] if integers else ["avg", "norm"])]
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=5))
    first = channels = draw(st.integers(1, 3))
    blocks: list[tuple[str, dict[str, object]]] = []
    slides: list[tuple[int, int, int]] = []
    for kind in chosen:
        kernel = draw(st.integers(1, largest))
        stride = draw(st.integers(1, largest)) if kind in ("conv", "max", "avg") else 1
        dilation = draw(st.integers(1, 2)) if kind in ("conv", "max", "add", "cat") else 1
        width = draw(st.integers(1, 3))
        settings: dict[str, object] = {}
        if kind in ("conv", "add", "cat"):
            groups = draw(st.sampled_from([1, channels])) if kind == "conv" else 1
            outputs = channels if kind == "add" else width * groups
            settings = {"in_channels": channels, "out_channels": outputs, "kernel_size": kernel}
            settings |= {"stride": stride, "dilation": dilation, "groups": groups}
            channels = outputs + (channels if kind == "cat" else 0)
        elif kind in ("max", "avg"):
            settings = {"kernel_size": kernel, "stride": stride} | ({"dilation": dilation} if kind == "max" else {})
        elif kind == "norm":
            settings = {"channels": channels}
        blocks.append((kind, settings))
        slides.append((kernel, stride, dilation) if kind not in ("relu", "norm") else (1, 1, 1))
    sizes = []
    for _ in range(axes):
        size = draw(st.integers(1, 3))
        for kernel, stride, dilation in reversed(slides):
            size = (size - 1) * stride + (kernel - 1) * dilation + 1 + draw(st.integers(0, stride - 1))
        sizes.append(size)
    head = draw(st.sampled_from(["flatten", "max", *([] if integers else ["mean"])]))
    return Drawn(axes, tuple(blocks), head, (first, *sizes), integers, draw(st.integers(0, 99)))

"""Small networks that between them use all that the native engine can do, with a hop and an input each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (forty calls stand in one table)


@dataclass(frozen=True)
class Case:
    """A network, a hop and an input; `kinds` says what it is there for."""

    kinds: str
    module: nn.Module
    window_shape: tuple[int, ...]
    hop: int
    x: Tensor
    padding: str = "exact"


class Apply(nn.Module):
    """A function of what a body makes of the window; its values, one after the other, are the answer."""

    def __init__(self, body: nn.Module, function: Callable[[Tensor], list[Tensor]]) -> None:
        super().__init__()
        self.body, self.function = body, function

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([y.flatten(1) for y in self.function(self.body(x))], 1)


class Several(nn.Module):
    """Outputs of a map at its first and its last position, and of a map that reads all of it."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv1d(2, 3, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y = self.body(x)
        return y[:, :, 0], y.amax(2), y[:, :, -1]


def unary(x: Tensor) -> list[Tensor]:
    """All functions of one number, those that are not for all numbers where they are defined."""
    positive, unit = x.square() + 0.1, torch.sigmoid(x)
    return [
        x.relu(), x.exp(), x.exp2(), x.expm1(), x.abs(), -x, x.sign(), x.floor(), x.ceil(), (3 * x).round(),
        x.round(decimals=1), x.trunc(), x.frac(), x.reciprocal(), x.sin(), x.cos(), x.tan(), x.atan(), x.sinh(),
        x.cosh(), x.tanh(), x.erf(), x.erfc(), x.square(), x**3, x.clamp(-0.3, 0.6), x.nan_to_num(5.0, 6.0, 7.0), x / 3,
        F.leaky_relu(x, 0.2), F.elu(x, 1.5), F.selu(x), F.celu(x, 0.7), F.gelu(x), F.gelu(x, approximate="tanh"),
        F.silu(x), F.mish(x), F.hardtanh(x, -0.5, 0.8), F.hardsigmoid(2 * x), F.hardswish(2 * x), F.relu6(4 * x),
        F.softplus(x, 1.5, 1), F.logsigmoid(x), F.threshold(x, 0.1, 20.0), F.hardshrink(x, 0.4), F.softshrink(x, 0.3),
        positive.log(), positive.log2(), positive.log10(), positive.log1p(), positive.sqrt(), positive.rsqrt(),
        positive**0.3, unit.asin(), unit.acos(), unit.logit(),
    ]  # fmt: skip


def binary(x: Tensor) -> list[Tensor]:
    """All functions of two maps, and of a map and a vector; neither side is alike."""
    a, b, v = x[:, :, :-1], x[:, :, 1:], torch.linspace(-1.3, 1.7, x.shape[1], dtype=x.dtype)[:, None]
    pairs = [(a, b), (a, v), (v, b)]
    anyhow = [torch.maximum, torch.minimum, torch.fmax, torch.fmin, torch.atan2, torch.hypot, torch.div]
    modes = [torch.div(y, z, rounding_mode=mode) for y, z in pairs for mode in ("trunc", "floor")]
    linear = [torch.add(a, b, alpha=0.7), torch.sub(a, b, alpha=0.3), a * b, v - b, a - v, a * v]
    return (
        [f(y, z) for f in anyhow for y, z in pairs]
        + modes
        + linear
        + [a.abs() ** b, v.abs() ** b, F.prelu(a, v.flatten())]
    )


def pools(x: Tensor) -> list[Tensor]:
    """Reductions over positions: of 2, of 3, of 4 and of more taps, which are taken apart."""
    few = [f(x[:, :, :taps], 2) for f in (torch.amax, torch.amin, torch.sum, torch.logsumexp) for taps in (2, 3, 4)]
    return [*few, x.amax(2), x.amin(2), x.mean(2), x.logsumexp(2), x.var(2), x.std(2), x[:, :, :3].var(2, correction=0)]


def channels(x: Tensor) -> list[Tensor]:
    """Normalisations and reductions over channels, of a few and of more than are added in one go."""
    ends = [x.amax(1), x.amin(1), x.sum(1), x.mean(1), x.var(1), x.std(1, correction=0), x.logsumexp(1)]
    halves = x[:, : x.shape[1] // 2 * 2].reshape(len(x), 2, -1, x.shape[2])
    norms = [
        F.layer_norm(x.transpose(1, 2), x.shape[1:2]),
        (4 * x).softmax(1),
        (4 * x).log_softmax(1),
        halves.softmax(2),
    ]
    return [*ends, *norms]


def copies(x: Tensor) -> list[Tensor]:
    """Channels chosen, repeated, blanked, gathered from several positions and joined."""
    picked = torch.cat([x[:, [2, 0, 0]], F.pad(x, (0, 0, 1, 1))], 1)
    return [picked.tanh() * 2, x.std((1, 2), keepdim=True), torch.cat([x, -x], 1).flip(2)]


def cases() -> Iterator[Case]:
    torch.manual_seed(0)

    def noise(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.randn(shape, dtype=dtype)

    signal_net = nn.Sequential(
        nn.Conv1d(3, 13, 4), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(13, 26, 3, dilation=2, groups=13),
        nn.BatchNorm1d(26), nn.Tanh(), nn.AvgPool1d(3), nn.Flatten(), nn.Linear(26 * 11, 7), nn.ReLU(),
    )  # fmt: skip
    for hop in (1, 3, 7):
        yield Case("sums, pools, tails, hop phases", signal_net, (3, 81), hop, noise(1, 3, 81 + 151 * hop))
    yield Case("several items", signal_net, (3, 81), 2, noise(3, 3, 240, dtype=torch.float64))

    image_net = nn.Sequential(
        nn.Conv2d(2, 6, (3, 4)), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 4, (2, 3), dilation=(2, 1)),
        nn.Sigmoid(), nn.Flatten(), nn.Linear(4 * 3 * 3, 3),
    )  # fmt: skip
    for hop in (1, 2, 15):
        yield Case("rings, rows, columns", image_net, (2, 12, 13), hop, noise(2, 2, 12 + 9 * hop, 13 + 41 * hop))

    yield Case("several outputs", Several(), (2, 9), 2, noise(2, 2, 70))

    padded = nn.Sequential(nn.Conv1d(2, 3, 5, padding=2), nn.ReLU(), nn.AvgPool1d(4), nn.Flatten())
    yield Case("zeros outside the input", padded, (2, 8), 3, noise(1, 2, 80), "extend")

    extremes = torch.tensor([math.nan, math.inf, -math.inf, 0, 1e-40, -1e-40, 1e38, -1e38, 88, 89, -87, -103, 20, -20])
    for dtype in (torch.float32, torch.float64):
        for number, function in enumerate((unary, binary, pools, channels, copies)):
            for width in (3, 70) if function in (pools, channels) else (3,):
                channel, length = (width, 5) if function is channels else (3, width + 6)
                body = nn.Conv1d(2, channel, 3).to(dtype)
                x = noise(1, 2, length + 40, dtype=dtype)
                yield Case(function.__name__, Apply(body, function), (2, length), 1 + number % 2, x)
        same = nn.Conv1d(1, 1, 1, bias=False)  # an input's type is that of the parameters
        nn.init.ones_(same.weight)
        some = Apply(same, lambda x: [F.elu(x), x.exp(), x.tanh(), x.sigmoid(), x.log(), F.gelu(x), x.relu()])
        yield Case("extreme numbers", some, (1, 1), 1, extremes.to(dtype)[None, None])

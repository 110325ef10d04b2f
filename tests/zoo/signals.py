"""Published networks for signals; nothing is padded inside the window."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - as everybody writes it
from torch import Tensor, nn

from .case import Case

__all__ = ["SIGNALS"]


def eegnet(electrodes: int = 4) -> nn.Sequential:
    """Lawhern 2018, unpadded: filters in time, one filter over all electrodes, separable filters in time."""
    return nn.Sequential(
        nn.Conv2d(1, 4, (1, 9), bias=False), nn.BatchNorm2d(4),
        nn.Conv2d(4, 8, (electrodes, 1), groups=4, bias=False), nn.BatchNorm2d(8), nn.ELU(),
        nn.AvgPool2d((1, 4)), nn.Dropout(0.25),
        nn.Conv2d(8, 8, (1, 4), groups=8, bias=False), nn.Conv2d(8, 6, 1, bias=False), nn.BatchNorm2d(6),
        nn.ELU(), nn.AvgPool2d((1, 3)), nn.Dropout(0.25), nn.Flatten(), nn.Linear(6 * 3, 4),
    )  # fmt: skip


class EEGNetOfSignals(nn.Module):
    """The same for `(batch, electrodes, time)`: the axis of electrodes becomes one of space inside."""

    def __init__(self) -> None:
        super().__init__()
        self.net = eegnet()

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x.unsqueeze(1))


def tdnn() -> nn.Module:
    """Waibel 1989, Peddinti 2015: dilated convolutions over frames."""
    layers: list[nn.Module] = []
    for before, after, kernel, dilation in ((5, 8, 5, 1), (8, 8, 3, 2), (8, 8, 3, 3), (8, 6, 1, 1)):
        layers += [nn.Conv1d(before, after, kernel, dilation=dilation), nn.ReLU(), nn.BatchNorm1d(after)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(6, 4))


class SplicedTDNN(nn.Module):
    """The same as Kaldi says it: frames at some offsets are spliced, then a linear layer sees each splice."""

    def __init__(self) -> None:
        super().__init__()
        self.contexts = ((-2, -1, 0, 1, 2), (-2, 0, 2), (-3, 0, 3))
        widths = (5, 8, 8, 6)
        self.affine = nn.ModuleList(
            nn.Linear(len(c) * a, b) for c, a, b in zip(self.contexts, widths, widths[1:], strict=False)
        )
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(1, 2)
        for context, affine in zip(self.contexts, self.affine, strict=True):
            length = x.shape[1] - (context[-1] - context[0])
            x = torch.cat([x[:, c - context[0] : c - context[0] + length] for c in context], dim=-1)
            x = torch.relu(affine(x))
        return self.head(x.mean(dim=1))


class WaveNet(nn.Module):
    """Oord 2016: gates, dilations doubling, residual and skip connections cropped."""

    def __init__(self, layers: int = 4) -> None:
        super().__init__()
        self.start = nn.Conv1d(1, 6, 1)
        self.gates = nn.ModuleList(nn.Conv1d(6, 12, 2, dilation=2**i) for i in range(layers))
        self.residual = nn.ModuleList(nn.Conv1d(6, 6, 1) for _ in range(layers))
        self.skip = nn.ModuleList(nn.utils.parametrizations.weight_norm(nn.Conv1d(6, 5, 1)) for _ in range(layers))
        self.reach = 2**layers - 1
        self.head = nn.Sequential(nn.ReLU(), nn.Conv1d(5, 5, 1), nn.ReLU(), nn.Conv1d(5, 3, 1))

    def forward(self, x: Tensor) -> Tensor:
        frames = x.shape[-1] - self.reach
        x = self.start(x)
        total: Tensor | float = 0.0
        for gate, residual, skip in zip(self.gates, self.residual, self.skip, strict=True):
            signal, opening = gate(x).chunk(2, dim=1)
            y = torch.tanh(signal) * torch.sigmoid(opening)
            total = total + skip(y)[..., -frames:]
            x = residual(y) + x[..., -y.shape[-1] :]
        return self.head(total).mean(-1)


class StatisticsPooling(nn.Module):
    """Snyder 2018: mean and standard deviation over all frames, side by side."""

    def __init__(self, unbiased: bool = True) -> None:
        super().__init__()
        self.unbiased = unbiased

    def forward(self, x: Tensor) -> Tensor:
        if self.unbiased:
            return torch.cat([x.mean(2), x.std(2)], dim=1)
        variance = (x - x.mean(2, keepdim=True)).pow(2).mean(2)
        return torch.cat([x.mean(2), (variance + 1e-5).sqrt()], dim=1)


def xvector(unbiased: bool = True) -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(3, 6, 3), nn.ReLU(), nn.Conv1d(6, 5, 3, dilation=2), nn.ReLU(),
        StatisticsPooling(unbiased), nn.Linear(10, 6), nn.ReLU(), nn.Linear(6, 4),
    )  # fmt: skip


class Conv2dOnSignals(nn.Module):
    """A signal treated as an image of one row."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 6, (1, 4)), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv(x.unsqueeze(2))).squeeze(2)
        return self.head(F.max_pool1d(x, x.shape[-1]).squeeze(-1))


class Maxout(nn.Module):
    """Goodfellow 2013: the larger of two halves; and a highway gate (Srivastava 2015) around it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gate, self.head = nn.Conv1d(4, 8, 3), nn.Conv1d(4, 4, 3), nn.Linear(4 * 6, 3)

    def forward(self, x: Tensor) -> Tensor:
        a, b = torch.split(self.conv(x), 4, dim=1)
        gate = torch.sigmoid(self.gate(x))
        x = gate * torch.maximum(a, b) + (1 - gate) * x[:, :, 1:-1]
        return self.head(x.flatten(1))


def activations() -> nn.Module:
    """One of each that is in use, and per-channel slopes."""
    kinds = [
        nn.ELU(),
        nn.GELU(),
        nn.LeakyReLU(0.2),
        nn.SiLU(),
        nn.Softplus(),
        nn.Mish(),
        nn.Hardtanh(),
        nn.PReLU(4),
    ]
    layers = [layer for kind in kinds for layer in (nn.Conv1d(4, 4, 2), kind)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * 4, 3), nn.Softmax(dim=1))


class Siamese(nn.Module):
    """Koch 2015 and after: an embedding of unit length, and cosines with one vector a class."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv1d(2, 5, 3), nn.ReLU(), nn.Conv1d(5, 5, 3, stride=2), nn.Flatten())
        self.embed = nn.Linear(5 * 4, 6)
        self.weight = nn.Parameter(torch.randn(3, 6))
        self.register_buffer("mean", torch.randn(2, 1))

    def forward(self, x: Tensor) -> Tensor:
        z = self.embed(self.body((x - self.mean) / 1.7))
        return F.linear(F.normalize(z, dim=1), F.normalize(self.weight, dim=1)) * 16


def strides() -> nn.Module:
    """Strides that leave the last samples of the window unread."""
    return nn.Sequential(nn.Conv1d(2, 4, 3, 3), nn.ReLU(), nn.Conv1d(4, 4, 2, 2), nn.Flatten(), nn.Linear(12, 3))


class Heads(nn.Module):
    """Several outputs, as a tuple or a dict."""

    def __init__(self, named: bool) -> None:
        super().__init__()
        self.named = named
        self.body = nn.Sequential(nn.Conv1d(2, 4, 3), nn.ReLU(), nn.AvgPool1d(2), nn.Flatten())
        self.label, self.offset = nn.Linear(4 * 4, 3), nn.Linear(4 * 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, ...] | dict[str, Tensor]:
        z = self.body(x)
        label, offset = self.label(z).softmax(-1), self.offset(z)
        return {"label": label, "offset": offset} if self.named else (label, offset)


def per_frame() -> nn.Module:
    """A label for every frame inside the window, `(batch, classes, frames)`."""
    return nn.Sequential(nn.Conv1d(2, 4, 3), nn.ReLU(), nn.Conv1d(4, 4, 3, dilation=2), nn.ReLU(), nn.Conv1d(4, 3, 1))


SIGNALS = [
    Case("EEGNet over channels x time", eegnet, (1, 4, 56)),
    Case("EEGNet of signals", EEGNetOfSignals, (4, 56)),
    Case("TDNN", tdnn, (5, 20)),
    Case("TDNN of spliced frames", SplicedTDNN, (5, 20)),
    Case("WaveNet", WaveNet, (1, 20)),
    Case("x-vector", xvector, (3, 14)),
    Case("x-vector, deviation by hand", lambda: xvector(unbiased=False), (3, 14), ends="4"),
    Case("Conv2d on signals", Conv2dOnSignals, (3, 11)),
    Case("maxout and highway", Maxout, (4, 8)),
    Case("activations", activations, (4, 12)),
    Case("siamese embedding", Siamese, (2, 11)),
    Case("strides that do not divide", strides, (2, 20)),
    Case("two outputs in a tuple", lambda: Heads(named=False), (2, 10)),
    Case("two outputs in a dict", lambda: Heads(named=True), (2, 10)),
    Case("an output for each frame", per_frame, (2, 12)),
]

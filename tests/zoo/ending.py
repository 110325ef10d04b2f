"""Networks whose sharing ends within the window: what follows runs window by window."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - as everybody writes it
from torch import Tensor, nn

from .case import Case

__all__ = ["ENDING"]


class LastState(nn.Module):
    """A recurrent layer over the frames; the last output is the answer."""

    def __init__(self, kind: type[nn.LSTM] | type[nn.GRU]) -> None:
        super().__init__()
        self.conv, self.rnn, self.head = nn.Conv1d(2, 4, 3), kind(4, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        frames, _ = self.rnn(F.relu(self.conv(x)).transpose(1, 2))
        return self.head(frames[:, -1])


class Attention(nn.Module):
    """Self-attention over the frames, by torch's layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.attention = nn.Conv1d(2, 4, 3), nn.MultiheadAttention(4, 2, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        frames = F.relu(self.conv(x)).transpose(1, 2)
        mixed, _ = self.attention(frames, frames, frames, need_weights=False)
        return self.head(mixed.mean(1))


class ScaledAttention(nn.Module):
    """One head by hand, as a layer of its own."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(channels, 3 * channels)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(x.transpose(1, 2)).chunk(3, dim=-1)
        return F.scaled_dot_product_attention(query, key, value).mean(1)


class AttentivePooling(nn.Module):
    """Okabe 2018: frames weighted by a softmax over the frames."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Conv1d(channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.score(x).softmax(dim=-1)).sum(-1)


class SqueezeExcite(nn.Module):
    """Hu 2017: channels scaled by what the whole window shows."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze, self.excite = nn.Linear(channels, 2), nn.Linear(2, channels)

    def forward(self, x: Tensor) -> Tensor:
        scale = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3))))))
        return x * scale[:, :, None, None]


class Positions(nn.Module):
    """Vaswani 2017: sines of the place in the window are added."""

    def __init__(self, channels: int, length: int) -> None:
        super().__init__()
        place = torch.arange(length) / torch.logspace(0, 2, channels)[:, None]
        self.register_buffer("table", torch.sin(place))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.table


class Causal(nn.Module):
    """Zeros before the window's first sample, as many as the kernel needs."""

    def __init__(self, before: int, after: int, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        self.reach = (kernel - 1) * dilation
        self.conv = nn.Conv1d(before, after, kernel, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (self.reach, 0)))


def signals(*layers: nn.Module) -> nn.Module:
    """One shared layer, those in question, and a mean over the rest of the window."""
    rest = (nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 3))
    return nn.Sequential(nn.Conv1d(2, 4, 3), nn.ReLU(), *layers, *rest)


def images(*layers: nn.Module) -> nn.Module:
    """The same for images, and a maximum."""
    rest = (nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), *layers, *rest)


def mixing(layer: nn.Module) -> nn.Module:
    """For layers that pool by themselves."""
    return nn.Sequential(nn.Conv1d(2, 4, 3), nn.ReLU(), layer, nn.Linear(4, 3))


ENDING = [
    Case("LSTM", lambda: LastState(nn.LSTM), (2, 9), ends="rnn"),
    Case("GRU", lambda: LastState(nn.GRU), (2, 9), ends="rnn"),
    Case("attention", Attention, (2, 9), ends="attention"),
    Case("scaled dot-product attention", lambda: mixing(ScaledAttention(4)), (2, 9), ends="2"),
    Case("attentive pooling", lambda: mixing(AttentivePooling(4)), (2, 9), ends="2"),
    Case("squeeze and excite", lambda: images(SqueezeExcite(4)), (2, 9, 8), ends="2"),
    Case("instance norm", lambda: images(nn.InstanceNorm2d(4, affine=True)), (2, 9, 8), ends="2"),
    Case("group norm", lambda: images(nn.GroupNorm(2, 4)), (2, 9, 8), ends="2"),
    Case("layer norm over the window", lambda: signals(nn.LayerNorm([4, 8])), (2, 10), ends="2"),
    Case("positions", lambda: signals(Positions(4, 8), nn.ReLU()), (2, 10), ends="2"),
    Case("causal padding", lambda: signals(Causal(4, 4, 3), nn.ReLU(), Causal(4, 4, 3, 2)), (2, 12), ends="2"),
    Case("padded pool", lambda: signals(nn.MaxPool1d(3, 2, 1)), (2, 11), ends="2"),
    Case("pool rounded up", lambda: signals(nn.MaxPool1d(3, 2, ceil_mode=True)), (2, 10), ends="2"),
    Case("transposed convolution", lambda: images(nn.ConvTranspose2d(4, 4, 2, 2)), (2, 9, 8), ends="2"),
    Case("softmax over the window", lambda: signals(nn.Softmax(dim=-1), nn.Conv1d(4, 4, 3)), (2, 9), ends="2"),
]

"""Every way to go from feature maps, here 3 channels of 4 x 4 units, to one vector."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 - as everybody writes it
from torch import Tensor, nn

from .case import Apply, Case

__all__ = ["HEADS"]


def body() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.MaxPool2d(2))


def head(function: Callable[..., Tensor], *parameters: tuple[int, ...]) -> Callable[[], nn.Module]:
    return lambda: Apply(body(), function, *parameters)


FLATTENED = {
    "nn.Flatten": lambda: nn.Sequential(body(), nn.Flatten(), nn.Linear(48, 5)),
    "torch.flatten": head(lambda x, w: F.linear(torch.flatten(x, 1), w), (5, 48)),
    "method flatten": head(lambda x, w: F.linear(x.flatten(1), w), (5, 48)),
    "flatten start_dim -3": head(lambda x, w: F.linear(x.flatten(start_dim=-3), w), (5, 48)),
    "view": head(lambda x, w: F.linear(x.view(x.size(0), -1), w), (5, 48)),
    "view by numbers": head(lambda x, w: F.linear(x.view(-1, 48), w), (5, 48)),
    "reshape": head(lambda x, w: F.linear(x.reshape(x.shape[0], 3 * 4 * 4), w), (5, 48)),
    "in two steps": head(lambda x, w: F.linear(x.flatten(2).flatten(1), w), (5, 48)),
    "flatten and unflatten": head(lambda x, w: F.linear(x.flatten(1).unflatten(1, (12, 4)).flatten(1), w), (5, 48)),
    "channels last": head(lambda x, w: F.linear(x.permute(0, 2, 3, 1).reshape(x.shape[0], -1), w), (5, 48)),
    "columns first": head(lambda x, w: F.linear(x.permute(0, 3, 1, 2).contiguous().view(len(x), -1), w), (5, 48)),
    "positions last": head(
        lambda x, w: F.linear(x.reshape(x.size(0), 3, 16).transpose(1, 2).reshape(x.size(0), -1), w), (5, 48)
    ),
    "quadrants": head(
        lambda x, w: F.linear(x.reshape(-1, 3, 2, 2, 2, 2).permute(0, 2, 4, 1, 3, 5).flatten(1), w), (5, 48)
    ),
    "linear on rows, then flatten": head(
        lambda x, v, w: F.linear(F.linear(x, v).relu().flatten(1), w), (6, 4), (5, 3 * 4 * 6)
    ),
    "linear on channels, then flatten": head(
        lambda x, v, w: F.linear(F.linear(x.permute(0, 2, 3, 1), v).relu().flatten(1), w), (6, 3), (5, 16 * 6)
    ),
    "einsum": head(lambda x, w: torch.einsum("nchw,kchw->nk", x, w), (5, 3, 4, 4)),
    "matmul": head(lambda x, w: x.flatten(1) @ w, (48, 5)),
    "matmul per channel": head(lambda x, w: torch.matmul(x.flatten(2), w).flatten(1), (16, 2)),
    "tensordot": head(lambda x, w: torch.tensordot(x, w, dims=3), (3, 4, 4, 5)),
    "addmm": head(lambda x, b, w: torch.addmm(b, x.flatten(1), w), (5,), (48, 5)),
    "convolution over the rest": head(lambda x, w: F.conv2d(x, w).flatten(1), (5, 3, 4, 4)),
    "two slices side by side": head(
        lambda x, w: F.linear(torch.cat([x[:, :, :2].flatten(1), x[:, :, 2:].flatten(1)], dim=1), w), (5, 48)
    ),
    "the corners only": head(lambda x, w: F.linear(x[:, :, ::3, ::3].flatten(1), w), (5, 12)),
    "stacked rows": head(lambda x, w: F.linear(torch.stack(x.unbind(2), dim=1).flatten(1), w), (5, 48)),
    "one unit": head(lambda x, w: F.linear(x[:, :, 1, 2], w), (5, 3)),
    "rolled": head(lambda x, w: F.linear(x.roll(1, -1).flatten(1), w), (5, 48)),
    "unfold": head(lambda x, w: F.linear(x.unfold(2, 2, 1).flatten(1), w), (5, 72)),
    "pixel unshuffle": head(lambda x, w: F.linear(F.pixel_unshuffle(x, 2).flatten(1), w), (5, 48)),
    "flipped": head(lambda x, w: F.linear(x.flip(-1).flatten(1), w), (5, 48)),
}

POOLED = {
    "global average": head(lambda x: F.adaptive_avg_pool2d(x, 1).flatten(1)),
    "global maximum": head(lambda x: F.adaptive_max_pool2d(x, 1).flatten(1)),
    "mean of both axes": head(lambda x: x.mean((2, 3))),
    "mean of one axis, maximum of the other": head(lambda x: x.mean(-1).amax(-1)),
    "sum": head(lambda x: x.sum(dim=(-2, -1))),
    "minimum": head(lambda x: x.amin((2, 3))),
    "maximum values": head(lambda x: x.flatten(2).max(-1).values),
    "log of sums of exponentials": head(lambda x: x.logsumexp((2, 3))),
    "variance": head(lambda x: x.var((2, 3))),
    "norm over the window": head(lambda x: x.flatten(2).norm(dim=-1)),
    "adaptive average, divisible": head(lambda x: F.adaptive_avg_pool2d(x, 2).flatten(1)),
    "adaptive average, not divisible": head(lambda x: F.adaptive_avg_pool2d(x, 3).flatten(1)),
    "adaptive maximum, not divisible": head(lambda x: F.adaptive_max_pool2d(x, (3, 1)).flatten(1)),
    "average pool by size": head(lambda x: F.avg_pool2d(x, x.shape[-1]).flatten(1)),
    "average and maximum": head(lambda x: torch.cat([x.mean((2, 3)), x.amax((2, 3))], dim=1)),
    "average over overlapping pools": head(lambda x: F.avg_pool2d(x, 3, 1).flatten(1)),
    "pool with rounding up that changes nothing": head(lambda x: F.max_pool2d(x, 2, 2, ceil_mode=True).flatten(1)),
    "maximum pool with dilation": head(lambda x: F.max_pool2d(x, 2, 1, dilation=2).flatten(1)),
    "square root of mean squares": head(lambda x: F.lp_pool2d(x, 2, 2).flatten(1)),
}

# Sums whose weights are multiplied in first: a linear layer, but not said as one.
WEIGHTED = {
    "multiply and sum": head(lambda x, w: (x.unsqueeze(1) * w).sum((2, 3, 4)), (5, 3, 4, 4)),
    "weighted by position": head(lambda x, w: (x * w.softmax(-1)).sum((2, 3)), (4, 4)),
}

HEADS = [
    *(Case(f"flattened by {name}", build, (2, 10, 10)) for name, build in FLATTENED.items()),
    *(Case(f"pooled by {name}", build, (2, 10, 10)) for name, build in POOLED.items()),
    *(Case(f"pooled by {name}", build, (2, 10, 10), ends="top level") for name, build in WEIGHTED.items()),
]

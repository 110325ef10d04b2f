"""The five architectures as networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from math import prod

from torch import Tensor, nn

from scanwise.audit._shape import Shape
from scanwise.geometry import LedgerRow
from scanwise.nn import LocallyConnected1d, LocallyConnected2d, WindowNet

__all__ = ["architecture"]

_SHARED: dict[int, Callable[..., nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d}
_UNSHARED: dict[int, Callable[..., nn.Module]] = {1: LocallyConnected1d, 2: LocallyConnected2d}


class _MeanOverPositions(nn.Module):
    """One answer a clip, ``(batch, classes)``, from its map ``(batch, classes, *positions)``.

    The mean is linear and the same for all positions, so it takes no side: to `dense` and the unshared it is part of
    their last layer, to the shared ones it adds nothing but the sum over windows. The best window's answer (a maximum)
    would train only one position's weights a clip, which costs those that are not shared.
    """

    def forward(self, scores: Tensor) -> Tensor:
        return scores.flatten(2).mean(2)


def architecture(row: LedgerRow, shape: Shape) -> WindowNet:
    """Return one of the five, with weights from torch's global generator.

    Its ``embedding`` is the map of scores, ``(batch, classes, *positions)``; its ``head`` the mean over positions. It
    has exactly the weights of its `row` in ``shape.account()``.
    """
    layers = _dense(shape) if row.name == "dense" else _windowed(shape, shared=row.shared, spread=row.distributed)
    body = nn.Sequential()
    for layer in layers:
        if len(body):
            body.append(nn.ReLU())
        body.append(layer)
    if row.name == "dense":
        body.insert(0, nn.Flatten())
        body.append(nn.Unflatten(1, (shape.widths[-1], *shape.sizes[-1])))
    window_shape = [shape.channels, *shape.space]
    return WindowNet(
        body,
        _MeanOverPositions(),
        architecture=row.name,
        arguments={"window_shape": window_shape, "outputs": shape.widths[-1]},
    )


def _dense(shape: Shape) -> Iterator[nn.Module]:
    """Full matrices between as many units as the distributed layers have."""
    channels = (shape.channels, *shape.widths)
    units = [prod(size) * count for size, count in zip(shape.sizes, channels, strict=True)]
    for before, after in pairwise(units):
        yield nn.Linear(before, after)


def _windowed(shape: Shape, *, shared: bool, spread: bool) -> Iterator[nn.Module]:
    """Layers that look at windows: the window in one go or spread over the layers, weights shared or not."""
    account, one = shape.account(), (1,) * len(shape.space)
    kernels, strides = (shape.kernels, shape.strides) if spread else ((account.window,), (account.hop,))
    sizes = shape.sizes if spread else (shape.space, *shape.sizes[-1:] * len(shape.widths))
    for i, (before, after) in enumerate(pairwise((shape.channels, *shape.widths))):
        kernel, stride = (kernels[i], strides[i]) if i < len(kernels) else (one, one)
        if shared:
            yield _SHARED[len(one)](before, after, kernel, stride)
        else:
            yield _UNSHARED[len(one)](before, after, sizes[i], kernel, stride)

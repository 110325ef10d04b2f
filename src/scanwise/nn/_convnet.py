"""The convolutional network, 1-D (a time-delay network) and 2-D in one body."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from scanwise._checks import choice, flag, whole, wholes
from scanwise.nn._activations import checked_activation, make_activation
from scanwise.nn._checks import budget, fraction, window
from scanwise.nn._dense import dense_layers, dense_parameters
from scanwise.nn._stages import Stage, plan_stages
from scanwise.nn._window_net import WindowNet

PerLayer = int | Sequence[int | Sequence[int]] | None


@dataclass(frozen=True)
class _Kinds:
    """Torch's modules for one number of axes."""

    conv: type[nn.Module]
    norm: type[nn.Module]
    pools: dict[str, type[nn.Module]]


_KINDS = {
    1: _Kinds(nn.Conv1d, nn.BatchNorm1d, {"max": nn.MaxPool1d, "avg": nn.AvgPool1d}),
    2: _Kinds(nn.Conv2d, nn.BatchNorm2d, {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}),
}


def convnet(
    window_shape: Sequence[int],
    outputs: int,
    channels: Sequence[int] | None = None,
    kernels: PerLayer = None,
    strides: PerLayer = 1,
    dilations: PerLayer = 1,
    pool: str | None = "max",
    pools: PerLayer = None,
    norm: bool = True,
    hidden: Sequence[int] = (128,),
    activation: str = "relu",
    dropout: float = 0.0,
) -> WindowNet:
    """Return a convolutional network over one window.

    Layers of convolution, batch norm, activation and pooling, then flattening and fully connected layers.
    Nothing is padded inside the window, so a scan shares every intermediate result of neighbouring windows
    (the ledger's ``convolutional`` architecture). Weights are drawn from torch's global generator.

    Arguments per layer are one number for all layers, or a sequence with one entry per layer: a number for
    all axes, or one number per axis. What is None is chosen from the window's size, layer by layer, until
    fewer than 6 positions are left; the values chosen stand in the network's ``arguments``.

    Parameters
    ----------
    window_shape : sequence of int
        ``(channels, length)`` or ``(channels, height, width)``.
    outputs : int
        Number of outputs: classes, or values to regress.
    channels : sequence of int, optional
        Feature maps of each layer. By default 16, doubling to 64; for more than 16 input channels 32 or 64, then
        twice as many.
    kernels : int or sequence, optional
        Extent of each layer's filters in units of the layer below. By default 9 from 128 positions up, 5
        from 16 up, else 3.
    strides : int or sequence
        Steps between a layer's units.
    dilations : int or sequence
        Steps between a filter's taps.
    pool : {"max", "avg"} or None
        Kind of the pooling after each layer; None for none at all.
    pools : int or sequence, optional
        Extent and step of each layer's pooling; 1 for none. By default 4 from 128 positions up, else 2, and
        1 where a stride reduces already or fewer than 4 positions are left.
    norm : bool
        Whether batch norm follows each convolution.
    hidden : sequence of int
        Widths of the fully connected layers; the last one is the embedding's.
    activation : str
        One of `activations`.
    dropout : float
        Probability with which a hidden unit is dropped in training; without hidden layers, what the head sees.

    Returns
    -------
    WindowNet

    Raises
    ------
    ArgumentError
        If an argument breaks its rule, the window is too small for the layers, or the network would have
        more than 2**28 parameters.

    Examples
    --------
    >>> net = convnet((1, 28, 28), outputs=10)
    >>> net.arguments["kernels"], net.arguments["pools"]
    ([[5, 5], [3, 3]], [[2, 2], [2, 2]])
    """
    shape = window(window_shape)
    kind = None if pool is None else choice("pool", pool, ("max", "avg"))
    stages, extent = plan_stages(
        shape[1:],
        shape[0],
        channels=channels,
        kernels=kernels,
        strides=strides,
        dilations=dilations,
        pools=1 if kind is None else pools,
    )
    widths = wholes("hidden", hidden)
    arguments: dict[str, Any] = {
        "window_shape": list(shape),
        "outputs": whole("outputs", outputs),
        "channels": [stage.channels for stage in stages],
        "kernels": [list(stage.kernel) for stage in stages],
        "strides": [list(stage.stride) for stage in stages],
        "dilations": [list(stage.dilation) for stage in stages],
        "pool": kind,
        "pools": [list(stage.pool) for stage in stages],
        "norm": flag("norm", norm),
        "hidden": list(widths),
        "activation": checked_activation(activation),
        "dropout": fraction("dropout", dropout),
    }
    features = stages[-1].channels * math.prod(extent)
    incoming = [shape[0], *(stage.channels for stage in stages)]
    convolutions = sum(stage.parameters(n, norm) for n, stage in zip(incoming, stages, strict=False))
    budget(convolutions + dense_parameters(features, widths, outputs))
    layers = _convolutions(shape[0], stages, kind, norm=norm, activation=activation)
    layers |= dense_layers(features, widths, activation=activation, dropout=dropout)
    head = nn.Linear(widths[-1] if widths else features, outputs)
    stride = [math.prod(stage.stride[axis] * stage.pool[axis] for stage in stages) for axis in range(len(extent))]
    return WindowNet(nn.Sequential(layers), head, architecture="convnet", arguments=arguments, stride=stride)


def _convolutions(
    incoming: int, stages: Sequence[Stage], pool: str | None, *, norm: bool, activation: str
) -> OrderedDict[str, nn.Module]:
    """Return the layers up to the flattening, by name; a convolution before a norm needs no bias."""
    kinds = _KINDS[len(stages[0].kernel)]
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for i, stage in enumerate(stages, start=1):
        layers[f"conv{i}"] = kinds.conv(
            incoming,
            stage.channels,
            stage.kernel,
            stride=stage.stride,
            dilation=stage.dilation,
            bias=not norm,
        )
        if norm:
            layers[f"conv{i}_norm"] = kinds.norm(stage.channels)
        layers[f"conv{i}_{activation}"] = make_activation(activation)
        if pool is not None and max(stage.pool) > 1:
            layers[f"conv{i}_pool"] = kinds.pools[pool](stage.pool)
        incoming = stage.channels
    return layers

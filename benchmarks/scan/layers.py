"""A window network as layers that are computed over a whole input: what every dense peer is built from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd

import numpy as np
from torch import nn


@dataclass(frozen=True)
class Layer:
    """A convolution (``conv``), a maximum pool (``pool``) or a ReLU (``relu``).

    ``step`` (between taps) and ``stride`` count positions of the map that the layer reads, per axis.
    """

    kind: str
    kernel: tuple[int, ...] = ()
    step: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    weight: np.ndarray | None = None
    bias: np.ndarray | None = None


def dense_layers(net: nn.Sequential, window: tuple[int, ...], hop: int) -> list[Layer]:
    """Return the network's layers for all windows at a hop.

    Strides of the network become steps between taps of the layers after them. Every map is computed at multiples of
    the greatest common divisor of the hop and its units' distance: everywhere at hop 1, and as the network itself
    would at a hop that is its total stride. What is left of the hop is the last layer's stride.
    """
    layers: list[Layer] = []
    axes, units = len(window), window
    jump = lattice = 1  # input samples between the network's own units, and between those that are computed here
    for module in net:
        if isinstance(module, nn.ReLU):
            layers.append(Layer("relu"))
        if not isinstance(module, nn.Conv1d | nn.Conv2d | nn.MaxPool1d | nn.MaxPool2d | nn.Linear):
            continue
        weight = bias = None
        if isinstance(module, nn.MaxPool1d | nn.MaxPool2d):
            kernel, dilation, stride = (int(module.kernel_size),) * axes, 1, int(module.stride)
        else:
            weight, bias = module.weight.detach().numpy(), module.bias.detach().numpy()
            if isinstance(module, nn.Linear):  # a convolution over all units that the window has left
                weight, dilation, stride = weight.reshape(len(weight), -1, *units), 1, 1
            else:
                dilation, stride = module.dilation[0], module.stride[0]
            kernel = weight.shape[2:]
        after = gcd(hop, jump * stride)
        kind = "pool" if weight is None else "conv"
        step, thin = (dilation * jump // lattice,) * axes, (after // lattice,) * axes
        layers.append(Layer(kind, kernel, step, thin, weight, bias))
        units = tuple((n - (k - 1) * dilation - 1) // stride + 1 for n, k in zip(units, kernel, strict=True))
        jump, lattice = jump * stride, after
    last = max(i for i, layer in enumerate(layers) if layer.kernel)
    layers[last] = replace(layers[last], stride=tuple(s * hop // lattice for s in layers[last].stride))
    return layers


def in_rows(layers: list[Layer]) -> list[Layer]:
    """Return 1-D layers as 2-D layers of height 1."""
    return [
        replace(
            layer,
            kernel=(1, *layer.kernel),
            step=(1, *layer.step),
            stride=(1, *layer.stride),
            weight=None if layer.weight is None else layer.weight[:, :, None],
        )
        if layer.kernel
        else layer
        for layer in layers
    ]

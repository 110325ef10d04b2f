"""The fully connected end that every family has: flattening, hidden layers, the head."""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise

from torch import nn

from scanwise.nn._activations import make_activation


def dense_layers(
    features: int, hidden: tuple[int, ...], *, activation: str, dropout: float
) -> OrderedDict[str, nn.Module]:
    """Return the layers from a feature map of `features` values to the embedding, by name."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    for i, width in enumerate(hidden, start=1):
        layers[f"dense{i}"] = nn.Linear(features, width)
        layers[f"dense{i}_{activation}"] = make_activation(activation)
        if dropout:
            layers[f"dense{i}_dropout"] = nn.Dropout(dropout)
        features = width
    if dropout and not hidden:
        layers["flatten_dropout"] = nn.Dropout(dropout)
    return layers


def dense_parameters(features: int, hidden: tuple[int, ...], outputs: int) -> int:
    """Return the number of weights and biases from `features` values to the outputs."""
    widths = (features, *hidden, outputs)
    return sum((before + 1) * after for before, after in pairwise(widths))

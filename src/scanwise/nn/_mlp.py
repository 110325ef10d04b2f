"""The multi-layer perceptron."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from scanwise._checks import whole, wholes
from scanwise.nn._activations import checked_activation
from scanwise.nn._checks import budget, fraction, window
from scanwise.nn._dense import dense_layers, dense_parameters
from scanwise.nn._window_net import WindowNet


def mlp(
    window_shape: Sequence[int],
    outputs: int,
    hidden: Sequence[int] = (128,),
    activation: str = "relu",
    dropout: float = 0.0,
) -> WindowNet:
    """Return a multi-layer perceptron over one window, flattened.

    Its first layer sees the whole window at once, so on its own it is sensitive to *where* in the window a
    pattern stands, and in a scan it shares parameters between windows but no intermediate results (the
    ledger's ``scanning`` architecture). Weights are drawn from torch's global generator.

    Parameters
    ----------
    window_shape : sequence of int
        ``(channels, length)`` or ``(channels, height, width)``.
    outputs : int
        Number of outputs: classes, or values to regress.
    hidden : sequence of int
        Widths of the hidden layers; the last one is the embedding's. Empty for a linear model.
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
        If an argument breaks its rule, or the network would have more than 2**28 parameters.

    Examples
    --------
    >>> mlp((1, 28, 28), outputs=10, hidden=(64, 32)).head
    Linear(in_features=32, out_features=10, bias=True)
    """
    shape = window(window_shape)
    widths = wholes("hidden", hidden)
    arguments = {
        "window_shape": list(shape),
        "outputs": whole("outputs", outputs),
        "hidden": list(widths),
        "activation": checked_activation(activation),
        "dropout": fraction("dropout", dropout),
    }
    features = math.prod(shape)
    budget(dense_parameters(features, widths, outputs))
    embedding = nn.Sequential(dense_layers(features, widths, activation=activation, dropout=dropout))
    head = nn.Linear(widths[-1] if widths else features, outputs)
    return WindowNet(embedding, head, architecture="mlp", arguments=arguments)

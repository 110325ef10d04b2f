"""The time-delay network."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from scanwise._checks import choice, flag, whole, wholes
from scanwise.errors import ArgumentError
from scanwise.nn._activations import checked_activation, make_activation
from scanwise.nn._checks import budget, fraction, window
from scanwise.nn._contexts import contexts_of, plan_frames, taps_and_stride, usual_contexts
from scanwise.nn._dense import dense_layers, dense_parameters
from scanwise.nn._time_delay import TimeDelay
from scanwise.nn._window_net import WindowNet

_USUAL_CHANNELS = 64


class MeanAndDeviation(nn.Module):
    """Mean and standard deviation over all frames, side by side (Snyder et al. 2018)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(batch, 2 * channels)`` of ``(batch, channels, frames)``."""
        return torch.cat([x.mean(2), x.std(2, correction=0)], 1)


_POOLINGS: dict[str, Callable[[], nn.Module]] = {
    "mean": lambda: nn.AdaptiveAvgPool1d(1),
    "max": lambda: nn.AdaptiveMaxPool1d(1),
    "stats": MeanAndDeviation,
}


def tdnn(
    window_shape: Sequence[int],
    outputs: int,
    contexts: Sequence[Sequence[int]] | None = None,
    channels: int | Sequence[int] | None = None,
    pooling: str = "mean",
    norm: bool = True,
    hidden: Sequence[int] = (128,),
    activation: str = "relu",
    dropout: float = 0.0,
) -> WindowNet:
    """Return a time-delay network over one window of frames [1]_.

    Each layer reads a few frames of the layer below, often far apart, so that few layers see a long context [2]_. Of
    every layer only the frames are computed that later layers need, on the smallest equally spaced set that holds them.
    Frames behind the last layer are pooled; fully connected layers follow. Nothing is padded inside the window, so a
    scan shares every intermediate result of neighbouring windows. Weights are drawn from torch's global generator.

    Parameters
    ----------
    window_shape : sequence of int
        ``(channels, frames)``.
    outputs : int
        Number of outputs: classes, or values to regress.
    contexts : sequence of sequence of int, optional
        Per layer, the frames it reads of the layer below, relative to its own: strictly increasing, at any distances.
        Together they may see at most the window. By default 5 neighbours, then 3 frames each at distances that double
        from layer to layer, until the last sees exactly the window.
    channels : int or sequence of int, optional
        Units of each layer, one number for all or one per layer. By default 64.
    pooling : {"mean", "max", "stats"}
        What is kept of the last layer's frames where it has several; "stats" is mean and standard deviation.
    norm : bool
        Whether batch norm follows each layer.
    hidden : sequence of int
        Widths of the fully connected layers; the last one is the embedding's. By default one: the last hidden layer of
        [2]_, which reads a single frame.
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
        If an argument breaks its rule, the contexts see more than the window, the deviation of a single frame is asked
        for, or the network would have more than 2**28 parameters.

    See Also
    --------
    cumulative_contexts : how many frames each layer sees.

    References
    ----------
    .. [1] A. Waibel, T. Hanazawa, G. Hinton, K. Shikano, K. Lang, "Phoneme recognition using time-delay neural
       networks", IEEE Transactions on Acoustics, Speech, and Signal Processing 37(3), 1989.
    .. [2] V. Peddinti, D. Povey, S. Khudanpur, "A time delay neural network architecture for efficient modeling of long
       temporal contexts", Interspeech 2015.

    Examples
    --------
    >>> net = tdnn((40, 23), outputs=2, contexts=((-2, -1, 0, 1, 2), (-1, 2), (-3, 3), (-7, 2)))
    >>> x = torch.zeros(1, 40, 23)
    >>> [(x := layer(x)).shape[-1] for layer in net.embedding if isinstance(layer, TimeDelay)]
    [7, 6, 2, 1]
    """
    shape = window(window_shape)
    if len(shape) != 2:
        raise ArgumentError(f"window_shape must be (channels, frames); got {list(shape)}. Use convnet for images.")
    layers = usual_contexts(shape[1]) if contexts is None else contexts_of(contexts)
    frames = plan_frames(layers, shape[1])
    several = frames[-1][0] != frames[-1][-1]
    if choice("pooling", pooling, tuple(_POOLINGS)) == "stats" and not several:
        raise ArgumentError(
            "pooling must be mean or max where the contexts see the whole window; got 'stats', of a single frame. "
            "Give contexts that see less."
        )
    units, widths = _units(channels, len(layers)), wholes("hidden", hidden)
    arguments: dict[str, Any] = {
        "window_shape": list(shape),
        "outputs": whole("outputs", outputs),
        "contexts": [list(offsets) for offsets in layers],
        "channels": list(units),
        "pooling": pooling,
        "norm": flag("norm", norm),
        "hidden": list(widths),
        "activation": checked_activation(activation),
        "dropout": fraction("dropout", dropout),
    }
    incoming = (shape[0], *units[:-1])
    weights = (m * (n * len(o) + (2 if norm else 1)) for n, m, o in zip(incoming, units, layers, strict=True))
    features = units[-1] * (2 if pooling == "stats" else 1)
    budget(sum(weights) + dense_parameters(features, widths, outputs))
    reads = [taps_and_stride(*three) for three in zip(layers, frames, frames[1:], strict=False)]
    parts = _delays(shape[0], units, reads, norm=norm, activation=activation)
    if several:
        parts[f"pool_{pooling}"] = _POOLINGS[pooling]()
    parts |= dense_layers(features, widths, activation=activation, dropout=dropout)
    head = nn.Linear(widths[-1] if widths else features, outputs)
    return WindowNet(nn.Sequential(parts), head, architecture="tdnn", arguments=arguments)


def _delays(
    incoming: int, units: Sequence[int], reads: Sequence[tuple[Sequence[int], int]], *, norm: bool, activation: str
) -> OrderedDict[str, nn.Module]:
    """Return the layers up to the pooling, by name; a layer before a norm needs no bias."""
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    for i, (width, (taps, stride)) in enumerate(zip(units, reads, strict=True), start=1):
        parts[f"delay{i}"] = TimeDelay(incoming, width, taps, stride, bias=not norm)
        if norm:
            parts[f"delay{i}_norm"] = nn.BatchNorm1d(width)
        parts[f"delay{i}_{activation}"] = make_activation(activation)
        incoming = width
    return parts


def _units(channels: Any, layers: int) -> tuple[int, ...]:
    """Return the units of each layer."""
    if channels is None or not isinstance(channels, Sequence):
        return (_USUAL_CHANNELS if channels is None else whole("channels", channels),) * layers
    units = wholes("channels", channels)
    if len(units) != layers:
        raise ArgumentError(
            f"channels must have one entry for each of {layers} layers; got {list(units)}. Add or remove entries."
        )
    return units

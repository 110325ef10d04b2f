"""The closed registry: a network's shape as JSON, and back."""

from __future__ import annotations

import copy
from typing import Any

from scanwise._registry import Registry
from scanwise.nn._convnet import convnet
from scanwise.nn._mlp import mlp
from scanwise.nn._tdnn import tdnn
from scanwise.nn._window_net import WindowNet

_FAMILIES: Registry[WindowNet] = Registry("model", "architecture", {"convnet": convnet, "mlp": mlp, "tdnn": tdnn})


def families() -> tuple[str, ...]:
    """Return the names of the model families.

    Examples
    --------
    >>> families()
    ('convnet', 'mlp', 'tdnn')
    """
    return _FAMILIES.names


def build(name: str, **arguments: Any) -> WindowNet:
    """Return a network of the family `name`, with fresh weights.

    Parameters
    ----------
    name : str
        One of `families`.
    **arguments
        What the family's function takes.

    Raises
    ------
    ArgumentError
        If the family or an argument is unknown (the message lists the known ones), an argument is missing,
        or the family refuses its value.

    Examples
    --------
    >>> build("mlp", window_shape=(1, 4), outputs=2).architecture
    'mlp'
    """
    return _FAMILIES.build(name, arguments)


def describe(net: WindowNet) -> dict[str, Any]:
    """Return what rebuilds `net` without its weights, in JSON's types.

    Returns
    -------
    dict
        ``{"architecture": name, "arguments": {...}}`` with every default resolved, so that it means the
        same network after the defaults have changed.
    """
    return {"architecture": net.architecture, "arguments": copy.deepcopy(net.arguments)}


def from_description(description: Any) -> WindowNet:
    """Return the network that `describe` described, with fresh weights.

    Parameters
    ----------
    description : mapping
        ``{"architecture": name, "arguments": {...}}`` and nothing else.

    Raises
    ------
    ArgumentError
        If the description has another form, or `build` refuses it.

    Examples
    --------
    >>> net = mlp((1, 4), outputs=2)
    >>> from_description(describe(net)).arguments == net.arguments
    True
    """
    return _FAMILIES.from_description(description)

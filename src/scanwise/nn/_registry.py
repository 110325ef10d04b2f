"""The closed registry: a network's shape as JSON, and back.

Closed, because a model folder is data: it can name one of the families here and nothing else, so loading a
model never runs what a file says.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from scanwise._checks import choice
from scanwise.errors import ArgumentError
from scanwise.nn._convnet import convnet
from scanwise.nn._mlp import mlp
from scanwise.nn._tdnn import tdnn
from scanwise.nn._window_net import WindowNet

_FAMILIES: dict[str, Callable[..., WindowNet]] = {"convnet": convnet, "mlp": mlp, "tdnn": tdnn}
_KEYS = ("architecture", "arguments")


def families() -> tuple[str, ...]:
    """Return the names of the model families.

    Examples
    --------
    >>> families()
    ('convnet', 'mlp', 'tdnn')
    """
    return tuple(_FAMILIES)


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
    family = _FAMILIES[choice("model", name, families())]
    known = inspect.signature(family).parameters
    for unknown in arguments.keys() - known.keys():
        raise ArgumentError(f"{name} takes no {unknown!r}. It takes {', '.join(known)}.")
    for parameter in known.values():
        if parameter.default is parameter.empty and parameter.name not in arguments:
            raise ArgumentError(f"{name} must be given {parameter.name}; got none. Add {parameter.name}=.")
    return family(**arguments)


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
    if not isinstance(description, Mapping) or sorted(description) != sorted(_KEYS):
        got = sorted(description) if isinstance(description, Mapping) else type(description).__name__
        raise ArgumentError(f"description must have exactly the keys {', '.join(_KEYS)}; got {got}.")
    arguments = description["arguments"]
    if not isinstance(arguments, Mapping):
        raise ArgumentError(f"arguments must be a mapping of names to values; got {arguments!r}.")
    return build(description["architecture"], **arguments)

"""The closed list of activations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from scanwise._checks import choice

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


def activations() -> tuple[str, ...]:
    """Return the names that ``activation=`` accepts.

    Examples
    --------
    >>> activations()[0]
    'relu'
    """
    return tuple(_ACTIVATIONS)


def checked_activation(name: Any) -> str:
    """Return `name` if an activation is called so."""
    return choice("activation", name, activations())


def make_activation(name: str) -> nn.Module:
    """Return a fresh module of the activation called `name`.

    Raises
    ------
    ArgumentError
        If none is called so.

    Examples
    --------
    >>> make_activation("relu")
    ReLU()
    """
    return _ACTIVATIONS[checked_activation(name)]()

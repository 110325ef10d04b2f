"""The usual variants of gradient descent, by name."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from scanwise._checks import choice


@dataclass(frozen=True)
class _Kind:
    """A class of torch's, the rate it usually wants, and its other settings."""

    factory: type[torch.optim.Optimizer]
    rate: float
    settings: dict[str, Any] = field(default_factory=dict)


_KINDS = {
    "sgd": _Kind(torch.optim.SGD, 0.1),
    "momentum": _Kind(torch.optim.SGD, 0.05, {"momentum": 0.9}),
    "nesterov": _Kind(torch.optim.SGD, 0.05, {"momentum": 0.9, "nesterov": True}),
    "adagrad": _Kind(torch.optim.Adagrad, 0.02),
    "rmsprop": _Kind(torch.optim.RMSprop, 0.003),
    "adam": _Kind(torch.optim.Adam, 0.003),
    "adamw": _Kind(torch.optim.AdamW, 0.003),
    "lbfgs": _Kind(torch.optim.LBFGS, 1.0, {"line_search_fn": "strong_wolfe"}),
}

FULL_BATCH = frozenset({"lbfgs"})
"""Those that need the same loss every time they ask: the whole training set, at a constant rate."""


def optimisers() -> tuple[str, ...]:
    """Return the names that ``optimiser=`` accepts.

    >>> optimisers()
    ('sgd', 'momentum', 'nesterov', 'adagrad', 'rmsprop', 'adam', 'adamw', 'lbfgs')
    """
    return tuple(_KINDS)


def default_rate(name: str) -> float:
    """Return the learning rate that the optimiser called `name` has when none is given.

    >>> default_rate("adamw")
    0.003
    """
    return _KINDS[choice("optimiser", name, optimisers())].rate


def make_optimiser(
    name: str, parameters: Iterable[nn.Parameter], *, lr: float, weight_decay: float
) -> torch.optim.Optimizer:
    """Return torch's optimiser for a checked name; L-BFGS knows no weight decay."""
    kind = _KINDS[name]
    settings = kind.settings if name in FULL_BATCH else {**kind.settings, "weight_decay": weight_decay}
    return kind.factory(parameters, lr=lr, **settings)  # type: ignore[call-arg]


def rate_factor(schedule: str, progress: float) -> float:
    """Return the learning rate's factor at `progress` in ``[0, 1)`` of the run.

    One cycle (Smith and Topin 2018): from 1/25 up to 1 over the first 30 %, then down to nothing, both along
    half a cosine.
    """
    if schedule == "constant":
        return 1.0
    rise = 0.3
    if progress < rise:
        return 1 / 25 + (1 - 1 / 25) * (1 - math.cos(math.pi * progress / rise)) / 2
    return (1 + math.cos(math.pi * (progress - rise) / (1 - rise))) / 2

"""The closed registry: a front end as JSON, and back.

Closed, because a model folder is data: it can name one of the fronts here and nothing else.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from typing import Any

from scanwise._checks import choice, real
from scanwise.errors import ArgumentError
from scanwise.features._front import Front, Raw
from scanwise.features._logmel import LogMel

_FRONTS: dict[str, type[Raw] | type[LogMel]] = {front.name: front for front in (Raw, LogMel)}
_KEYS = ("arguments", "name")
_LEAST_RATE_HZ = 4000.0


def names() -> tuple[str, ...]:
    """Return the names of the fronts.

    Examples
    --------
    >>> names()
    ('raw', 'logmel')
    """
    return tuple(_FRONTS)


def default(rate_hz: float | None) -> str:
    """Return the name of the front for signals of a rate: log-mel for sound, else the signal itself.

    Parameters
    ----------
    rate_hz : float or None
        Samples per second; None if unknown. From 4000 on a signal is taken for sound.

    Raises
    ------
    ArgumentError
        If `rate_hz` is not above 0.

    Examples
    --------
    >>> default(8000), default(250), default(None)
    ('logmel', 'raw', 'raw')
    """
    sound = rate_hz is not None and real("rate_hz", rate_hz, above=0) >= _LEAST_RATE_HZ
    return LogMel.name if sound else Raw.name


def build(name: str, **arguments: Any) -> Front:
    """Return the front called `name`.

    Parameters
    ----------
    name : str
        One of `names`.
    **arguments
        What the front takes.

    Raises
    ------
    ArgumentError
        If the name or an argument is unknown (the message lists the known ones), an argument is missing, or the
        front refuses its value.

    Examples
    --------
    >>> build("raw", channels=3).outputs
    3
    """
    front = _FRONTS[choice("front", name, names())]
    known = inspect.signature(front).parameters
    for unknown in arguments.keys() - known.keys():
        raise ArgumentError(f"{name} takes no {unknown!r}. It takes {', '.join(known)}.")
    for parameter in known.values():
        if parameter.default is parameter.empty and parameter.name not in arguments:
            raise ArgumentError(f"{name} must be given {parameter.name}; got none. Add {parameter.name}=.")
    return front(**arguments)


def describe(front: Front) -> dict[str, Any]:
    """Return what rebuilds `front`, in JSON's types.

    Returns
    -------
    dict
        ``{"name": name, "arguments": {...}}`` with every default resolved, so that it means the same front after the
        defaults have changed.
    """
    return {"name": front.name, "arguments": copy.deepcopy(front.arguments)}


def from_description(description: Any) -> Front:
    """Return the front that `describe` described.

    Parameters
    ----------
    description : mapping
        ``{"name": name, "arguments": {...}}`` and nothing else.

    Raises
    ------
    ArgumentError
        If the description has another form, or `build` refuses it; nothing large is allocated before.

    Examples
    --------
    >>> from_description({"name": "raw", "arguments": {"channels": 2}}).outputs
    2
    """
    if not isinstance(description, Mapping) or sorted(description) != sorted(_KEYS):
        got = sorted(description) if isinstance(description, Mapping) else type(description).__name__
        raise ArgumentError(f"description must have exactly the keys {', '.join(_KEYS)}; got {got}.")
    arguments = description["arguments"]
    if not isinstance(arguments, Mapping):
        raise ArgumentError(f"arguments must be a mapping of names to values; got {arguments!r}.")
    return build(description["name"], **arguments)

"""The closed registry: a front end as JSON, and back."""

from __future__ import annotations

import copy
from typing import Any

from scanwise._checks import real
from scanwise._registry import Registry
from scanwise.features._front import Front, Raw
from scanwise.features._logmel import LogMel

_FRONTS: Registry[Front] = Registry("features", "name", {Raw.name: Raw, LogMel.name: LogMel})
_LEAST_RATE_HZ = 4000.0


def names() -> tuple[str, ...]:
    """Return the names of the fronts.

    Examples
    --------
    >>> names()
    ('raw', 'logmel')
    """
    return _FRONTS.names


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
    return _FRONTS.build(name, arguments)


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
    return _FRONTS.from_description(description)

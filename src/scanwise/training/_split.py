"""Holding examples back for validation."""

from __future__ import annotations

import numpy as np

from scanwise._checks import real, whole
from scanwise.errors import DataError


def split(
    y: np.ndarray, fraction: float = 0.1, seed: int = 0, *, classes: tuple[str, ...] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Divide examples into those to train on and those to validate with.

    Class numbers (integers) are stratified: every class gives its share, at least one example to either
    side. Other targets are divided at random.

    Parameters
    ----------
    y : ndarray
        ``(n, ...)`` targets.
    fraction : float
        Share to hold back, between 0 and 1.
    seed : int
        Chooses which.
    classes : tuple of str, optional
        Names of the classes, for messages.

    Returns
    -------
    train, validation : ndarray
        Indices in ascending order.

    Raises
    ------
    ArgumentError
        If `fraction` is not between 0 and 1.
    DataError
        If there are fewer than two examples, or fewer than two of a class.

    Examples
    --------
    >>> train, validation = split(np.array([0, 0, 0, 1, 1, 1]), fraction=0.3)
    >>> len(train), len(validation)
    (4, 2)
    """
    y = np.asarray(y)
    real("fraction", fraction, above=0)
    real("1 - fraction", 1 - fraction, above=0)
    rng = np.random.default_rng(whole("seed", seed, least=0))
    if len(y) < 2:
        raise DataError(f"training data must have at least two examples; got {len(y)}. Add examples.")
    stratified = y.ndim == 1 and np.issubdtype(y.dtype, np.integer)
    groups = [np.flatnonzero(y == value) for value in np.unique(y)] if stratified else [np.arange(len(y))]
    held = []
    for group in groups:
        if len(group) < 2:
            value = int(y[group[0]])
            name = classes[value] if classes is not None else value
            raise DataError(f"class {name!r} must have at least two examples; got one. Add examples or leave it out.")
        count = min(max(round(len(group) * fraction), 1), len(group) - 1)
        held.append(rng.permutation(group)[:count])
    validation = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(len(y)), validation), validation

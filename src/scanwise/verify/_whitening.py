"""What samples of one identity differ in counts for less."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scanwise.errors import ArgumentError
from scanwise.verify._similarity import checked_identities, prepared

__all__ = ["within_class_whitening"]


def within_class_whitening(embeddings: Any, identities: Sequence[Any] | np.ndarray) -> np.ndarray:
    """Return the map of embeddings under which samples of one identity differ alike in all directions.

    A cosine takes all directions for equally telling. In some, samples of one identity differ more than in others, and
    there a difference says less: the embeddings, of length 1, are multiplied by the inverse root of their covariance
    within identities (Hatch et al. 2006, "Within-class covariance normalization for SVM-based speaker recognition"),
    over its mean variance. The fewer the samples, the nearer is the covariance taken to be to that of a sphere (Chen
    et al. 2010, "Shrinkage algorithms for MMSE covariance estimation", equation 23, for many features): a handful of
    samples changes nothing, and directions that none of them shows are not blown up.

    Parameters
    ----------
    embeddings
        ``(samples, features)``.
    identities
        ``(samples,)``: whom each shows.

    Returns
    -------
    ndarray
        ``(features, features)`` of float64, symmetric; embeddings as columns are multiplied by it. The identity matrix
        if no sample differs from the others of its identity.

    Raises
    ------
    ArgumentError
        If an embedding is zero or not finite, or no identity has two samples.

    Examples
    --------
    >>> embeddings = [[1.0, 0.3], [1.0, -0.3], [0.3, 1.0], [-0.3, 1.0]] * 100
    >>> within_class_whitening(embeddings, [0, 0, 1, 1] * 100).round(2)
    array([[1., 0.],
           [0., 1.]])
    """
    unit = prepared("embeddings", embeddings, "cosine").astype(np.float64)
    numbers = checked_identities(identities, len(unit))
    counts = np.bincount(numbers)
    free = len(unit) - len(counts)
    if free < 1:
        raise ArgumentError(f"identities must have two samples, one at least; got {len(counts)} with one each.")
    means = np.zeros((len(counts), unit.shape[1]))
    np.add.at(means, numbers, unit)
    apart = unit - (means / counts[:, None])[numbers]
    covariance = apart.T @ apart / free
    features = len(covariance)
    variance = np.trace(covariance) / features
    if variance <= np.finfo(np.float32).eps ** 2:
        return np.eye(features)
    covariance /= variance
    alike = np.square(covariance).mean()  # from 1 / features, a sphere, to 1, a line
    sphere = 1 / features
    shrinkage = min((alike + 1) / ((free + 1) * (alike - sphere)), 1) if alike > sphere else 1.0
    values, vectors = np.linalg.eigh((1 - shrinkage) * covariance + shrinkage * np.eye(features))
    return np.asarray(vectors / np.sqrt(values) @ vectors.T)

"""How alike two embeddings are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from scanwise._checks import choice, whole
from scanwise.errors import ArgumentError

__all__ = [
    "SIMILARITIES",
    "all_pairs",
    "checked_embeddings",
    "pair_blocks",
    "prepared",
    "similarity",
    "similarity_matrix",
    "some_identities",
]

SIMILARITIES = ("cosine", "euclidean")
"""Cosine of the angle, from -1 to 1; Euclidean distance times -1, so that higher is more alike."""

_CANCELLED = 1e-6  # of the squares: below, differences of squares have lost too many digits, and are computed anew
_AT_A_TIME = 1 << 14

BLOCK = 2048
"""Embeddings on either side of a block of pairs; one of scores takes 16 MiB in float32."""


def similarity(first: Any, second: Any, kind: str = "cosine") -> np.ndarray:
    """Return how alike embeddings are, pair by pair.

    Parameters
    ----------
    first, second
        ``(pairs, features)``.
    kind
        One of `SIMILARITIES`.

    Returns
    -------
    ndarray
        ``(pairs,)``.

    Raises
    ------
    ArgumentError
        If shapes differ, numbers are not finite, or an embedding is zero, which has no direction, where the angle is
        asked for.

    Examples
    --------
    >>> similarity([[3.0, 4.0]], [[4.0, 3.0]])
    array([0.96])
    """
    a, b = prepared("first", first, kind), prepared("second", second, kind)
    if a.shape != b.shape:
        raise ArgumentError(f"first and second must have one shape; got {a.shape} and {b.shape}. Pair them one by one.")
    return np.asarray(np.einsum("nd,nd->n", a, b) if kind == "cosine" else -np.linalg.norm(a - b, axis=1))


def similarity_matrix(first: Any, second: Any, kind: str = "cosine") -> np.ndarray:
    """Return how alike each of some embeddings is to each of others.

    Parameters, and what is raised, as in `similarity`, but for the number of embeddings on either side.

    Returns
    -------
    ndarray
        ``(len(first), len(second))``.
    """
    a, b = prepared("first", first, kind), prepared("second", second, kind)
    if a.shape[1] != b.shape[1]:
        raise ArgumentError(f"first and second must have as many features; got {a.shape[1]} and {b.shape[1]}.")
    return _matrix(a, b, kind)


def all_pairs(
    embeddings: Any, identities: Sequence[Any] | np.ndarray, kind: str = "cosine", *, block: int = BLOCK
) -> tuple[np.ndarray, np.ndarray]:
    """Return the scores of all pairs of different samples, those of one identity and those of two.

    Where they are too many for memory, `eer_of_pairs` does without.

    Parameters
    ----------
    embeddings
        ``(samples, features)``.
    identities
        ``(samples,)``: whom each shows.
    kind
        One of `SIMILARITIES`.
    block
        Samples on either side of a block.

    Returns
    -------
    tuple of ndarray
        Target and nontarget scores.

    Raises
    ------
    ArgumentError
        As `similarity`, and if there is not an identity for each sample.

    Examples
    --------
    >>> target, nontarget = all_pairs([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]], ["a", "a", "b"])
    >>> len(target), len(nontarget)
    (1, 2)
    """
    blocks = list(pair_blocks(embeddings, identities, kind, block=block))
    target, nontarget = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return target, nontarget


def pair_blocks(
    embeddings: Any, identities: Sequence[Any] | np.ndarray, kind: str = "cosine", *, block: int = BLOCK
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield what `all_pairs` returns, block by block."""
    x = prepared("embeddings", embeddings, kind)
    numbers = checked_identities(identities, len(x))
    size = whole("block", block)
    for top in range(0, len(x), size):
        for left in range(top, len(x), size):
            rows, columns = slice(top, top + size), slice(left, left + size)
            scores = _matrix(x[rows], x[columns], kind)
            same = numbers[rows, None] == numbers[None, columns]
            if left == top:
                upper = np.triu(np.ones(scores.shape, bool), 1)
                yield scores[same & upper], scores[~same & upper]
            else:
                yield scores[same], scores[~same]


def some_identities(identities: Sequence[Any] | np.ndarray, most: int) -> np.ndarray:
    """Return the rows of about `most` samples whose pairs may stand for those of all.

    Whole identities are taken, drawn once and for all, so that there are pairs within them; two at least, and if these
    have more samples, some of them, evenly.

    Parameters
    ----------
    identities
        ``(samples,)``: whom each shows.
    most
        Of as many samples or fewer, all are taken.

    Examples
    --------
    >>> some_identities(["a", "a", "b", "b", "c", "c"], 4).tolist()
    [0, 1, 4, 5]
    """
    names, numbers = np.unique(np.asarray(identities), return_inverse=True)
    order = np.random.default_rng(0).permutation(len(names))
    upto = int(np.searchsorted(np.cumsum(np.bincount(numbers)[order]), most, side="right"))
    rows = np.flatnonzero(np.isin(numbers, order[: max(upto, 2)]))
    return np.asarray(rows[np.linspace(0, len(rows) - 1, min(len(rows), max(most, 2))).astype(int)])


def prepared(name: str, embeddings: Any, kind: str) -> np.ndarray:
    """Return checked embeddings; for cosines, of length 1."""
    choice("kind", kind, SIMILARITIES)
    x = checked_embeddings(name, embeddings)
    if kind == "euclidean":
        return x
    largest = np.abs(x).max(axis=1)
    if not largest.all():
        at = int(largest.argmin())
        raise ArgumentError(f"{name} must not be zero; got a zero vector at {at}. It has no direction to compare.")
    scaled = np.ldexp(x, -np.frexp(largest)[1][:, None])  # or squares may overflow, or vanish; changes no bit else
    return np.asarray(scaled / np.linalg.norm(scaled, axis=1, keepdims=True))


def checked_identities(identities: Sequence[Any] | np.ndarray, count: int) -> np.ndarray:
    """Return the numbers, from 0, of identities, if there is one for each of `count` samples."""
    if len(identities) != count:
        raise ArgumentError(f"identities must be one for each of {count} embeddings; got {len(identities)}.")
    return np.unique(np.asarray(identities), return_inverse=True)[1]


def checked_embeddings(name: str, embeddings: Any) -> np.ndarray:
    """Return embeddings as ``(samples, features)`` floating point numbers, if they are finite."""
    x = np.asarray(embeddings)
    if x.ndim != 2 or x.dtype.kind not in "fiu" or not x.shape[1]:
        raise ArgumentError(f"{name} must be numbers of shape (samples, features); got {x.dtype} {x.shape}.")
    if not len(x):
        raise ArgumentError(f"{name} must hold an embedding at least; got none.")
    x = x if x.dtype in (np.float32, np.float64) else x.astype(np.float64)
    finite = np.isfinite(x).all(axis=1)
    if not finite.all():
        raise ArgumentError(f"{name} must be finite; got NaN or infinity at {int(finite.argmin())}.")
    return x


def _matrix(a: np.ndarray, b: np.ndarray, kind: str) -> np.ndarray:
    if kind == "cosine":
        return np.asarray(a @ b.T)
    a, b = a.astype(np.float64), b.astype(np.float64)
    squares = np.einsum("nd,nd->n", a, a)[:, None] + np.einsum("nd,nd->n", b, b)[None]
    apart = squares - 2 * (a @ b.T)
    near = np.flatnonzero(apart <= _CANCELLED * squares)
    for some in np.split(near, range(_AT_A_TIME, len(near), _AT_A_TIME)):
        row, column = np.divmod(some, len(b))
        apart.flat[some] = np.square(a[row] - b[column]).sum(axis=1)
    return np.asarray(-np.sqrt(apart))

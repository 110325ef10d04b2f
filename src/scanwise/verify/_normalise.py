"""Scores relative to what a cohort of strangers gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scanwise._checks import whole
from scanwise.errors import ArgumentError
from scanwise.verify._roc import checked_scores
from scanwise.verify._similarity import BLOCK, prepared, similarity_matrix

__all__ = ["CohortScores", "cohort_scores", "s_norm", "t_norm", "z_norm"]

_ROUNDING = 16  # units in the last place by which equal scores may differ


@dataclass(frozen=True, eq=False)
class CohortScores:
    """How alike samples are to a cohort, each by mean and deviation.

    Attributes
    ----------
    mean, std
        ``(samples,)``; the deviation is that of the cohort at hand, divided by its number.
    """

    mean: np.ndarray
    std: np.ndarray

    def __getitem__(self, rows: Any) -> CohortScores:
        """Those of some samples, such as of one side of trials."""
        return CohortScores(self.mean[rows], self.std[rows])


def cohort_scores(
    embeddings: Any,
    cohort: Any,
    kind: str = "cosine",
    *,
    top: int | None = None,
    identities: Sequence[Any] | np.ndarray | None = None,
    cohort_identities: Sequence[Any] | np.ndarray | None = None,
    block: int = BLOCK,
) -> CohortScores:
    """Return how alike samples are to a cohort of strangers.

    Parameters
    ----------
    embeddings, cohort
        ``(samples, features)``.
    kind
        See `similarity`.
    top
        How many of the cohort count for each sample, those most alike: the adaptive normalisation (Matejka et al.
        2017, "Analysis of score normalization in multilingual speaker recognition"). By default all.
    identities, cohort_identities
        Whom they show. Given both, no sample is compared with its own identity, which is no stranger.
    block
        Samples that are compared at a time.

    Raises
    ------
    ArgumentError
        As `similarity`, and if fewer strangers than `top`, or than two, are left for a sample, or all of them score
        the same.
    """
    x, others = prepared("embeddings", embeddings, kind), prepared("cohort", cohort, kind)
    if (identities is None) != (cohort_identities is None):
        raise ArgumentError("identities must come with cohort_identities; got one of the two. Give both, or none.")
    whom = np.asarray(identities), np.asarray(cohort_identities)
    if identities is not None and [len(side) for side in whom] != [len(x), len(others)]:
        raise ArgumentError(
            f"identities must be one for each of {len(x)} embeddings, and of {len(others)} of the cohort; got "
            f"{len(whom[0])} and {len(whom[1])}."
        )
    least = 2 if top is None else whole("top", top, least=2)
    means, stds = [], []
    for first in range(0, len(x), whole("block", block)):
        scores = similarity_matrix(x[first : first + block], others, kind).astype(np.float64)
        if identities is not None:
            scores[whom[0][first : first + block, None] == whom[1][None]] = np.nan
        strangers = len(others) - np.isnan(scores).sum(axis=1)
        if strangers.min() < least:
            raise ArgumentError(
                f"cohort must hold {least} strangers for every sample; got {strangers.min()}. Add some."
            )
        if top is not None and top < len(others):
            scores = -np.partition(-np.where(np.isnan(scores), -np.inf, scores), top - 1, axis=1)[:, :top]
        means.append(np.nanmean(scores, axis=1))
        stds.append(np.nanstd(scores, axis=1))
    mean, std = np.concatenate(means), np.concatenate(stds)
    if (std <= _ROUNDING * np.finfo(x.dtype).eps * np.abs(mean)).any():
        raise ArgumentError(f"cohort must differ; got equal scores for sample {int(std.argmin())}. Add strangers.")
    return CohortScores(mean, std)


def z_norm(scores: Any, enrolled: CohortScores) -> np.ndarray:
    """Return scores relative to the enrolled sample's cohort: ``(s - mean) / std`` (Auckenthaler et al. 2000).

    Parameters
    ----------
    scores
        ``(trials,)``.
    enrolled
        Of each trial's enrolled sample, ``(trials,)``.

    Raises
    ------
    ArgumentError
        If lengths differ or a score is not finite.

    Examples
    --------
    >>> z_norm([0.5], CohortScores(np.array([0.1]), np.array([0.2])))
    array([2.])
    """
    return _relative(scores, enrolled)


def t_norm(scores: Any, tested: CohortScores) -> np.ndarray:
    """Return scores relative to the tested sample's cohort; as `z_norm`, from the other side."""
    return _relative(scores, tested)


def s_norm(scores: Any, enrolled: CohortScores, tested: CohortScores) -> np.ndarray:
    """Return the mean of both, which does not change when a trial's sides do (Kenny 2010); as `z_norm`.

    With cohorts of the most alike only (``top=`` of `cohort_scores`), this is the adaptive S-norm.
    """
    return np.asarray((_relative(scores, enrolled) + _relative(scores, tested)) / 2)


def _relative(scores: Any, cohort: CohortScores) -> np.ndarray:
    array = checked_scores("scores", scores)
    if len(array) != len(cohort.mean):
        raise ArgumentError(
            f"scores must be one for each of {len(cohort.mean)} samples; got {len(array)}. Index the cohort's."
        )
    return np.asarray((array - cohort.mean) / cohort.std)

"""Curves over all thresholds."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scanwise.verify._roc import Roc

__all__ = ["DetCurve", "RocCurve", "det_curve", "roc_curve"]


class RocCurve(NamedTuple):
    """Rates ``(points,)`` at falling thresholds, from rejecting all to accepting all."""

    false_accept_rate: np.ndarray
    true_accept_rate: np.ndarray
    thresholds: np.ndarray


class DetCurve(NamedTuple):
    """Error rates ``(points,)`` at rising thresholds, from accepting all to rejecting all."""

    false_accept_rate: np.ndarray
    miss_rate: np.ndarray
    thresholds: np.ndarray


def roc_curve(target: Any, nontarget: Any) -> RocCurve:
    """Return the receiver operating characteristic, with a point for every distinct score and both ends.

    Parameters
    ----------
    target, nontarget
        ``(trials,)`` scores, see `eer`.

    Returns
    -------
    RocCurve
        In scikit-learn's order. Thresholds stand half-way between neighbouring scores; the first is infinity.

    Raises
    ------
    ArgumentError
        As `eer`.

    Examples
    --------
    >>> roc_curve([0.9, 0.6], [0.4, 0.1]).true_accept_rate
    array([0. , 0.5, 1. , 1. , 1. ])
    """
    roc = Roc.of(target, nontarget)
    return RocCurve(roc.false_accept_rate[::-1], 1 - roc.miss_rate[::-1], roc.thresholds[::-1])


def det_curve(target: Any, nontarget: Any) -> DetCurve:
    """Return the detection error trade-off (Martin et al. 1997), with a point for every distinct score and both ends.

    Parameters, and what is raised, as in `roc_curve`.

    Examples
    --------
    >>> det_curve([0.9, 0.6], [0.4, 0.1]).miss_rate
    array([0. , 0. , 0. , 0.5, 1. ])
    """
    roc = Roc.of(target, nontarget)
    return DetCurve(roc.false_accept_rate, roc.miss_rate, roc.thresholds)

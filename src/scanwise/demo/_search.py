"""Learning to find digits, choosing the threshold, and searching a canvas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from scanwise.demo._canvas import Canvas, enlarged, make_canvas
from scanwise.demo._windows import WINDOW, drawn_windows, false_alarms
from scanwise.events import Match, best_threshold, match
from scanwise.model import Model, train
from scanwise.training import split

TOLERANCE = WINDOW / 2
"""Pixels per axis that the middle of a find may be off."""

_CROWD = 3
_ENOUGH = 420  # digits, for a crowded canvas
_HIDDEN = (32,)
_FLOOR = 0.05  # below any threshold of interest


@dataclass(frozen=True)
class Learnt:
    """A model that finds digits, and digits that it has never seen.

    Attributes
    ----------
    model : Model
        Its thresholds were chosen on canvases of validation digits.
    digits, labels : ndarray
        Test digits ``(n, EXTENT, EXTENT)`` and their names ``(n,)``: neither trained on nor validated with.
    """

    model: Model
    digits: np.ndarray
    labels: np.ndarray

    def canvas(self, name: str, seed: int, size: int = 1024) -> Canvas:
        """Hide test digits on a canvas that nobody has seen."""
        return make_canvas(name, self.digits, self.labels, np.random.default_rng([seed, 2]), size=size)


def learn(
    seed: int = 0,
    *,
    size: int = 1024,
    canvases: int = 16,
    epochs: tuple[int, int] = (3, 8),
    on_step: Callable[[str], None] = lambda step: None,
) -> Learnt:
    """Train a model to find scikit-learn's digits.

    A first, short training shows what is mistaken for a digit; those windows join the background of the
    second. The threshold is the best one on three canvases of validation digits.

    Parameters
    ----------
    seed : int
        Chooses everything that is chosen at random, the division of the digits included.
    size : int
        Pixels along both axes of the canvases to learn from.
    canvases : int
        How many of them.
    epochs : tuple of int
        Passes over the windows in either training.
    on_step : callable
        Is told what is being done.
    """
    rng = np.random.default_rng([seed, 0])
    digits = load_digits()
    names = digits.target.astype(str)
    learning, held = split(digits.target, 0.2, seed)
    validation, test = (held[part] for part in split(digits.target[held], 0.5, seed))

    def crowded(count: int) -> Iterator[Canvas]:
        for number in range(count):
            some = rng.permutation(learning)[:_ENOUGH]
            drawn = enlarged(digits.images[some], rng)
            yield make_canvas(f"learning {number}", drawn, names[some], rng, size=size, crowd=_CROWD)

    on_step("learning what digits look like")
    x, y = drawn_windows(list(crowded(canvases)), rng)
    first = _train(x, y, epochs[0], seed)
    on_step("looking for what is mistaken for a digit")
    fresh = list(crowded(canvases // 2))
    alarms = false_alarms(fresh, _found(first, fresh, threshold=0.2, hop=2))
    on_step(f"learning again, with {len(alarms[0])} mistakes")
    x, y = np.concatenate([x, alarms[0]]), np.concatenate([y, alarms[1]])
    model = _train(x, y, epochs[1], seed)
    on_step("choosing the threshold")
    shown = enlarged(digits.images[validation])
    trials = [make_canvas(f"validation {i}", shown, names[validation], rng, size=size) for i in range(3)]
    return Learnt(_calibrated(model, trials), enlarged(digits.images[test]), names[test])


def search(model: Model, canvas: Canvas) -> tuple[pd.DataFrame, np.ndarray, Match]:
    """Search a canvas.

    Returns
    -------
    found : DataFrame
        What was found.
    heat : ndarray
        ``(rows, columns)``: the highest score of any digit at each window inside the canvas.
    result : Match
        How it agrees with the truth: each digit counts once, with the right label, its middle within half a
        window.
    """
    (searched,) = model.search(canvas.image)
    if searched.scores is None:
        raise AssertionError(searched.error)
    found = searched.events.assign(file=canvas.name)
    digits = [k for k, label in enumerate(model.info.labels) if label is not None]
    inside = tuple(slice(-first, first) for first in searched.origin)
    heat = searched.scores[digits].max(axis=0)[inside]
    return found, heat, match(found, canvas.truth, tolerance=TOLERANCE)


def _train(x: np.ndarray, y: np.ndarray, epochs: int, seed: int) -> Model:
    """Train on windows that hold their own background and jitter already.

    The hidden layer is narrow: in a scan it is the widest filter, and most of the work of every position.
    """
    return train((x, y), background=False, augment=False, epochs=epochs, seed=seed, hidden=_HIDDEN)


def _found(model: Model, canvases: list[Canvas], *, threshold: float, hop: int) -> pd.DataFrame:
    tables = [model.find(c.image, threshold=threshold, hop=hop).assign(file=c.name) for c in canvases]
    return pd.concat(tables, ignore_index=True)


def _calibrated(model: Model, canvases: list[Canvas]) -> Model:
    """Return `model` with one threshold for all digits: the best on all `canvases` together."""
    found = _found(model, canvases, threshold=_FLOOR, hop=1)
    truth = pd.concat([canvas.truth for canvas in canvases], ignore_index=True)
    threshold = best_threshold(found, truth, tolerance=TOLERANCE, floor=_FLOOR)
    info = replace(model.info, thresholds=(threshold,) * len(model.info.labels))
    return Model(model.net, info, model.history, model.validation)

"""What a network trains on, what chooses its weights, and what sets its thresholds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from scanwise.errors import ArgumentError
from scanwise.model._evaluate import Evaluation
from scanwise.model._evaluate_events import EventEvaluation
from scanwise.model._info import BACKGROUND_NAMES
from scanwise.model._thresholds import pattern_threshold
from scanwise.sources import Clips
from scanwise.training import Augmentation, Cuts, background_windows, chain, clutter, predict, shift, split

if TYPE_CHECKING:
    from scanwise.model._model import Model

__all__ = ["Classes", "Sets", "classes_of", "window_sets"]

Windows = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Sets:
    """Everything that training needs to know of the data.

    Attributes
    ----------
    x, y
        To learn from: windows ``(n, channels, *window)`` or `Cuts`, and targets.
    validation
        Windows and targets to choose the best weights by.
    classes
        Names of the outputs and what they mean; None for regression.
    augment
        What is done to windows to learn from; None for nothing.
    threshold
        Finds, by validation data, the score from which a pattern counts.
    judge
        Measures a finished model by what was held back.
    """

    x: np.ndarray | Cuts
    y: np.ndarray
    validation: Windows
    classes: Classes | None
    augment: Augmentation | None
    threshold: Callable[[Model], float]
    judge: Callable[[Model], Evaluation | EventEvaluation]

    @property
    def outputs(self) -> int:
        """Outputs that a network for these targets needs."""
        if self.classes is not None:
            return len(self.classes.names)
        return int(self.y.shape[1]) if self.y.ndim == 2 else 1


@dataclass(frozen=True)
class Classes:
    """Names of the classes, and which of them mean "no pattern here".

    Attributes
    ----------
    names
        One an output.
    background
        Those of `names` that mean background.
    labelled
        Whether background came with the data.
    """

    names: tuple[str, ...]
    background: tuple[str, ...]
    labelled: bool

    @property
    def number(self) -> int | None:
        """Number of the first background class; None if there is none."""
        return self.names.index(self.background[0]) if self.background else None

    @property
    def patterns(self) -> list[int]:
        """Numbers of the classes that are no background."""
        return [k for k, name in enumerate(self.names) if name not in self.background]


def classes_of(names: tuple[str, ...], *, background: bool) -> Classes:
    """The classes of data in which there are `names`; with `background`, one for it is added if there is none."""
    labelled = tuple(name for name in names if name.lower() in BACKGROUND_NAMES)
    if len(labelled) == len(names) or len(names) + (background and not labelled) < 2:
        raise ArgumentError(
            f"classes must be at least one pattern and one other class; got {', '.join(names)}. "
            "Add examples of another class, or let background be added."
        )
    if background and not labelled:
        return Classes((*names, "background"), ("background",), False)
    return Classes(names, labelled, bool(labelled))


def window_sets(clips: Clips, x: np.ndarray, *, fraction: float, seed: int, background: bool, augment: bool) -> Sets:
    """Sets of the windows `x` of `clips`; background is made from the patterns."""
    learn, held = split(clips.y, fraction, seed, classes=clips.classes)
    names = tuple(clips.names[i] for i in held)
    kept = Clips(x[held], clips.y[held], clips.classes, names, rate_hz=clips.rate_hz)
    parts = Sets(
        x=x[learn],
        y=clips.y[learn],
        validation=(x[held], clips.y[held]),
        classes=None,
        augment=None,
        threshold=lambda model: 0.0,
        judge=lambda model: model.evaluate(kept),
    )
    if clips.classes is None:
        return parts
    classes = classes_of(clips.classes, background=background)
    calibration = parts.validation
    if background:
        add = _Adder(classes, np.random.default_rng([seed, len(x)]))
        learnt = add(x[learn], clips.y[learn], times=2, at_most=2000)
        validation = add(*parts.validation, times=2, at_most=2000)
        calibration = add(*parts.validation, times=10, at_most=5000)
        parts = replace(parts, x=learnt[0], y=learnt[1], validation=validation)
    numbers = {classes.names.index(name) for name in classes.background}
    return replace(
        parts,
        classes=classes,
        augment=_augmentation(x.shape[2:]) if augment else None,
        threshold=lambda model: pattern_threshold(
            predict(model.module, calibration[0]).numpy(), calibration[1], numbers
        ),
    )


@dataclass(frozen=True, eq=False)
class _Adder:
    """Adds windows of background, made from those of the patterns: `times` as many, but no more than `at_most`."""

    classes: Classes
    rng: np.random.Generator

    def __call__(self, x: np.ndarray, y: np.ndarray, *, times: int, at_most: int) -> Windows:
        sources = x[np.isin(y, self.classes.patterns)]
        count = max(min(times * len(sources), at_most), len(sources) // 2)
        made = background_windows(sources, count, self.rng)
        return np.concatenate([x, made]), np.concatenate([y, np.full(count, self.classes.number)])


def _augmentation(window: tuple[int, ...]) -> Augmentation | None:
    """Jitter by a fourteenth of the window, and intruders; none where a window is too short to have sides."""
    if min(window) < 8:
        return None
    return chain(shift(max(min(window) // 14, 1)), clutter(0.5))

"""What a network trains on, what chooses its weights, and what sets its thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scanwise.errors import ArgumentError
from scanwise.sources import Clips
from scanwise.training import background_windows, split

__all__ = ["Sets", "sets"]

BACKGROUND_NAMES = ("background", "noise", "other")
"""Classes of these names, in capitals or not, mean "no pattern here"."""

Examples = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Sets:
    """Windows ``(n, channels, *window)`` with their targets.

    Attributes
    ----------
    train, validation
        To learn from, and to choose the best weights by. Both hold background, where it is wanted.
    calibration
        To set thresholds by: the validation windows among much more background, as in a search.
    held
        Numbers of the examples that `validation` holds.
    classes, background, background_labelled
        As in `ModelInfo`.
    """

    train: Examples
    validation: Examples
    calibration: Examples
    held: np.ndarray
    classes: tuple[str, ...] | None
    background: tuple[str, ...]
    background_labelled: bool

    @property
    def outputs(self) -> int:
        """Outputs that a network for these targets needs."""
        if self.classes is not None:
            return len(self.classes)
        y = self.train[1]
        return int(y.shape[1]) if y.ndim == 2 else 1


def sets(clips: Clips, x: np.ndarray, *, fraction: float, seed: int, background: bool) -> Sets:
    """Divide the examples `x` of `clips`, and add background made from the patterns of either part."""
    learn, held = split(clips.y, fraction, seed, classes=clips.classes)
    train, validation = (x[learn], clips.y[learn]), (x[held], clips.y[held])
    if clips.classes is None:
        return Sets(train, validation, validation, held, None, (), False)
    labelled = tuple(name for name in clips.classes if name.lower() in BACKGROUND_NAMES)
    patterns = [k for k, name in enumerate(clips.classes) if name not in labelled]
    if not patterns or len(clips.classes) + (background and not labelled) < 2:
        raise ArgumentError(
            f"classes must be at least one pattern and one other class; got {', '.join(clips.classes)}. "
            "Add examples of another class, or let background be added."
        )
    if not background:
        return Sets(train, validation, validation, held, clips.classes, labelled, bool(labelled))
    classes = clips.classes if labelled else (*clips.classes, "background")
    rng = np.random.default_rng([seed, len(x)])
    add = _Adder(classes.index((labelled or classes[-1:])[0]), patterns, rng)
    return Sets(
        train=add(train, times=2, at_most=2000, at_least_share=0.5),
        validation=add(validation, times=2, at_most=2000, at_least_share=0.5),
        calibration=add(validation, times=10, at_most=5000, at_least_share=0.5),
        held=held,
        classes=classes,
        background=labelled or classes[-1:],
        background_labelled=bool(labelled),
    )


@dataclass(frozen=True, eq=False)
class _Adder:
    """Adds windows of the class `number`, made from windows of the classes `patterns`."""

    number: int
    patterns: list[int]
    rng: np.random.Generator

    def __call__(self, examples: Examples, *, times: int, at_most: int, at_least_share: float) -> Examples:
        x, y = examples
        sources = x[np.isin(y, self.patterns)]
        count = max(min(times * len(sources), at_most), int(at_least_share * len(sources)))
        made = background_windows(sources, count, self.rng)
        return np.concatenate([x, made]), np.concatenate([y, np.full(count, self.number)])

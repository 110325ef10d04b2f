"""What a network trains on, what chooses its weights, and what sets its thresholds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from scanwise.errors import ArgumentError
from scanwise.model._evaluate import Evaluation
from scanwise.model._evaluate_events import EventEvaluation
from scanwise.model._info import BACKGROUND_NAMES, ModelInfo
from scanwise.model._thresholds import pattern_threshold
from scanwise.model._verification import Verification
from scanwise.sources import Clips
from scanwise.training import Augmentation, Cuts, background_windows, chain, clutter, predict, shift, split

if TYPE_CHECKING:
    from scanwise.model._model import Model

__all__ = ["Classes", "Sets", "Wanted", "classes_of", "facts", "window_sets", "with_threshold"]

Windows = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Wanted:
    """What the user asked for, whatever the data.

    Attributes
    ----------
    task
        As in `train`; None for what the data are fit for.
    window
        Samples or pixels, per axis.
    fraction, seed, background, augment
        As in `train`.
    sound
        Whether the network looks at spectra, so that level and colour may vary.
    unlabelled
        What stretches without a mark mean.
    false_alarms_per_hour
        What the threshold must keep to; None for the best F1.
    symmetries, whiten
        As in `train`.
    """

    task: str | None
    window: tuple[int, ...]
    fraction: float
    seed: int
    background: bool
    augment: bool
    sound: bool
    unlabelled: str
    false_alarms_per_hour: float | None
    symmetries: bool
    whiten: bool


@dataclass(frozen=True, eq=False)
class Sets:
    """Everything that training needs to know of the data, whatever the task.

    Attributes
    ----------
    task
        As in `ModelInfo`.
    outputs
        That a network for it needs; None if that is for the user to say.
    x, y
        To learn from: windows ``(n, channels, *window)`` or `Cuts`, and targets.
    validation
        Windows and targets to choose the best weights by.
    augment
        What is done to windows to learn from; None for nothing.
    facts
        What `ModelInfo` says of the task, before anything was measured.
    settle
        Of a trained model, what it says after: thresholds by what was held back.
    judge
        Measures a finished model by what was held back.
    within
        Windows and identities by which a head is whitened; None to leave it as it is.
    """

    task: str
    outputs: int | None
    x: np.ndarray | Cuts
    y: np.ndarray
    validation: Windows
    augment: Augmentation | None
    facts: Mapping[str, Any]
    settle: Callable[[Model], ModelInfo]
    judge: Callable[[Model], Evaluation | EventEvaluation]
    within: tuple[np.ndarray | Cuts, np.ndarray] | None = None


def facts(classes: Classes | None = None, verification: Verification | None = None) -> Mapping[str, Any]:
    """What `ModelInfo` says of a task."""
    return {
        "classes": None if classes is None else classes.names,
        "background": () if classes is None else classes.background,
        "background_labelled": classes is not None and classes.labelled,
        "thresholds": None if classes is None else (0.5,) * len(classes.names),
        "verification": verification,
    }


def with_threshold(threshold: Callable[[Model], float]) -> Callable[[Model], ModelInfo]:
    """What a classifier says with one threshold for all classes."""

    def settle(model: Model) -> ModelInfo:
        return replace(model.info, thresholds=(threshold(model),) * len(model.info.classes or ()))

    return settle


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
        task="regress",
        outputs=int(clips.y.shape[1]) if clips.y.ndim == 2 else 1,
        x=x[learn],
        y=clips.y[learn],
        validation=(x[held], clips.y[held]),
        augment=None,
        facts=facts(),
        settle=lambda model: model.info,
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
        task="classify",
        outputs=len(classes.names),
        augment=_augmentation(x.shape[2:]) if augment else None,
        facts=facts(classes),
        settle=with_threshold(
            lambda model: pattern_threshold(predict(model.module, calibration[0]).numpy(), calibration[1], numbers)
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

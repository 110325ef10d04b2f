"""What a network trains on when patterns stand in recordings: marked there, or given as clips."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from scanwise.errors import ArgumentError
from scanwise.model._evaluate import Evaluation
from scanwise.model._evaluate_events import EventEvaluation
from scanwise.model._examples import windows
from scanwise.model._identity_sets import identity_sets
from scanwise.model._labelled import Labelled
from scanwise.model._sets import Classes, Sets, Wanted, classes_of, facts, window_sets, with_threshold
from scanwise.model._trial import Trial
from scanwise.sources import Clips
from scanwise.training import (
    Augmentation,
    Marked,
    centre_of_energy,
    chain,
    gain,
    marked_cuts,
    mosaic,
    noise,
    split,
    split_recordings,
    tilt,
)

if TYPE_CHECKING:
    from scanwise.model._model import Model

__all__ = ["sets_of"]

_GROUP = 30
"""Clips in one mosaic, which have noise of one level."""

_MOST_VARIANTS = 6
_MOST_SAMPLES = 2**25
"""So often are the clips joined anew, as long as all mosaics together stay below so many samples."""

_DRAWS = 2
"""Windows of each validation example."""


def sets_of(data: Clips | Labelled, wanted: Wanted) -> Sets:
    """The sets of whatever was given.

    Clips of signals of a known rate, or of differing lengths, come from recordings, and are made recordings again.
    Other clips are windows: images, and arrays that somebody has cut.
    """
    patterns = _has_classes(data) and wanted.task != "verify"
    if wanted.false_alarms_per_hour is not None and (data.rate_hz is None or not patterns):
        raise ArgumentError(
            "false_alarms_per_hour must be for patterns in recordings of a known rate; got "
            f"{wanted.false_alarms_per_hour}. Give the sample rate, or leave it out."
        )
    if wanted.false_alarms_per_hour is not None and wanted.unlabelled == "ignore":
        raise ArgumentError(
            "false_alarms_per_hour must be left out where unlabelled stretches are ignored; got "
            f"{wanted.false_alarms_per_hour}. Nobody knows what is false there: label them, or take the best F1."
        )
    if wanted.task == "verify" and isinstance(data, Clips):
        return identity_sets(data, wanted)
    if isinstance(data, Labelled):
        return _labelled_sets(data.without_shorter(wanted.window[0]), wanted)
    is_signal = data.x[0].ndim == 2
    if is_signal and data.classes is not None and (data.rate_hz is not None or isinstance(data.x, list)):
        return _clip_sets(data, wanted)
    return window_sets(
        data,
        windows(data, wanted.window),
        fraction=wanted.fraction,
        seed=wanted.seed,
        background=wanted.background,
        augment=wanted.augment,
    )


def _has_classes(data: Clips | Labelled) -> bool:
    return isinstance(data, Labelled) or data.classes is not None


def _labelled_sets(data: Labelled, wanted: Wanted) -> Sets:
    """Sets of recordings with marks; stretches of them are held back."""
    found = tuple(sorted(set(data.events["label"])))
    classes = classes_of(found, background=wanted.background)
    (window,) = wanted.window
    marked = data.marked(classes.names)
    learn, held = split_recordings(marked, window, wanted.fraction, wanted.seed, classes=classes.names)
    trial = _trial(held, classes, wanted, data.rate_hz)
    return _sets(learn, held, classes, wanted, trial, judge=trial.evaluate)


def _clip_sets(clips: Clips, wanted: Wanted) -> Sets:
    """Sets of clips with a class each, joined to recordings."""
    classes = classes_of(clips.classes or (), background=wanted.background)
    learn, held = split(clips.y, wanted.fraction, wanted.seed, classes=clips.classes)
    rng = np.random.default_rng([wanted.seed, len(clips)])
    kept = Clips(
        [clips.x[i] for i in held], clips.y[held], clips.classes, tuple(clips.names[i] for i in held),
        rate_hz=clips.rate_hz,
    )  # fmt: skip
    (window,) = wanted.window
    marked, validation = (_joined(clips, rows, window, window, rng) for rows in (learn, held))
    trial = _trial(_joined(clips, held, window, 8 * window, rng), classes, wanted, clips.rate_hz)
    return _sets(marked, validation, classes, wanted, trial, judge=lambda model: model.evaluate(kept))


def _trial(held: Marked, classes: Classes, wanted: Wanted, rate_hz: float | None) -> Trial:
    return Trial.of(
        held,
        classes,
        window=wanted.window[0],
        rate_hz=rate_hz,
        all_reviewed=wanted.unlabelled == "background",
        false_alarms_per_hour=wanted.false_alarms_per_hour,
    )


def _sets(
    learn: Marked,
    held: Marked,
    classes: Classes,
    wanted: Wanted,
    trial: Trial,
    *,
    judge: Callable[[Model], Evaluation | EventEvaluation],
) -> Sets:
    rng = np.random.default_rng([wanted.seed, len(learn.y)])
    number = classes.number if wanted.background else None
    cuts, validation = (
        marked_cuts(
            marked,
            wanted.window[0],
            rng,
            background=number,
            others=[classes.names.index(name) for name in classes.background],
            unlabelled=wanted.unlabelled,
        )
        for marked in (learn, held)
    )
    rows = torch.arange(len(validation)).repeat(_DRAWS)
    shown = validation.draw(rows, torch.Generator().manual_seed(wanted.seed)).numpy()
    return Sets(
        task="classify",
        outputs=len(classes.names),
        x=cuts,
        y=cuts.y,
        validation=(shown, validation.y[rows.numpy()]),
        augment=_augmentation(wanted.sound) if wanted.augment else None,
        facts=facts(classes),
        settle=with_threshold(trial.threshold),
        judge=judge,
    )


def _joined(clips: Clips, rows: np.ndarray, window: int, most_gap: int, rng: np.random.Generator) -> Marked:
    """Mosaics of some clips, each several times; an event is a window around a clip's centre of energy."""
    total = sum(clips.x[row].shape[1] + most_gap // 2 for row in rows)
    variants = max(min(_MOST_SAMPLES // max(total, 1), _MOST_VARIANTS), 1)
    centres = {int(row): centre_of_energy(clips.x[row]) for row in rows}
    recordings, source, centre, y = [], [], [], []
    for _ in range(variants):
        shuffled = rng.permutation(rows)
        for group in np.array_split(shuffled, -(-len(rows) // _GROUP)):
            made = mosaic(
                [clips.x[row] for row in group],
                rng,
                most_gap=most_gap,
                noise_db=None if rng.random() < 0.1 else float(rng.uniform(0, 30)),
                one_level=bool(rng.random() < 0.5),
            )
            numbers = group[made.clips]
            recordings.append(made.recording)
            source.append(np.full(len(group), len(recordings) - 1))
            centre.append(made.starts + np.array([centres[int(number)] for number in numbers]))
            y.append(clips.y[numbers])
    first = np.concatenate(centre) - window // 2
    return Marked(recordings, np.concatenate(source), first, first + window, np.concatenate(y))


def _augmentation(sound: bool) -> Augmentation:
    """Of sound, level and colour say nothing; of other signals they may."""
    return chain(gain(10), tilt(0.3), noise(0, 40)) if sound else noise(20, 60)

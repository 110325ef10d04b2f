"""How good a model is: on clips, and at finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scanwise.errors import DataError
from scanwise.events import Match, match
from scanwise.model._answers import clip_scores
from scanwise.model._clips import checked_input
from scanwise.model._examples import Data, examples, matched_classes
from scanwise.model._info import ModelInfo
from scanwise.model._search import Searched
from scanwise.training import confusion

if TYPE_CHECKING:
    from scanwise.model._model import Model

__all__ = ["Evaluation", "EventEvaluation", "evaluate_clips", "evaluate_events"]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Answers to clips against the truth.

    Attributes
    ----------
    classes
        Names of the rows and columns of `confusion`; None for regression.
    confusion
        ``(classes, classes)``: how often the class of the row was taken for that of the column.
    count
        Number of clips.
    accuracy
        Share of right answers; None for regression.
    mean_absolute_error
        Of regression; else None.
    """

    classes: tuple[str, ...] | None
    confusion: np.ndarray | None
    count: int
    accuracy: float | None
    mean_absolute_error: float | None

    @property
    def summary(self) -> str:
        """The figure to quote, in words."""
        if self.accuracy is not None:
            return f"accuracy {self.accuracy:.2%}"
        return f"mean absolute error {self.mean_absolute_error:.4g}"

    def __str__(self) -> str:
        lines = [f"{self.count} clips: {self.summary}"]
        if self.classes is not None and self.confusion is not None:
            table = pd.DataFrame(self.confusion, index=self.classes, columns=self.classes)
            lines += ["", "confusion matrix (rows: truth, columns: answer)", table.to_string()]
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class EventEvaluation:
    """Found events against true ones; each true one is found at most once.

    Attributes
    ----------
    match
        Over all classes.
    by_label
        A row per class: ``label, truth, found, right, precision, recall, f1``.
    failed
        Inputs that could not be searched, each with the reason; their events count as missed.
    """

    match: Match
    by_label: pd.DataFrame
    failed: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return str(self.by_label.to_string(index=False, float_format=lambda number: f"{number:.3f}"))


def evaluate_clips(model: Model, data: Data) -> Evaluation:
    """Answer clips and compare."""
    info = model.info
    clips = examples(data, info.task)
    arrays = [checked_input(x, info, name) for x, name in zip(clips.x, clips.names, strict=True)]
    scores = clip_scores(model, arrays)
    if info.classes is None:
        error = float(np.abs(scores - clips.y.reshape(scores.shape)).mean())
        return Evaluation(None, None, len(clips), None, error)
    truth, answers = matched_classes(clips, info), scores.argmax(axis=1)
    matrix = confusion(truth, answers, len(info.classes))
    used = np.flatnonzero(matrix.any(axis=0) | matrix.any(axis=1))
    names = tuple(info.classes[k] for k in used)
    return Evaluation(names, matrix[np.ix_(used, used)], len(clips), float((truth == answers).mean()), None)


def evaluate_events(info: ModelInfo, results: Sequence[Searched], root: Path, truth: pd.DataFrame) -> EventEvaluation:
    """Match found with true events within half a window, over all classes and class by class.

    `truth` names files relative to `root`.
    """
    names = {result.file: Path(result.file).relative_to(root).as_posix() for result in results}
    _check_known("file", truth, set(names.values()))
    _check_known("label", truth, {label for label in info.labels if label is not None})
    _check_boxes(truth, len(info.window))
    found = pd.concat([result.events for result in results], ignore_index=True)
    found = found.assign(file=found["file"].map(names))
    tolerance = [extent / 2 for extent in info.window]
    total = match(found, truth, tolerance=tolerance)
    parts = {
        label: match(found[found["label"] == label], truth[truth["label"] == label], tolerance=tolerance)
        for label in sorted(set(found["label"]) | set(truth["label"]))
    }
    rows = [
        {
            "label": label,
            "truth": part.true_count,
            "found": part.found_count,
            "right": part.true_positives,
            "precision": part.precision,
            "recall": part.recall,
            "f1": part.f1,
        }
        for label, part in [*parts.items(), ("(all)", total)]
    ]
    failed = tuple(
        (result.file, result.error.removeprefix(f"{result.file}: ")) for result in results if result.error is not None
    )
    return EventEvaluation(total, pd.DataFrame(rows), failed)


def _check_boxes(truth: pd.DataFrame, axes: int) -> None:
    for first, last in (("start", "end"),) if axes == 1 else (("x0", "x1"), ("y0", "y1")):
        empty = truth[first].to_numpy() >= truth[last].to_numpy()
        if empty.any():
            row = int(empty.argmax())
            raise DataError(
                f"truth must have {first} below {last}; got {truth[first].iloc[row]} and {truth[last].iloc[row]} in "
                f"row {row + 1}. Intervals are half-open; correct or remove it."
            )


def _check_known(column: str, truth: pd.DataFrame, known: set[str]) -> None:
    strange = sorted(set(truth[column]) - known)
    if strange:
        raise DataError(
            f"truth must name a {column} that there is; got {strange[0]!r}. There is {', '.join(sorted(known)[:10])}."
        )

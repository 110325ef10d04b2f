"""How good a model is: on clips, and at finding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from scanwise.events import Match, match

__all__ = ["Evaluation", "EventEvaluation", "compare_events"]


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
        return self.by_label.to_string(index=False, float_format=lambda number: f"{number:.3f}")


def compare_events(
    found: pd.DataFrame,
    truth: pd.DataFrame,
    window: tuple[int, ...],
    failed: tuple[tuple[str, str], ...] = (),
) -> EventEvaluation:
    """Match within half a window, over all and class by class."""
    tolerance = [extent / 2 for extent in window]
    total = match(found, truth, tolerance=tolerance)
    parts = [
        (label, match(found[found["label"] == label], truth[truth["label"] == label], tolerance=tolerance))
        for label in sorted(set(found["label"]) | set(truth["label"]))
    ]
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
        for label, part in [*parts, ("(all)", total)]
    ]
    return EventEvaluation(total, pd.DataFrame(rows), failed)

"""How good a model is on clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scanwise.model._answers import clip_scores
from scanwise.model._clips import checked_input
from scanwise.model._embed import clip_embeddings
from scanwise.model._examples import Data, examples, matched_classes
from scanwise.model._verification import Verification
from scanwise.training import confusion

if TYPE_CHECKING:
    from scanwise.model._model import Model

__all__ = ["Evaluation", "evaluate_clips"]


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
    verification
        All pairs of clips, for a model that verifies; else None.
    """

    classes: tuple[str, ...] | None
    confusion: np.ndarray | None
    count: int
    accuracy: float | None
    mean_absolute_error: float | None
    verification: Verification | None = None

    @property
    def summary(self) -> str:
        """The figure to quote, in words."""
        if self.verification is not None:
            return str(self.verification)
        if self.accuracy is not None:
            return f"accuracy {self.accuracy:.2%}"
        return f"mean absolute error {self.mean_absolute_error:.4g}"

    def __str__(self) -> str:
        lines = [f"{self.count} clips: {self.summary}"]
        if self.classes is not None and self.confusion is not None:
            table = pd.DataFrame(self.confusion, index=self.classes, columns=self.classes)
            lines += ["", "confusion matrix (rows: truth, columns: answer)", table.to_string()]
        return "\n".join(lines)


def evaluate_clips(model: Model, data: Data, *, resample: bool) -> Evaluation:
    """Answer clips and compare."""
    info = model.info
    clips = examples(data, info.task, info.reading(resample=resample))
    known = info.verification
    arrays = [checked_input(x, info, name) for x, name in zip(clips.x, clips.names, strict=True)]
    if known is not None:
        measured = Verification.of_pairs(known.pooling, clip_embeddings(model, arrays), clips.y, data="these clips")
        return Evaluation(None, None, len(clips), None, None, measured)
    scores = clip_scores(model, arrays)
    if info.classes is None:
        error = float(np.abs(scores - clips.y.reshape(scores.shape)).mean())
        return Evaluation(None, None, len(clips), None, error)
    truth, answers = matched_classes(clips, info), scores.argmax(axis=1)
    matrix = confusion(truth, answers, len(info.classes))
    used = np.flatnonzero(matrix.any(axis=0) | matrix.any(axis=1))
    names = tuple(info.classes[k] for k in used)
    return Evaluation(names, matrix[np.ix_(used, used)], len(clips), float((truth == answers).mean()), None)

"""A search of held-out recordings, by which the threshold is chosen and the model judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scanwise.events import best_threshold
from scanwise.model._evaluate_events import FLOOR, EventEvaluation, event_evaluation, thresholds_of
from scanwise.model._search import search
from scanwise.model._sets import Classes
from scanwise.nn import WindowNet
from scanwise.training import Marked

if TYPE_CHECKING:
    from scanwise.model._model import Model

__all__ = ["Trial"]

_UNDECIDED = 0.5
"""The threshold where validation data find nothing, right or wrong."""


@dataclass(frozen=True, eq=False)
class Trial:
    """Recordings to search, with what is to be found.

    Attributes
    ----------
    marked
        The recordings and all that is marked in them.
    truth
        The patterns among it, as a table.
    window
        Samples.
    rate_hz
        Samples a second; None if unknown.
    all_reviewed
        Whether there is nothing where nothing is marked. If not, what is found there is neither right nor wrong.
    false_alarms_per_hour
        What the threshold must keep to; None for the best F1.
    """

    marked: Marked
    truth: pd.DataFrame
    window: int
    rate_hz: float | None
    all_reviewed: bool
    false_alarms_per_hour: float | None
    _found: dict[WindowNet, pd.DataFrame] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, marked: Marked, classes: Classes, **settings: Any) -> Trial:
        """The trial of `marked`; settings are the other attributes."""
        patterns = np.isin(marked.y, classes.patterns)
        truth = pd.DataFrame(
            {
                "file": [f"stretch {number}" for number in marked.source[patterns]],
                "start": marked.start[patterns],
                "end": marked.end[patterns],
                "label": np.array(classes.names, dtype=object)[marked.y[patterns]],
            }
        )
        return cls(marked, truth, **settings)

    @property
    def seconds(self) -> float | None:
        """Duration of all, if the rate is known, and all of it."""
        if self.rate_hz is None or not self.all_reviewed:
            return None
        return float(sum(recording.shape[1] for recording in self.marked.recordings) / self.rate_hz)

    def found(self, model: Model) -> pd.DataFrame:
        """What `model` finds at a low threshold; searched once, however often its threshold is changed."""
        if model.net not in self._found:
            self._found[model.net] = self._searched(model)
        return self._found[model.net]

    def _searched(self, model: Model) -> pd.DataFrame:
        named = [(f"stretch {number}", recording) for number, recording in enumerate(self.marked.recordings)]
        results = search(model, named, threshold=FLOOR, hop=None, merge_gap=None)
        tables = [result.events for result in results]
        if not self.all_reviewed:
            tables = [table[self._reviewed(number, table)] for number, table in enumerate(tables)]
        return pd.concat(tables, ignore_index=True)

    def _reviewed(self, number: int, found: pd.DataFrame) -> np.ndarray:
        """Whether each event found in a recording has its middle in a label, or within half a window of one."""
        mine = self.marked.source == number
        start, end = (values[mine] - self.window // 2 for values in (self.marked.start, self.marked.end))
        middle = ((found["start"] + found["end"]) / 2).to_numpy()[:, None]
        return np.asarray(((middle >= start) & (middle < end + self.window)).any(axis=1))

    def threshold(self, model: Model) -> float:
        """The threshold that is best here, or keeps to the false alarms allowed."""
        found = self.found(model)
        if self.false_alarms_per_hour is None and (found.empty or self.truth.empty):
            return _UNDECIDED
        return best_threshold(
            found,
            self.truth,
            tolerance=self.window / 2,
            floor=FLOOR,
            seconds=self.seconds,
            false_alarms_per_hour=self.false_alarms_per_hour,
        )

    def evaluate(self, model: Model) -> EventEvaluation:
        """How well the model finds at its own threshold."""
        return event_evaluation(
            self.found(model),
            self.truth,
            self.window / 2,
            thresholds_of(model.info, None),
            seconds=self.seconds,
        )

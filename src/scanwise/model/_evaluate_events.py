"""How good a model is at finding."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scanwise.errors import ArgumentError, DataError, InputFailed
from scanwise.events import Match, event_columns, match, threshold_table
from scanwise.model._info import BACKGROUND_NAMES, ModelInfo
from scanwise.model._labelled import true_events
from scanwise.model._labels import Labels, labels_of
from scanwise.model._search import Searched, named_inputs
from scanwise.sources import list_recordings, read_table

if TYPE_CHECKING:
    from scanwise.model._model import Model

__all__ = ["FLOOR", "EventEvaluation", "evaluate_events", "event_evaluation", "thresholds_of"]

FLOOR = 0.05
"""A threshold below all that are of interest."""


@dataclass(frozen=True, eq=False)
class EventEvaluation:
    """Found events against true ones; each true one is found at most once.

    Attributes
    ----------
    match
        Over all classes.
    by_label
        A row per class: ``label, truth, found, right, precision, recall, f1``.
    by_threshold
        What other thresholds would give, the same for all classes: the table of `scanwise.events.threshold_table`.
    failed
        Inputs that could not be searched, each with the reason; their events count as missed.
    seconds
        Duration of what was searched; None for images, and where the rate is unknown.
    """

    match: Match
    by_label: pd.DataFrame
    by_threshold: pd.DataFrame
    failed: tuple[tuple[str, str], ...] = ()
    seconds: float | None = None

    @property
    def count(self) -> int:
        """Number of true events."""
        return self.match.true_count

    @property
    def false_alarms_per_hour(self) -> float | None:
        """Found events that are none, an hour; None where the duration is unknown."""
        return None if not self.seconds else self.match.false_positives * 3600 / self.seconds

    @property
    def summary(self) -> str:
        """The figures to quote, in words."""
        rate = self.false_alarms_per_hour
        alarms = "" if rate is None else f", {rate:{'.3g' if rate < 1000 else ',.0f'}} false alarms per hour"
        total = self.match
        return f"F1 {total.f1:.3f}, precision {total.precision:.3f}, recall {total.recall:.3f}{alarms}"

    def __str__(self) -> str:
        table = self.by_label.to_string(index=False, float_format=lambda number: f"{number:.3f}")
        return f"{self.count} events: {self.summary}\n\n{table}{self._thresholds()}"

    def _thresholds(self) -> str:
        """Nine thresholds, for signals."""
        rows = [self.by_threshold[self.by_threshold["threshold"] >= tenth / 10] for tenth in range(1, 10)]
        table = pd.DataFrame(
            [above.iloc[-1].to_dict() | {"threshold": (k + 1) / 10} for k, above in enumerate(rows) if len(above)]
        )
        columns = ["threshold", "precision", "recall", "f1", "false_alarms_per_hour"]
        if self.seconds is None or table.empty:
            return ""
        return "\n\n" + str(table[columns].to_string(index=False, float_format=lambda number: f"{number:.3f}"))


def evaluate_events(
    model: Model,
    inputs: str | os.PathLike[str],
    truth: Labels,
    *,
    label_column: str | None,
    threshold: float | None,
    **search: Any,
) -> EventEvaluation:
    """Search what `inputs` names, and match what is found with `truth`; see `Model.evaluate_events`."""
    if model.info.classes is None:
        raise ArgumentError(f"task must be classify to find events; got {model.info.task}. Leave out the truth table.")
    limits = thresholds_of(model.info, threshold)
    axes = len(model.info.window)
    # What the truth cannot be is said before hours are searched.
    names = _names(inputs, [file for file, _ in named_inputs(inputs, axes=axes)], axes=axes)
    if axes == 1:
        table, refused = labels_of(truth, tuple(names.values()), label_column=label_column)
        nothing = ~table["label"].isin(limits) & table["label"].str.lower().isin(BACKGROUND_NAMES)
        table = table[table["file"].isin(set(names.values())) & ~nothing]
    else:
        table, refused = _true_boxes(truth, axes), {}
        _check_known("file", table, set(names.values()))
    _check_known("label", table, set(limits))
    # One search at a low threshold serves all higher ones, if they are the same for all classes.
    low = min(FLOOR, *limits.values()) if len(set(limits.values())) == 1 else threshold
    # The dense scores are dropped one by one: those of all inputs may not fit in memory.
    results = [replace(result, scores=None) for result in model.search(inputs, threshold=low, **search)]
    if axes == 1:
        table, results = _true_events(table, refused, names, results)
    _check_some(results)
    found = pd.concat([result.events for result in results], ignore_index=True)
    found = found.assign(file=found["file"].map(names))
    if axes == 1:  # the window is in samples of the model, events in samples of their file
        scales = {names[result.file]: _model_samples(result, model.info) for result in results}
        found, table = (_scaled(events, scales) for events in (found, table))
    failed = tuple(
        (result.file, result.error.removeprefix(f"{result.file}: ")) for result in results if result.error is not None
    )
    durations = [result.seconds for result in results if result.error is None]
    known = [duration for duration in durations if duration is not None]
    seconds = sum(known) if durations and len(known) == len(durations) else None
    tolerance = [extent / 2 for extent in model.info.window]
    return event_evaluation(found, table, tolerance, limits, seconds=seconds, failed=failed)


def _model_samples(result: Searched, info: ModelInfo) -> float:
    """Samples of the model for one of the file."""
    return 1.0 if result.rate_hz is None or info.sample_rate_hz is None else info.sample_rate_hz / result.rate_hz


def _scaled(events: pd.DataFrame, scales: Mapping[str, float]) -> pd.DataFrame:
    scale = events["file"].map(scales).astype(np.float64)
    return events.assign(start=events["start"] * scale, end=events["end"] * scale)


def thresholds_of(info: ModelInfo, threshold: float | None) -> dict[str, float]:
    """The score from which each pattern counts, the model's own or the one that is given."""
    own = info.thresholds or ()
    pairs = zip(info.labels, own, strict=True)
    return {name: value if threshold is None else threshold for name, value in pairs if name is not None}


def _names(inputs: str | os.PathLike[str], files: Sequence[str], *, axes: int) -> dict[str, str]:
    """What the truth calls each file: relative to its folder, or as its manifest does."""
    if axes == 1:
        listed = {path: name for name, path in list_recordings(inputs)}
        return {file: listed.get(file, Path(file).name) for file in files}
    root = Path(inputs) if Path(inputs).is_dir() else Path(inputs).parent
    return {file: Path(file).relative_to(root).as_posix() for file in files}


def _true_boxes(truth: Labels, axes: int) -> pd.DataFrame:
    table = truth if isinstance(truth, pd.DataFrame) else read_table(truth, event_columns(axes))
    _check_boxes(table)
    return table


def _true_events(
    table: pd.DataFrame, refused: Mapping[str, str], names: Mapping[str, str], results: Sequence[Searched]
) -> tuple[pd.DataFrame, list[Searched]]:
    """The true events in samples, and the results; one fails whose labels cannot be true, or are not there."""
    parts, kept = [], []
    for result in results:
        name = names[result.file]
        mine = table[table["file"] == name]
        try:
            if name in refused:
                raise DataError(f"{result.file}: {refused[name]}")
            if result.error is None:
                parts.append(true_events(mine, result.rate_hz, result.length, result.file))
            else:  # they are missed, wherever they are
                parts.append(mine[["file", "label"]].assign(start=0, end=1))
        except DataError as error:
            result = replace(result, error=str(error), events=result.events[:0])
        kept.append(result)
    filled = [part for part in parts if len(part)] or parts[:1]
    return pd.concat(filled, ignore_index=True) if filled else table, kept


def _check_some(results: Sequence[Searched]) -> None:
    """Refuse an evaluation of nothing, once each failure is told."""
    errors = [result.error for result in results if result.error is not None]
    if len(errors) < len(results):
        return
    if len(errors) == 1:
        raise DataError(errors[0])
    for error in errors:
        warnings.warn(error, InputFailed, stacklevel=4)
    raise DataError(f"inputs must have one that can be compared with the truth; got {len(errors)} without. See above.")


def event_evaluation(
    candidates: pd.DataFrame,
    truth: pd.DataFrame,
    tolerance: float | Sequence[float],
    thresholds: Mapping[str, float],
    *,
    seconds: float | None = None,
    failed: tuple[tuple[str, str], ...] = (),
) -> EventEvaluation:
    """Match what of the candidates reaches its threshold, over all classes and class by class."""
    found = candidates[candidates["score"] >= candidates["label"].map(thresholds).astype(np.float64)]
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
    by_threshold = threshold_table(candidates, truth, tolerance=tolerance, seconds=seconds or None)
    return EventEvaluation(total, pd.DataFrame(rows), by_threshold, failed, seconds)


def _check_boxes(truth: pd.DataFrame) -> None:
    for first, last in (("x0", "x1"), ("y0", "y1")):
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

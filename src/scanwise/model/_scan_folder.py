"""The scan folder: ``events.csv``, ``scan.json`` and, on request, dense scores."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scanwise.errors import ArgumentError, DataError
from scanwise.model._info import ModelInfo
from scanwise.model._label_files import label_writer
from scanwise.model._search import Searched
from scanwise.sources import ESCAPE, atomic_folder, write_table

__all__ = ["EVENTS", "MARKER", "scan_writer"]

EVENTS = "events.csv"
MARKER = "scan.json"
"""What makes a folder the result of a scan; only a folder with it is ever overwritten."""


def scan_writer(
    info: ModelInfo, *, scores: bool, labels: str | None, hop: tuple[int, ...], threshold: float | None
) -> Callable[..., pd.DataFrame]:
    """Return what writes the results of a scan, `_write` with all that is known before the first of them.

    Raises
    ------
    ArgumentError
        If there would be nothing to write, no classes and no `scores`; or `labels` are asked of images or without
        classes.
    """
    if info.classes is None and not scores:
        raise ArgumentError("scores must be kept without classes; nothing else is found. Add scores (--scores).")
    if info.classes is None and labels is not None:
        raise ArgumentError(f"labels must be left out without classes; got {labels}. No events are found.")
    settings = {
        "window": list(info.window),
        "hop": list(hop),
        "origin": [-(extent // 2) for extent in info.window],
        "outputs": info.classes and list(info.classes),
        "threshold": threshold if threshold is not None else info.thresholds,
    }
    write_labels = None if labels is None else label_writer(labels, axes=len(info.window))
    return partial(_write, settings=settings, keep_scores=scores, write_labels=write_labels)


def _write(
    out: str | os.PathLike[str],
    results: Iterable[Searched],
    *,
    settings: dict[str, Any],
    keep_scores: bool,
    write_labels: Callable[[Path, Searched], str] | None,
    overwrite: bool,
    on_result: Callable[[Searched], None] | None,
) -> pd.DataFrame:
    """Write results as they come; the folder appears when all are written.

    Returns
    -------
    DataFrame
        All events.

    Raises
    ------
    OutputExists
        Before the first result is computed, if `out` exists and may not be replaced.
    DataError
        If every input failed, with the reason if there was but one; nothing is written.
    """
    tables: list[pd.DataFrame] = []
    inputs: list[dict[str, Any]] = []
    with atomic_folder(out, overwrite, marker=MARKER) as folder:
        names = _score_names(folder) if keep_scores else None
        for result in results:
            record: dict[str, Any] = {"file": result.file}
            if result.error is None and write_labels is not None:
                try:
                    record["labels"] = write_labels(folder, result)
                except DataError as error:
                    result = replace(result, events=result.events[:0], scores=None, error=str(error))
            if result.error is not None and result.total == 1:
                raise DataError(result.error)
            if on_result is not None:
                on_result(result)
            record["error"] = result.error
            if result.scores is not None and names is not None:
                record["scores"] = next(names)
                np.save(folder / record["scores"], result.scores, allow_pickle=False)
            tables.append(result.events)
            inputs.append(record)
        if all(record["error"] for record in inputs):
            raise DataError(f"inputs must have one that can be scanned; got {len(inputs)} that cannot. See above.")
        events = pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)
        write_table(folder / EVENTS, events)
        text = json.dumps(settings | {"inputs": inputs}, indent=2, ensure_ascii=False)
        (folder / MARKER).write_text(text + "\n", encoding="utf-8", errors=ESCAPE)
    return events


def _score_names(folder: Path) -> Iterator[str]:
    """Numbered, for inputs of different folders may share a name; ``scan.json`` tells which is whose."""
    (folder / "scores").mkdir()
    number = 0
    while True:
        yield f"scores/{number:06d}.npy"
        number += 1

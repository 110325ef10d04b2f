"""The scan folder: ``events.csv``, ``scan.json`` and, on request, dense scores."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scanwise.errors import DataError
from scanwise.model._search import Searched
from scanwise.sources import ESCAPE, atomic_folder, write_table

__all__ = ["EVENTS", "MARKER", "write_scan"]

EVENTS = "events.csv"
MARKER = "scan.json"
"""What makes a folder the result of a scan; only a folder with it is ever overwritten."""


def write_scan(
    out: str | os.PathLike[str],
    results: Iterable[Searched],
    settings: dict[str, Any],
    *,
    keep_scores: bool,
    write_labels: Callable[[Path, Searched], str] | None,
    overwrite: bool,
    on_result: Callable[[Searched], None],
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

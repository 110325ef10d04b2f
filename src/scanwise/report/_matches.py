"""What was found against what is true."""

from __future__ import annotations

import pandas as pd
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from scanwise.events import Match

__all__ = ["match_table"]


def match_table(found: pd.DataFrame, truth: pd.DataFrame, result: Match) -> Table:
    """Precision, recall and F1 of each label and of all, for the terminal; it fits in 80 columns.

    Parameters
    ----------
    found, truth, result
        Two tables of events, and what ``match(found, truth)`` says of them.
    """
    table = Table(box=SIMPLE)
    table.add_column("label")
    for heading in ("true", "found", "right", "missed", "false", "precision", "recall", "F1"):
        table.add_column(heading, justify="right")
    found_label, true_label = found["label"].to_numpy(), truth["label"].to_numpy()
    for label in sorted({*found_label, *true_label}):
        pairs = tuple(pair for pair in result.pairs if found_label[pair[0]] == label)
        of_label = Match(pairs, int((found_label == label).sum()), int((true_label == label).sum()))
        table.add_row(Text(str(label)), *_cells(of_label))
    table.add_section()
    table.add_row("all", *_cells(result), style="bold")
    return table


def _cells(result: Match) -> list[str]:
    counts = (
        result.true_count,
        result.found_count,
        result.true_positives,
        result.false_negatives,
        result.false_positives,
    )
    return [f"{n:,}" for n in counts] + [f"{x:.3f}" for x in (result.precision, result.recall, result.f1)]

"""How a training run went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.box import SIMPLE
from rich.table import Table

from scanwise.errors import ArgumentError
from scanwise.report._picture import RIGHT, new_figure

__all__ = ["training_picture", "training_table"]

_MOST_ROWS = 10


def training_table(rows: Sequence[Mapping[str, Any]], *, best: int, metric_name: str) -> Table:
    """The epochs of a run for the terminal: all of a short one, about ten of a long one, the best marked.

    Parameters
    ----------
    rows
        One mapping an epoch with `epoch` (from 0), `loss`, `val_loss`, `metric` (None without validation),
        `seconds`.
    best
        The epoch whose weights were kept.
    metric_name
        What the metric is, such as accuracy.

    Raises
    ------
    ArgumentError
        When there are no rows.
    """
    _check(rows)
    shown = set(np.linspace(0, len(rows) - 1, min(len(rows), _MOST_ROWS)).round().astype(int).tolist())
    names = ("loss", "val_loss", "metric") if rows[0].get("val_loss") is not None else ("loss",)
    headings = {"loss": "loss", "val_loss": "validation loss", "metric": metric_name or "metric"}
    table = Table(box=SIMPLE)
    for heading in ("epoch", *(headings[name] for name in names), "seconds", ""):
        table.add_column(heading, justify="right")
    for index, row in enumerate(rows):
        is_best = row["epoch"] == best
        if index in shown or is_best:
            numbers = [_number(row.get(name)) for name in names]
            mark = "<- kept" if is_best else ""
            table.add_row(
                str(row["epoch"] + 1),
                *numbers,
                f"{row['seconds']:.1f}",
                mark,
                style="bold" if is_best else "",
            )
    return table


def training_picture(rows: Sequence[Mapping[str, Any]], *, best: int, metric_name: str) -> Figure:
    """Loss and metric by epoch. Parameters and errors are those of `training_table`."""
    _check(rows)
    epochs = [row["epoch"] + 1 for row in rows]
    validated = rows[0].get("val_loss") is not None
    figure = new_figure(10 if validated else 5.5, 3.8)
    panels = figure.subplots(1, 2 if validated else 1, squeeze=False)[0]
    panels[0].plot(epochs, [row["loss"] for row in rows], color="#0072b2", marker=".", label="training")
    panels[0].set(xlabel="epoch", ylabel="loss")
    if min(row["loss"] for row in rows) > 0:
        panels[0].set_yscale("log")
    if validated:
        panels[0].plot(
            epochs,
            [row["val_loss"] for row in rows],
            color="#d55e00",
            marker=".",
            linestyle="--",
            label="validation",
        )
        panels[1].plot(epochs, [row["metric"] for row in rows], color="#d55e00", marker=".", linestyle="--")
        panels[1].set(xlabel="epoch", ylabel=f"validation {metric_name or 'metric'}")
    for panel in panels:
        panel.axvline(best + 1, color=RIGHT, linestyle=":", linewidth=2, label=f"kept: epoch {best + 1}")
        panel.grid(alpha=0.3)
        panel.xaxis.get_major_locator().set_params(integer=True)
    panels[0].legend()
    return figure


def _check(rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        raise ArgumentError("rows must hold an epoch; got none. Train for at least one.")


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if abs(value) >= 0.001 or not value else f"{value:.1e}"

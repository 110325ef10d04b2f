"""How often a verifier errs, at every threshold."""

from __future__ import annotations

from pathlib import Path
from statistics import NormalDist

import numpy as np
from matplotlib.figure import Figure

from scanwise.model import TrialScores
from scanwise.report._picture import RIGHT, new_figure, png
from scanwise.sources import ESCAPE, write_table
from scanwise.verify import EER, DetBand, DetCurve

__all__ = ["TRIALS_MARKER", "det_picture", "write_trials"]

TRIALS_MARKER = "trials.csv"
"""What makes a folder the result of trials; only a folder with it is ever overwritten."""

_TICKS = np.array([0.0001, 0.001, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99, 0.999, 0.9999])
_REACH = (0.0001, 0.2)  # axes begin at the smallest rate, but not below the one nor above the other


def det_picture(curve: DetBand | DetCurve, *, eer: EER | None = None) -> Figure:
    """The detection error trade-off with its band, on axes of normal deviates.

    Scores that are normally distributed give a straight line there, and the crowded corner of few errors is spread out
    (Martin et al. 1997, "The DET curve in assessment of detection task performance").

    Parameters
    ----------
    curve
        With its band over subjects, or alone.
    eer
        To be marked.
    """
    figure = new_figure(6.2, 6.2)
    axes = figure.subplots()
    rates = np.concatenate([curve.false_accept_rate, curve.miss_rate])
    low = float(np.clip(rates[rates > 0].min(), *_REACH))
    high = 1 - low
    x = _deviates(curve.false_accept_rate, low, high)
    if isinstance(curve, DetBand):
        below, above = (_deviates(rates, low, high) for rates in (curve.low, curve.high))
        label = f"{100 * curve.level:g} % over {curve.subjects:,} subjects"
        axes.fill_between(x, below, above, color="#0072b2", alpha=0.2, linewidth=0, label=label)
    axes.plot(x, _deviates(curve.miss_rate, low, high), color="#0072b2", linewidth=2, label="all trials")
    ends = _deviates(np.array([low, high]), low, high)
    axes.plot(ends, ends, color="0.6", linestyle=":", label="equal errors")
    if eer is not None:
        at = _deviates(np.array([eer.value]), low, high)
        text = f"EER {100 * eer.value:.3g} %"
        axes.plot(at, at, marker="o", linestyle="", markersize=9, color=RIGHT, markeredgecolor="black", label=text)
    ticks = _TICKS[(low <= _TICKS) & (high >= _TICKS)]
    names = [f"{100 * tick:g}" for tick in ticks]
    axes.set_xticks(_deviates(ticks, low, high), names)
    axes.set_yticks(_deviates(ticks, low, high), names)
    axes.set(xlabel="false accepts, % of nontarget trials", ylabel="misses, % of target trials", xlim=ends, ylim=ends)
    axes.set_aspect("equal")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right")
    return figure


def _deviates(rates: np.ndarray, low: float, high: float) -> np.ndarray:
    """Normal deviates of rates; what lies beyond the axes stands at their ends."""
    normal = NormalDist()
    return np.array([normal.inv_cdf(rate) for rate in np.clip(rates, low, high).tolist()])


def write_trials(found: TrialScores, folder: Path) -> None:
    """Fill an empty folder: a row a trial, ``trials.csv``; the figures, ``summary.txt``; and ``det.png``."""
    write_table(folder / TRIALS_MARKER, found.table())
    (folder / "summary.txt").write_text(f"{found}\n", encoding="utf-8", errors=ESCAPE)
    (folder / "det.png").write_bytes(png(det_picture(found.det(), eer=found.eer)))

"""The demonstration from one end to the other."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console

from scanwise.demo._canvas import Canvas
from scanwise.demo._search import learn, search
from scanwise.events import Match
from scanwise.model import Model
from scanwise.report import canvas_picture, match_table, png
from scanwise.sources import atomic_folder

_TRUTH = "truth.csv"


@dataclass(frozen=True)
class DemoResult:
    """What came of a demonstration.

    Attributes
    ----------
    folder : Path
        Has ``model/``, ``events.csv``, ``truth.csv`` and ``picture.png``.
    found, truth : DataFrame
        What was found, and what was hidden.
    match : Match
        How they agree: precision, recall, F1.
    learning_seconds, searching_seconds : float
    reuse_factor : float
        How many times the arithmetic of the search, windows one by one would have taken.
    """

    folder: Path
    found: pd.DataFrame
    truth: pd.DataFrame
    match: Match
    learning_seconds: float
    searching_seconds: float
    reuse_factor: float


def run(
    out: str | os.PathLike[str] = "scanwise-demo", seed: int = 0, size: int = 1024, overwrite: bool = False
) -> DemoResult:
    """Learn real digits, hide others in a large picture, find them, and show it.

    Needs nothing but what Scanwise depends on: the digits come with scikit-learn. Results are printed to
    the standard output, progress to the standard error.

    Parameters
    ----------
    out : str or path
        The folder to write.
    seed : int
        Chooses the digits, the picture, the initial weights and the order of learning.
    size : int
        Pixels along both axes of the picture.
    overwrite : bool
        Whether a folder of an earlier demonstration may be replaced.

    Raises
    ------
    OutputExists
        If `out` exists and may not be replaced.
    """
    progress = Console(stderr=True)
    with atomic_folder(out, overwrite, marker=_TRUTH) as folder:
        started = time.perf_counter()
        learnt = learn(seed, on_step=lambda step: progress.print(f"{step} ..."))
        learning = time.perf_counter() - started
        canvas = learnt.canvas("canvas", seed, size)
        progress.print(f"searching {size} x {size} pixels ...")
        started = time.perf_counter()
        found, heat, result = search(learnt.model, canvas)
        done = DemoResult(
            folder=Path(out),
            found=found,
            truth=canvas.truth,
            match=result,
            learning_seconds=learning,
            searching_seconds=time.perf_counter() - started,
            reuse_factor=learnt.model.scanner().reuse_factor,
        )
        _write(folder, learnt.model, canvas, done, heat)
    _print(done, size)
    return done


def _write(folder: Path, model: Model, canvas: Canvas, done: DemoResult, heat: np.ndarray) -> None:
    """Fill the folder."""
    (folder / "model").mkdir()
    model.write(folder / "model")
    done.found.to_csv(folder / "events.csv", index=False)
    done.truth.to_csv(folder / _TRUTH, index=False)
    picture = canvas_picture(
        canvas.image,
        done.found,
        done.truth,
        done.match,
        heat=heat,
        window=model.info.window,
        hop=model.info.hop,
        title=f"{done.match.true_positives} of {done.match.true_count} digits found, F1 {done.match.f1:.3f}",
    )
    (folder / "picture.png").write_bytes(png(picture))


def _print(done: DemoResult, size: int) -> None:
    """Print what was found, how long it took, and where it is."""
    console = Console(highlight=False)
    console.print(match_table(done.found, done.truth, done.match))
    console.print(
        f"learnt in {done.learning_seconds:.1f} s; searched {size} x {size} pixels, every window, in "
        f"{done.searching_seconds:.1f} s\n"
        f"sharing results between windows saved {1 - 1 / done.reuse_factor:.1%} of the arithmetic "
        f"(reuse factor {done.reuse_factor:.0f})\n"
        f"wrote {done.folder}: picture.png, events.csv, truth.csv, model"
    )

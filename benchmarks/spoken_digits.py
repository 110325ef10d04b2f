"""Spoken digits: clips of one word each, and the same words in ten minutes of noise.

Run from the project's root::

    python -m benchmarks.spoken_digits --data ../shared/data/fsdd [--seeds 5] [--tune] [--json FILE]

``--data`` has a folder per digit with ``<speaker>_<take>.wav`` (Free Spoken Digit Dataset, 8 kHz). Takes 5 to 19 of
every speaker are trained on, takes 0 to 4 tested. All settings but the window are the library's defaults.

* Clips: the share of test clips that are answered rightly, each by its best window.
* Events: a recording of ten minutes of white noise in which test clips stand at random times, none over another. It
  is scanned with the model's own threshold. A found event is right if it has the right label and its middle lies
  within 0.25 s of the clip's centre of energy, each clip counting once. The clips are brought to one level, 10 dB above
  the noise; or left at their own, which differ by 23 dB between speakers, with their median 10 dB above it.

With ``--tune`` takes 5 to 8 take the place of the test clips and are not trained on: for trying things out.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

import scanwise as sw

RATE_HZ, MINUTES, SNR_DB, TOLERANCE_S, WINDOW_S = 8000, 10, 10, 0.25, 0.5


def read_takes(folder: Path, takes: range) -> sw.sources.Clips:
    """Return the clips of some takes of all speakers."""
    clips = sw.sources.read_clips(folder)
    rows = [i for i, name in enumerate(clips.names) if int(Path(name).stem.split("_")[1]) in takes]
    return sw.sources.Clips(
        [clips.x[i] for i in rows], clips.y[rows], clips.classes, tuple(clips.names[i] for i in rows),
        rate_hz=clips.rate_hz,
    )  # fmt: skip


def recording_of(clips: sw.sources.Clips, seed: int, *, one_level: bool) -> tuple[np.ndarray, pd.DataFrame]:
    """Return ten minutes ``(1, samples)`` of white noise with the clips in it, and where they are.

    Half a second at least lies between two clips.
    """
    rng = np.random.default_rng([seed, one_level])
    length, pause = MINUTES * 60 * RATE_HZ, RATE_HZ // 2
    order = rng.permutation(len(clips))
    sizes = np.array([clips.x[i].shape[1] for i in order])
    free = length - sizes.sum() - pause * (len(order) + 1)
    assert free > 0, "too many clips for the recording"
    starts = np.sort(rng.integers(free, size=len(order))) + pause + np.cumsum(sizes + pause) - (sizes + pause)
    levels = np.array([np.sqrt(np.square(clips.x[i]).mean()) for i in order])
    usual = float(np.median(levels))
    noise = usual * 10 ** (-SNR_DB / 20)
    recording = rng.normal(0, noise, length)
    centres = []
    for i, start, level in zip(order, starts, levels, strict=True):
        clip = clips.x[i][0] * (usual / level if one_level else 1)
        recording[start : start + len(clip)] += clip
        energy = np.square(clip).cumsum()
        centres.append(start + int(np.searchsorted(energy, energy[-1] / 2)))
    names = clips.classes or ()
    truth = pd.DataFrame({"file": "array", "start": centres, "label": [names[k] for k in clips.y[order]]})
    return recording.astype(np.float32)[None], truth.assign(end=truth["start"])


def measured(training: sw.sources.Clips, test: sw.sources.Clips, seed: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Train with one seed and return the figures."""
    started = time.perf_counter()
    model = sw.train(training, window=WINDOW_S, seed=seed, **settings)
    row: dict[str, Any] = {"seed": seed, "seconds": time.perf_counter() - started}
    row["clips"] = model.evaluate(test).accuracy
    for name, one_level in (("one level", True), ("own levels", False)):
        recording, truth = recording_of(test, seed, one_level=one_level)
        result = sw.events.match(model.find(recording), truth, tolerance=TOLERANCE_S * RATE_HZ)
        row[name] = result.f1
        row[f"{name}: false alarms per hour"] = result.false_positives * 60 / MINUTES
    return row


def main() -> None:
    """Run all seeds and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the spoken digits")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--tune", action="store_true", help="leave the test takes alone")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the training")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    settings = {name: json.loads(value) for name, _, value in (given.partition("=") for given in options.set)}
    training = read_takes(options.data, range(9, 20) if options.tune else range(5, 20))
    test = read_takes(options.data, range(5, 9) if options.tune else range(5))
    console = Console()
    rows = []
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        rows.append(measured(training, test, seed, settings))
        console.print(", ".join(f"{name} {value:.4g}" for name, value in rows[-1].items()))
    table = Table(title=f"{len(training)} clips to train, {len(test)} to test, {options.seeds} seeds")
    for name in ("figure", "mean", "lowest", "highest"):
        table.add_column(name)
    for name in [name for name in rows[0] if name != "seed"]:
        values = [row[name] for row in rows]
        table.add_row(name, *(f"{value:.4g}" for value in (np.mean(values), min(values), max(values))))
    console.print(table)
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

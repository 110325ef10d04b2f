"""Train on windows, find anywhere: MNIST in the middle, at random places, and among clutter.

Run from the project's root::

    python -m benchmarks.mnist --data ../shared/data/mnist [--seeds 3] [--json FILE]

``--data`` has the 10,000 digits of MNIST's test set (``t10k-*-ubyte.gz``): the first 8,000 are trained on,
the last 2,000 tested. All settings are the library's defaults, so this is what ``scanwise train`` gives.

* A convnet on windows of 28x28 is asked about the test digits themselves, about the same digits at random
  places on canvases of 60x60, and there among clutter: 4 pieces of 8x8 of other test digits (as in Mnih et al.
  2014, "Recurrent models of visual attention"). A canvas' answer is that of its best window.
* An MLP on whole canvases of 60x60 learns digits in the middle. It is asked about the same test digits moved
  by 0 to 4 pixels in a random direction, and anywhere. What it loses is why scanning exists.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import scanwise as sw

TRAINED, CANVAS, DIGIT, PIECES, PIECE = 8000, 60, 28, 4, 8
SHIFTS = (0, 1, 2, 3, 4)


def read_mnist(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the digits ``(10000, 1, 28, 28)`` of 0 to 1 and their labels ``(10000,)``."""
    images, labels = (
        np.frombuffer(gzip.decompress((folder / f"t10k-{name}-ubyte.gz").read_bytes()), np.uint8, offset=offset)
        for name, offset in (("images-idx3", 16), ("labels-idx1", 8))
    )
    return images.reshape(-1, 1, DIGIT, DIGIT).astype(np.float32) / 255, labels.astype(np.int64)


def place(digits: np.ndarray, corners: np.ndarray, pieces: np.ndarray | None = None) -> np.ndarray:
    """Return canvases ``(n, 1, 60, 60)`` with each digit at its corner ``(row, column)``, over its `pieces`."""
    canvases = np.zeros((len(digits), 1, CANVAS, CANVAS), np.float32) if pieces is None else pieces.copy()
    for canvas, digit, (row, column) in zip(canvases, digits, corners, strict=True):
        area = canvas[:, row : row + DIGIT, column : column + DIGIT]
        np.maximum(area, digit, out=area)
    return canvases


def clutter(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a canvas for each digit with pieces of other digits at random places."""
    canvases = np.zeros((len(digits), 1, CANVAS, CANVAS), np.float32)
    for i, canvas in enumerate(canvases):
        for other in (i + rng.integers(1, len(digits), size=PIECES)) % len(digits):
            row, column = rng.integers(DIGIT - PIECE + 1, size=2)
            piece = digits[other, :, row : row + PIECE, column : column + PIECE]
            row, column = rng.integers(CANVAS - PIECE + 1, size=2)
            area = canvas[:, row : row + PIECE, column : column + PIECE]
            np.maximum(area, piece, out=area)
    return canvases


def anywhere(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return corners ``(count, 2)`` at which a digit fits on its canvas."""
    return rng.integers(CANVAS - DIGIT + 1, size=(count, 2))


def shifted(count: int, pixels: int, rng: np.random.Generator) -> np.ndarray:
    """Return corners ``(count, 2)`` that are `pixels` from the middle along one axis or both."""
    ring = [(r, c) for r in range(-pixels, pixels + 1) for c in range(-pixels, pixels + 1)]
    ring = [offset for offset in ring if max(map(abs, offset)) == pixels]
    return (CANVAS - DIGIT) // 2 + rng.choice(ring, size=count)


def measure_convnet(x: np.ndarray, y: np.ndarray, seed: int) -> dict[str, float]:
    """Return accuracies of a convnet on windows, and seconds."""
    rng = np.random.default_rng(seed)
    test, truth = x[TRAINED:], y[TRAINED:]
    started = time.perf_counter()
    model = sw.train((x[:TRAINED], y[:TRAINED]), seed=seed)
    trained = time.perf_counter()
    corners = anywhere(len(test), rng)
    result = {
        "centred": accuracy(model, test, truth),
        "anywhere": accuracy(model, place(test, corners), truth),
        "cluttered": accuracy(model, place(test, corners, clutter(test, rng)), truth),
    }
    return result | {"train_seconds": trained - started, "test_seconds": time.perf_counter() - trained}


def measure_mlp(x: np.ndarray, y: np.ndarray, seed: int) -> dict[str, float]:
    """Return accuracies, by shift, of an MLP on whole canvases that was trained with digits in the middle."""
    rng = np.random.default_rng(seed)
    test, truth = x[TRAINED:], y[TRAINED:]
    middle = place(x[:TRAINED], shifted(TRAINED, 0, rng))
    model = sw.train((middle, y[:TRAINED]), "mlp", background=False, augment=False, seed=seed)
    corners = {f"shift {pixels}": shifted(len(test), pixels, rng) for pixels in SHIFTS}
    corners["anywhere"] = anywhere(len(test), rng)
    return {name: accuracy(model, place(test, where), truth) for name, where in corners.items()}


def accuracy(model: sw.Model, clips: np.ndarray, truth: np.ndarray) -> float:
    """Return the share of clips whose answer, the best window's, is right."""
    return float(np.mean(np.array(model.predict(clips)).astype(int) == truth))


def measure(x: np.ndarray, y: np.ndarray, seeds: int) -> Iterator[tuple[str, int, dict[str, float]]]:
    """Yield each model's name, seed and numbers."""
    for name, one in (("convnet on windows", measure_convnet), ("mlp on canvases", measure_mlp)):
        for seed in range(seeds):
            yield name, seed, one(x, y, seed)


def table(name: str, rows: list[dict[str, float]]) -> Table:
    """Return accuracies in per cent and times in seconds, a row per seed and their mean."""
    result = Table("seed", *rows[0], title=name)
    mean = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
    for label, row in (*enumerate(rows), ("mean", mean)):
        cells = (f"{v:.1f}" if key.endswith("seconds") else f"{100 * v:.2f} %" for key, v in row.items())
        result.add_row(str(label), *cells)
    return result


def main() -> None:
    """Measure, print tables, and write the numbers where they are wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of t10k-*-ubyte.gz")
    parser.add_argument("--seeds", type=int, default=1, help="how many runs to average (default 1)")
    parser.add_argument("--json", type=Path, help="file to write all numbers to")
    options = parser.parse_args()
    console = Console()
    results: dict[str, list[dict[str, Any]]] = {}
    for name, seed, row in measure(*read_mnist(options.data), options.seeds):
        results.setdefault(name, []).append(row)
        console.log(name, f"seed {seed}", row)
    for name, rows in results.items():
        console.print(table(name, rows))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    else:
        console.print_json(data=results)


if __name__ == "__main__":
    main()

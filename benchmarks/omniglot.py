"""Letters of an alphabet that was never seen: train on four alphabets, verify on the fifth.

Run from the project's root::

    python -m benchmarks.omniglot --data ../shared/data/omniglot [--alphabets Greek,Latin] [--epochs 16] [--json FILE]

``--data`` has a folder per alphabet, in it a folder per character with 20 drawings ``<number>_<drawer>.png`` of 105x105
(Lake et al. 2015). Every alphabet in turn is left out of training and of all choices made there.

* Equal error rate over all pairs of drawings of the left-out alphabet, interpolated, by the cosine of embeddings, with
  its 95 % interval over characters.
* 20-way one-shot within the alphabet (Lake et al. 2015): 20 characters and two drawers are drawn; each of the second
  drawer's 20 drawings is taken for the most similar of the first drawer's. The share of right answers in 400 such
  rounds. Published, with thirty alphabets to train on and ten to test: 92.0 % for a siamese convnet, 95.5 % for people
  (Koch et al. 2015).

Drawings become 39x39 pixels, their ink's centre of gravity in the middle, its root mean square radius 9.5 pixels:
letters are the same wherever and however large they are drawn. Windows are of 35x35, so an embedding is the mean over
25 of them: the scan makes up for letters that are a little off. All else is `scanwise.train` with
``task="verify"``; what is not the default stands in `SETTINGS`. The time is that of training alone.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

import scanwise as sw

WINDOW, RIM, FINE, RADIUS, LEAST_RADIUS = 35, 2, 3, 9.5, 16
SIDE = WINDOW + 2 * RIM
WAYS, ROUNDS = 20, 400
SETTINGS: dict[str, Any] = {
    "channels": (32, 64, 128, 128),
    "kernels": 3,
    "pools": (2, 2, 1, 1),
    "hidden": (),
    "dropout": 0.5,
    "margin": 0.3,
    "window": WINDOW,
    "symmetries": True,
    "batch": 128,
    "validation": 0.05,
}


def normalised(image: np.ndarray) -> np.ndarray:
    """Return a drawing, ink 1 on 0, as ``(1, 39, 39)``, each pixel the mean of 3x3 points."""
    rows, columns = np.nonzero(image > 0.5)
    centre = np.array([rows.mean(), columns.mean()]) + 0.5
    radius = max(np.sqrt(rows.var() + columns.var() + 2), LEAST_RADIUS)
    points = (np.arange(SIDE * FINE) + 0.5) / FINE - SIDE / 2
    y, x = np.floor(centre[:, None] + points * radius / RADIUS).astype(int)
    padded = np.pad(image, 1)
    y, x = np.clip(y, -1, image.shape[0]) + 1, np.clip(x, -1, image.shape[1]) + 1
    return padded[np.ix_(y, x)].reshape(1, SIDE, FINE, SIDE, FINE).mean(axis=(2, 4)).astype(np.float32)


def read_alphabet(folder: Path) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Return drawings ``(n, 1, 39, 39)``, the character that each shows, and its drawer."""
    files = sorted(folder.glob("*/*.png"))
    images = [1 - np.asarray(Image.open(file).convert("L"), np.float32) / 255 for file in files]
    names = [f"{folder.name}/{file.parent.name}" for file in files]
    return np.stack([normalised(image) for image in images]), names, np.array([int(f.stem[-2:]) for f in files])


def one_shot(embeddings: np.ndarray, characters: np.ndarray, drawers: np.ndarray) -> float:
    """Return the share of right answers."""
    rng = np.random.default_rng(0)
    scores = sw.verify.similarity_matrix(embeddings, embeddings)
    place = {key: row for row, key in enumerate(zip(characters.tolist(), drawers.tolist(), strict=True))}
    right = []
    for _ in range(ROUNDS):
        some = rng.permutation(np.unique(characters))[:WAYS].tolist()
        first, second = rng.permutation(np.unique(drawers))[:2].tolist()
        shown, asked = ([place[character, drawer] for character in some] for drawer in (first, second))
        right.append(scores[np.ix_(asked, shown)].argmax(axis=1) == np.arange(len(some)))
    return float(np.mean(right))


def turn(alphabets: dict[str, tuple[np.ndarray, list[str], np.ndarray]], left_out: str, epochs: int) -> dict[str, Any]:
    """Train on all alphabets but one, and measure that one."""
    rest = [alphabet for name, alphabet in alphabets.items() if name != left_out]
    x, names = np.concatenate([part[0] for part in rest]), [name for part in rest for name in part[1]]
    start = time.perf_counter()
    model = sw.train((x, names), "convnet", task="verify", epochs=epochs, **SETTINGS)
    seconds = time.perf_counter() - start
    images, names, drawers = alphabets[left_out]
    embeddings, characters = model.embed(list(images)), np.unique(names, return_inverse=True)[1]
    found = sw.verify.eer(*sw.verify.all_pairs(embeddings, characters))
    first, second = np.triu_indices(len(images), 1)
    scores = sw.verify.similarity_matrix(embeddings, embeddings)[first, second]
    spread = sw.verify.bootstrap(scores, characters[first], characters[second], rounds=200)
    return {
        "alphabet": left_out,
        "characters": len(np.unique(characters)),
        "eer": found.value,
        "low": spread.low,
        "high": spread.high,
        "one_shot": one_shot(embeddings, characters, drawers),
        "seconds": seconds,
    }


def table(rows: list[dict[str, Any]]) -> Table:
    """Return the figures of every turn and their means."""
    made = Table(title="Omniglot: trained on the other alphabets")
    for heading in ("left out", "characters", "EER %", "95 % interval", "one-shot %", "training s"):
        made.add_column(heading, justify="left" if heading == "left out" else "right")
    for row in rows:
        made.add_row(
            row["alphabet"],
            str(row["characters"]),
            f"{100 * row['eer']:.2f}",
            f"{100 * row['low']:.1f} to {100 * row['high']:.1f}",
            f"{100 * row['one_shot']:.1f}",
            f"{row['seconds']:.0f}",
        )
    eer, right = (100 * np.mean([row[name] for row in rows]) for name in ("eer", "one_shot"))
    made.add_row("mean", "", f"{eer:.2f}", "", f"{right:.1f}", "", style="bold")
    return made


def main() -> None:
    """Run every turn, print the table and keep the numbers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--alphabets", type=lambda text: text.split(","), help="to be left out (default: each)")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    folders = {path.parent.parent for path in options.data.glob("*/*/*.png")}
    if unknown := set(options.alphabets or ()) - {folder.name for folder in folders}:
        parser.error(f"--alphabets must be folders of {options.data}; got {', '.join(sorted(unknown))}")
    if len(folders) < 2:
        parser.error(f"--data must hold a folder of characters for each alphabet; got {len(folders)} in {options.data}")
    alphabets = {folder.name: read_alphabet(folder) for folder in sorted(folders)}
    rows = [turn(alphabets, name, options.epochs) for name in options.alphabets or alphabets]
    Console().print(table(rows))
    if options.json:
        options.json.write_text(json.dumps({"settings": SETTINGS, "epochs": options.epochs, "turns": rows}, indent=1))


if __name__ == "__main__":
    main()

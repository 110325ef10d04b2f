"""How well the demonstration finds its digits: F1 over several seeds and canvases.

Run from the project's root::

    python -m benchmarks.demo_f1 [--seeds 3] [--canvases 3]

Each seed divides scikit-learn's digits anew, trains a model and chooses its threshold on validation canvases;
each canvas hides test digits that are in neither. Every true digit is matched at most once, with the right
label and its middle within half a window.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np
from rich.console import Console
from rich.table import Table

from scanwise import demo


def measure(seeds: int, canvases: int) -> Iterator[tuple[int, float, list[float]]]:
    """Yield each seed, the seconds it took to learn, and F1 on each canvas."""
    for seed in range(seeds):
        started = time.perf_counter()
        learnt = demo.learn(seed)
        seconds = time.perf_counter() - started
        hidden = (learnt.canvas(f"canvas {number}", seed=number) for number in range(canvases))
        yield seed, seconds, [demo.search(learnt.model, canvas)[2].f1 for canvas in hidden]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="how many models (default 3)")
    parser.add_argument("--canvases", type=int, default=3, help="how many canvases each (default 3)")
    options = parser.parse_args()
    table = Table("seed", "F1 on each canvas", "mean", "learnt in", title="scanwise demo")
    scores = []
    for seed, seconds, f1 in measure(options.seeds, options.canvases):
        scores += f1
        table.add_row(str(seed), " ".join(f"{x:.3f}" for x in f1), f"{np.mean(f1):.3f}", f"{seconds:.0f} s")
    table.add_section()
    table.add_row("all", f"{min(scores):.3f} to {max(scores):.3f}", f"{np.mean(scores):.3f}", "")
    Console().print(table)


if __name__ == "__main__":
    main()

"""Scan five networks with Scanwise and with everything else that can, side by side.

Run from the project's root, after ``pip install '.[bench]'``::

    python -m benchmarks scan [--only A,B] [--peers NAME,NAME] [--threads 2] [--rounds 7] [--forms] [--json FILE]

What each library is given, how disturbed samples are found, and what the columns mean: docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from . import machine
from .peers import CONTENDERS
from .referee import measure, workloads
from .results import disagreements
from .table import show, show_asked, show_forms
from .workloads import WORKLOADS


def chosen(names: tuple[str, ...]) -> Callable[[str], list[str]]:
    """Return the reader of an option that lists some of these names."""

    def read(text: str) -> list[str]:
        words = text.split(",")
        if unknown := [word for word in words if word not in names]:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; there are {', '.join(names)}")
        return words

    return read


def options_of(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks scan", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", type=chosen(tuple(WORKLOADS)), help="workloads, by default all")
    parser.add_argument("--peers", type=chosen(tuple(CONTENDERS)), help="peers, by default all that are installed")
    parser.add_argument("--threads", type=int, default=2, help="threads and cores of each contender (default 2)")
    parser.add_argument("--rounds", type=int, default=7, help="undisturbed samples of each contender (default 7)")
    parser.add_argument("--limit", type=float, default=600, help="seconds to wait for an answer (default 600)")
    parser.add_argument("--forms", action="store_true", help="list every form that was tried, too")
    parser.add_argument("--tiny", action="store_true", help="inputs of a few windows, to test the benchmark itself")
    parser.add_argument("--json", type=Path, help="file for everything that was measured")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    """Measure and print; return 1 if a contender's scores differ from ours."""
    options = options_of(words)
    console = Console(width=None if sys.stdout.isatty() else 170)
    progress = Console(stderr=True, highlight=False)
    about = machine.describe(options.threads)
    for key, value in about.items():
        text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        console.print(f"{key}: {text}", markup=False, highlight=False)
    console.print()
    measured, best_peaks = [], machine.peaks(options.threads)
    for load in workloads(options):
        progress.print(f"{load.name} ...")
        measured.append(
            measure(load, options, best_peaks, lambda text: progress.print(text, markup=False, soft_wrap=True))
        )
        show(console, measured[-1])
        if options.forms:
            show_forms(console, measured[-1])
        if options.json:  # after every workload: a run that is cut short leaves what it has
            options.json.write_text(json.dumps({"machine": about, "workloads": measured}, indent=1), encoding="utf-8")
    show_asked(console, measured)
    wrong = [text for one in measured for text in disagreements(one)]
    for text in wrong:
        console.print(f"DIFFERS: {text}", style="bold red", markup=False)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""Scanwise itself."""

from __future__ import annotations

import numpy as np

from benchmarks.scan.contender import Call, Case, Form
from benchmarks.scan.tiles import counts_of
from scanwise.run import Scanner


def scanner(case: Case, backend: str) -> Scanner:
    """Return the scanner of a workload."""
    return Scanner(case.net, (1, *case.load.window), case.load.hop, backend=backend)


def native(case: Case) -> list[Form]:
    """Return the native backend."""
    return [_form(case, "native")]


def on_torch(case: Case) -> list[Form]:
    """Return the torch backend: the same plan in tiles that fit a cache."""
    return [_form(case, "torch")]


def _form(case: Case, backend: str) -> Form:
    def prepare(x: np.ndarray) -> Call:
        made = scanner(case, backend)
        scores = made.scan(x)
        counts = counts_of(case.load, x)
        return lambda: made.scan(x, out=scores).reshape(case.outs, *counts)

    return Form(f"{backend} backend", prepare)

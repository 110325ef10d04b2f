"""The table in docs/verification.md: our rows are what we print, and two peers agree where they should."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from llreval.quick_eval import tarnon_2_eer_cllr_mincllr
from verify.cases import Scores

from scanwise.verify import eer, min_dcf

PAGE = (Path(__file__).parents[2] / "docs" / "verification.md").read_text(encoding="utf-8")
NAMES = ("separated", "all equal", "reversed", "1 against 3", "5 levels", "50 against 5,000", "2 decimals", "unrounded")


def score_sets() -> dict[str, Scores]:
    low, high = np.linspace(0.1, 0.4, 10), np.linspace(0.6, 0.9, 10)

    def drawn(seed: int, spread: float, *kinds: tuple[float, int]) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        return [np.clip(rng.normal(mean, spread, count), 0, 1) for mean, count in kinds]

    unrounded = drawn(2, 0.08, (0.7, 2000), (0.45, 20000))
    kinds = [
        (high, low),
        (np.full(5, 0.5), np.full(5, 0.5)),
        (low, high),
        (np.array([0.5]), np.array([0.2, 0.5, 0.7])),
        [np.round(part * 4) / 4 for part in drawn(0, 0.25, (0.6, 100), (0.4, 500))],
        drawn(1, 0.1, (0.6, 50), (0.4, 5000)),
        [np.round(part, 2) for part in unrounded],
        unrounded,
    ]
    return {name: (target, nontarget) for name, (target, nontarget) in zip(NAMES, kinds, strict=True)}


def shown(row: str) -> list[float]:
    """The numbers of the table's row."""
    (line,) = re.findall(rf"^\| {re.escape(row)}.*?\|(.*)\|$", PAGE, flags=re.MULTILINE)
    return [float(cell.split()[0]) for cell in line.split("|")]


@pytest.mark.parametrize("method", ["interpolated", "convex_hull", "midpoint"])
def test_our_rows_are_what_is_printed(method: str) -> None:
    found = [100 * eer(*scores, method=method).value for scores in score_sets().values()]
    assert shown(f"Scanwise, `{method}`") == pytest.approx(found, abs=0.005)


def test_llreval_s_row_is_what_it_prints() -> None:
    found = [100 * tarnon_2_eer_cllr_mincllr(*scores)[0] for scores in score_sets().values()]
    assert shown("llreval") == pytest.approx(found, abs=0.005)


def test_the_cost_of_accepting_all_is_never_above_one() -> None:
    assert min_dcf([0.1, 0.9], [0.5], p_target=0.99).value == 1.0

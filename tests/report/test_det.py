"""The picture of errors at every threshold, and the folder of a list of trials."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D
from PIL import Image

from scanwise.model import TrialScores, Verification
from scanwise.report import TRIALS_MARKER, det_picture, png, write_trials
from scanwise.verify import EER, DetBand, DetCurve, det_band, det_curve, eer, parse_trials

Scores = tuple[np.ndarray, np.ndarray]


def deviate(rate: float) -> float:
    return NormalDist().inv_cdf(rate)


def normal(targets: int, nontargets: int, apart: float = 2.0) -> Scores:
    """Scores at even shares of two normal distributions of one width."""
    low, high = (np.array([deviate((i + 0.5) / count) for i in range(count)]) for count in (nontargets, targets))
    return high + apart, low


def people(count: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of all pairs of four samples each, and whom they compare."""
    owner = np.repeat(np.arange(count), 4)
    one, other = np.triu_indices(len(owner), 1)
    same = owner[one] == owner[other]
    return same + np.random.default_rng(0).normal(0, 0.6, len(one)), owner[one], owner[other]


def drawn(curve: DetBand | DetCurve, rate: EER | None = None) -> tuple[Axes, dict[str, Line2D]]:
    """The only axes, and its lines by their names."""
    (axes,) = det_picture(curve, eer=rate).axes
    return axes, {str(line.get_label()): line for line in axes.lines}


def assert_at(line: Line2D, wanted: Sequence[Sequence[float]]) -> None:
    """A line runs through these points."""
    np.testing.assert_allclose(np.asarray(line.get_xydata(), float), np.array(wanted, float), atol=1e-9)


def pixels(curve: DetBand | DetCurve, rate: EER | None = None) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png(det_picture(curve, eer=rate), dpi=50))).convert("RGB"))


@pytest.mark.parametrize("axis", ["x", "y"])
def test_axes_are_normal_deviates_of_percentages(axis: str) -> None:
    axes, _ = drawn(det_curve(*normal(50, 100)))
    ticks = axes.get_xticks() if axis == "x" else axes.get_yticks()
    names = [label.get_text() for label in (axes.get_xticklabels() if axis == "x" else axes.get_yticklabels())]
    assert names == ["1", "5", "10", "20", "40", "60", "80", "90", "95", "99"]
    np.testing.assert_allclose(ticks, [deviate(float(name) / 100) for name in names], atol=1e-9)
    assert axes.get_aspect() == 1


@pytest.mark.parametrize(
    ("nontargets", "low", "ticks"),
    [(2, 0.2, 4), (4, 0.2, 4), (8, 0.125, 4), (20, 0.05, 8), (1000, 0.001, 12), (20_000, 0.0001, 14)],
)
def test_axes_begin_at_the_smallest_rate_as_far_as_it_is_worth_showing(nontargets: int, low: float, ticks: int) -> None:
    axes, lines = drawn(det_curve(*normal(2, nontargets)))
    ends = [deviate(low), deviate(1 - low)]
    assert list(axes.get_xlim()) == pytest.approx(ends)
    assert list(axes.get_ylim()) == pytest.approx(ends)
    assert len(axes.get_xticks()) == len(axes.get_yticks()) == ticks
    assert_at(lines["equal errors"], [[ends[0]] * 2, [ends[1]] * 2])


def test_the_curve_passes_through_its_points_and_ends_at_the_ends_of_the_axes() -> None:
    curve = DetCurve(np.array([1, 0.5, 0.2, 0.2, 0]), np.array([0, 0.1, 0.1, 0.4, 1]), np.arange(5.0))
    axes, lines = drawn(curve)
    low, high = axes.get_xlim()
    assert (low, high) == pytest.approx((deviate(0.1), deviate(0.9)))
    wanted = [
        (high, low),
        (deviate(0.5), deviate(0.1)),
        (deviate(0.2), deviate(0.1)),
        (deviate(0.2), deviate(0.4)),
        (low, high),
    ]
    assert_at(lines["all trials"], wanted)


def test_rates_beyond_the_axes_stand_at_their_ends() -> None:
    rates = np.array([1, 0.99999, 0.5, 0.00001, 0])
    axes, lines = drawn(DetCurve(rates, rates[::-1], np.arange(5.0)))
    low, high = axes.get_xlim()
    assert (low, high) == pytest.approx((deviate(0.0001), deviate(0.9999)))
    wanted = [(high, low), (high, low), (0, 0), (low, high), (low, high)]
    assert_at(lines["all trials"], wanted)


def test_scores_that_are_normally_distributed_give_a_straight_line() -> None:
    _, lines = drawn(det_curve(*normal(2000, 2000, apart=1.5)))
    x, y = np.asarray(lines["all trials"].get_xydata()).T
    inside = np.abs(np.stack([x, y])).max(axis=0) < 2
    assert inside.sum() > 1000
    np.testing.assert_allclose((x + y)[inside], -1.5, atol=0.02)


def test_the_equal_error_rate_is_marked_on_the_diagonal_where_the_curve_crosses_it() -> None:
    scores = normal(1000, 1000)
    rate = eer(*scores)
    axes, lines = drawn(det_curve(*scores), rate)
    mark = lines["EER 15.9 %"]
    assert_at(mark, [[deviate(rate.value)] * 2])
    assert (mark.get_marker(), mark.get_linestyle()) == ("o", "None")
    nearest = np.abs(np.asarray(lines["all trials"].get_xydata()) - deviate(rate.value)).sum(axis=1).min()
    assert nearest < 0.02
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["all trials", "equal errors", "EER 15.9 %"]


def test_without_one_none_is_marked() -> None:
    _, lines = drawn(det_curve(*normal(50, 50)))
    assert list(lines) == ["all trials", "equal errors"]


def test_a_band_is_drawn_between_its_bounds() -> None:
    rates = np.array([0.05, 0.2, 0.5, 0.9])
    band = DetBand(
        rates, np.array([0.6, 0.3, 0.1, 0]), np.array([0.5, 0.2, 0, 0]), np.array([0.99, 0.4, 0.2, 0.1]), 0.9, 1234
    )
    axes, lines = drawn(band)
    (shade,) = axes.collections
    assert isinstance(shade, PolyCollection)
    assert shade.get_label() == "90 % over 1,234 subjects"
    low, high = axes.get_xlim()
    assert (low, high) == pytest.approx((deviate(0.05), deviate(0.95)))
    x = [deviate(rate) for rate in rates]
    assert_at(lines["all trials"], list(zip(x, [deviate(0.6), deviate(0.3), deviate(0.1), low], strict=True)))
    below, above = [0, deviate(0.2), low, low], [high, deviate(0.4), deviate(0.2), deviate(0.1)]
    wanted = {(round(a, 6), round(b, 6)) for side in (below, above) for a, b in zip(x, side, strict=True)}
    corners = np.asarray(shade.get_paths()[0].vertices).round(6) + 0.0
    assert {(a, b) for a, b in corners.tolist()} == wanted


def test_only_a_band_is_shaded() -> None:
    scores, one, other = people()
    band = det_band(scores, one, other, rounds=20)
    assert len(drawn(band)[0].collections) == 1
    assert not drawn(det_curve(scores[one == other], scores[one != other]))[0].collections
    plain = DetCurve(band.false_accept_rate, band.miss_rate, band.miss_rate)
    assert (pixels(band) != pixels(plain)).any(axis=2).mean() > 0.01


@pytest.mark.parametrize("count", [1, 30])
@pytest.mark.parametrize("reversed_", [False, True], ids=["separated", "reversed"])
def test_scores_without_an_error_and_without_a_right_decision_run_along_the_axes(count: int, reversed_: bool) -> None:
    high, low = np.arange(1.0, count + 1), -np.arange(1.0, count + 1)
    scores = (low, high) if reversed_ else (high, low)
    curve, rate = det_curve(*scores), eer(*scores)
    axes, lines = drawn(curve, rate)
    corner = axes.get_xlim()[int(reversed_)]
    assert np.isclose(np.asarray(lines["all trials"].get_xydata(), float), corner).any(axis=1).all()
    mark = lines["EER 100 %" if reversed_ else "EER 0 %"]
    assert_at(mark, [[corner, corner]])
    assert len(np.unique(pixels(curve, rate))) > 2


def test_scores_that_are_all_the_same_give_a_straight_line() -> None:
    curve = det_curve(np.zeros(5), np.zeros(7))
    axes, lines = drawn(curve, eer(np.zeros(5), np.zeros(7)))
    low, high = axes.get_xlim()
    assert_at(lines["all trials"], [[high, low], [low, high]])
    assert_at(lines["EER 50 %"], [[0, 0]])


def scored(subjects: int, name: str = "trials.txt", prefix: str = "") -> TrialScores:
    """Trials of all pairs of four samples of some subjects, as if a model had scored them."""
    scores, one, other = people(subjects)
    samples = np.array(np.triu_indices(4 * subjects, 1)).T
    rows = [
        f"{int(a == b)} {prefix}{a}/{i}.wav {prefix}{b}/{j}.wav"
        for a, b, (i, j) in zip(one, other, samples.tolist(), strict=True)
    ]
    known = Verification.of_trials("mean", scores - 0.1, one, other, data=f"trials {name}")
    return TrialScores(trials=parse_trials("\n".join(rows), name), scores=scores, verification=known)


@pytest.mark.parametrize("subjects", [3, 6])
def test_trials_leave_their_rows_their_figures_and_their_curve(subjects: int, tmp_path: Path) -> None:
    found = scored(subjects)
    write_trials(found, tmp_path)
    assert TRIALS_MARKER == "trials.csv"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["det.png", "summary.txt", "trials.csv"]
    assert (tmp_path / "summary.txt").read_text(encoding="utf-8") == f"{found}\n"
    with Image.open(tmp_path / "det.png") as picture:
        assert picture.format == "PNG"
        wanted = png(det_picture(found.det(), eer=found.eer))
        assert (np.asarray(picture) == np.asarray(Image.open(io.BytesIO(wanted)))).all()
    assert isinstance(found.det(), DetBand if subjects == 6 else DetCurve)


def test_a_row_says_what_the_model_thought_of_a_trial(tmp_path: Path) -> None:
    found = scored(4)
    write_trials(found, tmp_path)
    table = pd.read_csv(tmp_path / "trials.csv")
    assert list(table) == ["line", "first", "second", "label", "score", "llr", "same"]
    assert table["line"].tolist() == list(range(1, 16 * 15 // 2 + 1))
    assert table.iloc[0][["first", "second", "label"]].tolist() == ["0/0.wav", "0/1.wav", "target"]
    assert table.iloc[-10][["first", "second", "label"]].tolist() == ["2/11.wav", "3/12.wav", "nontarget"]
    assert table["label"].value_counts().to_dict() == {"nontarget": 96, "target": 24}
    np.testing.assert_allclose(table["score"], found.scores)
    known = found.verification
    np.testing.assert_allclose(table["llr"], known.scale * found.scores + known.offset)
    assert table["same"].tolist() == (found.scores >= known.threshold).tolist()
    assert 0 < table["same"].sum() < len(table)


def test_names_that_are_no_text_are_escaped(tmp_path: Path) -> None:
    """As Python reads what a file system has in another encoding."""
    found = scored(3, name="no\udce9.txt", prefix="\udce9")
    write_trials(found, tmp_path)
    table = pd.read_csv(tmp_path / "trials.csv", encoding="utf-8")
    assert table["first"][0] == "\\udce90/0.wav"
    assert "of trials no\\udce9.txt" in (tmp_path / "summary.txt").read_text(encoding="utf-8")

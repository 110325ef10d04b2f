"""The demonstration, made small; its quality is measured by the slow test."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import scanwise as sw
from scanwise.demo import DemoResult, Learnt, learn, run, search
from scanwise.demo._canvas import enlarged


@dataclass
class Shown:
    """One small demonstration, watched."""

    done: DemoResult
    learnt: Learnt
    images: list[np.ndarray]
    out: str
    err: str


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    images: list[np.ndarray] = []
    models: list[Learnt] = []

    def watched(digits: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        images.append(digits)
        return enlarged(digits, rng)

    def small(seed: int, **kwargs: Any) -> Learnt:
        models.append(learn(seed, size=320, canvases=3, epochs=(1, 4), **kwargs))
        return models[0]

    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr("scanwise.demo._demo.learn", small)
        patch.setattr("scanwise.demo._search.enlarged", watched)
        done = run(tmp_path_factory.mktemp("demo") / "out", size=256)
    return Shown(done, models[0], images, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def done(shown: Shown) -> DemoResult:
    return shown.done


def test_the_folder_has_everything(done: DemoResult) -> None:
    names = {path.name for path in done.folder.iterdir()}
    assert names == {"model", "events.csv", "truth.csv", "picture.png"}
    assert (done.folder / "picture.png").read_bytes().startswith(b"\x89PNG")
    kinds = {"label": str}
    pd.testing.assert_frame_equal(pd.read_csv(done.folder / "truth.csv", dtype=kinds), done.truth)
    found = pd.read_csv(done.folder / "events.csv", dtype=kinds)
    assert list(found["label"]) == list(done.found["label"])
    assert list(found.columns) == ["file", "x0", "y0", "x1", "y1", "label", "score"]


def test_the_saved_model_finds_the_same(shown: Shown, done: DemoResult) -> None:
    canvas = shown.learnt.canvas("canvas", 0, 256)
    pd.testing.assert_frame_equal(canvas.truth, done.truth)
    found, _, result = search(sw.load(done.folder / "model"), canvas)
    pd.testing.assert_frame_equal(found, done.found)
    assert result.pairs == done.match.pairs


def test_it_finds_more_than_nothing(done: DemoResult) -> None:
    assert done.match.true_count == len(done.truth) == 5
    assert done.match.true_positives == len(done.match.pairs)
    assert done.reuse_factor > 2


def test_one_threshold_serves_all_digits(done: DemoResult) -> None:
    thresholds = set(sw.load(done.folder / "model").info.thresholds)
    assert len(thresholds) == 1
    assert 0.05 <= thresholds.pop() < 1


def test_the_hidden_digits_were_not_learnt_from(shown: Shown) -> None:
    *learning, validation, test = ({image.tobytes() for image in images} for images in shown.images)
    assert len(learning) == 4
    assert test.isdisjoint(validation)
    assert all(test.isdisjoint(images) and validation.isdisjoint(images) for images in learning)
    assert np.array_equal(shown.learnt.digits, enlarged(shown.images[-1]))
    assert set(shown.learnt.labels) == {str(k) for k in range(10)}


def test_results_are_printed_and_progress_is_kept_apart(shown: Shown) -> None:
    for word in ("missed", "F1", "learnt in", "reuse factor", "picture.png"):
        assert word in shown.out
    assert "searching 256 x 256 pixels" in shown.err


def test_an_existing_folder_is_refused_before_anything_is_learnt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scanwise.demo._demo.learn", None)
    with pytest.raises(sw.OutputExists, match="exists"):
        run(tmp_path)


@pytest.mark.slow
def test_f1_is_high_on_three_canvases_of_three_seeds() -> None:
    scores = []
    for seed in range(3):
        learnt = learn(seed)
        scores += [search(learnt.model, learnt.canvas("canvas", k))[2].f1 for k in range(3)]
    assert len(scores) == 9
    assert np.mean(scores) >= 0.95

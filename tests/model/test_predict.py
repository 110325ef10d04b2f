"""One answer a clip, embeddings, and evaluation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import scanwise as sw
from scanwise.errors import ArgumentError, DataError
from scanwise.model._answers import _combined
from scanwise.model._thresholds import pattern_threshold

Shapes = tuple[np.ndarray, np.ndarray]


def test_one_clip_gives_one_answer_and_several_give_a_list(model: sw.Model, shapes: Shapes) -> None:
    x, y = shapes
    assert model.predict(x[0]) == "cross"
    assert model.predict(x[0, 0]) == "cross"
    assert model.predict(x[:4]) == list(y[:4])
    assert model.predict(list(x[:2])) == ["cross", "ring"]
    assert model.predict(torch.from_numpy(x[:2])) == ["cross", "ring"]


def test_a_file_is_a_clip(model: sw.Model, shapes: Shapes, tmp_path: Path) -> None:
    np.save(tmp_path / "ring.npy", shapes[0][1])
    assert model.predict(tmp_path / "ring.npy") == "ring"
    assert model.predict([tmp_path / "ring.npy"]) == ["ring"]


def test_a_shorter_clip_is_centred_in_its_own_background(model: sw.Model, shapes: Shapes) -> None:
    assert model.predict(shapes[0][1][:, 1:11, 2:10]) == "ring"


def test_a_longer_clip_answers_with_its_best_window(model: sw.Model, canvas: np.ndarray) -> None:
    assert model.predict(canvas[:, :30, :]) == "cross"
    assert model.predict(canvas[:, 30:, :]) == "ring"


def test_clips_of_different_sizes_keep_their_order(model: sw.Model, shapes: Shapes, canvas: np.ndarray) -> None:
    x, _ = shapes
    assert model.predict([x[1], canvas[:, :30], x[0][:, 1:], x[3]]) == ["ring", "cross", "cross", "ring"]


@pytest.mark.parametrize(
    ("labelled", "windows", "answer"),
    [
        # (cross, ring, background) of each window
        (False, [[0.1, 0.2, 0.7], [0.0, 0.1, 0.9]], 1),
        (True, [[0.1, 0.2, 0.7], [0.0, 0.1, 0.9]], 2),
        (True, [[0.6, 0.1, 0.3], [0.0, 0.0, 1.0]], 0),
        (True, [[0.4, 0.1, 0.5], [0.0, 0.3, 0.7]], 2),
    ],
)
def test_background_answers_only_if_it_is_labelled_and_wins_everywhere(
    model: sw.Model, labelled: bool, windows: list[list[float]], answer: int
) -> None:
    info = replace(model.info, background_labelled=labelled)
    scores = np.array(windows, np.float32).T[None]
    assert _combined(scores, info).argmax() == answer


def test_a_regression_answers_with_the_mean_over_windows() -> None:
    x = np.random.default_rng(0).normal(size=(30, 8))
    model = sw.train((x, x.sum(axis=1)), "mlp", epochs=2, hop=1)
    clip = x[:1].repeat(2, axis=1)
    windows = np.stack([clip[:, i : i + 8] for i in range(9)])
    assert model.predict(clip) == pytest.approx(np.mean(model.predict(windows)), abs=1e-5)


def test_a_regression_of_several_values_answers_with_arrays() -> None:
    x = np.random.default_rng(0).normal(size=(30, 8))
    model = sw.train((x, x[:, :2]), "mlp", epochs=1)
    assert model.predict(x[:3, None])[2].shape == (2,)


def test_embeddings_are_those_of_the_network_on_normalised_windows(model: sw.Model, shapes: Shapes) -> None:
    x, _ = shapes
    normalised = (x - np.float32(model.info.mean[0])) / np.float32(model.info.std[0])
    with torch.no_grad():
        expected = model.net.embedding(torch.from_numpy(normalised)).numpy()
    np.testing.assert_allclose(model.embed(x), expected, atol=1e-5)
    assert model.embed(x[0]).shape == expected[0].shape


def test_a_clip_longer_than_the_window_has_no_one_embedding(model: sw.Model, canvas: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"clips must fit the window, \(12, 12\); got \(60, 80\)\. Cut them"):
        model.embed(canvas)


def test_no_clip_at_all_is_refused(model: sw.Model) -> None:
    with pytest.raises(ArgumentError, match=r"clips must hold at least one clip; got none\. Give one"):
        model.predict([])


def test_the_clip_that_does_not_fit_is_named(model: sw.Model, shapes: Shapes) -> None:
    with pytest.raises(DataError, match="clip 1: must have as many channels as in training, 1; got 2"):
        model.predict([shapes[0][0], np.zeros((2, 12, 12))])


def test_evaluation_counts_right_and_wrong_answers(model: sw.Model, shapes: Shapes) -> None:
    x, y = shapes
    wrong = y.copy()
    wrong[0] = "ring"
    evaluation = model.evaluate((x, wrong))
    assert evaluation.accuracy == pytest.approx(59 / 60)
    assert evaluation.confusion is not None
    assert evaluation.confusion.tolist() == [[29, 0], [1, 30]]
    assert "60 clips: accuracy 98.33%" in str(evaluation)
    assert "confusion matrix" in str(evaluation)


def test_classes_the_model_does_not_know_are_refused(model: sw.Model, shapes: Shapes) -> None:
    with pytest.raises(DataError, match=r"classes must be among the model's, cross, ring.* got 'star'"):
        model.evaluate((shapes[0][:4], ["star", "ring", "star", "ring"]))


class TestEvents:
    """Evaluation of a search."""

    def test_found_events_are_matched_with_the_truth(self, model: sw.Model, canvas: np.ndarray, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", canvas)
        rows = [(20, 8, 32, 20, "cross"), (60, 40, 72, 52, "ring"), (5, 40, 17, 52, "ring")]
        truth = pd.DataFrame(rows, columns=["x0", "y0", "x1", "y1", "label"]).assign(file="a.npy")
        result = model.evaluate_events(tmp_path, truth)
        assert (result.match.true_positives, result.match.false_negatives) == (2, 1)
        assert list(result.by_label["label"]) == ["cross", "ring", "(all)"]
        assert list(result.by_label["recall"]) == pytest.approx([1, 0.5, 2 / 3])
        assert "0.667" in str(result)
        assert model.evaluate_events(tmp_path / "a.npy", truth).match.true_positives == 2

    @pytest.mark.parametrize(("distance", "right"), [(4, 1), (9, 0)])
    def test_half_a_window_is_near_enough(
        self, model: sw.Model, canvas: np.ndarray, tmp_path: Path, distance: int, right: int
    ) -> None:
        np.save(tmp_path / "a.npy", canvas)
        x0 = 20 + distance
        truth = {"file": "a.npy", "x0": x0, "y0": 8, "x1": x0 + 12, "y1": 20, "label": "cross"}
        assert model.evaluate_events(tmp_path, pd.DataFrame([truth])).match.true_positives == right

    def test_an_input_that_fails_misses_its_events_and_is_named(
        self, model: sw.Model, canvas: np.ndarray, tmp_path: Path
    ) -> None:
        np.save(tmp_path / "a.npy", canvas)
        (tmp_path / "b.npy").touch()
        truth = pd.DataFrame([{"file": "b.npy", "x0": 0, "y0": 0, "x1": 12, "y1": 12, "label": "ring"}])
        result = model.evaluate_events(tmp_path, truth)
        assert result.match.false_negatives == 1
        assert [name for name, _ in result.failed] == [str(tmp_path / "b.npy")]

    @pytest.mark.parametrize(
        ("column", "value", "message"),
        [
            ("file", "b.npy", r"truth must name a file that there is; got 'b\.npy'\. There is a\.npy"),
            ("label", "star", r"truth must name a label that there is; got 'star'\. There is cross, ring"),
        ],
    )
    def test_truth_of_something_else_is_refused(
        self, model: sw.Model, canvas: np.ndarray, tmp_path: Path, column: str, value: str, message: str
    ) -> None:
        np.save(tmp_path / "a.npy", canvas)
        truth = {"file": "a.npy", "x0": 20, "y0": 8, "x1": 32, "y1": 20, "label": "cross"} | {column: value}
        with pytest.raises(DataError, match=message):
            model.evaluate_events(tmp_path, pd.DataFrame([truth]))


@pytest.mark.parametrize(
    ("best", "right", "expected"),
    [
        ([0.9, 0.8, 0.3, 0.1], [1, 1, 0, 0], 0.55),  # the middle of the gap
        ([0.9, 0.8], [1, 1], 0.4),  # nothing below: the middle between the lowest and zero
        ([0.9, 0.8, 0.7, 0.1], [1, 0, 1, 0], 0.4),  # one false answer is worth one more right one
        ([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0], 0.3),  # equal scores count together
    ],
)
def test_the_threshold_has_the_highest_f1(best: list[float], right: list[int], expected: float) -> None:
    """Patterns are class 0; a false answer is background (class 1) that scores as class 0."""
    scores = np.stack([best, np.zeros(len(best))], axis=1)
    y = np.where(np.array(right) == 1, 0, 1)
    assert pattern_threshold(scores, y, {1}) == pytest.approx(expected)

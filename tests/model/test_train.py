"""The training door."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import scanwise as sw
from scanwise.errors import ArgumentError, DataError

Shapes = tuple[np.ndarray, np.ndarray]
QUICK = {"model": "mlp", "hidden": [4], "epochs": 1, "validation": 0.2}


def test_a_trained_model_tells_its_validation_examples_apart(model: sw.Model) -> None:
    assert model.validation is not None
    assert model.validation.accuracy == 1
    assert model.validation.classes == ("cross", "ring")
    assert model.validation.count == 12


def test_background_that_was_made_is_a_class_that_never_answers(model: sw.Model) -> None:
    assert model.info.classes == ("cross", "ring", "background")
    assert model.info.labels == ("cross", "ring", None)
    assert not model.info.background_labelled
    assert model.predict(np.full((1, 12, 12), 0.1, np.float32)) in ("cross", "ring")


def test_background_that_came_with_the_data_is_kept_and_can_answer(shapes: Shapes) -> None:
    x, y = shapes
    empty = np.random.default_rng(2).normal(0.1, 0.05, (20, 1, 12, 12)).astype(np.float32)
    model = sw.train(
        (np.concatenate([x, empty]), np.concatenate([y, ["Noise"] * 20])), "mlp", epochs=10, validation=0.2
    )
    assert model.info.classes == ("Noise", "cross", "ring")
    assert model.info.background == ("Noise",)
    assert model.info.background_labelled
    assert model.predict(np.full((1, 12, 12), 0.1, np.float32)) == "Noise"
    assert model.predict(x[1]) == "ring"


def test_no_background_is_added_when_it_is_not_wanted(shapes: Shapes) -> None:
    model = sw.train(shapes, background=False, **QUICK)
    assert model.info.classes == ("cross", "ring")
    assert model.info.background == ()


def test_thresholds_come_from_validation_and_are_no_round_number(model: sw.Model) -> None:
    thresholds = model.info.thresholds
    assert thresholds is not None
    assert len(thresholds) == 3
    assert len(set(thresholds)) == 1
    assert 0 < thresholds[0] < 1
    assert round(thresholds[0], 2) != thresholds[0]


def test_normalisation_is_that_of_the_training_windows(shapes: Shapes) -> None:
    model = sw.train(shapes, background=False, **QUICK)
    # 48 of 60 examples are trained on, so the numbers are near those of all, and not equal.
    assert model.info.mean == pytest.approx([shapes[0].mean()], rel=0.05)
    assert model.info.std == pytest.approx([shapes[0].std()], rel=0.05)


def test_a_channel_that_never_changes_is_only_shifted(shapes: Shapes) -> None:
    x, y = shapes
    model = sw.train((np.concatenate([x, np.full_like(x, 7)], axis=1), y), background=False, **QUICK)
    assert model.info.mean[1] == pytest.approx(7)
    assert model.info.std[1] == 1


def test_the_same_seed_gives_the_same_model_and_another_seed_another(shapes: Shapes) -> None:
    first, again, other = (sw.train(shapes, seed=seed, **QUICK) for seed in (1, 1, 2))
    x = shapes[0]
    np.testing.assert_array_equal(first.embed(x), again.embed(x))
    assert not np.array_equal(first.embed(x), other.embed(x))


def test_the_seed_draws_the_initial_weights(shapes: Shapes) -> None:
    first, other = (sw.train(shapes, seed=seed, lr=1e-9, **QUICK) for seed in (1, 2))
    weights = [model.net.head.weight.detach().numpy() for model in (first, other)]
    assert np.abs(weights[0] - weights[1]).max() > 0.01


def test_every_epoch_is_told_and_remembered(shapes: Shapes) -> None:
    rows: list[dict[str, object]] = []
    model = sw.train(shapes, **(QUICK | {"epochs": 3}), on_epoch=rows.append)
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    assert {row["epochs"] for row in rows} == {3}
    assert [row["loss"] for row in model.history] == [row["loss"] for row in rows]


def test_examples_of_many_sizes_are_fitted_to_their_median(tmp_path: Path) -> None:
    x = [np.full((1, size), size, np.float32) for size in (6, 8, 8, 10)]
    clips = sw.sources.Clips(x, np.array([0, 0, 1, 1]), ("a", "b"), tuple("wxyz"))
    model = sw.train(clips, background=False, **QUICK)
    assert model.info.window == (8,)
    assert sw.train(clips, window=5, background=False, **QUICK).info.window == (5,)


def test_default_hop_is_dense_for_images_and_the_jump_for_one_axis(model: sw.Model) -> None:
    assert model.info.hop == (1, 1)
    x = np.random.default_rng(0).normal(size=(20, 32)).astype(np.float32)
    signals = sw.train((x, [0, 1] * 10), epochs=1, validation=0.2, channels=[2], kernels=3, pools=4)
    assert signals.info.hop == (4,)
    assert sw.train((x, [0, 1] * 10), hop=3, **QUICK).info.hop == (3,)


def test_regression_learns_values(tmp_path: Path) -> None:
    x = np.linspace(-np.pi, np.pi, 200, dtype=np.float32)[:, None, None]
    model = sw.train((x, np.sin(x[:, 0, 0]).astype(np.float64)), "mlp", hidden=[32, 32], epochs=150, lr=0.01)
    assert model.info.task == "regress"
    assert model.validation is not None
    assert model.validation.mean_absolute_error is not None
    assert model.validation.mean_absolute_error < 0.1
    assert model.predict(np.full((1, 1), np.pi / 2, np.float32)) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("optimiser", ["adamw", "momentum"])
@pytest.mark.parametrize("unit", [1e-4, 1e4])
def test_regression_does_not_depend_on_the_unit_of_its_targets(optimiser: str, unit: float) -> None:
    x = np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32)
    y = unit * (np.stack([x.sum(axis=1), x[:, 0]], axis=1) + 7)
    model = sw.train((x, y), "mlp", hidden=[16], epochs=40, optimiser=optimiser)
    assert model.validation is not None
    assert model.validation.mean_absolute_error is not None
    assert model.validation.mean_absolute_error < 0.5 * unit


def test_targets_that_are_all_the_same_are_answered() -> None:
    x = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    assert sw.train((x, np.full(20, 5.0)), "mlp", epochs=3).predict(x[:1]) == pytest.approx(5, abs=2)


def test_unusable_files_of_a_folder_are_warned_of(tmp_path: Path, shapes: Shapes) -> None:
    from PIL import Image

    for number, (x, name) in enumerate(zip(*shapes, strict=True)):
        (tmp_path / str(name)).mkdir(exist_ok=True)
        pixels = (x[0] * 200).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / str(name) / f"{number}.png")
    (tmp_path / "ring" / "broken.png").write_bytes(b"no image")
    with pytest.warns(UserWarning, match=r"ring/broken\.png"):
        model = sw.train(tmp_path, **QUICK)
    assert model.info.classes == ("cross", "ring", "background")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "transformer"}, "model must be one of convnet, mlp, tdnn; got 'transformer'"),
        ({"optimiser": "magic"}, "optimiser must be one of"),
        ({"task": "regress"}, r"task must suit the data, which is to classify or verify; got regress\. Classes are"),
        ({"window": 0}, r"window must be a whole number of at least 1, or one per axis \(2\); got 0\. Count in"),
        ({"window": (3, 3, 3)}, r"window must be .* got \(3, 3, 3\)"),
        ({"hop": 1.5}, r"hop must be a whole number of samples or pixels where no rate is known; got 1\.5 seconds"),
        ({"sample_rate_hz": 0}, r"sample_rate_hz must be above 0 and finite; got 0\. Leave it out if unknown"),
        ({"sample_rate_hz": float("inf")}, "sample_rate_hz must be above 0 and finite; got inf"),
        ({"task": "fly"}, r"task must be classify, regress or verify; got 'fly'\. Choose"),
        ({"validation": 1}, r"validation must be above 0 and below 1; got 1\. A tenth"),
        ({"validation": float("nan")}, "validation must be above 0 and below 1; got nan"),
        ({"seed": -1}, r"seed must be a whole number from 0 to 2\*\*63 - 1; got -1\. Choose"),
        ({"seed": 2**63}, "seed must be a whole number from 0 to"),
        ({"device": "abacus"}, r"device must be one that torch can use here; got 'abacus'\. Use cpu"),
        ({"device": "meta"}, "device must be one that torch can use here; got 'meta'"),
        ({"outputs": 5}, r"outputs must be left out; got 5\. It follows from the data"),
        ({"window_shape": [1, 3]}, r"window_shape must be left out; got \[1, 3\]"),
        ({"widths": [3]}, "mlp takes no 'widths'"),
    ],
)
def test_wrong_requests_are_refused(shapes: Shapes, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        sw.train(shapes, **(QUICK | arguments))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (
            np.zeros((4, 2, 2, 2, 2)),
            [0, 0, 1, 1],
            r"x must be finite numbers .* got float64 \(4, 2, 2, 2, 2\)",
        ),
        (np.full((4, 8), np.nan), [0, 0, 1, 1], "x must be finite numbers .* or NaN or infinity in it"),
        (np.zeros((4, 8)), [0, 1], r"y must have one class or target per clip, 4; got int64 \(2,\)"),
        (np.zeros((3, 8)), ["a", "a", "b"], "class 'b' must have at least two examples; got one"),
    ],
)
def test_unfit_arrays_are_refused(x: np.ndarray, y: list[object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        sw.train((x, y), background=False, **QUICK)


def test_data_of_an_unknown_kind_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"data must be a path, Clips or \(x, y\); got dict\. Give a tuple"):
        sw.train({"x": 1})  # type: ignore[arg-type]


def test_classes_that_are_all_background_are_refused() -> None:
    with pytest.raises(ArgumentError, match="classes must be at least one pattern and one other class; got noise"):
        sw.train((np.zeros((4, 8)), ["noise"] * 4), **QUICK)

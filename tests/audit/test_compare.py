"""The comparison as a whole, on crosses and rings."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
import torch

import scanwise as sw
from scanwise.audit import Comparison

Shapes = tuple[np.ndarray, np.ndarray]
QUICK = {"widths": (4, 4), "epochs": 2}
NAMES = ["dense", "independent", "local", "scanning", "convolutional"]


def test_all_five_are_trained_and_measured(comparison: Comparison) -> None:
    assert [row.name for row in comparison.rows] == NAMES
    for row in comparison.rows:
        assert row.parameters == comparison.account[row.name].weights
        assert row.macs == comparison.account[row.name].macs
        assert row.peak_bytes is not None
        assert row.peak_bytes > 4 * 4 * row.parameters
        assert row.seconds is not None
        assert row.seconds > 0
        assert row.train_accuracy is not None
        assert row.train_accuracy >= (0.9 if row.name == "dense" else 0.5)
        assert row.gap == row.train_accuracy - (row.held_out_accuracy or 0)
        assert len(row.shifted_accuracies or ()) == len(comparison.shifts) == 2


def test_what_is_learnt_by_heart_is_known_in_training_only() -> None:
    rng = np.random.default_rng(0)
    found = sw.compare(
        (rng.normal(size=(80, 1, 8, 8)), rng.integers(2, size=80)), widths=(16, 4), epochs=20, batch=16, lr=0.01
    )
    dense = found["dense"]
    assert dense.train_accuracy == 1
    assert dense.held_out_accuracy is not None
    assert 0.2 < dense.held_out_accuracy < 0.8


def test_shared_maps_move_with_their_input_and_others_do_not(comparison: Comparison) -> None:
    for row in comparison.rows:
        assert row.deviation is not None
        assert row.deviation < 1e-6 if row.shared else row.deviation > 0.1


def test_only_the_unshared_grow_with_the_input(comparison: Comparison) -> None:
    twice = sw.geometry.ledger((24, 24), 1, (6, 5, 2), comparison.kernels, comparison.strides, bias=True)
    for row in comparison.rows:
        assert row.parameters_at_twice == twice[row.name].weights
        assert (row.parameters_at_twice == row.parameters) is row.shared


def test_only_dense_collects_values(comparison: Comparison) -> None:
    assert [row.output for row in comparison.rows] == ["values", "map", "map", "map", "map"]


def test_distributing_saves_on_one_side_of_the_crossover_only(comparison: Comparison) -> None:
    symbols, limit = comparison.account.symbols, comparison.account.crossover
    assert limit == symbols["K0"] * symbols["D"] == 4
    assert [crossing.width for crossing in comparison.crossings] == [2, 4, 5, 8]
    for crossing in comparison.crossings:
        widths = (6, crossing.width, 2)
        account = sw.geometry.ledger((12, 12), 1, widths, comparison.kernels, comparison.strides, bias=True)
        assert crossing.scanning == account["scanning"].weights
        assert crossing.convolutional == account["convolutional"].weights
        assert np.sign(crossing.saving) == np.sign(limit - crossing.width)


def test_a_single_layer_has_nothing_to_distribute(shapes: Shapes) -> None:
    found = sw.compare(shapes, widths=(), epochs=1)
    assert found.crossings == ()
    assert "Distributing" not in str(found)


def test_the_same_seed_gives_the_same_numbers(shapes: Shapes) -> None:
    torch.manual_seed(1)
    first = sw.compare(shapes, **QUICK, seed=3)
    torch.manual_seed(2)  # what was drawn before is of no account
    second = sw.compare(shapes, **QUICK, seed=3)
    assert [replace(row, seconds=None) for row in first.rows] == [replace(row, seconds=None) for row in second.rows]


def test_another_seed_holds_back_other_clips_and_starts_elsewhere(shapes: Shapes) -> None:
    first, second = (sw.compare(shapes, **QUICK, seed=seed) for seed in (3, 4))
    assert all(a.deviation != b.deviation for a, b in zip(first.rows[:3], second.rows[:3], strict=True))


def test_what_the_caller_draws_next_is_left_alone(shapes: Shapes) -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    sw.compare(shapes, widths=(2, 2), epochs=1)
    assert torch.equal(torch.rand(1), expected)


def test_held_out_clips_are_a_share_of_each_class(comparison: Comparison) -> None:
    assert (comparison.train_count, comparison.held_out_count) == (48, 12)
    assert comparison.classes == ("cross", "ring")


def test_an_architecture_above_the_budget_is_counted_and_not_trained(shapes: Shapes) -> None:
    found = sw.compare(shapes, **QUICK, max_parameters=1000)
    large = [row for row in found.rows if row.parameters > 1000]
    assert [row.name for row in large] == ["dense", "independent", "local"]
    for row in large:
        assert row.parameters == found.account[row.name].weights
        measured = (row.peak_bytes, row.seconds, row.train_accuracy, row.held_out_accuracy, row.gap)
        assert measured == (None,) * 5
        assert (row.shifted_accuracies, row.shifted_accuracy, row.deviation) == (None,) * 3
    assert found["scanning"].held_out_accuracy is not None


def test_signals_are_compared_too_and_each_epoch_is_told() -> None:
    x = np.random.default_rng(0).normal(0, 0.1, (40, 32)).astype(np.float32)
    x[:20, 12:20] += np.linspace(0, 1, 8)
    x[20:, 12:20] += np.linspace(1, 0, 8)
    heard: list[dict[str, object]] = []
    found = sw.compare((x, np.arange(40) // 20), **QUICK, kernels=(4, 3), strides=(2, 1), on_epoch=heard.append)
    assert (found.channels, found.space, found.unit) == (1, (32,), "samples")
    assert (found.account.window, found.account.hop) == ((8,), (2,))
    assert [(row["architecture"], row["number"]) for row in heard] == [
        (name, number) for number, name in zip(count(1), np.repeat(NAMES, 2), strict=False)
    ]
    assert {row["total"] for row in heard} == {10}


def test_scale_and_offset_of_the_data_do_not_matter(shapes: Shapes) -> None:
    x, y = shapes
    plain, scaled = (sw.compare((data, y), **QUICK) for data in (x, 1000 * x - 300))
    for a, b in zip(plain.rows, scaled.rows, strict=True):
        assert a.deviation == pytest.approx(b.deviation, rel=1e-2, abs=1e-6)


def test_a_channel_that_never_changes_is_no_harm(shapes: Shapes) -> None:
    x, y = shapes
    found = sw.compare((np.concatenate([x, np.full_like(x, 7)], axis=1), y), **QUICK)
    assert all(math.isfinite(row.deviation or 0) for row in found.rows)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_parameters": 10}, r"max_parameters must allow the smallest architecture, \d+; got 10. Raise it"),
        ({"max_parameters": 0}, r"max_parameters must be a whole number of at least 1; got 0"),
        ({"shifts": ()}, r"shifts must be one distance or more; got none"),
        ({"shifts": (0,)}, r"shifts\[0\] must be a whole number of at least 1; got 0"),
        ({"batch": 0}, r"batch must be a whole number of at least 1; got 0"),
        ({"epochs": 0}, r"epochs must be a whole number of at least 1; got 0"),
        ({"lr": 0}, r"lr must be above 0; got 0"),
        ({"seed": -1}, r"seed must be a whole number of at least 0; got -1"),
        ({"held_out": 1}, r"held_out must be above 0 and below 1; got 1"),
        ({"held_out": 2}, r"held_out must be at most 1; got 2"),
        ({"features": "raw"}, r"features must be left out for images"),
        ({"kernels": (6, 4)}, r"space must hold the window"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_trained(
    shapes: Shapes, wrong: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scanwise.audit._trial.fit", lambda *_, **__: pytest.fail("trained in vain"))
    with pytest.raises(sw.ArgumentError, match=message):
        sw.compare(shapes, **QUICK | wrong)  # type: ignore[arg-type]


def test_one_class_is_refused() -> None:
    with pytest.raises(sw.ArgumentError, match=r"data must be of two classes or more; got a. Add another class"):
        sw.compare((np.zeros((4, 1, 8, 8)), ["a"] * 4))


def test_values_to_regress_are_refused() -> None:
    with pytest.raises(sw.ArgumentError, match=r"task must suit the data, which is to regress; got classify"):
        sw.compare((np.zeros((4, 1, 8, 8)), np.zeros(4)))


def test_a_loss_that_is_no_longer_finite_names_the_architecture(shapes: Shapes) -> None:
    with pytest.raises(sw.TrainingError, match=r"^dense: loss must stay finite"):
        sw.compare(shapes, **QUICK, lr=1e30)

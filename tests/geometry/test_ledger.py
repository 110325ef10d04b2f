"""The ledger: the design's worked numbers, torch's own counts, and formulas that cannot lie."""

from __future__ import annotations

from math import prod

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scanwise.errors import ArgumentError
from scanwise.geometry import Ledger, ledger


@st.composite
def ledgers(draw: st.DrawFn, *, biases: tuple[bool, ...] = (False, True)) -> Ledger:
    axes = draw(st.integers(1, 2))
    widths = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    kernels = draw(st.lists(st.integers(1, 3), min_size=1, max_size=len(widths)))
    strides = draw(st.none() | st.lists(st.integers(1, 2), min_size=len(kernels), max_size=len(kernels)))
    space = draw(st.tuples(*[st.integers(81, 90)] * axes))
    return ledger(space, draw(st.integers(1, 4)), widths, kernels, strides, bias=draw(st.sampled_from(biases)))


def test_window_of_16_by_16_costs_1034_weights_in_one_go_and_194_distributed() -> None:
    account = ledger((16, 16), channels=1, widths=(4, 2, 1), kernels=(4, 4))
    assert account.window == (16, 16)
    assert account["scanning"].weights == 1034
    assert account["convolutional"].weights == 194
    assert account.saving == 1034 - 194


def test_recording_of_128_by_24_costs_1728_weights_in_one_go_and_192_distributed() -> None:
    wide = ledger(128, channels=24, widths=(8, 16, 4), kernels=(2, 2, 2), strides=(2, 2, 1))
    assert (wide.window, wide.hop) == ((8,), (4,))
    assert (wide["scanning"].weights, wide["scanning"].macs) == (1728, 53_568)
    narrow = ledger(128, channels=24, widths=(2, 8, 4), kernels=(2, 2, 2), strides=(2, 2, 1))
    assert (narrow["convolutional"].weights, narrow["convolutional"].macs) == (192, 9_152)


def test_64_filters_of_3_by_3_on_32_by_32_by_3_cost_1792_or_177_million() -> None:
    account = ledger((32, 32), channels=3, widths=(64,), kernels=(3,), bias=True)
    assert account["convolutional"].weights == 1_792
    assert account["local"].weights == 1_612_800
    assert account["dense"].weights == 177_004_800


@given(ledgers())
def test_formulas_evaluate_to_the_counts(account: Ledger) -> None:
    for row in account.rows:
        assert eval(row.weights_formula, {}, dict(account.symbols)) == row.weights
        assert eval(row.macs_formula, {}, dict(account.symbols)) == row.macs


@pytest.mark.parametrize("strides", [None, (1, 2), (2, 1)])
def test_shared_accounts_are_what_torch_allocates(strides: tuple[int, int] | None) -> None:
    account = ledger((20, 20), channels=3, widths=(5, 4, 2), kernels=(3, 2), strides=strides, bias=True)
    convolutional = [torch.nn.Conv2d(3, 5, 3), torch.nn.Conv2d(5, 4, 2), torch.nn.Conv2d(4, 2, 1)]
    scanning = [torch.nn.Linear(3 * prod(account.window), 5), torch.nn.Linear(5, 4), torch.nn.Linear(4, 2)]
    for name, layers in {"convolutional": convolutional, "scanning": scanning}.items():
        assert account[name].weights == sum(p.numel() for layer in layers for p in layer.parameters())


@given(ledgers())
def test_distributing_pays_exactly_below_the_crossover(account: Ledger) -> None:
    if account.crossover is not None:
        assert (account.saving > 0) == (account.symbols["N2"] < account.crossover)


small = st.integers(1, 9)


@given(st.tuples(small, small), small, small, st.integers(2, 4))
def test_two_kernels_that_tile_the_window_save_what_the_design_says(
    widths: tuple[int, int], channels: int, first: int, second: int
) -> None:
    account = ledger(first * second, channels, widths, kernels=(first, second))
    assert account.crossover == first * channels
    assert account.saving == (second - 1) * widths[0] * (first * channels - widths[1])


def test_one_layer_has_no_crossover() -> None:
    assert ledger(9, channels=1, widths=(3,), kernels=(3,)).crossover is None
    assert ledger(9, channels=1, widths=(3, 2), kernels=(3,)).crossover is None


@given(st.integers(20, 60), st.integers(1, 3))
def test_unshared_weights_grow_with_the_positions_and_shared_ones_do_not(space: int, channels: int) -> None:
    small, large = (ledger(size, channels, (4, 3), (3, 2), strides=(1, 1)) for size in (space, 2 * space))
    for name in ("scanning", "convolutional"):
        assert small[name].weights == large[name].weights
    per_window = [account["independent"].weights / account.symbols["P"] for account in (small, large)]
    assert per_window[0] == per_window[1] == small["scanning"].weights
    assert large["local"].weights > small["local"].weights


@given(ledgers(biases=(False,)))
def test_unshared_weights_without_biases_are_the_shared_nets_multiply_accumulates(account: Ledger) -> None:
    assert account["local"].weights == account["convolutional"].macs
    assert account["independent"].weights == account["scanning"].macs


def test_table_has_a_line_for_each_architecture() -> None:
    lines = str(ledger((16, 16), channels=1, widths=(4, 2, 1), kernels=(4, 4))).splitlines()
    assert [line.split()[0] for line in lines] == [
        "architecture", "dense", "independent", "local", "scanning", "convolutional",
    ]  # fmt: skip
    assert lines[4].split()[1:5] == ["yes", "no", "1,034", "1,034"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"space": 5}, r"space must hold the window, \(6,\); got \(5,\)\. Give a larger input"),
        ({"space": ()}, r"kernels must be one to 2, at most one per width, over at least one axis"),
        ({"kernels": ()}, r"kernels must be one to 2, at most one per width, .* got 0 over 1 axes"),
        ({"kernels": (2, 2, 2)}, r"kernels must be one to 2, .* got 3 over 1 axes"),
        ({"kernels": ((2, 2), 3)}, r"kernels must have one number per axis, 1; got \(2, 2\)\. A number"),
        ({"strides": (1,)}, r"strides must be one per kernel, 2; got 1\. Use 1 where"),
        ({"strides": (0, 1)}, r"strides must be a whole number of at least 1; got 0"),
        ({"widths": (0, 1)}, r"widths must be a whole number of at least 1; got 0"),
        ({"channels": 0}, r"channels must be a whole number of at least 1; got 0"),
    ],
)
def test_impossible_networks_are_refused(arguments: dict[str, object], message: str) -> None:
    request = {"space": 12, "channels": 1, "widths": (3, 2), "kernels": (2, 3)} | arguments
    with pytest.raises(ArgumentError, match=message):
        ledger(**request)  # type: ignore[arg-type]


def test_unknown_architecture_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="recurrent"):
        ledger(9, channels=1, widths=(3,), kernels=(3,))["recurrent"]

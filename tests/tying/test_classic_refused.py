"""Matrices that are no window MLP, or not made of one block, are refused by name, block and entry."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from window_mlps import TiedMLP, units

from scanwise.errors import ArgumentError
from scanwise.tying import distribute, scan_mlp

LAYOUTS = ("channels_first", "channels_last")


def request(layout: str = "channels_first", **changed: Any) -> dict[str, Any]:
    """Arguments of `distribute`: a window of 6 with 3 channels, kernels that overlap, 4, 3 and then 1 positions."""
    mlp = TiedMLP((6,), 3, ((3,), (2,), (3,)), ((1,),) * 3, (2, 2, 2), layout)
    return {
        "weights": mlp.weights(),
        "biases": mlp.biases(),
        "window": 6,
        "channels": 3,
        "kernels": [3, 2, 3],
        "strides": [1, 1, 1],
        "widths": [2, 2, 2],
        "layout": layout,
    } | changed


def with_layer(layer: int, change: Callable[[np.ndarray], Any], name: str = "weights") -> dict[str, Any]:
    arguments = request()
    arguments[name][layer] = change(arguments[name][layer])
    return arguments


def test_the_case_that_the_other_tests_damage_is_sound() -> None:
    for layout in LAYOUTS:
        assert distribute(**request(layout))(torch.ones(1, 3, 6, dtype=torch.float64)).shape == (1, 2, 1)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("layer", [0, 1])
def test_any_one_weight_that_is_changed_is_named(layer: int, layout: str) -> None:
    below, channels, positions, kernel = [(6, 3, 4, 3), (4, 2, 3, 2)][layer]
    rows, columns = units((positions,), 2, layout), units((below,), channels, layout)
    for u, n, t, c in np.ndindex(positions, 2, below, channels):
        arguments = request(layout)
        row, column = rows[n, u], columns[c, t]
        before = arguments["weights"][layer][row, column]
        arguments["weights"][layer][row, column] = 2.5
        with pytest.raises(ArgumentError, match=rf"^weights\[{layer}\] must ") as caught:
            distribute(**arguments)
        if not u <= t < u + kernel:
            found = f"be zero or NaN outside its blocks; got 2.5 at row {row}, column {column}, outside block {u}. "
        elif u:
            first = f"{before} at row {rows[n, 0]}, column {columns[c, t - u]} (block 0)"
            found = (
                f"repeat one block at all positions; got 2.5 at row {row}, column {column} (block {u}) and {first}. "
            )
        else:  # then all others differ from the first, which the second shows
            second = f"{before} at row {rows[n, 1]}, column {columns[c, t + 1]} (block 1)"
            found = f"repeat one block at all positions; got {second} and 2.5 at row {row}, column {column} (block 0). "
        assert f" must {found}Check the window, kernels" in str(caught.value)


def test_blocks_that_differ_by_one_rounding_are_not_tied() -> None:
    def nudge(matrix: np.ndarray) -> np.ndarray:
        matrix[1, 1] = np.nextafter(matrix[1, 1], 9)
        return matrix

    with pytest.raises(ArgumentError, match=r"weights\[0\] must repeat one block .* at row 1, column 1 \(block 1\)"):
        distribute(**with_layer(0, nudge))


def test_in_two_dimensions_a_block_is_named_by_its_row_and_column() -> None:
    mlp = TiedMLP((4, 4), 1, ((2, 2),), ((2, 1),), (1,), "channels_first")
    (matrix,) = mlp.weights()
    matrix[4, 10] += 1  # of 2 x 3 positions, number 4 reads rows 2 and 3, columns 1 and 2; number 10 is (2, 2)
    found = r"at row 4, column 10 \(block \(1, 1\)\) and .* at row 0, column 1 \(block \(0, 0\)\)"
    with pytest.raises(ArgumentError, match=rf"weights\[0\] must repeat one block at all positions; got .* {found}"):
        distribute([matrix], (4, 4), 1, [2], [(2, 1)], [1])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_weights_that_are_read_must_be_finite(value: float) -> None:
    arguments = request()
    arguments["weights"][1][4, 6] = value
    with pytest.raises(
        ArgumentError, match=rf"^weights\[1\] must be finite; got {value} at row 4, column 6 \(block 1\)"
    ):
        distribute(**arguments)
    with pytest.raises(ArgumentError, match=rf"^weights\[0\] must be finite; got {value} at row 0, column 1\. Only"):
        scan_mlp([np.array([[0.0, value]])], 2, 1)
    with pytest.raises(ArgumentError, match=rf"^biases\[0\] must be finite; got {value} at row 1, column 0\. Only"):
        scan_mlp([np.eye(2)], 2, 1, biases=[np.array([0.0, value])])


def test_infinity_outside_the_blocks_is_a_weight_that_is_used() -> None:
    arguments = request()
    arguments["weights"][0][0, 5] = -math.inf
    with pytest.raises(
        ArgumentError, match=r"must be zero or NaN outside its blocks; got -inf at row 0, column 5, out"
    ):
        distribute(**arguments)


def test_a_bias_must_be_the_same_at_every_position() -> None:
    arguments = request()
    arguments["biases"][1][5] = 7.0  # channel 1 of 2, position 2 of 3
    found = r"got 7\.0 at row 5, column 0 \(block 2\) and \S+ at row 3, column 0 \(block 0\)\. Check"
    with pytest.raises(ArgumentError, match=rf"biases\[1\] must repeat one block at all positions; {found}"):
        distribute(**arguments)


def test_the_other_layout_is_not_the_one_that_was_asked_for() -> None:
    with pytest.raises(ArgumentError, match=r"weights\[0\] must .* widths and layout; scan_mlp takes any matrix\.$"):
        distribute(**request("channels_first") | {"layout": "channels_last"})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (request(window=7), "weights[0] must have 21 columns, positions x channels = 7 x 3; got shape (8, 18)."),
        (with_layer(0, np.transpose), "got shape (18, 8). Torch's orientation is (outputs, inputs). This one looks"),
        (with_layer(1, np.transpose), "weights[1] must have 8 columns, positions x channels = 4 x 2; got shape (8, 6)"),
        (request(widths=[2, 3, 2]), "weights[1] must have 9 rows, positions x channels = 3 x 3; got shape (6, 8)."),
        (with_layer(0, lambda b: b[:4], "biases"), "biases[0] must have 8 entries, one per row of weights[0]; got 4."),
        (request(kernels=[3, 2]), "kernels must be a list with an entry for each of 3 layers; got a list of 2."),
        (request(strides=[1] * 4), "strides must be a list with an entry for each of 3 layers; got a list of 4."),
        (request(widths=2), "widths must be a list with an entry for each of 3 layers; got 2."),
        (request(biases=[None]), "biases must be a list with an entry for each of 3 layers; got a list of 1."),
        (request(biases="one"), "biases must be a list with an entry for each of 3 layers; got 'one'."),
        (request(widths=[2, 0, 2]), "widths[1] must be a whole number of at least 1; got 0."),
        (request(channels=0), "channels must be a whole number of at least 1; got 0."),
        (request(layout="channels"), "layout must be one of channels_first, channels_last; got 'channels'."),
        (request(activation="step"), "activation must be one of relu, "),
        (request(window=()), "window must be a length or (height, width); got ()."),
        (request(window=(6, 3, 1)), "window must be a length or (height, width); got (6, 3, 1). Count channels apart."),
        (request(window=0), "window must be a whole number of at least 1; got 0."),
        (request(kernels=[3, (2, 2), 3]), "kernels[1] must be a whole number of at least 1, or one per axis (1); got"),
        (request(strides=[1, 1, 0]), "strides[2] must be a whole number of at least 1, or one per axis (1); got 0."),
        (request(window=(6, 1), kernels=[(3, 1), 2, 3]), "kernels[1] must end with the last of 4 x 1 positions, in st"),
        (request(kernels=[3, 5, 3]), "kernels[1] must end with the last of 4 positions, in steps of strides[1]; got k"),
        (request(strides=[2, 1, 1]), "got kernel 3 and stride 2. Change them, or the window."),
        (request(weights={"a": [0.5] * 10_000}), "per layer; got {'a': [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, ...]}. Write"),
        (request(weights=[[[0.5] * 10_000]]), "an entry at least; got [[0.5, 0.5, 0.5, 0.5, 0.5, 0.5, ...]]. Convert"),
        (request(weights=[]), "weights must be a list with an array per layer; got []. Write [matrix], say."),
        (request(weights=np.eye(18)), "weights must be a list with an array per layer; got float64 of shape (18, 18)."),
        (with_layer(0, lambda m: m.astype(int)), "weights[0] must be a matrix of float32 or float64 with an entry at"),
        (with_layer(0, lambda m: m.astype(np.float16)), "at least; got float16 of shape (8, 18). Convert it."),
        (with_layer(0, lambda m: torch.from_numpy(m).bfloat16()), "at least; got bfloat16 of shape (8, 18). Convert"),
        (with_layer(2, lambda m: m.tolist()[0][:1]), "weights[2] must be a matrix of float32 or float64 with an entry"),
        (with_layer(2, np.ravel), "weights[2] must be a matrix of float32 or float64 with an entry at least; got flo"),
        (with_layer(2, lambda m: m[:0]), "with an entry at least; got float64 of shape (0, 6). Convert it."),
        (with_layer(2, lambda b: b[None], "biases"), "biases[2] must be a vector of float32 or float64 with an entry"),
        (with_layer(1, np.float32), "weights and biases must be of one dtype; got torch.float32 and torch.float64."),
    ],
)  # fmt: skip
def test_a_request_that_means_nothing_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(message)):
        distribute(**arguments)


def test_a_hop_must_be_one_number_or_one_per_axis() -> None:
    with pytest.raises(
        ArgumentError, match=r"hop must be a whole number of at least 1, or one per axis \(1\); got \[1, 2"
    ):
        scan_mlp([torch.eye(2)], 2, 1, hop=[1, 2])


def test_a_layer_must_fit_the_one_below() -> None:
    with pytest.raises(
        ArgumentError, match=r"weights\[1\] must have 2 columns, positions x channels = 1 x 2; got shape"
    ):
        scan_mlp([torch.eye(2), torch.eye(3)], 2, 1)

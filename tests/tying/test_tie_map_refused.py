"""What is no tie map is refused, and the message names the edge, the set or the argument."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from scanwise.errors import ArgumentError
from scanwise.nn import LocallyConnected1d
from scanwise.tying import ONE, TiedMLP, TieMap, edges_of

FULL = TieMap([0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 2, 3], shape=(2, 2))
POOL = TieMap.of(nn.AvgPool1d(2), (1, 4))
ONE_DIMENSION = np.zeros((1, 1), np.int64)

REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "row below 0": (lambda: TieMap([0, -1], [0, 1], [0, 0], (2, 2)), "row of edge 1 must be from 0 to 1; got -1"),
    "row too high": (lambda: TieMap([0, 2], [0, 1], [0, 0], (2, 2)), "row of edge 1 must be from 0 to 1; got 2"),
    "no outputs": (lambda: TieMap([], [], [], (0, 2)), "shape[0] must be a whole number of at least 1; got 0"),
    "no inputs": (lambda: TieMap([0], [ONE], [0], (1, 0)), "shape[1] must be a whole number of at least 1; got 0"),
    "sets without outputs": (lambda: TieMap.from_sets([], (0, 2)), "shape[0] must be a whole number of at least 1"),
    "column below the one": (
        lambda: TieMap([0, 1], [0, -2], [0, 0], (2, 2)),
        "column of edge 1 must be from -1 to 1; got -2 (row 1, column -2). Indices count from 0.",
    ),
    "column too high": (lambda: TieMap([1], [2], [0], (2, 2)), "column of edge 0 must be from -1 to 1; got 2"),
    "unsigned column too high": (
        lambda: TieMap([1], np.array([2**63], np.uint64), [0], (2, 2)),
        "cols must be whole numbers below 2**63; got 9223372036854775808. Count from 0.",
    ),
    "unknown constant": (
        lambda: TieMap([0, 0], [0, 1], [-1, -2], (2, 2), constants=[0.5]),
        "parameter of edge 1 must be at least -1; got -2 (row 0, column 1)",
    ),
    "no constants": (lambda: TieMap([0], [0], [-1], (2, 2)), "parameter of edge 0 must be at least 0; got -1"),
    "an edge twice": (
        lambda: TieMap([0, 1, 0], [1, 1, 1], [4, 0, 2], (2, 2)),
        "an edge must have one parameter; got two, 4 and 2, from column 1 to row 0. List each edge once.",
    ),
    "an edge twice in order": (
        lambda: TieMap([0, 0, 1], [1, 1, 1], [0, 0, 0], (2, 2)),
        "an edge must have one parameter; got two, 0 and 0, from column 1 to row 0",
    ),
    "a bias twice": (
        lambda: TieMap([1, 1], [ONE, ONE], [0, 1], (2, 2)),
        "an edge must have one parameter; got two, 0 and 1, from column -1 to row 1",
    ),
    "an empty set": (
        lambda: TieMap([0, 0], [0, 1], [0, 2], (2, 2)),
        "params must use every parameter; got no edge for 1. Number them from 0 on.",
    ),
    "a first set that is empty": (lambda: TieMap([0], [0], [1], (2, 2)), "got no edge for 0"),
    "a number far too high": (lambda: TieMap([0, 1], [0, 0], [0, 2**60], (2, 2)), "got no edge for 1"),
    "unequal lengths": (
        lambda: TieMap([0, 1], [0, 1], [0], (2, 2)),
        "rows, cols and params must have one entry per edge; got 2, 2, 1. Give all three.",
    ),
    "rows not whole": (lambda: TieMap([0.5], [0], [0], (2, 2)), "rows must be a sequence of whole numbers; got [0.5]"),
    "cols of two axes": (
        lambda: TieMap([0], ONE_DIMENSION, [0], (2, 2)),
        "cols must be a sequence of whole numbers; got int64 of shape (1, 1). Write [0, 1], say.",
    ),
    "ragged rows": (
        lambda: TieMap([[0], [0, 1]], [0], [0], (2, 2)),  # type: ignore[list-item]
        "rows must be a sequence of whole numbers; got [[0], [0, 1]]",
    ),
    "ragged cols": (
        lambda: TieMap([0], [0, [1]], [0], (2, 2)),  # type: ignore[list-item]
        "cols must be a sequence of whole numbers; got [0, [1]]",
    ),
    "ragged params": (
        lambda: TieMap([0], [0], [[], [0]], (2, 2)),  # type: ignore[list-item]
        "params must be a sequence of whole numbers; got [[], [0]]",
    ),
    "rows in words": (lambda: TieMap("ab", [0], [0], (2, 2)), "rows must be a sequence of whole numbers; got 'ab'"),  # type: ignore[arg-type]
    "rows of a type without numpy": (
        lambda: TieMap(torch.zeros(1, dtype=torch.bfloat16), [0], [0], (2, 2)),
        "rows must be a sequence of whole numbers; got bfloat16 of shape (1,)",
    ),
    "params of bools": (lambda: TieMap([0], [0], [True], (2, 2)), "params must be a sequence of whole numbers"),
    "shape of one number": (lambda: TieMap([], [], [], (3,)), "shape must be (outputs, inputs); got (3,)"),
    "shape in words": (lambda: TieMap([], [], [], "22"), "shape must be (outputs, inputs); got '22'"),
    "outputs below 0": (lambda: TieMap([], [], [], (-1, 2)), "shape[0] must be a whole number of at least 1; got -1"),
    "inputs not whole": (lambda: TieMap([], [], [], (1, 2.5)), "shape[1] must be a whole number of at least 1"),
    "a constant that is none": (
        lambda: TieMap([0], [0], [-1], (1, 1), constants=[float("nan")]),
        "constants[0] must be a finite number; got nan",
    ),
    "a constant of numpy's that is none": (
        lambda: TieMap([0], [0], [-1], (1, 1), constants=np.array([np.inf], np.float32)),  # type: ignore[arg-type]
        "constants[0] must be a finite number; got inf",
    ),
    "one constant": (
        lambda: TieMap([0], [0], [-1], (1, 1), constants=0.5),  # type: ignore[arg-type]
        "constants must be a list; got 0.5. Write [...], also around one entry.",
    ),
    "a constant without axes": (
        lambda: TieMap([0], [0], [-1], (1, 1), constants=torch.tensor(0.5)),  # type: ignore[arg-type]
        "constants must be a list; got float32 of shape ()",
    ),
    "an empty set of edges": (
        lambda: TieMap.from_sets([[(0, 0)], []], (2, 2)),
        "sets must each have an edge; got none in set 1. Leave it out.",
    ),
    "an edge in two sets": (
        lambda: TieMap.from_sets([[(0, 0)], [(1, 1), (0, 0)]], (2, 2)),
        "an edge must have one parameter; got two, 0 and 1, from column 0 to row 0",
    ),
    "sets of no edges": (
        lambda: TieMap.from_sets([[0, 1, 2]], (2, 2)),  # type: ignore[list-item]
        "sets must be lists of edges (row, column); got [0, 1, 2] for set 0. Write [[(0, 1), (1, 0)]], say.",
    ),
    "edges for sets": (
        lambda: TieMap.from_sets([[0, 1]], (2, 2)),  # type: ignore[list-item]
        "sets must be lists of edges (row, column); got [0, 1] for set 0",
    ),
    "ragged sets": (
        lambda: TieMap.from_sets([[(0, 0)], [(0, 1), (1,)]], (2, 2)),  # type: ignore[list-item]
        "sets must be lists of edges (row, column); got [(0, 1), (1,)] for set 1",
    ),
    "a number of sets": (lambda: TieMap.from_sets(3, (2, 2)), "sets must be a list; got 3"),  # type: ignore[arg-type]
    "sets in words": (lambda: TieMap.from_sets("ab", (2, 2)), "sets must be a list; got 'ab'"),  # type: ignore[arg-type]
    "no permutation of rows": (
        lambda: TieMap.from_orbits([([0, 1], [0, 1]), ([0, 0], [0, 1])], (2, 2)),
        "symmetries[1][0] must be a permutation of 2 units; got [0, 0]. Say where each unit goes.",
    ),
    "one permutation": (
        lambda: TieMap.from_orbits([[0, 1, 2]], (3, 3)),  # type: ignore[list-item]
        "symmetries[0] must be a permutation of rows and one of columns; got [0, 1, 2]. Give both.",
    ),
    "numbers for permutations": (
        lambda: TieMap.from_orbits([[0, 1]], (2, 2)),  # type: ignore[list-item]
        "symmetries[0][0] must be a sequence of whole numbers; got 0",
    ),
    "a number for symmetries": (lambda: TieMap.from_orbits(2, (2, 2)), "symmetries must be a list; got 2"),  # type: ignore[arg-type]
    "a number for a symmetry": (lambda: TieMap.from_orbits([2], (2, 2)), "symmetries[0] must be a list; got 2"),  # type: ignore[list-item]
    "no permutation of columns": (
        lambda: TieMap.from_orbits([([0, 1], [0, 1, 2])], (2, 2)),
        "symmetries[0][1] must be a permutation of 2 units",
    ),
    "to tie what is no edge": (lambda: POOL.tie((0, 3), (0, 0)), "edge must be one of the map's; got row 0, column 3"),
    "to tie a constant": (
        lambda: POOL.tie((0, 0), (0, 1)),
        "edge must be one that learns; got row 0, column 0, whose weight is fixed. Leave it as it is.",
    ),
    "to tie one to two": (
        lambda: FULL.tie([(0, 0)], [(0, 1), (1, 1)]),
        "a and b must be as many edges; got 1 and 2. They are tied pair by pair.",
    ),
    "to tie a number": (lambda: FULL.tie(3, (0, 0)), "a must be an edge (row, column) or several; got 3"),  # type: ignore[arg-type]
    "to tie ragged edges": (
        lambda: FULL.tie([(0, 0), (1,)], [(0, 1), (1, 1)]),  # type: ignore[list-item]
        "a must be an edge (row, column) or several; got [(0, 0), (1,)]. Write (0, 3), say.",
    ),
    "to find a word": (lambda: FULL.find("a", 0), "row must be a whole number; got 'a'"),  # type: ignore[arg-type]
    "to find a fraction": (lambda: FULL.find(0, 0.5), "col must be a whole number; got 0.5"),  # type: ignore[arg-type]
    "to find far away": (lambda: FULL.find(0, 10**30), "edge must be one of the map's; got row 0, column 1000"),
    "to find below the one": (lambda: FULL.find(0, -2), "edge must be one of the map's; got row 0, column -2"),
    "to untie a fraction": (lambda: FULL.untie((0.5, 1)), "edges must be an edge (row, column) or several"),  # type: ignore[arg-type]
    "to untie a constant": (lambda: POOL.untie((1, 2)), "edge must be one that learns; got row 1, column 2"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_map_is_refused_with_what_is_wrong_with_it(case: str) -> None:
    make, message = REFUSED[case]
    with pytest.raises(ArgumentError, match=re.escape(message)):
        make()


HUGE = [[0.5] * 300] * 300


@pytest.mark.parametrize(
    "make",
    [
        lambda: TieMap(HUGE, [0], [0], (2, 2)),
        lambda: TieMap([], [], [], HUGE),
        lambda: TieMap(np.zeros((3, 10_000)), [0], [0], (2, 2)),
        lambda: TieMap.from_sets([HUGE], (2, 2)),
        lambda: TieMap.from_orbits([HUGE], (2, 2)),
        lambda: TieMap.from_orbits([(range(10_000), range(2))], (2, 2)),
        lambda: FULL.tie(HUGE, HUGE),
        lambda: TiedMLP([FULL], places=[HUGE]),
        lambda: TiedMLP([FULL, FULL], places=[[0, 1, 2, 3], [*range(3), 0]], theta=HUGE),
        lambda: TiedMLP([FULL]).tie(HUGE, HUGE),
        lambda: TiedMLP([HUGE]),
        lambda: TiedMLP([TieMap.of(nn.Linear(100, 100), (100,))], places=[np.zeros(10_100, int)]),
    ],
)
def test_no_message_prints_a_value_of_any_length(make: Callable[[], Any]) -> None:
    with pytest.raises(ArgumentError, match=r" must .*; got .*\. ") as caught:
        make()
    assert len(str(caught.value)) < 400


LAYERS: dict[str, tuple[nn.Module, tuple[int, ...], str]] = {
    "a ring too short in one axis": (
        nn.Conv1d(1, 1, 5, padding=2, padding_mode="circular"),
        (1, 4),
        "an edge must have one parameter; got two, taps 0 and 4, from position 2 to position 0 along axis 0: circular "
        "padding with a kernel longer than the input. Use a shorter kernel or a larger input.",
    ),
    "a ring too short in the second axis": (
        nn.Conv2d(1, 1, 3, dilation=(1, 2), padding=(1, 2), padding_mode="circular"),
        (1, 5, 4),
        "taps 0 and 2, from position 2 to position 0 along axis 1: circular padding with a kernel longer",
    ),
    "reflection": (
        nn.Conv1d(1, 1, 3, padding=1, padding_mode="reflect"),
        (1, 4),
        "padding_mode must be zeros or circular; got 'reflect'",
    ),
    "an unknown layer": (nn.PReLU(), (3,), "layer must be one of Linear, Conv1d, Conv2d, LocallyConnected1d"),
    "an activation": (nn.ReLU(), (3,), "got ReLU. Give its edges to TieMap."),
    "features": (nn.Linear(3, 2), (4,), "input_shape must end with 3 features; got (4,)"),
    "channels": (
        nn.Conv1d(2, 1, 3),
        (3, 9),
        "input_shape must be (2, *space) with 1 axes of space for Conv1d; got (3, 9)",
    ),
    "axes": (nn.Conv2d(2, 1, 3), (2, 9), "input_shape must be (2, *space) with 2 axes of space for Conv2d; got (2, 9)"),
    "a pool's axes": (
        nn.AvgPool2d(2),
        (9,),
        "input_shape must be (channels, *space) with 2 axes of space for AvgPool2d",
    ),
    "a kernel that does not fit": (
        nn.Conv2d(1, 1, (2, 5)),
        (1, 9, 4),
        "input_shape must hold the layer's window of (2, 5); got (9, 4)",
    ),
    "a pool that does not fit": (nn.MaxPool1d(5), (1, 4), "input_shape must hold the layer's window of (5,); got (4,)"),
    "another size": (
        LocallyConnected1d(1, 1, 6, 3),
        (1, 7),
        "input_shape must be what the layer was made for; got (1, 7)",
    ),
    "indices": (
        nn.MaxPool1d(2, return_indices=True),
        (1, 4),
        "layer must return values only; got a pool with return_indices",
    ),
    "an empty shape": (nn.Linear(3, 2), (), "input_shape must be (channels, *space) or (features,); got none"),
    "a batch of none": (nn.Linear(3, 2), (0, 3), "input_shape[0] must be a whole number of at least 1; got 0"),
}


@pytest.mark.parametrize("case", LAYERS)
def test_a_layer_is_refused_with_what_is_wrong_with_it(case: str) -> None:
    layer, shape, message = LAYERS[case]
    with pytest.raises(ArgumentError, match=re.escape(message)):
        TieMap.of(layer, shape)
    with pytest.raises(ArgumentError, match=re.escape(message)):
        edges_of(layer, shape)


def test_a_ring_as_long_as_the_kernel_is_accepted() -> None:
    ties = TieMap.of(nn.Conv1d(1, 1, 4, padding=2, padding_mode="circular", bias=False), (1, 4))
    assert ties.multiplicity.tolist() == [5] * 4

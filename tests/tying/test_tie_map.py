"""A tie map is a set of edges with a parameter each, however it was listed: the oracle is a dictionary."""

from __future__ import annotations

import copy
import pickle
from collections import Counter
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tied_nets import Chain, chains, edges_in, map_of, probed, shuffled, tie_maps
from torch import nn

from scanwise.errors import ArgumentError
from scanwise.nn import LocallyConnected1d, LocallyConnected2d
from scanwise.tying import ONE, TieMap, edges_of, expand, recognise

Sets = set[frozenset[tuple[int, int]]]


def sets_of(ties: TieMap) -> Sets:
    """Return the tied sets by a dictionary of edges."""
    members: dict[int, set[tuple[int, int]]] = {}
    for edge, param in edges_in(ties).items():
        if param >= 0:
            members.setdefault(param, set()).add(edge)
    return set(map(frozenset, members.values()))


def joined(sets: Sets, pairs: list[tuple[tuple[int, int], tuple[int, int]]]) -> Sets:
    """Return the sets after pairs of edges were put together, by unions."""
    for a, b in pairs:
        both = {members for members in sets if a in members or b in members}
        sets = (sets - both) | {frozenset().union(*both)}
    return sets


# Construction -------------------------------------------------------------------------------------------------


@given(tie_maps(), st.integers(0, 99))
def test_maps_are_equal_in_any_order_and_any_numbering(ties: TieMap, seed: int) -> None:
    other = shuffled(ties, seed)
    assert other == ties
    assert hash(other) == hash(ties)
    assert other.fingerprint == ties.fingerprint
    for name in ("indptr", "cols", "params"):
        assert np.array_equal(getattr(other, name), getattr(ties, name)), name


@given(tie_maps(), tie_maps())
def test_fingerprints_are_equal_exactly_if_the_maps_are(a: TieMap, b: TieMap) -> None:
    same = (a.shape, sets_of(a), _fixed(a)) == (b.shape, sets_of(b), _fixed(b))
    assert (a == b) is same
    assert (a.fingerprint == b.fingerprint) is same


def _fixed(ties: TieMap) -> dict[tuple[int, int], float]:
    return {edge: ties.constants[-1 - param] for edge, param in edges_in(ties).items() if param < 0}


@pytest.mark.parametrize(
    "change",
    [
        {"rows": [0, 0, 1, 0]},
        {"cols": [0, 1, 1, ONE]},
        {"params": [0, 1, 1, -1]},
        {"params": [0, 1, 0, 2]},
        {"shape": (2, 4)},
        {"shape": (3, 3)},
        {"constants": (0.25,)},
    ],
    ids=str,
)
def test_whatever_differs_changes_equality_and_fingerprint(change: dict[str, object]) -> None:
    base: dict[str, object] = {"rows": [0, 0, 1, 1], "cols": [0, 1, 1, 2], "params": [0, 1, 0, -1]}
    base |= {"shape": (2, 3), "constants": (0.5,)}
    a, b = TieMap(**base), TieMap(**base | change)  # type: ignore[arg-type]
    assert a != b
    assert a.fingerprint != b.fingerprint
    assert TieMap(**base) == a  # type: ignore[arg-type]


def test_a_map_equals_nothing_else() -> None:
    assert TieMap([0], [0], [0], (1, 1)) != "a map"


def test_the_fingerprint_is_the_same_on_every_machine() -> None:
    ties = TieMap([0, 0, 1, 1], [0, 1, 1, 2], [1, 0, 1, 0], (2, 3))
    assert ties.fingerprint.startswith("0735dfdfb99940f4")


@given(tie_maps())
def test_edges_stand_by_row_then_column_and_parameters_are_numbered_by_first_use(ties: TieMap) -> None:
    listed = list(ties)
    assert listed == sorted(listed)
    learning = [param for *_, param in listed if param >= 0]
    assert list(dict.fromkeys(learning)) == list(range(ties.parameters))
    fixed = [-1 - param for *_, param in listed if param < 0]
    assert list(dict.fromkeys(fixed)) == list(range(len(ties.constants)))


@given(tie_maps(), st.permutations(range(5)))
def test_labels_say_which_number_was_given(ties: TieMap, numbers: list[int]) -> None:
    given_params = [sorted(numbers[: ties.parameters]).index(numbers[p]) if p >= 0 else p for p in ties.params.tolist()]
    again = TieMap(ties.rows, ties.cols, given_params, ties.shape, ties.constants)
    for canonical, given_param in zip(again.params.tolist(), given_params, strict=True):
        assert canonical < 0 or again.labels[canonical] == given_param


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64])
def test_indices_may_be_of_any_integer_type(dtype: type[np.integer]) -> None:
    rows, cols, params = [1, 0, 1, 0], [0, 127, 127, 0], [3, 1, 2, 0]
    wanted = TieMap(rows, cols, params, (2, 128))
    assert TieMap(*(np.array(entry, dtype) for entry in (rows, cols, params)), (2, 128)) == wanted  # type: ignore[arg-type]
    assert TieMap(*(torch.tensor(entry) for entry in (rows, cols, params)), (2, 128)) == wanted  # type: ignore[arg-type]


def test_equal_constants_are_one_constant_and_unused_ones_are_dropped() -> None:
    ties = TieMap([0, 0, 1], [0, 1, 0], [-3, -1, -4], (2, 2), constants=[0.5, 7.0, 0.25, 0.5])
    assert ties.constants == (0.25, 0.5)
    assert ties.params.tolist() == [-1, -2, -2]
    zeros = [TieMap([0], [0], [-1], (1, 1), constants=[value]) for value in (0.0, -0.0)]
    assert zeros[0] == zeros[1]
    assert zeros[0].fingerprint == zeros[1].fingerprint


def test_a_map_may_have_no_edges() -> None:
    ties = TieMap([], [], [], (2, 3))
    assert (ties.edges, ties.parameters, ties.sets(), ties.shape) == (0, 0, [], (2, 3))
    assert ties.fan_in.tolist() == [0, 0]
    assert TieMap.from_sets([], (2, 3)) == ties
    assert TieMap([0], [ONE], [0], (1, 1)).fan_in.tolist() == [0]


@pytest.mark.parametrize(
    "constants", [[0.5, 2], [np.float32(0.5), np.int8(2)], np.array([0.5, 2.0], np.float16), torch.tensor([0.5, 2.0])]
)
def test_constants_are_numbers_of_any_library(constants: Any) -> None:
    ties = TieMap([0, 0], [0, 1], [-1, -2], (1, 2), constants)
    assert ties.constants == (0.5, 2.0)
    assert all(type(value) is float for value in ties.constants)


def test_nothing_is_assigned_to_a_map() -> None:
    ties = TieMap([0, 1], [0, 1], [0, 0], (2, 2))
    for name in ("shape", "indptr", "cols", "params", "constants", "labels", "name"):
        with pytest.raises(AttributeError, match=f"a TieMap must stay as it was made; got another {name}"):
            setattr(ties, name, (9, 9))
        with pytest.raises(AttributeError, match=f"a TieMap must stay as it was made; got {name} deleted"):
            delattr(ties, name)
    assert ties == TieMap([0, 1], [0, 1], [0, 0], (2, 2))


def test_a_map_that_is_made_in_any_way_never_changes() -> None:
    full = TieMap.of(nn.Linear(3, 2), (3,))
    made = [full, full.tie((0, 0), (1, 1)), full.untie((0, 0)), TieMap.from_orbits([], (2, 2)), shuffled(full, 1)]
    for ties in [*made, pickle.loads(pickle.dumps(full))]:
        for name in ("indptr", "cols", "params"):
            with pytest.raises(ValueError, match="read-only"):
                getattr(ties, name)[0] = 0
        before = ties.labels
        ties.labels[0] += 1
        assert np.array_equal(ties.labels, before)


def test_edges_cost_eight_bytes_each() -> None:
    ties = TieMap.of(nn.Conv1d(8, 8, 9), (8, 500))
    assert ties.nbytes <= 8 * ties.edges + 8 * (ties.shape[0] + 1) + 8 * ties.parameters


@given(chains(most=2))
def test_maps_and_certificates_do_not_depend_on_the_pieces_in_which_arrays_are_worked_on(chain: Chain) -> None:
    net, grid = chain.build(), chain.input_shape
    whole = expand(net, grid)
    kinds = [recognise(layer.ties, layer.in_grid, layer.out_grid).kind for layer in whole.edge_layers]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scanwise.tying._arrays._CHUNK", 5)
        pieces = expand(net, grid)
        for layer, other, kind in zip(whole.edge_layers, pieces.edge_layers, kinds, strict=True):
            again = shuffled(layer.ties, 3)
            assert layer.ties == other.ties == again
            assert layer.ties.fingerprint == again.fingerprint
            assert recognise(again, layer.in_grid, layer.out_grid).kind == kind
    assert np.array_equal(whole.labels, pieces.labels)


# What it says -------------------------------------------------------------------------------------------------


@given(tie_maps())
def test_sets_multiplicity_fan_in_and_find_agree_with_the_dictionary(ties: TieMap) -> None:
    edges = edges_in(ties)
    assert [set(map(tuple, members.tolist())) for members in ties.sets()] == [
        {edge for edge, param in edges.items() if param == number} for number in range(ties.parameters)
    ]
    counts = Counter(edges.values())
    assert ties.multiplicity.tolist() == [counts[number] for number in range(ties.parameters)]
    assert ties.fan_in.tolist() == [sum(r == row and c != ONE for r, c in edges) for row in range(ties.shape[0])]
    assert (ties.edges, ties.parameters) == (len(edges), len({p for p in edges.values() if p >= 0}))
    for row, col in product(range(-1, ties.shape[0] + 1), range(ONE - 1, ties.shape[1] + 1)):
        if (row, col) in edges:
            assert list(ties)[ties.find(row, col)] == (row, col, edges[row, col])
        else:
            with pytest.raises(ArgumentError, match=f"edge must be one of the map's; got row {row}, column {col}"):
                ties.find(row, col)


@given(tie_maps())
def test_maps_survive_pickling_and_copying(ties: TieMap) -> None:
    again = pickle.loads(pickle.dumps(ties))
    assert again == ties
    assert again.labels.tolist() == ties.labels.tolist()
    assert copy.deepcopy(ties) == copy.copy(ties) == ties


def test_a_map_prints_its_counts() -> None:
    assert repr(TieMap.of(nn.Linear(3, 2), (3,))) == "TieMap(2 outputs, 3 inputs, 8 edges, 8 parameters)"
    assert repr(TieMap.of(nn.AvgPool1d(2), (1, 4))).endswith("4 edges, 0 parameters, 1 constants)")


# Sets, orbits, tying and untying ------------------------------------------------------------------------------


@given(tie_maps())
def test_a_map_can_be_given_by_its_sets(ties: TieMap) -> None:
    learning = {edge: param for edge, param in edges_in(ties).items() if param >= 0}
    assert TieMap.from_sets(ties.sets(), ties.shape) == map_of(learning, ties.shape)


@given(st.data(), st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_orbits_are_what_the_symmetries_take_to_each_other(data: st.DataObject, m: int, n: int, bias: bool) -> None:
    pairs = st.tuples(st.permutations(range(m)), st.permutations(range(n)))
    symmetries = data.draw(st.lists(pairs, max_size=2))
    everywhere = list(product(range(m), [*([ONE] if bias else []), *range(n)]))
    moved = [
        ((row, col), (rows[row], cols[col] if col != ONE else ONE))
        for rows, cols in symmetries
        for row, col in everywhere
    ]
    ties = TieMap.from_orbits(symmetries, (m, n), bias=bias)
    assert sets_of(ties) == joined({frozenset([edge]) for edge in everywhere}, moved)


@given(st.permutations(range(4)))
def test_a_layer_on_orbits_is_equivariant(permutation: list[int]) -> None:
    ties = TieMap.from_orbits([(permutation, permutation)], (4, 4))
    matrix = np.array(ties.params).reshape(4, 4)
    assert np.array_equal(matrix[np.ix_(permutation, permutation)], matrix)


@given(tie_maps(), st.data())
def test_tying_is_the_union_of_sets(ties: TieMap, data: st.DataObject) -> None:
    learning = [edge for edge, param in edges_in(ties).items() if param >= 0]
    if not learning:
        return
    pair = st.tuples(st.sampled_from(learning), st.sampled_from(learning))
    pairs = data.draw(st.lists(pair, min_size=1, max_size=3))
    tied = ties.tie([a for a, _ in pairs], [b for _, b in pairs])
    assert sets_of(tied) == joined(sets_of(ties), pairs)
    assert _fixed(tied) == _fixed(ties)
    for members, label in zip(tied.sets(), tied.labels.tolist(), strict=True):
        assert label == ties.labels[ties.params[ties.find(*members[0].tolist())]]


@given(tie_maps(), st.data())
def test_untying_gives_edges_a_set_of_their_own(ties: TieMap, data: st.DataObject) -> None:
    learning = [edge for edge, param in edges_in(ties).items() if param >= 0]
    assert sets_of(ties.untie()) == {frozenset([edge]) for edge in learning}
    if learning:
        alone = data.draw(st.lists(st.sampled_from(learning), min_size=1))
        rest = {members - set(alone) for members in sets_of(ties)} - {frozenset()}
        assert sets_of(ties.untie(alone)) == rest | {frozenset([edge]) for edge in alone}
        assert _fixed(ties.untie(alone)) == _fixed(ties)


# Torch's layers -----------------------------------------------------------------------------------------------

LAYERS = [
    (nn.Linear(3, 2), (3,)),
    (nn.Linear(3, 2, bias=False), (4, 3)),
    (nn.Linear(2, 2), (2, 3, 2)),
    (nn.Conv1d(2, 4, 3, stride=2, padding=2, dilation=2, groups=2), (2, 7)),
    (nn.Conv1d(2, 3, 4, padding="same", dilation=2, bias=False), (2, 9)),
    (nn.Conv1d(2, 3, 3, padding="same"), (2, 5)),
    (nn.Conv1d(2, 3, 4, padding="valid"), (2, 6)),
    (nn.Conv1d(1, 2, 4, padding="same", padding_mode="circular"), (1, 6)),
    (nn.Conv2d(2, 3, (2, 3), stride=(2, 1), padding=(1, 2), dilation=(1, 2)), (2, 4, 6)),
    (nn.Conv2d(2, 2, (3, 1), padding=(2, 0), padding_mode="circular", groups=2), (2, 4, 3)),
    (nn.Conv2d(1, 1, 3, padding=4), (1, 2, 2)),  # some outputs see nothing but padding
    (LocallyConnected1d(2, 4, 6, 3, stride=2, padding=1, groups=2), (2, 6)),
    (LocallyConnected2d(1, 2, (4, 3), (2, 3), padding=(1, 0), dilation=(2, 1), bias=False), (1, 4, 3)),
]


@pytest.mark.parametrize(("layer", "grid"), LAYERS, ids=lambda value: str(value)[:70])
def test_the_map_of_a_layer_is_what_a_probe_of_the_layer_finds(layer: nn.Module, grid: tuple[int, ...]) -> None:
    ties = TieMap.of(layer, grid)
    assert {edge: ties.labels[param] for edge, param in edges_in(ties).items()} == probed(copy.deepcopy(layer), grid)


POOLS = [
    (nn.AvgPool1d(3, 2, 1, ceil_mode=ceil, count_include_pad=counted), (2, 6))
    for ceil, counted in product((False, True), repeat=2)
] + [
    (nn.AvgPool2d((3, 2), 2, (1, 1), ceil_mode=True, count_include_pad=False), (2, 5, 4)),
    (nn.AvgPool2d(2, divisor_override=3), (1, 4, 4)),
    (nn.MaxPool1d(3, 2, 1, dilation=2, ceil_mode=True), (2, 9)),
    (nn.MaxPool2d((2, 3), 1, (1, 0)), (1, 4, 4)),
]


@pytest.mark.parametrize(("pool", "grid"), POOLS, ids=lambda value: str(value)[:90])
def test_a_pools_fixed_weights_are_what_a_probe_of_the_pool_finds(pool: nn.Module, grid: tuple[int, ...]) -> None:
    ties = edges_of(pool, grid).ties
    inputs = torch.eye(ties.shape[1], dtype=torch.float64)
    matrix = pool(inputs.view(-1, *grid)).flatten(1).T
    assert {edge: ties.constants[-1 - param] for edge, param in edges_in(ties).items()} == pytest.approx(
        {(row, col): float(matrix[row, col]) for row, col in torch.nonzero(matrix).tolist()}
    )


@given(chains(most=1, pads=False))
def test_the_grids_of_a_layer_are_the_shapes_that_torch_gives(chain: Chain) -> None:
    net, grid = chain.build(), chain.input_shape
    layer = edges_of(net[0], grid)
    assert layer.in_grid == grid
    assert layer.out_grid == tuple(net[0](chain.values()).shape[1:])

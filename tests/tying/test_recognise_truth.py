"""No false positives: whatever a certificate says is true of the map, edge by edge, and one wrong edge is named."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tied_nets import Edges, assert_true, edges_by_definition, edges_in, map_of, tie_maps
from torch import nn

from scanwise.nn import LocallyConnected1d
from scanwise.tying import ONE, Axis, EdgeLayer, Stencil, TieMap, edges_of, recognise

Grid = tuple[int, ...]


def _tiled(period: int) -> EdgeLayer:
    stencil = Stencil(1, 2, (Axis(26, 24, 3, period=period),))
    return EdgeLayer(TieMap._ordered(*stencil.edges(), stencil.shape), (1, 26), (2, 24))


LARGE = {
    "convolution": edges_of(nn.Conv2d(2, 3, (3, 2), padding=(1, 0)), (2, 7, 8)),
    "strided": edges_of(nn.Conv1d(2, 4, 3, stride=2, dilation=2, groups=2, padding=2), (2, 30)),
    "circular": edges_of(nn.Conv1d(1, 2, 3, padding=1, padding_mode="circular", bias=False), (1, 12)),
    "depthwise": edges_of(nn.Conv2d(3, 3, 3, groups=3, bias=False), (3, 8, 8)),
    "tiled": _tiled(period=3),
    "repeated block": edges_of(nn.Linear(3, 2), (8, 3)),
}
"""Layers in which every filter element has so many edges that one of them cannot speak for it."""

UNSHARED = {
    "dense": edges_of(nn.Linear(9, 8), (9,)),
    "unshared": edges_of(LocallyConnected1d(1, 2, 12, 3, padding=1), (1, 12)),
}


def seen_as(edges: Edges, layer: EdgeLayer) -> tuple[str, str | None, list[tuple[int, int]]]:
    """Return kind, nearest kind and residual of edges on the grids of a layer, after checking that they are true."""
    ties = map_of(edges, layer.ties.shape)
    certificate = recognise(ties, layer.in_grid, layer.out_grid)
    assert_true(certificate, ties)
    return certificate.kind, certificate.nearest, [(row, col) for row, col in certificate.residual.tolist()]


def kind_of(layer: EdgeLayer) -> str:
    return seen_as(edges_in(layer.ties), layer)[0]


# One edge that does not belong --------------------------------------------------------------------------------


@pytest.mark.parametrize("case", LARGE)
@given(data=st.data())
def test_one_edge_with_another_parameter_is_the_residual(case: str, data: st.DataObject) -> None:
    layer, edges = LARGE[case], edges_in(LARGE[case].ties)
    edge = data.draw(st.sampled_from(list(edges)))
    others = set(range(layer.ties.parameters + 1)) - {edges[edge]}  # any other one, or one of its own
    changed = edges | {edge: data.draw(st.sampled_from(sorted(others)))}
    assert seen_as(changed, layer) == ("generic", kind_of(layer), [edge])


@given(data=st.data())
def test_one_wrong_edge_is_found_in_whichever_piece_of_the_arrays_it_lies(data: st.DataObject) -> None:
    layer, edges = LARGE["circular"], edges_in(LARGE["circular"].ties)
    edge = data.draw(st.sampled_from(list(edges)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scanwise.tying._arrays._CHUNK", 7)
        assert seen_as(edges | {edge: layer.ties.parameters}, layer) == ("generic", "convolution", [edge])


@pytest.mark.parametrize("case", LARGE | UNSHARED)
@given(data=st.data())
def test_one_edge_that_is_missing_is_the_residual(case: str, data: st.DataObject) -> None:
    layer = (LARGE | UNSHARED)[case]
    edges = edges_in(layer.ties)
    edge = data.draw(st.sampled_from(list(edges)))
    found = seen_as({key: param for key, param in edges.items() if key != edge}, layer)
    if case in UNSHARED:  # it is still true that no weight is shared
        assert found == ("unshared", None, [])
    else:
        assert found == ("generic", kind_of(layer), [edge])


@pytest.mark.parametrize("case", sorted(set(LARGE) - {"repeated block"}))
@given(data=st.data())
def test_one_edge_too_many_is_the_residual(case: str, data: st.DataObject) -> None:
    layer, edges = LARGE[case], edges_in(LARGE[case].ties)
    everywhere = product(range(layer.ties.shape[0]), range(layer.ties.shape[1]))
    edge = data.draw(st.sampled_from([key for key in everywhere if key not in edges]))
    added = edges | {edge: data.draw(st.integers(0, layer.ties.parameters))}
    assert seen_as(added, layer) == ("generic", kind_of(layer), [edge])


@given(data=st.data())
def test_one_bias_too_many_is_the_residual(data: st.DataObject) -> None:
    layer = LARGE["depthwise"]
    row = data.draw(st.integers(0, layer.ties.shape[0] - 1))
    added = edges_in(layer.ties) | {(row, ONE): data.draw(st.integers(0, layer.ties.parameters))}
    assert seen_as(added, layer) == ("generic", "convolution", [(row, ONE)])


@given(data=st.data())
def test_two_edges_of_a_dense_layer_that_share_a_weight_are_no_dense_layer(data: st.DataObject) -> None:
    layer, edges = UNSHARED["dense"], edges_in(UNSHARED["dense"].ties)
    a, b = data.draw(st.lists(st.sampled_from(list(edges)), min_size=2, max_size=2, unique=True))
    kind, nearest, residual = seen_as(edges | {a: edges[b]}, layer)
    assert (kind, nearest) == ("generic", "dense")
    assert residual in ([a], [b])


@pytest.mark.parametrize("case", ["tiled", "repeated block"])
@given(data=st.data())
def test_two_sets_that_became_one_are_not_what_they_were(case: str, data: st.DataObject) -> None:
    layer, edges = LARGE[case], edges_in(LARGE[case].ties)
    a, b = data.draw(st.lists(st.integers(0, layer.ties.parameters - 1), min_size=2, max_size=2, unique=True))
    merged = {edge: b if param == a else param for edge, param in edges.items()}
    kind, nearest, residual = seen_as(merged, layer)
    assert kind == "generic"
    assert nearest != kind_of(layer) or {merged[edge] for edge in residual} == {b}


@pytest.mark.parametrize("case", ["convolution", "strided", "circular", "depthwise"])
@given(data=st.data())
def test_two_taps_that_became_one_are_a_convolution_that_says_so(case: str, data: st.DataObject) -> None:
    layer, edges = LARGE[case], edges_in(LARGE[case].ties)
    a, b = data.draw(st.lists(st.integers(0, layer.ties.parameters - 1), min_size=2, max_size=2, unique=True))
    ties = map_of({edge: b if param == a else param for edge, param in edges.items()}, layer.ties.shape)
    certificate = recognise(ties, layer.in_grid, layer.out_grid)
    assert_true(certificate, ties)
    assert certificate.kind == "convolution"
    assert len(certificate.index) - len(set(certificate.index.tolist())) == 1


# Any map ------------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(tie_maps(), st.data())
def test_whatever_is_said_of_any_map_is_true(ties: TieMap, data: st.DataObject) -> None:
    grids = [data.draw(st.sampled_from(grids_of(places))) for places in (ties.shape[1], ties.shape[0])]
    assert_true(recognise(ties, *grids), ties)


def grids_of(places: int) -> list[Grid]:
    pairs = [(channels, places // channels) for channels in range(1, places + 1) if places % channels == 0]
    return [(places,), *pairs, *((1, *pair) for pair in pairs)]


def all_maps(rows: int, cols: int, *, bias: bool) -> Iterator[TieMap]:
    """Yield every map there is between so many outputs and inputs, up to the numbering of parameters."""
    places = list(product(range(rows), range(ONE if bias else 0, cols)))

    def grown(number: int, used: int) -> Iterator[Edges]:
        if number == len(places):
            yield {}
            return
        for param in range(-1, used + 1):  # no edge, a parameter that is used before, or a new one
            for rest in grown(number + 1, max(used, param + 1)):
                yield rest if param < 0 else {places[number]: param} | rest

    for edges in grown(0, 0):
        yield map_of(edges, (rows, cols))


SMALL = [
    (2, 2, False, (1, 2), (1, 2), 52),
    pytest.param(2, 2, True, (1, 2), (1, 2), 877, marks=pytest.mark.slow),
    pytest.param(2, 3, False, (1, 3), (1, 2), 877, marks=pytest.mark.slow),
    pytest.param(3, 2, False, (2,), (3,), 877, marks=pytest.mark.slow),
    pytest.param(2, 4, False, (2, 2), (2, 1), 21147, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("rows", "cols", "bias", "in_grid", "out_grid", "maps"), SMALL)
def test_whatever_is_said_of_every_small_map_is_true(
    rows: int, cols: int, bias: bool, in_grid: Grid, out_grid: Grid, maps: int
) -> None:
    kinds = []
    for ties in all_maps(rows, cols, bias=bias):
        certificate = recognise(ties, in_grid, out_grid)
        assert_true(certificate, ties)
        kinds.append(certificate.kind)
    assert len(kinds) == maps
    assert kinds.count("dense") == 1 + bias


# Stencils and blocks ------------------------------------------------------------------------------------------


@st.composite
def stencils(draw: st.DrawFn) -> Stencil:
    axes = []
    for _ in range(draw(st.integers(0, 2))):
        size, kernel, stride, dilation = (draw(st.integers(1, most)) for most in (5, 3, 3, 2))
        circular = draw(st.booleans())
        if circular and (kernel - 1) * dilation >= size:
            size += (kernel - 1) * dilation
        outputs = draw(st.integers(1, 5))
        period = draw(st.integers(1, outputs))
        axes.append(Axis(size, outputs, kernel, stride, dilation, draw(st.integers(-1, 3)), circular, period))
    groups = draw(st.integers(1, 2))
    channels = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    return Stencil(*channels, tuple(axes), groups, draw(st.booleans()))


@settings(max_examples=60)
@given(stencils())
def test_the_edges_of_a_stencil_are_those_of_its_definition_in_order(stencil: Stencil) -> None:
    indptr, cols, elements = stencil.edges()
    assert len(indptr) == stencil.shape[0] + 1
    rows = [row for row in range(stencil.shape[0]) for _ in range(indptr[row], indptr[row + 1])]
    found = list(zip(zip(rows, cols.tolist(), strict=True), elements.tolist(), strict=True))
    assert found == sorted(edges_by_definition(stencil).items())
    assert elements.max(initial=-1) < stencil.elements


@settings(max_examples=40)
@given(stencils())
def test_what_is_said_of_a_stencils_map_is_true(stencil: Stencil) -> None:
    ties = TieMap._ordered(*stencil.edges(), stencil.shape)
    sizes, outputs = ([getattr(axis, name) for axis in stencil.axes] for name in ("size", "outputs"))
    assert_true(recognise(ties, (stencil.in_channels, *sizes), (stencil.out_channels, *outputs)), ties)

"""Random tie maps and chains of layers for property tests, and what they are by definition, slow and obvious."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from hypothesis import assume
from hypothesis import strategies as st
from torch import Tensor, nn

from scanwise.nn import LocallyConnected1d, LocallyConnected2d
from scanwise.tying import ONE, UNUSED, Block, Certificate, EdgeLayer, Stencil, TieMap

Edges = dict[tuple[int, int], int]
Grid = tuple[int, ...]
Recipe = tuple[str, dict[str, object]]

SMOOTH = ("Tanh", "Sigmoid", "Softplus", "GELU")
KINKED = ("ReLU", "LeakyReLU", "Hardtanh")
KINDS: dict[str, tuple[type[nn.Module], type[nn.Module]]] = {
    "conv": (nn.Conv1d, nn.Conv2d),
    "local": (LocallyConnected1d, LocallyConnected2d),
    "avg": (nn.AvgPool1d, nn.AvgPool2d),
    "max": (nn.MaxPool1d, nn.MaxPool2d),
    "zeros": (nn.ZeroPad1d, nn.ZeroPad2d),
    "ring": (nn.CircularPad1d, nn.CircularPad2d),
}


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Return float64 values that look like nothing in particular."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# Maps ---------------------------------------------------------------------------------------------------------


def edges_in(ties: TieMap) -> Edges:
    """Return the parameter of every edge ``(row, column)``."""
    return {(row, col): param for row, col, param in ties}


def map_of(edges: Edges, shape: tuple[int, int], constants: tuple[float, ...] = ()) -> TieMap:
    """Return the map of a dictionary of edges, whatever its parameters are numbered."""
    numbers = {param: number for number, param in enumerate(sorted({p for p in edges.values() if p >= 0}))}
    rows, cols = [row for row, _ in edges], [col for _, col in edges]
    return TieMap(rows, cols, [numbers.get(param, param) for param in edges.values()], shape, constants)


def shuffled(ties: TieMap, seed: int) -> TieMap:
    """Return the same map from its edges in another order, its parameters numbered otherwise."""
    random = np.random.default_rng(seed)
    order, numbers = random.permutation(ties.edges), random.permutation(ties.parameters)
    params = np.array([numbers[param] if param >= 0 else param for param in ties.params.tolist()], np.int64)
    return TieMap(ties.rows[order], ties.cols[order], params[order], ties.shape, ties.constants)


@st.composite
def tie_maps(draw: st.DrawFn, most: int = 5) -> TieMap:
    """Draw any map, in an order and a numbering of its own; some edges are biases, some do not learn."""
    outputs, inputs = draw(st.integers(1, most)), draw(st.integers(1, most))
    everywhere = list(product(range(outputs), range(ONE, inputs)))
    edges = draw(st.lists(st.sampled_from(everywhere), unique=True, max_size=outputs * (inputs + 1)))
    constants = tuple(draw(st.lists(st.sampled_from([0.5, 0.25, -2.0]), unique=True, max_size=2)))
    params = draw(st.lists(st.integers(-len(constants), 4), min_size=len(edges), max_size=len(edges)))
    return map_of(dict(zip(edges, params, strict=True)), (outputs, inputs), constants)


def dense_matrix(ties: TieMap, theta: Tensor) -> Tensor:
    """Return the weights ``(outputs, inputs + 1)``, those of the constant one last, entry by entry."""
    matrix = [[theta.new_zeros(()) for _ in range(ties.shape[1] + 1)] for _ in range(ties.shape[0])]
    for row, col, param in ties:
        matrix[row][col] = theta[param] if param >= 0 else theta.new_tensor(ties.constants[-1 - param])
    return torch.stack([torch.stack(line) for line in matrix])


def probed(layer: nn.Module, grid: Grid) -> Edges:
    """Return the edges of a linear layer by asking the layer itself, one input at a time.

    Its n-th parameter, all flattened in their order, is set to ``n + 1``, which is then what an edge multiplies by.
    """
    layer, start = layer.double(), 1
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.arange(start, start + parameter.numel()).view_as(parameter))
            start += parameter.numel()
        bias = layer(torch.zeros(1, *grid, dtype=torch.float64)).flatten()
        matrix = (layer(torch.eye(math.prod(grid), dtype=torch.float64).view(-1, *grid)).flatten(1) - bias).T
    edges = {(row, ONE): int(value) - 1 for row, value in enumerate(bias.tolist()) if value}
    return edges | {(row, col): round(float(matrix[row, col])) - 1 for row, col in torch.nonzero(matrix).tolist()}


# Certificates -------------------------------------------------------------------------------------------------


def edges_by_definition(structure: Stencil | Block) -> Edges:
    """Return the filter element of every edge of a structure, by loops over its definition."""
    return _block_edges(structure) if isinstance(structure, Block) else _stencil_edges(structure)


def _block_edges(block: Block) -> Edges:
    edges = {}
    for copy, row in product(range(block.copies), range(block.outputs)):
        for col in range(block.inputs):
            edges[copy * block.outputs + row, copy * block.inputs + col] = row * block.inputs + col
        if block.bias:
            edges[copy * block.outputs + row, ONE] = block.outputs * block.inputs + row
    return edges


def _stencil_edges(stencil: Stencil) -> Edges:
    edges: Edges = {}
    axes, positions = stencil.axes, [range(axis.outputs) for axis in stencil.axes]
    per_group, group_out = stencil.in_channels // stencil.groups, stencil.out_channels // stencil.groups
    in_grid = (stencil.in_channels, *(axis.size for axis in axes))
    out_grid = (stencil.out_channels, *map(len, positions))
    weight = (*(axis.period for axis in axes), stencil.out_channels, per_group, *(axis.kernel for axis in axes))
    biases = weight[: len(axes) + 1]
    for channel, *place in product(range(stencil.out_channels), *positions):
        row = _flat((channel, *place), out_grid)
        phase = [at % axis.period for at, axis in zip(place, axes, strict=True)]
        if stencil.bias:
            edges[row, ONE] = math.prod(weight) + _flat((*phase, channel), biases)
        for c, *taps in product(range(per_group), *(range(axis.kernel) for axis in axes)):
            source = [a.stride * o + a.dilation * t - a.before for a, o, t in zip(axes, place, taps, strict=True)]
            source = [at % a.size if a.circular else at for a, at in zip(axes, source, strict=True)]
            if all(0 <= at < a.size for a, at in zip(axes, source, strict=True)):
                col = _flat((channel // group_out * per_group + c, *source), in_grid)
                assert (row, col) not in edges, "two filter elements on one edge"
                edges[row, col] = _flat((*phase, channel, c, *taps), weight)
    return edges


def _flat(place: tuple[int, ...], shape: tuple[int, ...]) -> int:
    number = 0
    for at, size in zip(place, shape, strict=True):
        number = number * size + at
    return number


def assert_true(certificate: Certificate, ties: TieMap) -> None:
    """Assert that every word of a certificate is true of the map, edge by edge."""
    kind, structure = certificate.kind, certificate.structure
    if kind == "generic":
        assert structure is None
        return
    assert len(certificate.residual) == 0
    assert certificate.nearest is None
    if kind in ("dense", "unshared"):
        assert ties.parameters == ties.edges or ties.constants, "weights must be their own"
    if structure is None:
        assert kind == "unshared"
        return
    elements, given = edges_by_definition(structure), edges_in(ties)
    assert set(elements) == set(given), "the same edges"
    assert len(certificate.index) == structure.elements
    assert {element for element in range(structure.elements) if certificate.index[element] != UNUSED} == set(
        elements.values()
    )
    for edge, param in given.items():
        assert certificate.index[elements[edge]] == param, edge
    learning = [param for param in certificate.index.tolist() if param >= 0]
    if kind != "convolution":
        assert len(set(learning)) == len(learning), "different elements have different parameters"
    phases = () if isinstance(structure, Block) else structure.phases
    assert (kind == "repeated block") == isinstance(structure, Block)
    if kind == "dense":
        assert sum(col != ONE for _, col in given) == math.prod(ties.shape)
    if kind == "convolution":
        assert set(phases) <= {1}
    if kind == "tiled":
        assert set(phases) != {1}


# Networks -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chain:
    """A network's recipe, from input to output, and the shape of its input."""

    layers: tuple[Recipe, ...]
    input_shape: Grid
    seed: int

    def build(self) -> nn.Sequential:
        """Return the network in float64, with weights of about the size that keeps signals as they are."""
        net = nn.Sequential(*map(built, self.layers)).double()
        with torch.no_grad():
            for number, parameter in enumerate(net.parameters()):
                parameter.copy_(normal(*parameter.shape, seed=1000 * self.seed + number) * 0.5)
        return net

    def values(self, batch: int = 3, seed: int = 1) -> Tensor:
        """Return inputs, ``(batch, *input_shape)``."""
        return normal(batch, *self.input_shape, seed=seed)


def built(recipe: Recipe) -> nn.Module:
    """Return the layer of a recipe."""
    name, settings = recipe
    if name in KINDS:
        axes = int(str(settings["axes"]))
        return KINDS[name][axes - 1](**{key: value for key, value in settings.items() if key != "axes"})
    layer: nn.Module = getattr(nn, name)(**settings)
    return layer


@st.composite
def chains(draw: st.DrawFn, *, smooth: bool = False, most: int = 4, pads: bool = True, large: bool = False) -> Chain:
    """Draw a chain of layers with an edge, activations between them; `smooth` leaves out what has kinks."""
    axes = draw(st.integers(1, 2))
    sizes = {(1, False): (3, 8), (2, False): (3, 5), (1, True): (14, 20), (2, True): (8, 9)}[axes, large]
    grid = input_shape = (draw(st.integers(1, 3)), *draw(st.tuples(*[st.integers(*sizes)] * axes)))
    names = ["conv", "conv", "local", "avg", *(["zeros", "ring"] if pads else []), *([] if smooth else ["max"])]
    layers: list[Recipe] = []
    for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=most)):
        if name in ("zeros", "ring"):
            layers.append((name, draw(settings_for(name, grid))))
        if name == "ring":  # a window that meets itself around the ring would put two parameters on one edge
            layers.append(("conv", draw(settings_for("conv", grid)) | {"padding_mode": "zeros"}))
        elif name == "zeros":
            layers.append(("conv", draw(settings_for("conv", grid_after(layers, input_shape)))))
        else:
            layers.append((name, draw(settings_for(name, grid))))
        if draw(st.booleans()):
            layers.append((draw(st.sampled_from(SMOOTH if smooth else SMOOTH + KINKED)), {}))
        grid = grid_after(layers, input_shape)
        assume(math.prod(grid) <= (600 if large else 200))
    if draw(st.booleans()):
        layers.append(("Flatten", {}))
        grid = (math.prod(grid),)
    layers.append(("Linear", {"in_features": grid[-1], "out_features": draw(st.integers(1, 3))}))
    return Chain(tuple(layers), input_shape, draw(st.integers(0, 99)))


def grid_after(layers: list[Recipe], grid: Grid) -> Grid:
    """Return the shape of what comes out of some layers."""
    x = torch.zeros(1, *grid)
    for recipe in layers:
        x = built(recipe)(x)
    return tuple(x.shape[1:])


@st.composite
def settings_for(draw: st.DrawFn, name: str, grid: Grid) -> dict[str, object]:
    """Draw the arguments of a layer that fits a grid ``(channels, *space)``, every option of torch's among them."""
    channels, *space = grid
    axes = len(space)
    if name in ("zeros", "ring"):
        sides = [draw(st.integers(0, min(2, size))) for size in reversed(space) for _ in range(2)]
        return {"axes": axes, "padding": tuple(sides)}
    kernel = [draw(st.integers(1, min(3, size))) for size in space]
    stride = tuple(draw(st.integers(1, 2)) for _ in space)
    if name in ("avg", "max"):
        padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
        options: dict[str, object] = {"kernel_size": tuple(kernel), "stride": stride, "padding": padding}
        options["ceil_mode"] = draw(st.booleans())
        if name == "avg":
            options["count_include_pad"] = draw(st.booleans())
            if axes == 2 and draw(st.booleans()):
                options["divisor_override"] = draw(st.integers(1, 4))
        else:
            options["dilation"] = tuple(
                draw(dilations(k, n + 2 * p)) for k, n, p in zip(kernel, space, padding, strict=True)
            )
        return {"axes": axes, **options}
    padding = tuple(draw(st.integers(0, 2)) for _ in space)
    dilation = tuple(draw(dilations(k, size)) for k, size in zip(kernel, space, strict=True))
    groups = draw(st.sampled_from([g for g in (1, 2, 3) if channels % g == 0]))
    options = {"in_channels": channels, "out_channels": groups * draw(st.integers(1, 2)), "kernel_size": tuple(kernel)}
    options |= {
        "stride": stride,
        "dilation": dilation,
        "groups": groups,
        "bias": draw(st.booleans()),
        "padding": padding,
    }
    if name == "local":
        options["input_size"] = tuple(space)
    elif draw(st.booleans()):
        options["padding_mode"] = "circular"
        options["padding"] = tuple(min(p, size) for p, size in zip(padding, space, strict=True))
    return {"axes": axes, **options}


def dilations(kernel: int, size: int) -> st.SearchStrategy[int]:
    """Draw a dilation with which a kernel still fits."""
    return st.integers(1, 2 if 2 * (kernel - 1) < size else 1)


def receptive(layers: list[EdgeLayer]) -> np.ndarray:
    """Return which inputs each output can depend on through edges, ``(outputs, inputs)``."""
    reach = np.eye(layers[0].ties.shape[1], dtype=bool)
    for layer in layers:
        joined = np.zeros(layer.ties.shape, bool)
        kept = layer.ties.cols != ONE
        joined[layer.ties.rows[kept], layer.ties.cols[kept]] = True
        reach = joined.astype(int) @ reach.astype(int) > 0
    return reach

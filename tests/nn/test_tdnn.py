"""Time-delay networks: the frames they plan, the MLP they equal, and their scans."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from scanwise.errors import ArgumentError
from scanwise.features import LogMel
from scanwise.nn import TimeDelay, WindowNet, cumulative_contexts, describe, from_description, tdnn
from scanwise.nn._contexts import plan_frames
from scanwise.program import receptive_field
from scanwise.run import Scanner

PEDDINTI = ((-2, -1, 0, 1, 2), (-1, 2), (-3, 3), (-7, 2), (0,))

offsets = st.sets(st.integers(-4, 4), min_size=1, max_size=4).map(lambda found: tuple(sorted(found)))
some_contexts = st.lists(offsets, min_size=1, max_size=4).map(tuple)


def span(contexts: tuple[tuple[int, ...], ...]) -> int:
    return 1 + sum(layer[-1] - layer[0] for layer in contexts)


def made(contexts: Any, frames: int, **arguments: Any) -> WindowNet:
    """A small network in float64 whose norms have statistics of their own."""
    torch.manual_seed(0)
    net = tdnn((2, frames), 3, contexts, **({"channels": 3, "hidden": (4,), "activation": "tanh"} | arguments))
    for name, buffer in net.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 1.5)
    return net.double().eval()


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def computed(net: WindowNet) -> list[int]:
    """Frames that each layer computes of one window, counted where they are computed."""
    counts: list[int] = []
    hooks = [
        layer.register_forward_hook(lambda _m, _i, out: counts.append(out.shape[-1]))
        for layer in net.embedding
        if isinstance(layer, TimeDelay)
    ]
    net(noise(1, *net.window_shape).to(next(net.parameters()).dtype))
    for hook in hooks:
        hook.remove()
    return counts


def needed(contexts: tuple[tuple[int, ...], ...], frames: int) -> list[set[int]]:
    """Frames of each layer, the window first, that the last layer's whole contexts lead back to, one by one."""
    left = -sum(layer[0] for layer in contexts)
    sets = [set(range(left, left + frames - span(contexts) + 1))]
    for layer in reversed(contexts):
        sets.insert(0, {frame + offset for frame in sets[0] for offset in layer})
    return sets


# Planning ---------------------------------------------------------------------------------------------------------


@given(some_contexts, st.integers(0, 5))
def test_planned_frames_hold_those_needed_on_the_smallest_regular_grid(
    contexts: tuple[tuple[int, ...], ...], beyond: int
) -> None:
    frames = span(contexts) + beyond
    window, *plan = plan_frames(contexts, frames)
    assert window == range(frames)
    sets = needed(contexts, frames)
    assert sets[0] <= set(window)
    assert (min(sets[0]), max(sets[0])) == (0, frames - 1)
    for grid, found in zip(plan, sets[1:], strict=True):
        assert (grid[0], grid[-1]) == (min(found), max(found))
        assert math.gcd(*(b - a for a, b in pairwise(sorted(found)))) in (0, grid.step if len(grid) > 1 else 0)
        distances = {b - a for a, b in pairwise(sorted(found))}
        assert set(grid) == found if len(distances) <= 1 else set(grid) > found


@given(some_contexts, st.integers(0, 5))
def test_layers_compute_the_planned_frames(contexts: tuple[tuple[int, ...], ...], beyond: int) -> None:
    frames = span(contexts) + beyond
    assert computed(made(contexts, frames)) == [len(grid) for grid in plan_frames(contexts, frames)[1:]]


def test_peddintis_network_computes_16_frames_where_a_dense_one_computes_47() -> None:
    net = made(PEDDINTI, 23)
    assert computed(net) == [7, 6, 2, 1, 1]
    assert [23 - left - right for left, right in cumulative_contexts(PEDDINTI)] == [19, 16, 10, 1, 1]
    dilated = made(((-2, -1, 0, 1, 2), (-1, 2), (-3, 3), (-7, 2)), 24)
    assert computed(dilated) == [20, 17, 11, 2]  # two frames of the last layer side by side need all below


def test_multiply_accumulates_are_those_of_the_frames_computed() -> None:
    net = tdnn((40, 23), 2, PEDDINTI, channels=64, hidden=()).eval()
    rows = [row for row in receptive_field(net, (40, 23)) if row.op == "TimeDelay"]
    assert [row.macs for row in rows] == [7 * 40 * 5 * 64, 6 * 64 * 2 * 64, 2 * 64 * 2 * 64, 64 * 2 * 64, 64 * 64]


@pytest.mark.parametrize("frames", range(1, 301))
def test_default_contexts_see_exactly_the_window(frames: int) -> None:
    contexts = tdnn((1, frames), 1, channels=1, hidden=()).arguments["contexts"]
    assert span(contexts) == frames
    (left, right) = cumulative_contexts(contexts)[-1]
    assert right - left in (0, 1)
    assert needed(contexts, frames)[0] == set(range(frames))
    assert len(contexts) <= 1 + math.ceil(math.log2(frames))


def test_default_contexts_double_and_end_with_what_is_left() -> None:
    def contexts(frames: int) -> list[list[int]]:
        return tdnn((1, frames), 1).arguments["contexts"]

    assert contexts(1) == [[0]]
    assert contexts(4) == [[-1, 0, 1, 2]]
    assert contexts(5) == [[-2, -1, 0, 1, 2]]
    assert contexts(6) == [[-2, -1, 0, 1, 2], [0, 1]]
    assert contexts(33) == [[-2, -1, 0, 1, 2], [-2, 0, 2], [-4, 0, 4], [-8, 0, 8]]
    assert contexts(100)[3:] == [[-8, 0, 8], [-16, 0, 16], [-17, 0, 18]]


@given(some_contexts)
def test_cumulative_contexts_are_what_units_see(contexts: tuple[tuple[int, ...], ...]) -> None:
    seen = {0}
    for depth in range(1, len(contexts) + 1):
        seen = {0}
        for layer in contexts[:depth]:
            seen = {frame + offset for frame in seen for offset in layer}
        left, right = cumulative_contexts(contexts)[depth - 1]
        assert (-left, right) == (min(seen), max(seen))


# The layer --------------------------------------------------------------------------------------------------------


@given(offsets, st.integers(1, 3), st.integers(0, 6), st.booleans())
def test_the_layer_is_a_dilated_convolution_whose_other_weights_are_zero(
    taps: tuple[int, ...], stride: int, beyond: int, bias: bool
) -> None:
    torch.manual_seed(0)
    layer = TimeDelay(2, 3, taps, stride, bias=bias).double()
    dense = torch.zeros(3, 2, taps[-1] - taps[0] + 1, dtype=torch.float64)
    dense[:, :, [tap - taps[0] for tap in taps]] = layer.weight.detach()
    x = noise(4, 2, dense.shape[-1] + beyond)
    torch.testing.assert_close(layer(x), torch.conv1d(x, dense, layer.bias, stride))


def test_weights_have_one_shape_and_one_start_at_equal_and_unequal_distances() -> None:
    layers = []
    for taps in ((0, 2, 4), (0, 1, 4)):
        torch.manual_seed(3)
        layers.append(TimeDelay(5, 4, taps))
    torch.manual_seed(3)
    convolution = torch.nn.Conv1d(5, 4, 3)
    for layer in layers:
        assert torch.equal(layer.weight, convolution.weight)
        assert torch.equal(layer.bias, convolution.bias)


def test_the_layer_prints_its_settings() -> None:
    assert repr(TimeDelay(2, 3, (-1, 2), 2)) == "TimeDelay(2, 3, offsets=(0, 3), stride=2, bias=True)"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"inputs": 0}, "inputs must be a whole number of at least 1; got 0"),
        ({"outputs": 0}, "outputs must be a whole number of at least 1; got 0"),
        ({"offsets": ()}, r"offsets must be a sequence of frame offsets; got \(\). Write \(-1, 0, 1\)"),
        ({"offsets": (0, 0)}, r"offsets must be strictly increasing; got \[0, 0\]. Sort it"),
        ({"stride": 0}, "stride must be a whole number of at least 1; got 0"),
        ({"bias": 1}, "bias must be true or false; got 1"),
    ],
)
def test_a_wrong_setting_of_the_layer_is_named(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        TimeDelay(**({"inputs": 2, "outputs": 3, "offsets": (0, 1)} | arguments))


# Laws -------------------------------------------------------------------------------------------------------------


class Expanded(torch.nn.Module):
    """The MLP on the flattened window that a network of one frame is: a matrix for each layer, mostly zeros."""

    def __init__(self, net: WindowNet) -> None:
        super().__init__()
        self.activation, self.tail = torch.tanh, torch.nn.Sequential(*list(net.embedding)[-2:], net.head)
        contexts = net.arguments["contexts"]
        delays = [layer for layer in net.embedding if isinstance(layer, TimeDelay)]
        sets = [sorted(found) for found in needed(contexts, net.window_shape[1])]
        sets[0] = list(range(net.window_shape[1]))
        self.layers = torch.nn.ModuleList()
        for layer, taps, below, above in zip(delays, contexts, sets[:-1], sets[1:], strict=True):
            width, incoming, _ = layer.weight.shape
            matrix = torch.zeros(width, len(above), incoming, len(below), dtype=torch.float64)
            for i, frame in enumerate(above):
                for k, offset in enumerate(taps):
                    matrix[:, i, :, below.index(frame + offset)] = layer.weight[:, :, k].detach()
            linear = torch.nn.Linear(incoming * len(below), width * len(above)).double()
            with torch.no_grad():
                linear.weight.copy_(matrix.flatten(2).flatten(0, 1))
                linear.bias.copy_(layer.bias.repeat_interleave(len(above)))
            self.layers.append(linear)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        for layer in self.layers:
            x = self.activation(layer(x))
        return self.tail(x)


@given(some_contexts, st.integers(1, 9))
def test_a_network_of_one_frame_is_an_mlp_run_on_every_window(contexts: tuple[tuple[int, ...], ...], hop: int) -> None:
    net = made(contexts, span(contexts), norm=False)
    mlp, x = Expanded(net), noise(2, span(contexts) + 2 * hop + 3)
    scores = Scanner(net, net.window_shape, hop, strict=True).scan(x)
    for i, place in enumerate(range(0, x.shape[-1] - span(contexts) + 1, hop)):
        torch.testing.assert_close(scores[:, i], mlp(x[None, :, place : place + span(contexts)])[0].detach())
    assert scores.shape == (3, i + 1)


@given(
    some_contexts,
    st.integers(0, 4),
    st.sampled_from(["mean", "max", "stats"]),
    st.sampled_from([1, 2, 3, 5, 30]),
    st.integers(-1, 12),
)
def test_it_scans_exactly_and_is_shared_throughout(
    contexts: tuple[tuple[int, ...], ...], beyond: int, pooling: str, hop: int, length: int
) -> None:
    pooling = "mean" if pooling == "stats" and not beyond else pooling
    net = made(contexts, span(contexts) + beyond, pooling=pooling)
    scanner = Scanner(net, net.window_shape, hop)
    assert scanner.program.ends == ()
    x = noise(2, net.window_shape[1] + length)
    torch.testing.assert_close(scanner.scan(x), scanner.scan_windows(x), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("hop", [1, 5, 7, 15, 120])
@pytest.mark.parametrize("contexts", [PEDDINTI, ((-2, 0, 1), (-3, 1, 2)), None])
def test_it_scans_exactly_behind_log_mel(contexts: Any, hop: int) -> None:
    front = LogMel(1, 1000, n_fft=16, step=5, bands=2)
    module = torch.nn.Sequential(front, made(contexts, 24)).double().eval()
    scanner = Scanner(module, (1, front.samples(24)), hop)
    assert scanner.program.ends == ()
    x = noise(1, front.samples(24) + 47)
    torch.testing.assert_close(scanner.scan(x), scanner.scan_windows(x), rtol=1e-10, atol=1e-10)


def test_a_scan_at_every_frame_computes_each_layer_once() -> None:
    net = tdnn((40, 23), 2, PEDDINTI, channels=64, hidden=()).eval()
    once = 64 * (40 * 5 + 64 * 2 + 64 * 2 + 64 * 2 + 64) + 64 * 2
    assert Scanner(net, (40, 23)).plan.macs_per_window == once


@given(some_contexts)
def test_receptive_fields_are_the_sums_of_contexts(contexts: tuple[tuple[int, ...], ...]) -> None:
    net = made(contexts, span(contexts) + 1)
    rows = [row for row in receptive_field(net, net.window_shape) if row.op == "TimeDelay"]
    sizes = [row.fields[0].size for row in rows if row.fields is not None]
    assert sizes == [left + right + 1 for left, right in cumulative_contexts(contexts)]
    assert [row.path for row in rows] == [f"embedding.delay{i}" for i in range(1, len(contexts) + 1)]


@pytest.mark.parametrize("pooling", ["mean", "max", "stats"])
def test_gradients_reach_every_weight_and_every_frame(pooling: str) -> None:
    net = made(((-2, 0, 1), (-3, 3)), 12, pooling=pooling).train()
    x = noise(5, 2, 12).requires_grad_()
    net(x).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in net.parameters())
    assert x.grad is not None
    assert x.grad.any(dim=0).any(dim=0).all()


def test_deviations_of_equal_frames_have_finite_gradients() -> None:
    net = made(((0,),), 4, pooling="stats")
    net(torch.ones(1, 2, 4, dtype=torch.float64)).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in net.parameters())


# Arguments --------------------------------------------------------------------------------------------------------


def test_what_was_chosen_stands_in_the_arguments() -> None:
    net = tdnn((40, 33), 2)
    assert net.arguments == {
        "window_shape": [40, 33], "outputs": 2,
        "contexts": [[-2, -1, 0, 1, 2], [-2, 0, 2], [-4, 0, 4], [-8, 0, 8]], "channels": [64, 64, 64, 64],
        "pooling": "mean", "norm": True, "hidden": [128], "activation": "relu", "dropout": 0.0,
    }  # fmt: skip
    twin = from_description(json.loads(json.dumps(describe(net))))
    assert [p.shape for p in twin.parameters()] == [p.shape for p in net.parameters()]


def test_one_width_serves_all_layers() -> None:
    assert tdnn((1, 9), 2, channels=5).arguments["channels"] == [5, 5]
    assert tdnn((1, 9), 2, channels=(5, 6)).arguments["channels"] == [5, 6]


def test_dropout_acts_in_training_only() -> None:
    net = tdnn((1, 9), 2, dropout=0.9, norm=False)
    x = torch.ones(4, 1, 9)
    assert not torch.equal(net.train().embedding(x), net.embedding(x))
    assert torch.equal(net.eval().embedding(x), net.embedding(x))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"window_shape": (1, 9, 9)}, r"window_shape must be \(channels, frames\); got \[1, 9, 9\]. Use convnet"),
        ({"window_shape": 28}, r"window_shape must be a sequence of whole numbers; got 28"),
        ({"outputs": 0}, "outputs must be a whole number of at least 1; got 0"),
        ({"contexts": 3}, r"contexts must be a sequence with the frame offsets of each layer; got 3. Write \(\(-2"),
        ({"contexts": ()}, r"contexts must be a sequence with the frame offsets of each layer; got \(\)"),
        ({"contexts": (-1, 0)}, r"contexts\[0\] must be a sequence of frame offsets; got -1"),
        ({"contexts": ((0,), "ab")}, r"contexts\[1\] must be a sequence of frame offsets; got 'ab'"),
        ({"contexts": ((0, 1.5),)}, r"contexts\[0\]\[1\] must be a whole number; got 1\.5"),
        ({"contexts": ((1, 0),)}, r"contexts\[0\] must be strictly increasing; got \[1, 0\]"),
        (
            {"contexts": ((-9, 1), (-4, 6))},
            "contexts must span at most the window's 20 frames; got 21, from 13 before to 7 after. Use a larger",
        ),
        ({"contexts": ((0, 10**15),)}, "contexts must span at most the window's 20 frames; got 1000000000000001"),
        ({"channels": 0}, "channels must be a whole number of at least 1; got 0"),
        ({"channels": (4,)}, r"channels must have one entry for each of 3 layers; got \[4\]"),
        ({"channels": "64"}, "channels must be a sequence of whole numbers; got '64'"),
        ({"pooling": "sum"}, "pooling must be one of mean, max, stats; got 'sum'"),
        ({"pooling": "stats"}, "pooling must be mean or max where the contexts see the whole window; got 'stats'"),
        ({"norm": 1}, "norm must be true or false; got 1"),
        ({"hidden": 128}, "hidden must be a sequence of whole numbers; got 128"),
        ({"activation": "swish"}, "activation must be one of relu, .*; got 'swish'"),
        ({"dropout": 1}, "dropout must be at least 0 and below 1; got 1"),
        ({"channels": 10**9}, "the network must have at most 268,435,456 parameters; got"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        tdnn(**({"window_shape": (1, 20), "outputs": 2} | arguments))


def test_parameters_are_counted_before_they_are_allocated(monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in ({}, {"norm": False}, {"contexts": ((0, 1), (-3, 0, 1)), "channels": (3, 5), "pooling": "stats"}):
        numel = sum(parameter.numel() for parameter in tdnn((2, 12), 3, **arguments).parameters())
        monkeypatch.setattr("scanwise.nn._checks.MAX_PARAMETERS", 0)
        with pytest.raises(ArgumentError, match=f"parameters; got {numel:,}. Use"):
            tdnn((2, 12), 3, **arguments)
        monkeypatch.undo()


def test_an_endless_window_costs_nothing_to_plan() -> None:
    assert sum(p.numel() for p in tdnn((1, 10**30), 1, channels=1, hidden=()).parameters()) < 1000

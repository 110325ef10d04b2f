"""What a convnet chooses from the window, and what it refuses."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scanwise.errors import ArgumentError
from scanwise.geometry import Field
from scanwise.nn import WindowNet, convnet

windows = st.one_of(
    st.tuples(st.integers(1, 3), st.integers(1, 300)),
    st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(1, 40)),
)


@given(windows)
def test_the_defaults_fit_any_window(window: tuple[int, ...]) -> None:
    net = convnet(window, outputs=2, hidden=(3,)).eval()
    assert net(torch.zeros(2, *window)).shape == (2, 2)


@given(windows)
def test_the_defaults_reduce_every_axis_to_a_few_positions(window: tuple[int, ...]) -> None:
    net = convnet(window, outputs=2, hidden=())
    channels = net.arguments["channels"][-1]
    assert net.head.in_features // channels <= 5 ** (len(window) - 1)


@given(windows)
def test_what_was_chosen_stands_in_the_arguments(window: tuple[int, ...]) -> None:
    net = convnet(window, outputs=2, hidden=(3,))
    again = convnet(**net.arguments)
    assert again.arguments == net.arguments
    assert [p.shape for p in again.parameters()] == [p.shape for p in net.parameters()]


def test_depth_follows_the_first_argument_given_per_layer() -> None:
    assert convnet((1, 30), 2, kernels=[5, 3, 3]).arguments["channels"] == [16, 32, 64]
    assert convnet((1, 30), 2, channels=[4, 4]).arguments["kernels"] == [[5], [3]]
    assert convnet((1, 30), 2, strides=[3]).arguments["pools"] == [[1]]


def test_depth_ends_where_nothing_reduces_the_window() -> None:
    assert len(convnet((1, 30), 2, kernels=1, pool=None).arguments["channels"]) == 12


def test_one_number_serves_all_layers_and_axes() -> None:
    arguments = convnet((1, 30, 20), 2, channels=[4, 4], kernels=3, dilations=[1, [2, 1]]).arguments
    assert arguments["kernels"] == [[3, 3], [3, 3]]
    assert arguments["dilations"] == [[1, 1], [2, 1]]


def test_nothing_is_padded_inside_the_window() -> None:
    net = convnet((1, 40), 2, channels=[3, 3, 3])
    fields = [Field.identity()]
    for layer in net.embedding:
        if isinstance(layer, torch.nn.Conv1d):
            fields.append(fields[-1].then(Field.layer(layer.kernel_size[0])))
        elif isinstance(layer, torch.nn.MaxPool1d):
            fields.append(fields[-1].then(Field.layer(layer.kernel_size[0], layer.stride[0])))
        assert getattr(layer, "padding", 0) in (0, (0,))
    assert len(fields) == 7
    assert all(field.start == 0 for field in fields)


def test_without_hidden_layers_what_the_head_sees_is_dropped() -> None:
    net = convnet((1, 12), 2, hidden=(), dropout=0.9)
    x = torch.randn(4, 1, 12)
    assert (net.train().embedding(x) == 0).float().mean() > (net.eval().embedding(x) == 0).float().mean() + 0.2
    assert torch.equal(net.eval()(x), convnet_of(net)(x))


def convnet_of(net: WindowNet) -> WindowNet:
    """The same without dropout."""
    bare = convnet((1, 12), 2, hidden=())
    bare.load_state_dict(net.state_dict())
    return bare.eval()


def test_dropout_acts_in_training_only() -> None:
    net = convnet((1, 12), 2, dropout=0.9)
    x = torch.ones(4, 1, 12)
    assert not torch.equal(net.train().embedding(x), net.embedding(x))
    assert torch.equal(net.eval().embedding(x), net.embedding(x))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"window_shape": (1,)}, r"window_shape must be \(channels, length\) or .*; got \[1\]"),
        ({"window_shape": 28}, r"window_shape must be a sequence of whole numbers; got 28\. Write \[28\]"),
        ({"window_shape": (1, 0)}, r"window_shape\[1\] must be a whole number of at least 1; got 0"),
        ({"outputs": True}, "outputs must be a whole number of at least 1; got True"),
        ({"channels": ()}, "channels must name at least one layer; got none. Use mlp"),
        ({"channels": [4, 2.0]}, r"channels\[1\] must be a whole number of at least 1; got 2\.0"),
        (
            {"channels": [4, 4], "kernels": [3]},
            r"kernels must have one entry for each of 2 layers; got \[3\]. Add or",
        ),
        ({"kernels": "3"}, "kernels must have one entry for each of"),
        ({"kernels": [[3, 3]]}, r"kernels\[0\] must have one number for each of 1 axes; got \[3, 3\]"),
        ({"strides": 0}, "strides must be a whole number of at least 1; got 0"),
        ({"pool": "min"}, "pool must be one of max, avg; got 'min'"),
        ({"norm": 1}, "norm must be true or false; got 1"),
        ({"hidden": 128}, r"hidden must be a sequence of whole numbers; got 128\. Write \[128\]"),
        ({"activation": "swish"}, "activation must be one of relu, .*; got 'swish'"),
        ({"dropout": 1}, "dropout must be at least 0 and below 1; got 1"),
        (
            {"kernels": [40]},
            "window_shape must leave a position for every layer; got 20 for layer 1, whose kernel",
        ),
        ({"kernels": [3, 3], "pools": [9, 2]}, "got 2 for layer 2, whose kernel spans 3 with a pool of 2"),
        (
            {"hidden": [10**12]},
            "the network must have at most 268,435,456 parameters; got 99,000,000,001,714. Use fewer",
        ),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        convnet(**({"window_shape": (1, 20), "outputs": 2} | arguments))


def test_parameters_are_counted_before_they_are_allocated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scanwise.nn._checks.MAX_PARAMETERS", 0)
    for arguments in ({}, {"norm": False}, {"channels": [3, 5], "kernels": [[2, 3], 2], "hidden": [7, 4]}):
        with pytest.raises(ArgumentError, match="parameters") as refused:
            convnet((2, 12, 12), 3, **arguments)
        monkeypatch.undo()
        numel = sum(math.prod(p.shape) for p in convnet((2, 12, 12), 3, **arguments).parameters())
        assert f"got {numel:,}" in str(refused.value)
        monkeypatch.setattr("scanwise.nn._checks.MAX_PARAMETERS", 0)

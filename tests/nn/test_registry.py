"""The closed registry."""

from __future__ import annotations

from typing import Any

import pytest

from scanwise import nn
from scanwise.errors import ArgumentError


def test_every_family_can_be_built_by_name() -> None:
    assert nn.families() == ("convnet", "mlp", "tdnn")
    for name in nn.families():
        net = nn.build(name, window_shape=(1, 9), outputs=2)
        assert (net.architecture, net.window_shape, net.outputs) == (name, (1, 9), 2)


def test_an_unknown_family_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ArgumentError, match="model must be one of convnet, mlp, tdnn; got 'resnet'"):
        nn.build("resnet", window_shape=(1, 9), outputs=2)


def test_an_unknown_argument_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ArgumentError, match=r"mlp takes no 'kernels'. It takes window_shape, outputs, hidden, "):
        nn.build("mlp", window_shape=(1, 9), outputs=2, kernels=3)


def test_a_missing_argument_is_named() -> None:
    with pytest.raises(ArgumentError, match=r"mlp must be given outputs; got none. Add outputs="):
        nn.build("mlp", window_shape=(1, 9))


@pytest.mark.parametrize(
    ("description", "text"),
    [
        (
            {"architecture": "mlp"},
            r"description must have exactly the keys architecture, arguments; got \['arch",
        ),
        (["mlp", {}], "description must have exactly the keys architecture, arguments; got list"),
        (
            {"architecture": "mlp", "arguments": {}, "code": "x"},
            r"exactly the keys architecture, arguments; got \['architecture', 'arguments', 'code'\]",
        ),
        (
            {"architecture": "mlp", "arguments": [1]},
            r"arguments must be a mapping of names to values; got \[1\]",
        ),
        ({"architecture": ["mlp"], "arguments": {}}, r"model must be one of convnet, mlp, tdnn; got \['mlp'\]"),
        (
            {"architecture": "mlp", "arguments": {"window_shape": [1, 4], "outputs": "2"}},
            "outputs must be a whole",
        ),
    ],
)
def test_a_damaged_description_is_refused(description: Any, text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        nn.from_description(description)


def test_every_activation_can_be_named() -> None:
    for name in nn.activations():
        assert nn.mlp((1, 3), 2, activation=name).arguments["activation"] == name

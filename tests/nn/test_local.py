"""Layers whose weights are not shared: what they compute, how they begin, and how they are kept."""

from __future__ import annotations

import copy
import math
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

import scanwise as sw
from scanwise.errors import ArgumentError, SharingEnds
from scanwise.nn import LocallyConnected1d, LocallyConnected2d

Local = LocallyConnected1d | LocallyConnected2d

SETTINGS: list[dict[str, Any]] = [
    {"kernel_size": 3},
    {"kernel_size": 3, "padding": 1, "bias": False},
    {"kernel_size": 2, "stride": 2, "dilation": 3, "padding": 2, "groups": 2},
    {"kernel_size": 3, "padding": "same", "dilation": 2},
    {"kernel_size": 2, "padding": "valid"},
]


def image_layer(**changes: Any) -> LocallyConnected2d:
    torch.manual_seed(0)
    settings = {"input_size": (5, 6), "kernel_size": (3, 2), "stride": (1, 2), "padding": 1} | changes
    return LocallyConnected2d(2, 4, **settings)


def test_the_arguments_are_kept_one_number_per_axis() -> None:
    layer = LocallyConnected2d(4, 6, (9, 8), (3, 2), stride=(2, 1), padding=(1, 0), dilation=2, groups=2)
    assert (layer.in_channels, layer.out_channels, layer.groups) == (4, 6, 2)
    assert layer.input_size == (9, 8)
    assert layer.kernel_size == (3, 2)
    assert (layer.stride, layer.padding, layer.dilation) == ((2, 1), (1, 0), (2, 2))
    assert layer.output_size == (4, 6)
    assert layer.weight.shape == (4, 6, 6, 2, 3, 2)
    assert layer.bias.shape == (4, 6, 6)
    assert layer.weight.is_contiguous()
    assert layer(torch.zeros(2, 4, 9, 8)).shape == (2, 6, 4, 6)
    assert LocallyConnected1d(1, 2, 7, 3, bias=False).bias is None
    assert "input_size=(9, 8), kernel_size=(3, 2), stride=(2, 1), padding=(1, 0)" in repr(layer)


@pytest.mark.parametrize("batch", [2, 12])
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("axes", [1, 2])
def test_a_convolution_expanded_computes_the_same_and_its_weights_gradients_sum_to_the_convolutions(
    axes: int, settings: dict[str, Any], batch: int
) -> None:
    torch.manual_seed(0)
    conv = (nn.Conv1d, nn.Conv2d)[axes - 1](2, 4, **settings).double()
    size = (8, 7)[:axes]
    layer = (LocallyConnected1d, LocallyConnected2d)[axes - 1].from_conv(conv, size)
    x = torch.randn(batch, 2, *size, dtype=torch.float64)
    expected, found = conv(x), layer(x)
    torch.testing.assert_close(found, expected)
    against = torch.randn_like(expected)
    expected.backward(against)
    found.backward(against)
    for name, parameter in conv.named_parameters():
        gradient = layer.get_parameter(name).grad
        assert gradient is not None
        torch.testing.assert_close(gradient.sum(tuple(range(axes))), parameter.grad)


def test_an_expanded_convolution_keeps_type_and_device_and_shares_no_memory_and_draws_nothing() -> None:
    conv = nn.Conv1d(2, 3, 3, padding=1, dtype=torch.bfloat16)
    before = torch.get_rng_state()
    layer = LocallyConnected1d.from_conv(conv, 5)
    assert torch.equal(torch.get_rng_state(), before)
    assert layer.weight.dtype == layer.bias.dtype == torch.bfloat16
    assert layer.weight.device == conv.weight.device
    assert torch.equal(layer.weight[1:-1], conv.weight.expand(3, -1, -1, -1))
    assert not layer.weight[0, :, :, 0].any()
    weight, bias = conv.weight.detach().clone(), conv.bias.detach().clone()
    with torch.no_grad():
        layer.weight[2] += 1
        layer.bias[2] += 1
    for unchanged in (conv.weight, layer.weight[1]):
        assert torch.equal(unchanged, weight)
    for unchanged in (conv.bias, layer.bias[1]):
        assert torch.equal(unchanged, bias)


@pytest.mark.parametrize(
    ("conv", "message"),
    [
        (nn.Conv2d(1, 1, 3), "conv must be a Conv1d; got Conv2d."),
        (nn.Linear(3, 3), "conv must be a Conv1d; got Linear."),
        (
            nn.Conv1d(1, 1, 3, padding=1, padding_mode="circular"),
            "conv must pad with zeros; got padding_mode='circular'",
        ),
        (
            nn.Conv1d(1, 1, 4, padding="same"),
            "conv must pad equally on both sides; got padding='same' with kernel_size",
        ),
        (nn.Conv1d(1, 1, 9), "kernel_size must fit into the padded input; got a kernel that spans (9,) on (8,)"),
    ],
)
def test_what_cannot_be_expanded_is_refused(conv: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(message)):
        LocallyConnected1d.from_conv(conv, 8)


# How weights begin --------------------------------------------------------------------------------------------------


def test_weights_begin_within_one_over_the_root_of_the_edges_that_padding_leaves() -> None:
    torch.manual_seed(0)
    layer = LocallyConnected2d(8, 400, (3, 4), 3, padding=1)
    rows, columns = [2, 3, 2], [2, 3, 3, 2]
    for i, in_rows in enumerate(rows):
        for j, in_columns in enumerate(columns):
            bound = 1 / math.sqrt(8 * in_rows * in_columns)
            for drawn in (layer.weight[i, j], layer.bias[i, j]):
                assert 0.97 * bound < drawn.abs().max() <= bound * (1 + 1e-6)
            assert (layer.weight[i, j] != 0).sum() == 400 * 8 * in_rows * in_columns


def test_weights_on_padding_begin_as_zero_and_stay_so() -> None:
    layer = LocallyConnected1d(2, 3, 5, 3, padding=2, stride=2, dilation=2)
    on_padding = torch.tensor([[True, False, False], [False, False, False], [False, False, True]])
    assert not layer.weight.movedim(-1, 1)[on_padding].any()
    assert layer.weight.movedim(-1, 1)[~on_padding].all()
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1)
    layer(torch.randn(4, 2, 5)).square().sum().backward()
    optimizer.step()
    assert not layer.weight.movedim(-1, 1)[on_padding].any()


def test_an_output_that_sees_padding_alone_is_its_bias() -> None:
    layer = LocallyConnected1d(1, 2, 1, 1, padding=1)
    assert not layer.weight[0].any()
    assert layer.bias[0].abs().max() <= 1
    torch.testing.assert_close(layer(torch.ones(3, 1, 1))[:, :, 0], layer.bias[0].expand(3, -1))


def test_groups_count_only_their_own_channels_as_edges() -> None:
    torch.manual_seed(0)
    layer = LocallyConnected1d(8, 800, 4, 2, groups=4)
    assert 0.97 / 2 < layer.weight.abs().max() <= 1 / 2


# How layers are kept ------------------------------------------------------------------------------------------------


def answers(layer: Local, x: Tensor) -> tuple[Tensor, ...]:
    """Return the layer's output and the gradients of its parameters."""
    y = layer(x)
    return (y.detach(), *torch.autograd.grad(y.square().sum(), list(layer.parameters())))


@pytest.mark.parametrize("assign", [False, True])
def test_a_state_dict_restores_the_layer(assign: bool) -> None:
    layer, x = image_layer(), torch.randn(3, 2, 5, 6)
    twin = image_layer()
    twin.reset_parameters()
    assert not torch.equal(twin.weight, layer.weight)
    twin.load_state_dict(copy.deepcopy(layer.state_dict()), assign=assign)
    assert list(layer.state_dict()) == ["weight", "bias"]
    assert all(map(torch.equal, answers(twin, x), answers(layer, x)))


def test_safetensors_restore_the_layer(tmp_path: Path) -> None:
    layer, twin, x = image_layer(), image_layer(bias=True), torch.randn(3, 2, 5, 6)
    twin.reset_parameters()
    safetensors.torch.save_model(layer, str(tmp_path / "layer.safetensors"))
    safetensors.torch.load_model(twin, str(tmp_path / "layer.safetensors"))
    assert torch.equal(twin(x), layer(x))


def test_a_deep_copy_is_independent() -> None:
    layer, x = image_layer(), torch.randn(3, 2, 5, 6)
    before = layer(x)
    twin = copy.deepcopy(layer)
    with torch.no_grad():
        twin.weight.add_(1)
    assert torch.equal(layer(x), before)
    assert not torch.equal(twin(x), before)


def test_other_types_and_devices_take_the_layer_along() -> None:
    layer, x = image_layer(), torch.randn(3, 2, 5, 6)
    expected = layer(x)
    assert layer.double()(x.double()).dtype == torch.float64
    torch.testing.assert_close(layer(x.double()).float(), expected)
    assert layer.to("meta")(x.double().to("meta")).shape == expected.shape


@pytest.mark.parametrize("batch", [2, 12])
def test_a_functional_call_computes_and_differentiates_with_the_given_weights(batch: int) -> None:
    layer, x = image_layer(), torch.randn(batch, 2, 5, 6)
    expected, weight_gradient, bias_gradient = answers(layer, x)
    given = {name: parameter.detach().clone() for name, parameter in layer.named_parameters()}
    layer.reset_parameters()
    assert torch.equal(torch.func.functional_call(layer, given, (x,)), expected)
    gradients = torch.func.grad(lambda p: torch.func.functional_call(layer, p, (x,)).square().sum())(given)
    torch.testing.assert_close(gradients, {"weight": weight_gradient, "bias": bias_gradient})


def test_an_exported_layer_takes_any_number_of_windows() -> None:
    layer = image_layer()
    shapes = ({0: torch.export.Dim("batch", min=1)},)
    exported = torch.export.export(layer, (torch.randn(3, 2, 5, 6),), dynamic_shapes=shapes).module()
    for batch in (1, 2, 20):
        x = torch.randn(batch, 2, 5, 6)
        torch.testing.assert_close(exported(x), layer(x))


# Scanned inside a window net ----------------------------------------------------------------------------------------


class LocalNet(nn.Module):
    """A convolution, a locally connected layer, and a linear one."""

    def __init__(self, axes: int, window: int, **settings: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        conv, local = ((nn.Conv1d, LocallyConnected1d), (nn.Conv2d, LocallyConnected2d))[axes - 1]
        self.conv = conv(1, 4, 3)
        self.local = local(4, 4, window - 2, 3, **settings)
        self.head = nn.Linear(4 * math.prod(self.local.output_size), 3)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.local(torch.tanh(self.conv(x)))).flatten(1))


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("settings", [{}, {"padding": 1}, {"groups": 2}, {"stride": 2, "dilation": 2}])
def test_scanned_it_ends_sharing_by_name_and_stays_exact(axes: int, settings: dict[str, Any]) -> None:
    net = LocalNet(axes, 10, **settings)
    with pytest.warns(SharingEnds, match=r"sharing ends at local \("):
        scanner = sw.Scanner(net, (1, *(10,) * axes), 2)
    x = torch.randn(1, *(21,) * axes)
    torch.testing.assert_close(torch.as_tensor(scanner.scan(x)), torch.as_tensor(scanner.scan_windows(x)))


def test_scanned_with_equal_weights_everywhere_it_goes_on_sharing() -> None:
    net = LocalNet(1, 10)
    net.local = LocallyConnected1d.from_conv(nn.Conv1d(4, 4, 3), 8).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scanner = sw.Scanner(net, (1, 10), 1)
    x = torch.randn(1, 40)
    torch.testing.assert_close(torch.as_tensor(scanner.scan(x)), torch.as_tensor(scanner.scan_windows(x)))


# Bad input ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"in_channels": 0}, "in_channels must be a whole number of at least 1; got 0"),
        ({"out_channels": 1.5}, "out_channels must be a whole number of at least 1; got 1.5"),
        ({"groups": 3}, "groups must divide in_channels and out_channels; got 3 for 2 and 4"),
        ({"groups": -1}, "groups must be a whole number of at least 1; got -1"),
        ({"input_size": (5,)}, "input_size must be a whole number, or one for each of 2 axes; got (5,)"),
        ({"input_size": 0}, "input_size must be a whole number of at least 1; got 0"),
        ({"kernel_size": "33"}, "kernel_size must be a whole number of at least 1; got '33'"),
        (
            {"kernel_size": 4, "dilation": 2},
            "kernel_size must fit into the padded input; got a kernel that spans (7, 7)",
        ),
        ({"stride": 0}, "stride must be a whole number of at least 1; got 0"),
        ({"padding": "same"}, "padding must be a whole number of at least 0; got 'same'"),
        ({"dilation": (1, 1, 1)}, "dilation must be a whole number, or one for each of 2 axes; got (1, 1, 1)"),
        ({"bias": 1}, "bias must be true or false; got 1"),
        ({"max_bytes": 0}, "max_bytes must be a whole number of at least 1; got 0"),
    ],
)
def test_what_makes_no_layer_is_refused(change: dict[str, Any], message: str) -> None:
    arguments = {"in_channels": 2, "out_channels": 4, "input_size": 5, "kernel_size": 3} | change
    with pytest.raises(ArgumentError, match=re.escape(message)):
        LocallyConnected2d(**arguments)


@pytest.mark.parametrize("shape", [(1, 2, 6, 6), (1, 3, 5, 6), (2, 5, 6), (1, 1, 2, 5, 6)])
def test_another_shape_of_input_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ArgumentError, match=re.escape(f"x must have the shape (batch, 2, 5, 6); got {shape}.")):
        image_layer()(torch.zeros(shape))

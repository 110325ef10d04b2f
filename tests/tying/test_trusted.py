"""What a module computes must be what its settings say, or its edges would be another network's."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from scanwise.errors import ArgumentError
from scanwise.tying import TieMap, expand


class Residual(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


class Centred(nn.Conv1d):
    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super()._conv_forward(x, weight - weight.mean(), bias)


class Named(nn.Conv1d):
    """A subclass that changes nothing of what is computed."""

    def extra_repr(self) -> str:
        return "named"


def hooked() -> nn.Module:
    conv = nn.Conv1d(2, 2, 3, padding=1)
    conv.register_forward_hook(lambda _module, _inputs, out: 2 * out)
    return conv


def patched() -> nn.Module:
    conv = nn.Conv1d(2, 2, 3, padding=1)
    conv.forward = lambda x: x  # type: ignore[method-assign]
    return conv


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Residual(nn.Conv1d(2, 2, 3, padding=1)), "layer must run as Sequential does; got Residual with a forward"),
        (Centred(2, 2, 3, padding=1), "layer must run as Conv1d does; got Centred with a forward"),
        (patched(), "layer must run as Conv1d does; got Conv1d with a forward"),
        (hooked(), "layer must run without hooks; got Conv1d with one"),
        (parametrizations.weight_norm(nn.Conv1d(2, 2, 3)), "layer must have plain parameters; got Parametrized"),
    ],
    ids=["sequential", "convolution", "instance", "hook", "parametrization"],
)
def test_a_module_that_computes_something_else_is_refused(layer: nn.Module, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        expand(nn.Sequential(layer, nn.Tanh()), (2, 6))


def test_a_layer_of_its_own_kind_is_refused_alone_too() -> None:
    with pytest.raises(ArgumentError, match="layer must run as Conv1d does"):
        TieMap.of(Centred(2, 2, 3), (2, 6))


def test_a_subclass_that_computes_the_same_is_taken() -> None:
    net = Named(2, 2, 3).double()
    x = torch.randn(2, 2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(expand(net, (2, 6))(x), net(x).flatten(1))


@pytest.mark.parametrize("reshape", [nn.Flatten(0), nn.Unflatten(0, (1, 7))])
def test_a_reshaping_of_the_batch_is_refused(reshape: nn.Module) -> None:
    with pytest.raises(ArgumentError, match="layer 0: layer must keep the batch"):
        expand(nn.Sequential(reshape, nn.Linear(6, 2)), (6,))


def test_cropping_and_going_around_at_once_is_refused() -> None:
    with pytest.raises(ArgumentError, match="layer must not crop and go around at once"):
        expand(nn.Sequential(nn.CircularPad1d((-1, 2)), nn.Conv1d(1, 1, 2)), (1, 6))


def test_padding_more_than_once_around_is_refused_as_torch_does() -> None:
    with pytest.raises(ArgumentError, match="padding must go around the input once at most"):
        TieMap.of(nn.Conv1d(1, 1, 1, padding=5, padding_mode="circular"), (1, 3))

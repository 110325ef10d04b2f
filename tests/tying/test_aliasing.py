"""How ties made with torch's own means fare, by which two modules hold one parameter: the table's other column.

These are facts about torch, asserted so that the documentation stays true.
"""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, load_model, save_file, save_model
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.utils import parameters_to_vector

from scanwise.tying import TiedLinear, TiedMLP, TieMap

TIES = TieMap.of(nn.Linear(3, 3), (3,))


def _one_weight() -> nn.Sequential:
    a, b = nn.Linear(3, 3), nn.Linear(3, 3)
    b.weight = a.weight
    return nn.Sequential(a, nn.Tanh(), b)


def _one_theta() -> nn.Sequential:
    a, b = TiedLinear(TIES), TiedLinear(TIES)
    b.theta = a.theta
    return nn.Sequential(a, nn.Tanh(), b)


def _one_layer() -> nn.Sequential:
    layer = TiedLinear(TIES)
    return nn.Sequential(layer, nn.Tanh(), layer)


ALIASED: dict[str, Callable[[], nn.Sequential]] = {
    "one weight of two layers": _one_weight,
    "one theta of two layers": _one_theta,
    "one layer in two places": _one_layer,
}


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    torch.manual_seed(0)


every_alias = pytest.mark.parametrize("make", ALIASED.values(), ids=ALIASED)


def tied(net: nn.Module) -> bool:
    """Return whether both places hold one parameter, so that there is one step to it and one gradient."""
    assert isinstance(net, nn.Sequential)
    return _tensor(net, 0) is _tensor(net, 2)


def _tensor(net: nn.Sequential, place: int) -> nn.Parameter:
    layer = net[place]
    found = layer.theta if isinstance(layer, TiedLinear) else layer.weight
    assert isinstance(found, nn.Parameter)
    return found


def _through_a_file(value: Any, **options: bool) -> Any:
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return torch.load(file, **({"weights_only": False} | options))


def _loaded(net: nn.Module, state: dict[str, Tensor], **options: bool) -> nn.Module:
    net.load_state_dict(state, **options)
    return net


Make = Callable[[], nn.Sequential]

KEPT: dict[str, Callable[[nn.Sequential, Make], nn.Module]] = {
    "load_state_dict": lambda net, make: _loaded(make(), net.state_dict()),
    "deepcopy": lambda net, make: copy.deepcopy(net),
    "pickle": lambda net, make: pickle.loads(pickle.dumps(net)),
    "torch.save of the network": lambda net, make: _through_a_file(net),
    "torch.save of the state": lambda net, make: _loaded(make(), _through_a_file(net.state_dict(), weights_only=True)),
    "another type": lambda net, make: net.double(),
    "to_empty": lambda net, make: net.to_empty(device="cpu"),
}

LOST_BY_COPIES: dict[str, Callable[[nn.Sequential, Make], nn.Module]] = {
    "load_state_dict(assign=True)": lambda net, make: _loaded(make(), net.state_dict(), assign=True),
    "torch.save of the state, assign=True": lambda net, make: _loaded(
        make(), _through_a_file(net.state_dict(), weights_only=True), assign=True
    ),
    "to meta": lambda net, make: net.to("meta"),
    "to meta and back": lambda net, make: net.to("meta").to_empty(device="cpu"),
}


@every_alias
@pytest.mark.parametrize("way", KEPT)
def test_an_alias_survives_what_goes_parameter_by_parameter(way: str, make: Make) -> None:
    assert tied(KEPT[way](make(), make))


@pytest.mark.parametrize("way", LOST_BY_COPIES)
def test_an_alias_is_lost_where_parameters_are_replaced(way: str) -> None:
    for name, make in ALIASED.items():
        assert tied(LOST_BY_COPIES[way](make(), make)) == (name == "one layer in two places"), name


def test_after_assign_adam_takes_the_step_twice() -> None:
    net = _loaded(_one_weight(), _one_weight().state_dict(), assign=True)
    assert isinstance(net, nn.Sequential)
    before = net[0].weight.detach().clone()
    net(torch.tensor([[1.0, -2.0, 3.0]])).sum().backward()
    same_sign = (net[0].weight.grad * net[2].weight.grad) > 0
    assert same_sign.any()
    torch.optim.Adam(net.parameters(), lr=0.01).step()
    moved = (net[0].weight - before).abs()
    torch.testing.assert_close(moved[same_sign], torch.full_like(moved[same_sign], 0.02))


@every_alias
def test_safetensors_save_file_refuses_aliases(make: Make, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="Some tensors share memory"):
        save_file(make().state_dict(), tmp_path / "net.safetensors")


def test_copies_in_a_file_are_ties_no_longer(tmp_path: Path) -> None:
    """The usual answer to that refusal."""
    copies = {name: value.clone() for name, value in _one_weight().state_dict().items()}
    save_file(copies, tmp_path / "net.safetensors")
    assert not tied(_loaded(_one_weight(), load_file(tmp_path / "net.safetensors"), assign=True))


@every_alias
def test_safetensors_save_model_keeps_aliases_that_are_made_again(make: Make, tmp_path: Path) -> None:
    net, again = make(), make()
    save_model(net, str(tmp_path / "net.safetensors"))
    load_model(again, tmp_path / "net.safetensors")
    assert tied(again)
    assert torch.equal(_tensor(again, 0), _tensor(net, 0))


def test_a_state_of_other_ties_is_taken_silently() -> None:
    """Two different weights go into one; the second stays. No error, another function."""
    untied = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3))
    net = _one_weight()
    assert net.load_state_dict(untied.state_dict()) == ([], [])
    assert torch.equal(net[0].weight, untied[2].weight)
    assert not torch.equal(net[0].weight, untied[0].weight)


@every_alias
def test_functional_call_replaces_both_by_either_name(make: Make) -> None:
    net, x = make(), torch.ones(1, 3)
    y = net(x)
    name = "theta" if isinstance(net[0], TiedLinear) else "weight"
    other = torch.zeros_like(_tensor(net, 0))
    by_first, by_second = (functional_call(copy.deepcopy(net), {f"{place}.{name}": other}, x) for place in (0, 2))
    assert torch.equal(by_first, by_second)
    assert not torch.equal(by_first, y)
    functional_call(net, {f"0.{name}": other}, x)
    assert torch.equal(net(x), y) == (make is not _one_layer), "a layer in two places is left with the other theta"


@every_alias
def test_an_optimiser_and_the_vector_of_parameters_count_an_alias_once(make: Make) -> None:
    net = make()
    distinct = {id(parameter): parameter.numel() for parameter in net.parameters()}
    assert parameters_to_vector(net.parameters()).numel() == sum(distinct.values())
    assert len(torch.optim.SGD(net.parameters(), 0.1).state_dict()["param_groups"][0]["params"]) == len(distinct)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@every_alias
def test_an_alias_survives_another_device(make: Make) -> None:
    assert tied(make().cuda())
    assert tied(make().cuda().cpu())


@every_alias
def test_the_gradient_of_an_alias_is_the_sum_over_both_places(make: Make, tmp_path: Path) -> None:
    """Plainly, for each example under vmap, under autocast, and in a process of several."""
    net, x = make(), torch.randn(4, 3)
    apart = copy.deepcopy(net)
    apart[2] = copy.deepcopy(apart[2])
    apart(x).sum().backward()
    expected = _tensor(apart, 0).grad + _tensor(apart, 2).grad

    values, called = dict(net.named_parameters()), copy.deepcopy(net)
    each = vmap(grad(lambda values, x: functional_call(called, values, x).sum()), (None, 0))(values, x)
    torch.testing.assert_close(next(iter(each.values())).sum(0), expected)
    with torch.autocast("cpu", torch.bfloat16):
        net(x).sum().backward()
    torch.testing.assert_close(_tensor(net, 0).grad, expected, rtol=0, atol=0.1)
    net.zero_grad()
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        nn.parallel.DistributedDataParallel(net)(x).sum().backward()
    finally:
        torch.distributed.destroy_process_group()
    torch.testing.assert_close(_tensor(net, 0).grad, expected)
    assert tied(net)


def test_a_saved_program_has_lost_the_alias() -> None:
    """The program in memory has it; what is read from the file has two parameters."""
    program = torch.export.export(_one_weight(), (torch.ones(1, 3),))
    assert len(list(program.module().parameters())) == 3
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    assert len(list(torch.export.load(file).module().parameters())) == 4


def test_the_same_network_as_ties_has_one_theta() -> None:
    """What the three aliases mean, said in the map: `TiedMLP` survives each of the ways above."""
    places = list(range(TIES.parameters))
    net, layer = TiedMLP([TIES, nn.Tanh(), TIES], places=[places, places]), _one_layer()
    with torch.no_grad():
        net.theta.copy_(layer[0].theta)
    x = torch.ones(1, 3)
    torch.testing.assert_close(net(x), layer(x))
    for way in (*KEPT.values(), *LOST_BY_COPIES.values()):
        again = way(copy.deepcopy(net), lambda: TiedMLP([TIES, nn.Tanh(), TIES], places=[places, places]))
        assert [name for name, _ in again.named_parameters()] == ["theta"]
        assert again.theta.shape == net.theta.shape

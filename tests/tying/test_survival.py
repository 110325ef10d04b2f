"""Ties survive whatever is done to a network: one row of the table in docs/tying.md each, for every kernel."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, load_model, save_file, save_model
from tied_layers import (
    KERNELS,
    LAYERS,
    Model,
    assert_learns_alike,
    assert_tied,
    by_edges,
    inputs,
    kernels_of,
    learn_in_processes,
    loss,
)
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.testing import assert_close

from scanwise.errors import ArgumentError
from scanwise.tying import TiedLinear, TiedMLP, TieMap

Make = Callable[[], Model]
Way = Callable[[Model, Make, Path], Model]

layers = pytest.mark.parametrize("layer", LAYERS)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def make(layer: str) -> Make:
    return LAYERS[layer]


@pytest.fixture
def model(make: Make) -> Model:
    return make()


# There and back -----------------------------------------------------------------------------------------------


def _load(model: Model, state: dict[str, Tensor], **options: bool) -> Model:
    loaded = model.load_state_dict(state, **options)
    assert loaded == ([], []), "no key is missing, none is unexpected"
    return model


def _made_on_meta(make: Make) -> Model:
    with torch.device("meta"):
        model = make()
    assert model.theta.is_meta
    return model


def _saved(model: Model, path: Path) -> Path:
    torch.save(model.state_dict(), path / "theta.pt")
    return path / "theta.pt"


def _safetensors(model: Model, path: Path) -> Path:
    save_file(model.state_dict(), path / "theta.safetensors")
    return path / "theta.safetensors"


def _whole_model(model: Model, fresh: Model, path: Path) -> Model:
    save_model(model, str(path / "model.safetensors"))
    assert load_model(fresh, path / "model.safetensors") == (set(), [])
    return fresh


def _pickled_file(model: Model, path: Path) -> Model:
    torch.save(model, path / "model.pt")
    loaded: Model = torch.load(path / "model.pt", weights_only=False)
    return loaded


WAYS: dict[str, Way] = {
    "load_state_dict": lambda model, make, _: _load(make(), model.state_dict()),
    "load_state_dict(assign=True)": lambda model, make, _: _load(make(), model.state_dict(), assign=True),
    "load_state_dict(strict=False)": lambda model, make, _: _load(make(), model.state_dict(), strict=False),
    "load_state_dict of another type": lambda model, make, _: _load(
        make(), {name: value.double() for name, value in model.state_dict().items()}
    ),
    "deepcopy": lambda model, make, _: copy.deepcopy(model),
    "deepcopy before the first run": lambda model, make, _: _load(copy.deepcopy(make()), model.state_dict()),
    "pickle": lambda model, make, _: pickle.loads(pickle.dumps(model)),
    "torch.save of the model": lambda model, make, path: _pickled_file(model, path),
    "torch.save of the state": lambda model, make, path: _load(
        make(), torch.load(_saved(model, path), weights_only=True)
    ),
    "torch.load(mmap=True), assign=True": lambda model, make, path: _load(
        make(), torch.load(_saved(model, path), weights_only=True, mmap=True), assign=True
    ),
    "save_file": lambda model, make, path: _load(make(), load_file(_safetensors(model, path))),
    "save_file, assign=True": lambda model, make, path: _load(
        make(), load_file(_safetensors(model, path)), assign=True
    ),
    "save_model": lambda model, make, path: _whole_model(model, make(), path),
    "double and back": lambda model, make, _: copy.deepcopy(model).to(torch.float64).to(torch.float32),
    "type(dtype) and back": lambda model, make, _: copy.deepcopy(model).type(torch.float64).type(torch.float32),
    "share_memory": lambda model, make, _: copy.deepcopy(model).share_memory(),
    "to meta, then assign=True": lambda model, make, _: _load(
        copy.deepcopy(model).to("meta"), model.state_dict(), assign=True
    ),
    "to meta, to_empty, load": lambda model, make, _: _load(
        copy.deepcopy(model).to("meta").to_empty(device="cpu"), model.state_dict()
    ),
    "to_empty, load": lambda model, make, _: _load(copy.deepcopy(model).to_empty(device="cpu"), model.state_dict()),
    "made on meta, then assign=True": lambda model, make, _: _load(
        _made_on_meta(make), model.state_dict(), assign=True
    ),
    "made on meta, to_empty, load": lambda model, make, _: _load(
        _made_on_meta(make).to_empty(device="cpu"), model.state_dict()
    ),
}


@layers
def test_every_kernel_is_in_the_table(layer: str, model: Model) -> None:
    assert kernels_of(model) == KERNELS[layer]


@layers
@pytest.mark.parametrize("way", WAYS)
def test_outputs_ties_and_fingerprint_survive(way: str, model: Model, make: Make, tmp_path: Path) -> None:
    x = inputs(model)
    before = model(x)
    after = WAYS[way](model, make, tmp_path)
    assert_close(after(x), before, rtol=0, atol=0)
    assert_still_one_function(after)
    assert_fingerprint_is_checked(after, model.fingerprint)


def assert_still_one_function(model: Model) -> None:
    """Assert that edges are tied, and still are when the network has learnt."""
    assert_tied(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = model.theta.detach().clone()
    loss(model(inputs(model))).backward()
    optimizer.step()
    assert not torch.equal(model.theta, before)
    assert_tied(model)


def assert_fingerprint_is_checked(model: Model, expected: str) -> None:
    """Assert that the network has the ties' fingerprint, saves it, and takes no state of other ties."""
    assert model.fingerprint == expected
    state = model.state_dict()
    assert bytes(state["ties_fingerprint"].tolist()).hex() == expected
    other = {"theta": state["theta"] + 1, "ties_fingerprint": 255 - state["ties_fingerprint"]}
    before = model.theta.detach().clone()
    for options in ({}, {"strict": False}, {"assign": True}):
        with pytest.raises(RuntimeError, match=f"theta must belong to the same ties; got .* for {expected[:12]}"):
            model.load_state_dict(other, **options)
    assert torch.equal(model.theta, before)


def test_a_refused_state_is_named_by_its_place_in_the_network() -> None:
    conv, local = nn.Conv1d(1, 1, 2), TieMap.of(nn.Conv1d(1, 1, 2), (1, 4)).untie()
    net = nn.Sequential(nn.Tanh(), TiedLinear(TieMap.of(conv, (1, 4)), (1, 4), (1, 3)))
    other = nn.Sequential(nn.Tanh(), TiedLinear(local, (1, 4), (1, 3)))
    with pytest.raises(RuntimeError, match=r"1\.theta must belong .* Make the layer with the map that was saved"):
        net.load_state_dict(other.state_dict())


def test_a_state_without_a_fingerprint_is_taken_on_demand_only() -> None:
    model = LAYERS["convolution"]()
    bare = {"theta": torch.arange(float(len(model.theta)))}
    with pytest.raises(RuntimeError, match=r'Missing key.* "ties_fingerprint"'):
        model.load_state_dict(bare)
    assert model.load_state_dict(bare, strict=False).missing_keys == ["ties_fingerprint"]
    assert torch.equal(model.theta, bare["theta"])


def test_the_state_is_theta_and_the_fingerprint() -> None:
    for make in LAYERS.values():
        model = make()
        model(inputs(model))
        assert list(model.state_dict()) == ["theta", "ties_fingerprint"]


# Types and devices --------------------------------------------------------------------------------------------


@layers
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float16, 2e-2), (torch.bfloat16, 1e-1)], ids=str
)
def test_another_type_changes_only_the_rounding(model: Model, dtype: torch.dtype, tolerance: float) -> None:
    model.to(dtype)
    x = inputs(model)
    y = model(x)
    loss(y).backward()
    exact = copy.deepcopy(model).double()
    outputs, sums = by_edges(exact, exact.theta, x.double())
    assert y.dtype == model.theta.grad.dtype == dtype
    assert_close(y.double(), outputs, rtol=0, atol=tolerance)
    assert_close(model.theta.grad.double(), sums, rtol=0, atol=tolerance)


@layers
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)  # of what the layer before made
def test_autocast_changes_only_the_rounding(model: Model, dtype: torch.dtype, layer: str) -> None:
    if layer == "unshared" and dtype == torch.bfloat16:
        pytest.skip("locally connected layers take one type")
    x = inputs(model)
    with torch.autocast("cpu", torch.bfloat16):
        y = model(x.to(dtype))
        loss(y.float()).backward()
    outputs, sums = by_edges(model, model.theta, x)
    assert_close(y.float(), outputs, rtol=0, atol=1e-1)
    assert_close(model.theta.grad, sums, rtol=0, atol=1e-1)


@needs_cuda
@layers
def test_another_device_has_the_same_ties(model: Model, make: Make) -> None:
    expected = model(inputs(model))
    state = model.state_dict()
    with torch.device("cuda"):
        born_there = _load(make(), state)
    for there in (copy.deepcopy(model).to("cuda"), born_there, _load(make(), state, assign=True).cuda()):
        assert_close(there(inputs(there)).cpu(), expected, rtol=1e-4, atol=1e-4)
        loss(there(inputs(there))).backward()
        _, sums = by_edges(model, model.theta, inputs(model))
        assert_close(there.theta.grad.cpu(), sums, rtol=1e-4, atol=1e-4)
        assert_still_one_function(there.cpu())
        assert_fingerprint_is_checked(there, model.fingerprint)


# Other thetas, and one gradient for each ----------------------------------------------------------------------


@layers
def test_functional_call_takes_another_theta(model: Model) -> None:
    x, own = inputs(model), model.theta.detach().clone()
    other = torch.linspace(-1, 1, len(own)).requires_grad_()
    outputs, sums = by_edges(model, other, x)
    y = functional_call(model, {"theta": other}, x)
    loss(y).backward()
    assert_close(y.detach(), outputs)
    assert_close(other.grad, sums)
    assert model.theta.grad is None
    assert torch.equal(model.theta, own)


@layers
def test_torch_func_gives_the_gradient_of_each_set(model: Model) -> None:
    x, theta = inputs(model), model.theta.detach()
    of_all = grad(lambda theta, x: loss(functional_call(model, {"theta": theta}, x)))
    _, sums = by_edges(model, theta, x)
    assert_close(of_all(theta, x), sums)


@pytest.mark.parametrize("layer", [name for name in LAYERS if name != "unshared"])  # which has no rule for vmap
def test_vmap_gives_a_gradient_for_each_example_and_runs_several_thetas(model: Model) -> None:
    x, theta = inputs(model), model.theta.detach()
    of_one = grad(lambda theta, x: loss(functional_call(model, {"theta": theta}, x[None])))
    expected = torch.stack([by_edges(model, theta, row[None])[1] for row in x])
    assert_close(vmap(of_one, (None, 0))(theta, x), expected)
    thetas = torch.stack([theta, 2 * theta, -theta])
    several = vmap(lambda theta: functional_call(model, {"theta": theta}, x))(thetas)
    assert_close(several, torch.stack([by_edges(model, theta, x)[0] for theta in thetas]))


@layers
def test_the_vector_of_parameters_is_theta(model: Model) -> None:
    vector = parameters_to_vector(model.parameters())
    assert torch.equal(vector, model.theta)
    vector_to_parameters(2 * vector.detach(), model.parameters())
    assert torch.equal(model.theta, 2 * vector)
    assert_still_one_function(model)


# Optimisers ---------------------------------------------------------------------------------------------------


@layers
def test_an_optimiser_has_one_entry_for_theta_and_goes_on_from_its_state(
    model: Model, make: Make, tmp_path: Path
) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    _learn(model, optimizer)
    assert optimizer.state_dict()["param_groups"][0]["params"] == [0]
    assert optimizer.state[model.theta]["exp_avg"].shape == model.theta.shape
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "both.pt")
    saved = torch.load(tmp_path / "both.pt", weights_only=True)
    resumed = _load(make(), saved["model"])
    other = torch.optim.Adam(resumed.parameters(), lr=0.01)
    other.load_state_dict(saved["optimizer"])
    _learn(model, optimizer)
    _learn(resumed, other)
    assert torch.equal(resumed.theta, model.theta)
    assert_tied(resumed)


def test_adam_moves_a_set_as_one() -> None:
    """Its first step is the learning rate against the sign of the set's sum, whatever the edges' own signs are."""
    for make in LAYERS.values():
        model = make()
        before, (_, sums) = model.theta.detach().clone(), by_edges(model, model.theta, inputs(model))
        _learn(model, torch.optim.Adam(model.parameters(), lr=0.01, eps=0), steps=1)
        clear = sums.abs() > 1e-6
        assert clear.any()
        assert_close(model.theta[clear], (before - 0.01 * sums.sign())[clear])


def _learn(model: Model, optimizer: torch.optim.Optimizer, steps: int = 2) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        loss(model(inputs(model))).backward()
        optimizer.step()


# Export and processes -----------------------------------------------------------------------------------------

EXPORTED = ("convolution", "generic, sparse", "expanded, auto")  # the others at night: each takes a second


@pytest.mark.parametrize(
    "layer", [name if name in EXPORTED else pytest.param(name, marks=pytest.mark.slow) for name in LAYERS]
)
def test_an_exported_program_has_one_theta_and_learns_with_it(model: Model) -> None:
    model(inputs(model))
    batch = {0: torch.export.Dim("batch")}
    file = io.BytesIO()
    torch.export.save(torch.export.export(model, (inputs(model),), dynamic_shapes=(batch,)), file)
    file.seek(0)
    program = torch.export.load(file)
    assert list(program.state_dict) == ["theta", "ties_fingerprint"]
    exported = program.module()
    for size in (5, 9):
        x = inputs(model, size)
        outputs, sums = by_edges(model, model.theta, x)
        with torch.no_grad():
            assert_close(exported(x), outputs)
        y = exported(x)
        gradient, *_ = torch.autograd.grad(loss(y), list(exported.parameters()))
        assert_close(gradient, sums)
    with torch.no_grad():
        without = torch.export.export(model, (x,)).module()(x)
    assert_close(without, outputs)
    assert_tied(model)


def test_a_network_without_kernels_is_not_exported() -> None:
    for name in ("ties across layers, sparse", "expanded, auto"):
        model = LAYERS[name]()
        assert isinstance(model, TiedMLP)
        with pytest.raises(ArgumentError, match=r"must have kernels to be traced; got none\. Call prepare\(\) before"):
            torch.export.export(model, (inputs(model),))
        assert_tied(model.prepare())


def test_ddp_of_one_process_learns_as_the_network_alone(tmp_path: Path) -> None:
    """Also where buffers are broadcast, which rewrites the tables of indices before each run."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        for name, make in LAYERS.items():
            model = make()
            model(inputs(model))
            assert_learns_alike(model, rank=0, processes=1, name=name)
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_ddp_of_two_processes_learns_from_the_whole_batch(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(learn_in_processes, args=(2, str(tmp_path / "store")), nprocs=2)

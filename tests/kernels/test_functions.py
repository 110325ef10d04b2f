"""The native engine's functions of one number, of two and of many, against torch in double precision."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from scanwise.kernels import absent, instruction_sets
from scanwise.run import Scanner
from scanwise.run._native import NativeScan

native = pytest.mark.skipif(absent() is not None, reason=f"no native engine: {absent()}")
TYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
Function = Callable[..., Tensor]


class Apply(nn.Module):
    """A function of a window."""

    def __init__(self, function: Function, dtype: torch.dtype) -> None:
        super().__init__()
        self.function = function
        self.number = nn.Parameter(torch.zeros(1, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def scanned(function: Function, x: Tensor, window: int = 1) -> Tensor:
    """The answers for all windows of ``x``, ``(channels, time)``, one window a row."""
    scanner = Scanner(Apply(function, x.dtype).eval(), (len(x), window), backend="native")
    scores = torch.from_numpy(scanner.scan(x.numpy()))
    return scores.reshape(-1, scores.shape[-1]).T


def expected(function: Function, x: Tensor, window: int = 1) -> Tensor:
    """The same by torch, all windows in a batch."""
    windows = x.unfold(1, window, 1).movedim(1, 0)
    return function(windows).reshape(len(windows), -1)


def compared(
    functions: Mapping[str, Function], x: Tensor, exact: Tensor, window: int = 1, exacter: Mapping[str, Function] = {}
) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Each function's name, what the engine makes of ``x``, all functions in one network, and torch of ``exact``."""
    everything = scanned(lambda x: torch.cat([f(x).flatten(1) for f in functions.values()], 1), x, window)
    start = 0
    for name, function in functions.items():
        want = expected(exacter.get(name, function), exact, window)
        yield name, everything[:, start : start + want.shape[1]], want
        start += want.shape[1]
    assert start == everything.shape[1] > 0


def specials(dtype: torch.dtype) -> list[float]:
    kind = torch.finfo(dtype)
    sizes = [0.0, math.inf, kind.max, kind.tiny, kind.smallest_normal * kind.eps, 1e-40, 1e-8, 0.5, 1.0, 1.5, 2.5]
    sizes += [3.0, 6.0, 20.5, 88.5, 89.0, 104.0, 709.5, 2.0**23 - 0.5, 2.0**23 + 1, 2.0**31, 2.0**52 - 0.5, 2.0**63]
    return [math.nan, *sizes, *(-size for size in sizes)]


def sweep(dtype: torch.dtype) -> Tensor:
    """All kinds of numbers: special ones, evenly spaced ones and random bits."""
    bits = np.random.default_rng(0).integers(0, 256, 20_000, dtype=np.uint8)
    anything = torch.from_numpy(bits).view(dtype) + 0  # no NaN that signals
    even = [torch.linspace(-limit, limit, 5_001, dtype=torch.float64) for limit in (0.01, 1.5, 6.0, 110.0, 760.0)]
    return torch.cat([torch.tensor(specials(dtype), dtype=dtype), anything, *(x.to(dtype) for x in even)])[None]


def errors(got: Tensor, want: Tensor) -> np.ndarray:
    """Distances from a reference, in units in the last place of the result; infinite where NaN or infinity is wrong."""
    kind = np.float32 if got.dtype == torch.float32 else np.float64
    y, exact = got.numpy().ravel(), want.double().numpy().ravel()
    with np.errstate(all="ignore"):
        nearest = exact.astype(kind)
        numbers = np.isfinite(y) & np.isfinite(nearest)
        unit = np.spacing(np.abs(np.where(numbers, nearest, 1))).astype(np.float64)
        distance = np.where(numbers, np.abs(y - exact) / unit, np.inf)
    distance[(y == nearest) | (np.isnan(y) & np.isnan(nearest))] = 0
    return distance


# What can be computed exactly, or with the same roundings as in torch.
SAME: dict[str, Function] = {
    "relu": F.relu,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "hardtanh": lambda x: F.hardtanh(x, -2.0, 3.0),
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "relu6": F.relu6,
    "abs": torch.abs,
    "neg": torch.neg,
    "sign": torch.sign,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "round": torch.round,
    "round decimals": lambda x: torch.round(x, decimals=2),
    "round tens": lambda x: torch.round(x, decimals=-1),
    "trunc": torch.trunc,
    "frac": torch.frac,
    "reciprocal": torch.reciprocal,
    "square": torch.square,
    "cube": lambda x: x**3,
    "clamp": lambda x: torch.clamp(x, -1.0, 2.0),
    "clamp crossed": lambda x: torch.clamp(x, 2.0, 1.0),
    "clamp_min": lambda x: torch.clamp(x, min=0.5),
    "clamp_max": lambda x: torch.clamp(x, max=0.5),
    "threshold": lambda x: F.threshold(x, 0.1, 20.0),
    "hardshrink": F.hardshrink,
    "hardshrink negative": lambda x: F.hardshrink(x, -1.0),
    "softshrink": lambda x: F.softshrink(x, 0.25),
    "nan_to_num": torch.nan_to_num,
    "nan_to_num numbers": lambda x: torch.nan_to_num(x, 1.0, 2.0, -3.0),
    "nan_to_num infinity": lambda x: torch.nan_to_num(x, posinf=math.inf),
    "divide": lambda x: x.expand(-1, -1, 3).mean(2, keepdim=True),
    "zeroth power": lambda x: x**0,
    "first power": lambda x: x**1,
}
# Units in the last place that a result may be off, those of torch's double precision included.
NEAR: dict[str, tuple[float, Function]] = {
    "exp": (1.5, torch.exp),
    "exp2": (2.0, torch.exp2),
    "expm1": (2.5, torch.expm1),
    "log": (1.5, torch.log),
    "log2": (2.5, torch.log2),
    "log10": (2.5, torch.log10),
    "log1p": (2.5, torch.log1p),
    "sqrt": (1.0, torch.sqrt),
    "rsqrt": (2.0, torch.rsqrt),
    "root": (1.0, lambda x: x**0.5),
    "power": (1.5, lambda x: x**1.75),
    "inverse square": (1.5, lambda x: x**-2),
    "sin": (1.5, torch.sin),
    "cos": (1.5, torch.cos),
    "tan": (2.0, torch.tan),
    "asin": (1.5, torch.asin),
    "acos": (1.5, torch.acos),
    "atan": (1.5, torch.atan),
    "sinh": (2.5, torch.sinh),
    "cosh": (2.5, torch.cosh),
    "tanh": (3.5, torch.tanh),
    "sigmoid": (4.5, torch.sigmoid),
    "log_sigmoid": (3.5, F.logsigmoid),
    "softplus": (3.5, F.softplus),
    "softplus sharp": (3.5, lambda x: F.softplus(x, 2.0, 5.0)),
    "elu": (2.5, F.elu),
    "elu scaled": (3.5, lambda x: torch.ops.aten.elu(x, 1.5, 2.0, 0.5)),
    "selu": (3.5, F.selu),
    "celu": (3.5, lambda x: F.celu(x, 0.7)),
    "silu": (6.0, F.silu),
    "mish": (6.0, F.mish),
    "erf": (4.0, torch.erf),
    "erfc": (6.0, torch.erfc),
    "gelu": (2500.0, F.gelu),  # far out, where torch has no right digit
    "gelu tanh": (2500.0, lambda x: F.gelu(x, approximate="tanh")),
}


def gelu_tanh(x: Tensor) -> Tensor:
    return torch.where(x == math.inf, x, x * torch.sigmoid(math.sqrt(8 / math.pi) * (x + 0.044715 * x**3)))


# What to compare with where torch itself loses digits or overflows too early.
EXACTER: dict[str, Function] = {
    "sinh": lambda x: torch.from_numpy(np.sinh(x.numpy())),
    "cosh": lambda x: torch.from_numpy(np.cosh(x.numpy())),
    "gelu": lambda x: x * 0.5 * torch.erfc(-x * math.sqrt(0.5)),
    "gelu tanh": gelu_tanh,
}


@native
@TYPES
def test_arithmetic_equals_torch_to_the_last_bit(dtype: torch.dtype) -> None:
    x = sweep(dtype)
    for name, got, want in compared(SAME, x, x):
        wrong = ~torch.isclose(got, want, rtol=0, atol=0, equal_nan=True).flatten()
        assert not wrong.any(), f"{name} of {x[0, wrong][0]}"


@native
@TYPES
def test_functions_are_within_a_few_units_in_the_last_place(dtype: torch.dtype) -> None:
    x = sweep(dtype)
    functions = {name: function for name, (_, function) in NEAR.items()}
    with np.errstate(all="ignore"):
        results = list(compared(functions, x, x.double(), exacter=EXACTER))
    for name, got, want in results:
        off = errors(got, want)
        tiny = 1e-35 if dtype == torch.float32 else 1e-304  # less may come from denormal numbers
        off[np.abs(want.numpy().ravel()) < tiny] = 0
        assert off.max() <= NEAR[name][0], f"{name} of {x[0, off.argmax()]} is {off.max()} units off"


@native
@TYPES
def test_bits_are_the_same_on_all_sets_with_fused_multiply_adds(dtype: torch.dtype) -> None:
    sets = [known for known in instruction_sets() if known != "baseline"]
    if len(sets) < 2:
        pytest.skip("this machine has no two of them")
    functions = [*SAME.values(), *(function for _, function in NEAR.values())]
    module = Apply(partial(_joined, functions), dtype).eval()
    program = Scanner(module, (1, 1), backend="native").program
    x = sweep(dtype)[None]
    first, *others = (NativeScan(program, (1,), instruction_set=name).scan(x)[0].nan_to_num(7.0) for name in sets)
    for other in others:
        assert first.numpy().tobytes() == other.numpy().tobytes()


@native
@TYPES
def test_results_too_small_for_normal_numbers_become_denormal_ones(dtype: torch.dtype) -> None:
    x = torch.linspace(*((-103.0, -88.0) if dtype == torch.float32 else (-744.0, -709.0)), 200, dtype=dtype)[None]
    powers = [torch.exp, torch.sigmoid, F.softplus, lambda x: torch.exp2(x / math.log(2))]
    got = scanned(partial(_joined, powers), x)
    assert ((got > 0) & (got < torch.finfo(dtype).tiny)).all()
    smallest = torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps
    x = torch.tensor([[smallest, -smallest, 1000 * smallest]], dtype=dtype)
    got = scanned(partial(_joined, [torch.tanh, torch.expm1, torch.log1p, torch.sin]), x)
    assert torch.equal(got, x.T.expand_as(got))


@native
@TYPES
def test_the_sign_of_zero_is_kept(dtype: torch.dtype) -> None:
    odd = [torch.tanh, torch.expm1, torch.log1p, torch.erf, torch.sqrt, torch.sin, torch.tan, torch.asin, torch.atan]
    odd += [torch.sinh, torch.floor, torch.ceil, torch.round, torch.trunc, F.gelu, F.silu, F.mish, F.elu, F.relu]
    for functions, numbers in (odd, [-0.0, 0.0]), ([torch.ceil, torch.round, torch.trunc], [-0.3, 0.0]):
        got = scanned(partial(_joined, functions), torch.tensor([numbers], dtype=dtype))
        assert (got == 0).all()
        assert torch.signbit(got).tolist() == [[True] * len(functions), [False] * len(functions)]


def _joined(functions: Sequence[Function], x: Tensor) -> Tensor:
    return torch.cat([function(x) for function in functions], 1)


@native
@TYPES
def test_powers_of_two_are_exact(dtype: torch.dtype) -> None:
    exponents = torch.arange(*((-149, 128) if dtype == torch.float32 else (-1074, 1024)), dtype=dtype)[None]
    powers = torch.ldexp(torch.tensor(1.0, dtype=dtype), exponents)
    assert torch.equal(scanned(torch.exp2, exponents).T, powers)
    assert torch.equal(scanned(torch.log2, powers).T, exponents)


def pairs(dtype: torch.dtype) -> Tensor:
    """All pairs of special numbers as two channels."""
    return torch.tensor(list(itertools.product(specials(dtype), repeat=2)), dtype=dtype).T.contiguous()


TWO: dict[str, tuple[float, Function]] = {
    "add": (0, torch.add),
    "sub": (0, torch.sub),
    "add scaled": (1, lambda a, b: torch.add(a, b, alpha=0.5)),
    "sub scaled": (1, lambda a, b: torch.sub(a, b, alpha=0.5)),
    "mul": (0, torch.mul),
    "div": (0, torch.div),
    "div trunc": (0, lambda a, b: torch.div(a, b, rounding_mode="trunc")),
    "div floor": (0, lambda a, b: torch.div(a, b, rounding_mode="floor")),
    "maximum": (0, torch.maximum),
    "minimum": (0, torch.minimum),
    "fmax": (0, torch.fmax),
    "fmin": (0, torch.fmin),
    "pow": (1.5, torch.pow),
    "atan2": (1.5, torch.atan2),
    "hypot": (1.5, torch.hypot),
}


@native
@TYPES
def test_functions_of_two_maps_equal_torch_on_all_pairs_of_special_numbers(dtype: torch.dtype) -> None:
    x = pairs(dtype)
    functions = {name: _of_channels(function) for name, (_, function) in TWO.items()}
    for name, got, want in compared(functions, x, x):
        off = errors(got, want)
        assert off.max() <= TWO[name][0], f"{name} of {x[:, off.argmax()]} is {off.max()} units off"
        if name.startswith("div"):
            assert torch.equal(torch.signbit(got[got == 0]), torch.signbit(want[want == 0])), name


def _of_channels(function: Function) -> Function:
    return lambda x: function(x[:, :1], x[:, 1:])


@native
@TYPES
def test_functions_of_a_map_and_a_vector_take_either_first(dtype: torch.dtype) -> None:
    numbers = torch.tensor([-3.0, -0.5, 0.75, 2.5], dtype=dtype)[:, None]
    x = torch.tensor(specials(dtype), dtype=dtype).repeat(len(numbers), 1)
    map_first = {name: _with(function, numbers, False) for name, (_, function) in TWO.items()}
    vector_first = {name: _with(function, numbers, True) for name, (_, function) in TWO.items()}
    for functions in (map_first, vector_first):
        for name, got, want in compared(functions, x, x):
            assert errors(got, want).max() <= TWO[name][0], name


def _with(function: Function, vector: Tensor, swap: bool) -> Function:
    return lambda x: function(vector, x) if swap else function(x, vector)


@native
@TYPES
def test_prelu_has_a_slope_for_each_channel(dtype: torch.dtype) -> None:
    slopes = torch.tensor([0.25, -2.0, 0.0], dtype=dtype)
    x = torch.tensor(specials(dtype), dtype=dtype).repeat(3, 1)
    got, want = scanned(lambda x: F.prelu(x, slopes), x), expected(lambda x: F.prelu(x, slopes), x)
    assert errors(got, want).max() == 0


# Many numbers -------------------------------------------------------------------------------------------------------


def groups(dtype: torch.dtype, size: int) -> Tensor:
    """Ordinary numbers; every other group has a few special ones."""
    generator = np.random.default_rng(size)
    x = generator.normal(1, 3, (300, size))
    odd = np.array([math.nan, math.inf, -math.inf, 0.0, 1e-40, 5.0])
    x[::2] = np.where(generator.random((150, size)) < 2 / size, generator.choice(odd, (150, size)), x[::2])
    x[0], x[2], x[4] = math.inf, -math.inf, 5.0
    return torch.tensor(x, dtype=dtype)


MANY: dict[str, Callable[[Tensor, int], Tensor]] = {
    "max": torch.amax,
    "min": torch.amin,
    "sum": torch.sum,
    "mean": torch.mean,
    "var": torch.var,
    "std": torch.std,
    "population": lambda x, axis: torch.var(x, axis, correction=0),
    "logsumexp": torch.logsumexp,
    "softmax": torch.softmax,
    "log_softmax": torch.log_softmax,
}


def _over(axis: int, names: Sequence[str]) -> dict[str, Function]:
    return {name: partial(lambda function, x: function(x, axis), MANY[name]) for name in names}


@native
@TYPES
@pytest.mark.parametrize("size", [2, 9, 300])
def test_functions_of_channels_have_small_errors(size: int, dtype: torch.dtype) -> None:
    x = groups(dtype, size).T.contiguous()
    functions = _over(1, list(MANY))
    if size > 4:  # a few channels may be so near each other that nothing is left of their differences
        functions["norm"] = lambda x: F.layer_norm(x.movedim(1, 2), (size,)).movedim(2, 1)
    for name, got, want in compared(functions, x, x.double()):
        close(name, got, want, size)


@native
@TYPES
@pytest.mark.parametrize("size", [2, 3, 4, 70])
def test_pools_have_small_errors(size: int, dtype: torch.dtype) -> None:
    x = groups(dtype, size)[:50].reshape(1, -1)
    functions = _over(2, [name for name in MANY if "softmax" not in name])
    for name, got, want in compared(functions, x, x.double(), size):
        close(name, got, want, size)


@native
@TYPES
def test_a_long_sum_is_added_up_in_runs(dtype: torch.dtype) -> None:
    """Ones beside a number to which they make no difference one by one: only those of its own run are lost."""
    x = torch.ones((300, 1), dtype=dtype)
    x[0] = 2 / torch.finfo(dtype).eps
    lost = x.double().sum(0) - scanned(lambda x: x.sum(1), x)[0].double()
    assert 0 <= lost.item() <= 16


def close(name: str, got: Tensor, want: Tensor, size: int) -> None:
    """Equal but for what sums of numbers of about 3 lose, a run of 16 at a time and then the runs."""
    off = errors(got, want)
    assert np.isfinite(off).all(), f"{name}: NaN or infinity in the wrong place"
    numbers = want.isfinite()
    loss = torch.finfo(got.dtype).eps * (8 + min(size, 16) + size // 16)
    torch.testing.assert_close(
        got[numbers].double(), want[numbers], rtol=loss, atol=loss * 3, msg=lambda text: f"{name}: {text}"
    )

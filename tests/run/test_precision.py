"""A smaller number type, only when asked for by name: what it costs is measured, and said."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nets import Drawn, networks
from torch import nn

import scanwise as sw
from scanwise.errors import ArgumentError, ReducedPrecision
from scanwise.program import BINARY, UNARY
from scanwise.run import Scanner
from scanwise.run._precision import spread

FEW = "ignore::scanwise.errors.ReducedPrecision"


def small(dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(2, 4, 3), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(4 * 5, 3))
    return net.to(dtype).eval()


def reduced(net: nn.Module, shape: tuple[int, ...] = (2, 12), **how: Any) -> Scanner:
    return Scanner(net, shape, precision="bfloat16", **how)


class Function(nn.Module):
    """A function of windows as a network."""

    def __init__(self, function: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(x)


# What is computed ------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings(FEW)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_and_maps_are_bfloat16_and_scores_are_in_the_networks_type(dtype: torch.dtype) -> None:
    net, x = small(dtype), torch.randn(2, 40, dtype=dtype)
    scores = reduced(net).scan(x)
    assert scores.dtype == dtype
    assert torch.equal(scores.bfloat16().to(dtype), scores)
    with torch.no_grad():
        windows = x.unfold(1, 12, 1).movedim(1, 0)
        alone = net.to(torch.bfloat16)(windows.bfloat16()).to(dtype).T
    torch.testing.assert_close(scores, alone, rtol=0.02, atol=0.01)
    assert isinstance(reduced(small(dtype)).scan(x.numpy()), np.ndarray)


@pytest.mark.filterwarnings(FEW)
def test_the_scanner_keeps_its_oracle_and_its_network_as_they_are() -> None:
    net, x = small(), torch.randn(2, 30)
    scanner = reduced(net)
    before = scanner.scan_windows(x)
    scanner.scan(x)
    assert torch.equal(scanner.scan_windows(x), before)
    assert torch.equal(before, Scanner(small(), (2, 12)).scan_windows(x))
    assert scanner.deviation() < 1e-6


@pytest.mark.filterwarnings(FEW, "ignore::scanwise.errors.SharingEnds")
def test_where_sharing_has_ended_the_networks_type_is_kept() -> None:
    net = nn.Sequential(nn.Conv1d(1, 3, 5, padding=2), nn.ReLU(), nn.Flatten(), nn.Linear(36, 2)).eval()
    x = torch.randn(1, 40)
    scores = reduced(net, (1, 12)).scan(x)
    torch.testing.assert_close(scores, Scanner(net, (1, 12)).scan_windows(x.bfloat16().float()))


@pytest.mark.parametrize("op", sorted(UNARY | BINARY))
def test_torch_has_every_pointwise_function_in_bfloat16(op: str) -> None:
    """Otherwise a network that uses it could not be scanned so."""
    extra: dict[str, tuple[object, ...]] = {"clamp": (0.0, 1.0), "clamp_min": (0.0,), "clamp_max": (1.0,)}
    extra |= {"pow": (2,), "threshold": (0.1, 0.0), "prelu": (torch.ones(1).bfloat16(),)}
    x = torch.rand(2, 3).bfloat16()
    more = extra.get(op, (x,) if op in BINARY else ())
    assert getattr(torch.ops.aten, op)(x, *more).dtype == torch.bfloat16


@pytest.mark.filterwarnings(FEW)
@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.std(2),
        lambda x: x.var(2),
        lambda x: x.logsumexp(2),
        lambda x: x.amin(2),
        lambda x: x.mean(2).softmax(1),
        lambda x: x.mean(2).log_softmax(1),
        lambda x: nn.functional.layer_norm(x.amax(2), (2,), eps=1.0),
        lambda x: torch.stack([x.mean(2).logsumexp(1), x.amax(2).sum(1), x.sum(2).var(1)], 1),
    ],
)
def test_torch_has_every_reduction_in_bfloat16(function: Callable[[torch.Tensor], torch.Tensor]) -> None:
    scanner = reduced(Function(function).eval(), (2, 9), strict=True)
    x = torch.randn(2, 40, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(scanner.scan(x), scanner.scan_windows(x), rtol=0.05, atol=0.1)


def test_nothing_changes_for_a_network_that_is_in_that_type_already() -> None:
    net = small(torch.bfloat16)
    x = torch.randn(2, 30)
    scanner = reduced(net)
    assert torch.equal(scanner.scan(x), Scanner(net, (2, 12)).scan(x))
    assert scanner.measured_error is None


# What it costs ---------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings(FEW)
@given(networks(), st.sampled_from([torch.float64, torch.float32]), st.integers(1, 3), st.data())
def test_the_error_that_is_reported_is_the_one_that_is_there(
    drawn: Drawn, dtype: torch.dtype, items: int, data: st.DataObject
) -> None:
    """On few windows all are measured: held against the oracle, item by item."""
    hop = tuple(data.draw(st.integers(1, w + 2), label="hop") for w in drawn.window_shape[1:])
    scanner = Scanner(drawn.build(dtype), drawn.window_shape, hop, precision="bfloat16")
    space = tuple(w + data.draw(st.integers(0, 3 * h), label="more") for w, h in zip(scanner.window, hop, strict=True))
    x = torch.stack([drawn.values(space, dtype, seed) for seed in range(items)])
    got, want = scanner.scan(x).double(), torch.stack([scanner.scan_windows(item) for item in x]).double()
    error = scanner.measured_error
    assert error is not None
    total = got[:, 0].numel()
    assert (error.windows, error.total) == (min(total, 64), total)
    worst, scale = float((got - want).abs().max()), float(want.abs().max())
    if total <= 64:
        assert error.largest == worst
        assert error.relative == (worst / scale if scale else worst and float("inf"))
        assert error.changed == int((got.argmax(1) != want.argmax(1)).sum())
    else:
        assert error.largest <= worst


@pytest.mark.filterwarnings(FEW)
def test_of_many_windows_some_from_everywhere_are_measured() -> None:
    """Only the windows that hold one of two loud stretches are far off, and they are found."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(8, 2)).eval()
    x = torch.zeros(3, 1, 2000)
    x[2, 0, 1500:1600] = 1000 + torch.rand(100)
    scanner = reduced(net, (1, 8))
    scanner.scan(x)
    error = scanner.measured_error
    assert error is not None
    assert (error.windows, error.total) == (64, 3 * 1993)
    assert error.largest > 0.1


@given(st.integers(1, 10**6), st.integers(1, 64))
def test_one_window_of_each_of_equal_stretches_is_measured(total: int, most: int) -> None:
    chosen = spread(total, most)
    count = min(total, most)
    stretch = total / count
    assert (np.abs(chosen - (np.arange(count) + 0.5) * stretch) <= stretch / 2 + 1).all()
    assert (np.diff(chosen) > 0).all()
    assert 0 <= chosen[0] <= chosen[-1] < total


@pytest.mark.parametrize("height", [63, 64, 65, 126, 640])
def test_the_windows_measured_do_not_fall_on_one_column(height: int) -> None:
    columns = np.unravel_index(spread(height * 100, 64), (height, 100))[1]
    assert np.histogram(columns, 4, (0, 100))[0].min() >= 8


@pytest.mark.filterwarnings(FEW)
def test_extended_padding_is_measured_against_the_same_scan_in_full_precision() -> None:
    """Not against the network, whose function it is not."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(1, 3, 5, padding=2), nn.ReLU(), nn.Flatten(), nn.Linear(36, 2)).eval()
    x = torch.randn(1, 50)
    scanner = reduced(net, (1, 12), padding="extend")
    worst = (scanner.scan(x) - Scanner(net, (1, 12), padding="extend").scan(x)).abs().max()
    assert scanner.measured_error is not None
    assert scanner.measured_error.largest == pytest.approx(float(worst), rel=1e-3)
    assert scanner.measured_error.relative < 0.05


@pytest.mark.filterwarnings(FEW)
def test_a_program_without_its_network_is_measured_too() -> None:
    x = torch.randn(2, 60)
    with_network = reduced(small())
    alone = Scanner.from_program(with_network.program, precision="bfloat16")
    assert torch.equal(alone.scan(x), with_network.scan(x))
    assert alone.measured_error is not None
    assert with_network.measured_error is not None
    assert alone.measured_error.largest == pytest.approx(with_network.measured_error.largest, rel=1e-3)


@pytest.mark.filterwarnings(FEW)
def test_of_several_outputs_the_worst_is_reported_and_class_numbers_do_not_count() -> None:
    net = Function(lambda x: {"fine": x[:, 0, :3] * 0, "off": x[:, 0, :2] / 3, "best": x[:, 0].argmax(1)}).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sw.SharingEnds)
        scanner = reduced(net, (1, 12))
    x = torch.rand(1, 40) + 100
    got, want = scanner.scan(x), scanner.scan_windows(x)
    assert not torch.equal(got["best"], want["best"])
    assert scanner.measured_error is not None
    assert scanner.measured_error.largest == float((got["off"] - want["off"]).abs().max())


@pytest.mark.filterwarnings(FEW)
def test_windows_that_change_their_best_class_are_counted() -> None:
    """Both weights are the same in bfloat16, so the first class wins."""
    net = Function(lambda x: torch.cat([x[:, 0], x[:, 0] * 1.001], 1)).eval()
    scanner = reduced(net, (1, 1))
    x = torch.tensor([[1.0, 2.0, 4.0, -1.0, -2.0]])
    scanner.scan(x)
    assert scanner.measured_error is not None
    assert scanner.measured_error.changed == 3


@pytest.mark.filterwarnings(FEW)
@pytest.mark.parametrize(
    ("values", "largest"),
    [([1.0, float("nan"), 2.0], 0.0), ([float("inf"), 1.0, 2.0], 0.0), ([0.0, 0.0, 0.0], 0.0)],
)
def test_nan_and_infinity_are_no_difference_where_the_network_gives_them_too(
    values: list[float], largest: float
) -> None:
    scanner = reduced(Function(lambda x: x[:, 0]).eval(), (1, 1))
    scanner.scan(torch.tensor([values]))
    assert scanner.measured_error is not None
    assert (scanner.measured_error.largest, scanner.measured_error.relative) == (largest, 0)
    assert scanner.measured_error.changed is None


@pytest.mark.filterwarnings(FEW)
def test_scores_that_overflow_are_infinitely_far_off() -> None:
    scanner = reduced(Function(lambda x: x[:, 0]).eval(), (1, 1))
    scanner.scan(torch.tensor([[3.4e38, 1.0]]))  # bfloat16 rounds it up
    assert scanner.measured_error is not None
    assert scanner.measured_error.relative == float("inf")


# What is said ----------------------------------------------------------------------------------------------------


def test_each_scan_says_how_far_off_its_scores_are() -> None:
    scanner = reduced(small())
    with pytest.warns(
        ReducedPrecision,
        match=r"^bfloat16 scores differ by at most 0\.\d+ \(0\.\d+ % of the largest\) from float32 on 64 of 1,989 "
        r"windows; the best class changes in (none|\d+) of them$",
    ) as said:
        scanner.scan(torch.randn(2, 2000))
    assert said[0].filename == __file__
    assert isinstance(said[0].message, sw.ReducedPrecision)
    assert scanner.measured_error is not None
    assert said[0].message.relative == scanner.measured_error.relative
    with pytest.warns(ReducedPrecision, match="on 1 of 1 windows"):
        scanner.scan(torch.randn(2, 12))


def test_an_input_without_a_window_has_no_error_and_no_warning() -> None:
    scanner = reduced(small())
    with pytest.warns(ReducedPrecision, match="on 9 of 9 windows"):
        scanner.scan(torch.randn(2, 20))
    assert scanner.scan(torch.zeros(2, 11)).shape == (3, 0)
    assert scanner.measured_error is None


def test_explain_names_the_precision_and_why_torch_runs_it() -> None:
    text = str(reduced(small()).explain())
    assert "backend        torch on cpu in bfloat16: bfloat16 was asked for" in text
    assert "bfloat16" not in str(Scanner(small(), (2, 12)).explain())


@pytest.mark.parametrize("precision", ["float16", "fp8", True, torch.bfloat16, ["bfloat16"]])
def test_other_precisions_are_refused(precision: Any) -> None:
    with pytest.raises(ArgumentError, match=r"precision must be 'bfloat16', or None for the network's own .*; got "):
        Scanner(small(), (2, 12), precision=precision)


def test_the_native_engine_is_refused_with_the_reason() -> None:
    with pytest.raises(ArgumentError, match=r"got 'native', but bfloat16 was asked for. Use 'auto'"):
        reduced(small(), backend="native")

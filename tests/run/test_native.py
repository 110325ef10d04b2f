"""The native backend: the same bits however a scan is cut, on every kind of input."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nets import Drawn, networks
from torch import nn

from scanwise.errors import ArgumentError
from scanwise.kernels import absent, instruction_sets, operation_codes
from scanwise.run import Scanner
from scanwise.run._native import NativeScan
from scanwise.run._phases import phases

pytestmark = pytest.mark.skipif(absent() is not None, reason=f"no native engine: {absent()}")


def hops(drawn: Drawn, data: st.DataObject) -> tuple[int, ...]:
    return tuple(data.draw(st.integers(1, w + 2), label="hop") for w in drawn.window_shape[1:])


def same(a: Any, b: Any) -> bool:
    """Equal to the last bit; the sign of zero counts, which NaN it is does not."""
    a, b = np.asarray(a), np.asarray(b)
    numbers = ~np.isnan(a)
    return (
        a.shape == b.shape and bool((np.isnan(a) == np.isnan(b)).all()) and a[numbers].tobytes() == b[numbers].tobytes()
    )


@given(networks(), st.sampled_from([torch.float64, torch.float32]), st.data())
def test_bits_depend_on_no_strip_threads_batch_or_instruction_set(
    drawn: Drawn, dtype: torch.dtype, data: st.DataObject
) -> None:
    scanner = Scanner(drawn.build(dtype), drawn.window_shape, hops(drawn, data), backend="native")
    space = tuple(data.draw(st.integers(w, w + 60), label="size") for w in scanner.window)
    batch = torch.stack([drawn.values(space, dtype, seed) for seed in range(3)])
    want = np.stack([scanner.scan(x.numpy()) for x in batch])
    sets = [name for name in instruction_sets() if name != "baseline"] or instruction_sets()
    engines = [NativeScan(scanner.program, scanner.hop, instruction_set=name) for name in sets]
    for engine in engines:
        cut = {"strip": data.draw(st.sampled_from([1, 5, 16, 48, None])), "threads": data.draw(st.integers(1, 3))}
        (got,) = engine.scan(batch, **cut)
        assert same(got, want.reshape(got.shape))


@given(networks(), st.data())
def test_bits_depend_on_no_cut_of_the_input(drawn: Drawn, data: st.DataObject) -> None:
    """The scores of a part of the input are those of the whole, wherever it was cut out."""
    scanner = Scanner(drawn.build(torch.float32), drawn.window_shape, hops(drawn, data), backend="native")
    counts = [data.draw(st.integers(1, 40)) for _ in scanner.window]
    space = tuple((n - 1) * h + w for n, h, w in zip(counts, scanner.hop, scanner.window, strict=True))
    x = drawn.values(space, torch.float32)
    whole = scanner.scan(x)
    spans = [sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n)))) for n in counts]
    cut = tuple(
        slice(a * h, max(a, b - 1) * h + w) for (a, b), h, w in zip(spans, scanner.hop, scanner.window, strict=True)
    )
    part = scanner.scan(x[(slice(None), *cut)])
    held = tuple(slice(a, a + n) for (a, _), n in zip(spans, part.shape[1:], strict=True))
    assert same(part, whole[(slice(None), *held)])


@given(networks(), st.sampled_from([float("nan"), float("inf"), -float("inf")]), st.data())
def test_nan_and_infinity_reach_exactly_the_outputs_whose_windows_hold_them(
    drawn: Drawn, value: float, data: st.DataObject
) -> None:
    scanner = Scanner(drawn.build(torch.float64), drawn.window_shape, hops(drawn, data), backend="native")
    space = tuple(w + data.draw(st.integers(0, 30)) for w in scanner.window)
    x = drawn.values(space, torch.float64)
    clean = scanner.scan(x)
    place = (slice(None), *(data.draw(st.integers(0, size - 1)) for size in space))
    x[place] = value
    got, want = scanner.scan(x), scanner.scan_windows(x)
    assert torch.equal(got.isnan(), want.isnan())
    assert torch.equal(got.isinf(), want.isinf())
    assert torch.equal(got[got.isinf()], want[want.isinf()])
    inside = torch.ones(got.shape[1:], dtype=torch.bool)
    for axis, (n, h, w) in enumerate(zip(got.shape[1:], scanner.hop, scanner.window, strict=True)):
        start = torch.arange(n) * h
        holds = (start <= place[axis + 1]) & (place[axis + 1] < start + w)
        inside &= holds.reshape([-1 if a == axis else 1 for a in range(drawn.axes)])
    assert same(got[:, ~inside], clean[:, ~inside])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_denormal_numbers_are_not_flushed_to_zero(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(1, 3, 5, bias=False), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(3, 2, 3, bias=False))
    scanner = Scanner(net.to(dtype).eval(), (1, 10), backend="native")
    tiny = torch.finfo(dtype).smallest_normal * 1e-3
    x = torch.randn(1, 200, dtype=dtype) * tiny
    got, want = scanner.scan(x), scanner.scan_windows(x)
    assert (want != 0).any()
    assert (got - want).abs().max() <= 40 * torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps
    assert ((got != 0) == (want != 0)).float().mean() > 0.95


@pytest.mark.parametrize("hop", [(1, 1), (3, 2), (5, 9), (2, 40)])
@pytest.mark.parametrize("space", [(8, 9), (8, 13), (21, 9), (14, 17), (9, 48)])
def test_bits_are_the_same_for_few_outputs_and_for_many_inputs(hop: tuple[int, int], space: tuple[int, int]) -> None:
    """Few outputs are computed at neighbouring positions or, of many inputs, side by side: whatever fills vectors."""
    torch.manual_seed(3)
    net = nn.Sequential(nn.Conv2d(2, 5, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(45, 4)).eval()
    scanner = Scanner(net, (2, 8, 9), hop, backend="native")
    x = torch.randn(70, 2, *space)
    got = scanner.scan(x)
    torch.testing.assert_close(got[:2], scanner.scan_windows(x[:2]), rtol=1e-5, atol=1e-5)
    assert all(same(got[i], scanner.scan(x[i])) for i in range(70))
    wide = torch.cat([x[0], torch.randn(2, space[0], 200 * hop[1])], 2)
    assert same(scanner.scan(wide)[..., : got.shape[3]], got[0])


def test_windows_one_by_one_are_computed_side_by_side_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(3)
    net = nn.Sequential(nn.Flatten(), nn.Linear(24, 8), nn.Sigmoid(), nn.Linear(8, 2)).eval()
    scanner = Scanner(net, (2, 12), hop=5, backend="native")
    x = torch.randn(200, 2, 16)
    want = scanner.scan(x)
    rows = []
    scan = scanner.chosen.scan
    beside = scan._beside((1,), scan._fewest((1,))[0])
    assert beside is not None
    monkeypatch.setattr("scanwise.run._native.GROUP_BYTES", 1)
    monkeypatch.setitem(beside.__dict__, "engine", Recorder(beside.engine, rows))
    assert same(scanner.scan(x), want)
    assert rows == [(1, 2, 64 * 12)] * 3 + [(1, 2, 8 * 12)]


class Recorder:
    """An engine that notes the shapes of its inputs."""

    def __init__(self, engine: Any, shapes: list[tuple[int, ...]]) -> None:
        self.engine, self.shapes = engine, shapes

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def scan(self, x: np.ndarray, *args: Any, **kwargs: Any) -> None:
        self.shapes.append(x.shape)
        self.engine.scan(x, *args, **kwargs)


class Pools(nn.Module):
    """Everything that a window's values can be reduced to."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        dims = tuple(range(2, x.dim()))
        unbiased = [x.var(dims), x.std(dims)] if x.shape[2:].numel() > 1 else []
        reduced = [x.amax(dims), x.amin(dims), x.sum(dims), x.mean(dims), x.logsumexp(dims), x.var(dims, correction=0)]
        return torch.cat([*reduced, *unbiased], 1)


@pytest.mark.parametrize("window", [*((k,) for k in range(1, 21)), (1, 5), (2, 2), (3, 1), (3, 7), (8, 9)])
def test_pools_of_any_extent_are_taken_apart_without_a_trace(window: tuple[int, ...]) -> None:
    for hop in (1, 3):
        scanner = Scanner(Pools().eval(), (2, *window), hop, backend="native", strict=True)
        x = torch.randn(2, *(w + 11 for w in window))
        torch.testing.assert_close(scanner.scan(x), scanner.scan_windows(x), rtol=1e-5, atol=1e-5)


def test_a_scanner_may_be_used_by_several_threads_at_once() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(1, 8, 9), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(8, 2, 9)).eval()
    scanner = Scanner(net, (1, 26), hop=2, backend="native")
    signals = [np.random.default_rng(i).normal(size=(1, 3000 + 700 * i)).astype(np.float32) for i in range(8)]
    want = [scanner.scan(x) for x in signals]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            assert all(map(same, pool.map(scanner.scan, signals), want))


# Inputs -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 3))
    return Scanner(net.eval(), (2, 7, 6), hop=(1, 2), backend="native")


TYPES = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)] + [
    "float16",
    "float32",
    "float64",
    "bool",
]


@pytest.mark.parametrize("name", TYPES)
def test_numbers_of_any_type_are_read_as_they_are(scanner: Scanner, name: str) -> None:
    x = (np.random.default_rng(0).normal(60, 20, (2, 20, 21)) % 100).astype(name)
    got = scanner.scan(x)
    assert got.dtype == np.float32
    assert same(got, scanner.scan(x.astype(np.float32)))
    np.testing.assert_allclose(got, scanner.scan_windows(x), rtol=1e-3, atol=1e-3)


def misaligned(x: np.ndarray) -> np.ndarray:
    raw = np.zeros(x.nbytes + 1, np.uint8)
    raw[1:] = np.frombuffer(x.tobytes(), np.uint8)
    return raw[1:].view(x.dtype).reshape(x.shape)


def records(x: np.ndarray) -> np.ndarray:
    table = np.zeros(x.shape, [("flag", "u1"), ("value", x.dtype)])
    table["value"] = x
    return table["value"]


FORMS = {
    "read-only": lambda x: np.broadcast_to(x, x.shape),
    "backwards": lambda x: x[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1],
    "every other": lambda x: np.repeat(np.repeat(x, 2, 2), 3, 0)[::3, :, ::2],
    "Fortran": np.asfortranarray,
    "other byte order": lambda x: x.astype(x.dtype.newbyteorder()),
    "misaligned": misaligned,
    "a field of records": records,
    "long double": lambda x: x.astype(np.longdouble),
}


@pytest.mark.parametrize("form", FORMS)
def test_arrays_may_stand_in_memory_as_they_like(scanner: Scanner, form: str) -> None:
    x = np.random.default_rng(0).normal(size=(2, 20, 21)).astype(np.float32)
    formed = FORMS[form](x)
    np.testing.assert_array_equal(formed, x)
    assert same(scanner.scan(formed), scanner.scan(x))


def test_a_channel_repeated_without_a_copy_is_read(scanner: Scanner) -> None:
    x = torch.randn(1, 20, 21).expand(2, 20, 21)
    assert same(scanner.scan(x), scanner.scan(x.clone()))


@pytest.mark.parametrize("shape", [(2, 0, 21), (2, 20, 0), (2, 6, 21), (2, 20, 5), (0, 2, 20, 21), (3, 2, 6, 21)])
def test_an_empty_input_gives_empty_scores(scanner: Scanner, shape: tuple[int, ...]) -> None:
    x = np.zeros(shape, np.float32)
    assert scanner.scan(x).shape == scanner.scan_windows(x).shape
    assert scanner.scan(x).size == 0


def test_an_input_larger_than_the_memory_allowed_is_scanned(scanner: Scanner) -> None:
    x = np.random.default_rng(0).normal(size=(2, 60, 3000)).astype(np.float32)
    bounded = Scanner.from_program(scanner.program, scanner.hop, backend="native", max_memory=scanner.least_bytes)
    assert same(bounded.scan(x), scanner.scan(x))


def test_padding_beyond_the_input_is_zero_without_a_copy_of_it() -> None:
    torch.manual_seed(2)
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 3, padding=1)).eval()
    kwargs = {"hop": (2, 1), "padding": "extend"}
    x = torch.randn(1, 15, 18)
    native = Scanner(net, (1, 8, 9), backend="native", **kwargs)
    torch.testing.assert_close(native.scan(x), Scanner(net, (1, 8, 9), backend="torch", **kwargs).scan(x))


# Rules ------------------------------------------------------------------------------------------------------------


def conv(axes: int = 1, dtype: torch.dtype = torch.float32, **kwargs: Any) -> nn.Module:
    layer = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[axes - 1]
    return layer(1, 2, 3, **kwargs).to(dtype).eval()


@pytest.mark.filterwarnings("ignore::scanwise.errors.SharingEnds")
@pytest.mark.parametrize(
    ("net", "window", "reason"),
    [
        (conv(3), (1, 4, 4, 4), "it has 3 axes"),
        (conv(dtype=torch.bfloat16), (1, 8), "it computes in bfloat16"),
        (conv(padding=1), (1, 8), r"sharing ends at its top level"),
    ],
)
def test_what_the_engine_cannot_run_runs_on_torch_and_the_reason_is_given(
    net: nn.Module, window: tuple[int, ...], reason: str
) -> None:
    scanner = Scanner(net, window)
    assert scanner.backend == "torch"
    assert reason in scanner.explain().reason
    with pytest.raises(ArgumentError, match=f"backend must be one that can run this scan; got 'native', but {reason}"):
        Scanner(net, window, backend="native")


def test_a_bound_below_what_the_engine_needs_is_kept_by_torch() -> None:
    scanner = Scanner(conv(), (1, 8), max_memory=300)
    assert scanner.backend == "torch"
    assert "bytes on the native engine, and 300 are allowed" in scanner.explain().reason
    x = torch.randn(1, 100)
    torch.testing.assert_close(scanner.scan(x), scanner.scan_windows(x))


def test_the_backend_is_one_of_three() -> None:
    with pytest.raises(ArgumentError, match="backend must be one of auto, native, torch"):
        Scanner(conv(), (1, 8), backend="cuda")


def test_a_hop_that_needs_too_large_a_table_runs_on_torch_before_it_is_made() -> None:
    net = nn.Sequential(nn.Conv1d(1, 1, 251), nn.AdaptiveMaxPool1d(1)).eval()
    scanner = Scanner(net, (1, 12_000), hop=12_000)
    assert scanner.backend == "torch"
    assert "reads its maps at more than 2,000,000 places" in scanner.explain().reason


def test_an_operation_that_the_engine_lacks_is_not_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine built from older sources may lack one."""
    codes = operation_codes()
    del codes["unary"]["sigmoid"]
    monkeypatch.setattr("scanwise.run._lower.operation_codes", lambda: codes)
    scanner = Scanner(nn.Sequential(conv(), nn.Sigmoid()).eval(), (1, 8))
    assert scanner.backend == "torch"
    assert "the native engine has no sigmoid: it is of another version" in scanner.explain().reason


@given(networks(), st.data())
def test_the_work_is_that_of_the_plan_or_less(drawn: Drawn, data: st.DataObject) -> None:
    """Positions are computed exactly where a hop needs them: no more than by torch, which fills some gaps."""
    scanner = Scanner(drawn.build(torch.float32), drawn.window_shape, hops(drawn, data), backend="native")
    assert scanner.chosen.scan.macs <= scanner.plan.macs_per_window


def test_positions_are_kept_by_residue() -> None:
    """A kernel of 3 at stride 2 below one of 2 reads 5 samples; at a hop of 4, each residue once, one of them twice."""
    net = nn.Sequential(nn.Conv1d(1, 1, 3, stride=2), nn.Conv1d(1, 1, 2)).eval()
    scan = Scanner(net, (1, 5), hop=4, backend="native").chosen.scan
    (input_classes,), (first,), (last,) = scan.walk.phases.classes
    assert (input_classes.first, input_classes.ahead) == ([0, 1, 2, 3], [1, 0, 0, 0])
    assert (first.first, first.ahead, last.first) == ([0, 2], [0, 0], [0])
    assert scan.macs == 2 * 3 + 2
    assert phases(scan.walk.phases.lowered, (4,)).classes == scan.walk.phases.classes


# Interrupting -----------------------------------------------------------------------------------------------------


class Stopped(Exception):
    """What a signal's handler raises; the keyboard's may be switched off for tests that run unattended."""


@pytest.fixture
def stopping() -> Iterator[None]:
    def stop(number: int, frame: object) -> None:
        raise Stopped

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("stopping")
def test_a_long_scan_can_be_interrupted() -> None:
    net = nn.Sequential(nn.Conv1d(1, 32, 9), nn.Conv1d(32, 32, 9), nn.Conv1d(32, 1, 9)).eval()
    scanner = Scanner(net, (1, 25), backend="native")
    x = np.zeros((1, 30_000_000), np.float32)
    with pytest.raises(Stopped):
        scanner.scan(x)
    assert scanner.scan(x[:, :100]).shape == (1, 1, 76)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not let a process choose its cores")
def test_threads_keep_to_the_cores_that_the_caller_may_use_and_leave_them_as_they_were() -> None:
    net = nn.Sequential(nn.Conv1d(1, 8, 9), nn.ReLU(), nn.Conv1d(8, 1, 1), nn.Flatten()).eval()
    native = NativeScan(Scanner(net, (1, 9)).program, (1,))
    x = np.random.default_rng(0).normal(size=(1, 1, 300_000)).astype(np.float32)
    assert native._cut(native.walk, 1, (300_000 - 8,), 3, None)["threads"] == 3
    before = os.sched_getaffinity(0)
    (alone,) = native.scan(x, threads=1)
    for cores in (before, {min(before)}, {max(before)}):
        os.sched_setaffinity(0, cores)
        try:
            (scores,) = native.scan(x, threads=3)
            assert os.sched_getaffinity(0) == cores
        finally:
            os.sched_setaffinity(0, before)
        assert same(scores, alone)

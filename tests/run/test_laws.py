"""The laws of scanning, on networks drawn at random and compared with the oracle that cuts every window."""

from __future__ import annotations

import pytest
import torch
from backends import each_backend
from hypothesis import given
from hypothesis import strategies as st
from nets import Drawn, networks
from torch.utils.flop_counter import FlopCounterMode

from scanwise.program import receptive_field
from scanwise.run import Scanner

EXACT = {torch.float64: 1e-12, torch.float32: 2e-4}


def close(got: torch.Tensor, want: torch.Tensor, dtype: torch.dtype) -> None:
    """Assert equal shapes, and values within the tolerance of the type times the largest value."""
    assert got.shape == want.shape
    if want.numel():
        assert (got - want).abs().max() <= EXACT[dtype] * max(1.0, float(want.abs().max()))


def spaces(drawn: Drawn, data: st.DataObject) -> tuple[int, ...]:
    """Draw an input size: one axis may be as awkward as 0, 1, W - 1, W or W + 1."""
    window = drawn.window_shape[1:]
    usual = [w + data.draw(st.integers(0, 9), label="beyond the window") for w in window]
    axis = data.draw(st.integers(0, len(window) - 1), label="awkward axis")
    w = window[axis]
    usual[axis] = data.draw(st.sampled_from([0, 1, w - 1, w, w + 1, usual[axis]]), label="awkward length")
    return tuple(usual)


def hops(drawn: Drawn, data: st.DataObject) -> tuple[int, ...]:
    return tuple(data.draw(st.integers(1, w + 2), label="hop") for w in drawn.window_shape[1:])


@given(networks(), st.sampled_from([torch.float64, torch.float32]), st.data())
def test_scan_equals_the_network_on_every_window(drawn: Drawn, dtype: torch.dtype, data: st.DataObject) -> None:
    scanner = Scanner(drawn.build(dtype), drawn.window_shape, hops(drawn, data), strict=True)
    x = drawn.values(spaces(drawn, data), dtype)
    want = scanner.scan_windows(x)
    for backend in each_backend(scanner):
        close(backend.scan(x), want, dtype)


@given(networks(integers=True), st.sampled_from([torch.float64, torch.float32]), st.data())
def test_scan_of_integers_equals_the_network_to_the_last_bit(
    drawn: Drawn, dtype: torch.dtype, data: st.DataObject
) -> None:
    scanner = Scanner(drawn.build(dtype), drawn.window_shape, hops(drawn, data), strict=True)
    x = drawn.values(spaces(drawn, data), dtype)
    want = scanner.scan_windows(x)
    for backend in each_backend(scanner):
        assert torch.equal(backend.scan(x), want)


@given(networks(), st.data())
def test_layer_first_equals_position_first(drawn: Drawn, data: st.DataObject) -> None:
    whole = Scanner(drawn.build(torch.float64), drawn.window_shape, hops(drawn, data))
    one_by_one = Scanner.from_program(whole.program, whole.hop)
    x = drawn.values(spaces(drawn, data), torch.float64)
    want = one_by_one.scan_windows(x)
    for backend in each_backend(whole):
        close(backend.scan(x), want, torch.float64)


@given(networks(), st.data())
def test_scan_moves_with_its_input(drawn: Drawn, data: st.DataObject) -> None:
    scanner = Scanner(drawn.build(torch.float64), drawn.window_shape, hops(drawn, data))
    axis = data.draw(st.integers(0, drawn.axes - 1))
    space = [w + h + 5 for w, h in zip(scanner.window, scanner.hop, strict=True)]
    x = drawn.values(tuple(space), torch.float64)
    moved = x.narrow(axis + 1, scanner.hop[axis], space[axis] - scanner.hop[axis])
    for backend in each_backend(scanner):
        scores = backend.scan(x)
        close(backend.scan(moved), scores.narrow(axis + 1, 1, scores.shape[axis + 1] - 1), torch.float64)


@given(networks(), st.data())
def test_cutting_the_scan_into_tiles_changes_nothing(drawn: Drawn, data: st.DataObject) -> None:
    scanner = Scanner(drawn.build(torch.float64), drawn.window_shape, hops(drawn, data))
    x = drawn.values(tuple(w + 3 * h + 4 for w, h in zip(scanner.window, scanner.hop, strict=True)), torch.float64)
    batch = torch.stack([x, x.flip(0), -x])
    extra = data.draw(st.floats(1, 5), label="memory over the least")
    for whole in each_backend(scanner, max_memory="1GB"):
        bound = int(extra * whole.least_bytes)
        tiled = Scanner.from_program(scanner.program, scanner.hop, backend=whole.backend, max_memory=bound)
        close(tiled.scan(batch), whole.scan(batch), torch.float64)


@given(networks(), st.data())
def test_fields_equal_what_a_poisoned_sample_reaches(drawn: Drawn, data: st.DataObject) -> None:
    """A NaN at one sample reaches exactly the units whose field holds it: hull of the probe equals the formula."""
    net = drawn.build(torch.float64)
    outputs: dict[str, torch.Tensor] = {}
    for path, part in net.named_modules():
        part.register_forward_hook(lambda _m, _i, out, path=path: outputs.__setitem__(path, out))
    table = receptive_field(net, drawn.window_shape)
    rows = [row for row in table if row.fields is not None and len(row.shape) == 1 + drawn.axes and row.path]
    axis = data.draw(st.integers(0, drawn.axes - 1))
    seen: dict[tuple[str, int], list[int]] = {}
    for sample in range(drawn.window_shape[axis + 1]):
        x = drawn.values(drawn.window_shape[1:], torch.float64)
        x.select(axis + 1, sample).fill_(float("nan"))
        with torch.no_grad():
            net(x[None])
        for row in rows:
            hit = outputs[row.path].isnan().movedim(axis + 2, 0).flatten(1).any(1)
            for unit in hit.nonzero().flatten().tolist():
                seen.setdefault((row.path, unit), []).append(sample)
    for row in rows:
        assert row.fields is not None
        for unit in range(row.shape[axis + 1]):
            found = seen[row.path, unit]
            assert (min(found), max(found) + 1) == row.fields[axis].interval(unit)


@given(networks())
def test_macs_equal_an_instrumented_run(drawn: Drawn) -> None:
    net = drawn.build(torch.float64)
    scanner = Scanner(net, drawn.window_shape)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(drawn.values(drawn.window_shape[1:], torch.float64)[None])
    assert scanner.program.window_macs() == counter.get_total_flops() // 2
    assert sum(row.macs for row in receptive_field(net, drawn.window_shape)) == scanner.program.window_macs()


@given(networks(), st.data())
def test_float32_error_is_at_most_twice_that_of_the_window_loop(drawn: Drawn, data: st.DataObject) -> None:
    net, hop = drawn.build(torch.float64), hops(drawn, data)
    x = drawn.values(tuple(w + 9 for w in drawn.window_shape[1:]), torch.float32)
    truth = Scanner(net, drawn.window_shape, hop).scan_windows(x)
    single = Scanner(net.float(), drawn.window_shape, hop)
    naive = (single.scan_windows(x).double() - truth).abs().max()
    slack = 8 * torch.finfo(torch.float32).eps * max(1.0, float(truth.abs().max()))
    for backend in each_backend(single):
        ours = (backend.scan(x).double() - truth).abs().max()
        assert ours <= 2 * naive + slack


@pytest.mark.parametrize("hop", [1, 3, 100])
def test_an_input_without_a_whole_window_gives_no_scores(hop: int) -> None:
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(8, 2)).eval()
    for scanner in each_backend(Scanner(net, (1, 8), hop)):
        for length in (0, 1, 7):
            assert scanner.scan(torch.zeros(1, length)).shape == (2, 0)
            assert scanner.scan_windows(torch.zeros(1, length)).shape == (2, 0)
        assert scanner.scan(torch.zeros(0, 1, 8)).shape == (0, 2, 1)

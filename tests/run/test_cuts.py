"""Pieces of the input: what a scan reads of arrays of any layout, and of zeros outside them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_nets import small, window
from torch import nn

from scanwise.run import Scanner
from scanwise.run._cuts import cut, every_window, sharable


@given(st.data(), st.lists(st.integers(1, 6), min_size=1, max_size=3))
def test_a_piece_equals_that_of_an_input_surrounded_by_zeros(data: st.DataObject, sizes: list[int]) -> None:
    reads = []
    for _ in sizes:
        start = data.draw(st.integers(-8, 10))
        reads.append((start, start + data.draw(st.integers(1, 9))))
    x = torch.arange(1, 7).reshape(3, 2, *[1] * len(sizes)) * torch.ones(sizes, dtype=torch.int64)
    x = x + torch.arange(x[0, 0].numel()).reshape(sizes) * 10
    whole = torch.nn.functional.pad(x, [20, 20] * len(sizes))
    want = whole[(slice(1, 3), slice(None), *(slice(a + 20, b + 20) for a, b in reads))]
    assert torch.equal(cut(x, slice(1, 3), reads, torch.Tensor.contiguous), want)
    assert torch.equal(cut(x.numpy(), slice(1, 3), reads, torch.from_numpy), want)


def test_windows_of_arrays_are_those_of_tensors() -> None:
    x = torch.randn(2, 3, 11, 14)
    x_read_only = x.numpy().copy()
    x_read_only.setflags(write=False)
    got, want = (every_window(source, (1, 2), (4, 3), (2, 5)) for source in (x_read_only, x))
    index = np.unravel_index([0, 3, 7], (2, 3, 2))
    assert np.array_equal(got[index], want[index].numpy())
    assert torch.equal(want[1, 2, 1], x[1, :, 5:9, 7:10])


@pytest.mark.parametrize(
    ("make", "shared"),
    [
        (lambda x: x, True),
        (lambda x: x[:, :, ::2], False),
        (lambda x: x.astype(">i2"), False),
        (lambda x: x.astype(np.longdouble), False),
        (lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape), False),
    ],
    ids=["plain", "strided", "big-endian", "wide", "read-only"],
)
def test_an_input_is_not_copied_to_be_read(make: Callable[[np.ndarray], np.ndarray], *, shared: bool) -> None:
    x = make(np.ones((1, 2, 20), np.int16))
    got = sharable(x)
    assert (got is x) != shared
    if shared:
        assert got.data_ptr() == x.ctypes.data  # type: ignore[union-attr]


@pytest.mark.parametrize("hop", [1, 40])
@pytest.mark.parametrize("axes", [1, 2])
def test_arrays_of_any_layout_have_the_scores_of_a_plain_one(axes: int, hop: int) -> None:
    """Of tiles, and of windows that are run one by one."""
    scanner = Scanner(small(axes), window(axes), hop, backend="torch", max_memory="20kB")
    assert scanner.plan.shared == (hop == 1)
    x = np.random.default_rng(0).integers(-99, 99, (3, 2, *(50 * n // 12 for n in window(axes)[1:])), np.int16)
    want = scanner.scan(x.astype(np.float32))
    np.testing.assert_allclose(want, scanner.scan_windows(x), rtol=1e-4, atol=1e-3)
    read_only = x.copy()
    read_only.setflags(write=False)
    for given_ in (x, read_only, x.astype(">i2"), x[..., ::-1].copy()[..., ::-1], np.asfortranarray(x)):
        assert np.array_equal(scanner.scan(given_), want)
    assert torch.equal(scanner.scan(torch.from_numpy(x)), torch.from_numpy(want))


@pytest.mark.parametrize("length", [113, 120])
@pytest.mark.parametrize("hop", [1, 20])
def test_windows_at_the_edges_read_zeros_outside_an_input(hop: int, length: int) -> None:
    """Extended padding, in small tiles and window by window, is that of the whole input surrounded by zeros."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(1, 3, 5, padding=2), nn.ReLU(), nn.Conv1d(3, 3, 3, padding=1), nn.Flatten())
    net = nn.Sequential(*net, nn.Linear(36, 2)).double().eval()
    scanner = Scanner(net, (1, 12), hop, padding="extend", backend="torch", max_memory="4kB")
    assert scanner.plan.shared == (hop == 1)
    x = torch.randn(2, 1, length, dtype=torch.float64)
    with torch.no_grad():
        surrounded = nn.functional.pad(x, (20, 20))
        wide = net[2](net[1](net[0](surrounded)))[:, :, 20:-20]
        parts = [net[4](wide[:, :, i : i + 12].flatten(1)) for i in range(0, length - 11, hop)]
    torch.testing.assert_close(scanner.scan(x), torch.stack(parts, 2))
    around = [max(0, -scanner.program.reach()[0][0]), max(0, scanner.program.reach()[0][1] - 12)]
    (surrounded_before,) = scanner.chosen.scan.scan_surrounded(nn.functional.pad(x, around))  # type: ignore[attr-defined]
    assert torch.equal(surrounded_before, scanner.scan(x))


SCRIPT = """
import resource, sys, warnings
import numpy as np
import torch
from torch import nn
from scanwise.run import Scanner

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

net = nn.Sequential(nn.Conv1d(1, 4, 9), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 32, 1)).eval()
x = np.load(sys.argv[1], mmap_mode="r")
scanner = Scanner(net, (1, 40), int(sys.argv[2]), backend="torch")
scanner.scan(x[:, :100_000])
int(x[0, ::1000].sum())  # touches every page, so that those of the file count before
before = peak()
scores = scanner.scan(x)
print(peak() - before - scores.nbytes)
"""


@pytest.mark.slow
@pytest.mark.parametrize("hop", [8, 60])
def test_a_recording_on_disk_is_neither_copied_nor_converted_as_a_whole(tmp_path: Path, hop: int) -> None:
    """60 MB as they are in the file; 120 as float32."""
    np.save(tmp_path / "x.npy", np.zeros((1, 30_000_000), np.int16))
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "x.npy"), str(hop)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 40e6

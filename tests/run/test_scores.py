"""Scores in memory that the caller gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from backends import BACKENDS, each_backend
from torch import nn

from scanwise.errors import ArgumentError
from scanwise.run import Scanner


def small(axes: int = 1) -> nn.Module:
    torch.manual_seed(0)
    conv = nn.Conv1d if axes == 1 else nn.Conv2d
    return nn.Sequential(conv(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 3**axes, 3)).eval()


def signal(*lead: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(*lead, 2, 40)).astype(np.float32)


@pytest.fixture(scope="module")
def scanners() -> list[Scanner]:
    return each_backend(Scanner(small(), (2, 5), 2))


@pytest.mark.parametrize("lead", [(), (3,), (0,)])
def test_scores_are_written_where_they_should_be(scanners: list[Scanner], lead: tuple[int, ...]) -> None:
    x = signal(*lead)
    for scanner in scanners:
        wanted = scanner.scan(x)
        out = np.full_like(wanted, np.nan)
        assert scanner.scan(x, out=out) is out
        assert np.array_equal(out, wanted)
        tensor = torch.full(wanted.shape, torch.nan)
        assert scanner.scan(torch.from_numpy(x), out=tensor) is tensor
        assert np.array_equal(tensor.numpy(), wanted)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(1,), (2,)])
def test_a_few_outputs_of_many_images_are_written_there_too(backend: str, shape: tuple[int, ...]) -> None:
    scanner = Scanner(small(2), (2, 5, 5), backend=backend)
    x = np.random.default_rng(0).normal(size=(70, 2, 5, 4 + shape[0])).astype(np.float32)
    out = np.full((70, 3, 1, *shape), np.nan, np.float32)
    assert np.array_equal(scanner.scan(x, out=out), scanner.scan(x))


def test_several_outputs_are_given_as_the_network_returns_them() -> None:
    class Several(nn.Module):
        def __init__(self, named: bool) -> None:
            super().__init__()
            self.conv, self.named = nn.Conv1d(2, 3, 5), named

        def forward(self, x: torch.Tensor) -> Any:
            y = self.conv(x)[:, :, 0]
            return {"value": y, "positive": y.relu()} if self.named else (y, y.relu())

    x = signal()
    scanner = Scanner(Several(named=False).eval(), (2, 5))
    pair = tuple(np.full((3, 36), np.nan, np.float32) for _ in range(2))
    assert scanner.scan(x, out=pair) is pair
    for have, want in zip(pair, scanner.scan(x), strict=True):
        assert np.array_equal(have, want)
    for wrong in (pair[0], pair[:1], (*pair, pair[0])):
        with pytest.raises(ArgumentError, match="out must be a tuple of 2, as the network returns; got"):
            scanner.scan(x, out=wrong)
    with pytest.raises(ArgumentError, match="out must be arrays apart from each other; got some that overlap"):
        scanner.scan(x, out=(pair[0], pair[0]))

    scanner = Scanner(Several(named=True).eval(), (2, 5))
    both = dict(zip(("positive", "value"), pair, strict=True))
    assert scanner.scan(x, out=both) is both
    assert all(np.array_equal(both[name], want) for name, want in scanner.scan(x).items())
    with pytest.raises(ArgumentError, match="out must be a dict of value, positive, as the network returns; got dict"):
        scanner.scan(x, out={"value": pair[0]})


def test_scores_may_be_a_file(tmp_path: Path, scanners: list[Scanner]) -> None:
    x = signal()
    for scanner in scanners:
        file = np.lib.format.open_memmap(tmp_path / f"{scanner.backend}.npy", "w+", np.float32, (3, 18))
        scanner.scan(x, out=file)
        file.flush()
        assert np.array_equal(np.load(tmp_path / f"{scanner.backend}.npy"), scanner.scan(x))


def read_only() -> np.ndarray:
    array = np.empty((3, 18), np.float32)
    array.setflags(write=False)
    return array


@pytest.mark.parametrize(
    ("out", "got"),
    [
        (np.empty((3, 17), np.float32), r"float32 \(3, 17\)"),
        (np.empty((3, 18)), r"float64 \(3, 18\)"),
        (np.empty((3, 18), ">f4"), r">f4 \(3, 18\)"),
        (np.empty((18, 3), np.float32).T, r"float32 \(3, 18\)"),
        (read_only(), r"float32 \(3, 18\)"),
        (torch.empty(3, 18), r"torch.float32 \(3, 18\)"),
        ([[0.0] * 18] * 3, "list"),
    ],
)
def test_memory_that_does_not_fit_is_refused(scanners: list[Scanner], out: Any, got: str) -> None:
    rule = r"out must be a numpy array, float32 \(3, 18\), contiguous and writable; got "
    for scanner in scanners:
        with pytest.raises(ArgumentError, match=rule + got):
            scanner.scan(signal(), out=out)


@pytest.mark.parametrize(
    "out",
    [
        np.empty((3, 18), np.float32),
        torch.empty(3, 17),
        torch.empty(3, 18, dtype=torch.float64),
        torch.empty(18, 3).T,
        torch.empty(3, 18, requires_grad=True),
        torch.empty(3, 18, device="meta"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(scanners: list[Scanner], out: Any) -> None:
    for scanner in scanners:
        with pytest.raises(ArgumentError, match=r"out must be a tensor on cpu, float32 \(3, 18\), contiguous and"):
            scanner.scan(torch.from_numpy(signal()), out=out)


def test_scores_do_not_overwrite_what_is_still_read(scanners: list[Scanner]) -> None:
    memory = np.zeros(200, np.float32)
    x, out = memory[:80].reshape(2, 40), memory[70:124].reshape(3, 18)
    beside = memory[80:134].reshape(3, 18)
    for scanner in scanners:
        with pytest.raises(ArgumentError, match="out must not share memory with x"):
            scanner.scan(x, out=out)
        with pytest.raises(ArgumentError, match="out must not share memory with x"):
            scanner.scan(torch.from_numpy(x), out=torch.from_numpy(out))
        assert scanner.scan(x, out=beside) is beside
        assert scanner.scan(torch.from_numpy(x), out=torch.from_numpy(beside)).shape == beside.shape


def test_scores_begin_where_a_number_may(scanners: list[Scanner]) -> None:
    between = np.zeros(3 * 18 * 4 + 4, np.uint8)[2:-2].view(np.float32).reshape(3, 18)
    for scanner in scanners:
        with pytest.raises(ArgumentError, match="out must begin at a multiple of its numbers' size"):
            scanner.scan(signal(), out=between)


@pytest.mark.skipif("native" not in BACKENDS, reason="no native engine: torch's bits depend on the cut")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("offset", [0, 1, 7])
def test_scores_too_large_for_any_cache_are_written_whole(dtype: torch.dtype, offset: int) -> None:
    torch.manual_seed(0)
    scanner = Scanner(nn.Sequential(nn.Conv1d(1, 9, 3), nn.Flatten()).to(dtype).eval(), (1, 3), backend="native")
    x = torch.randn(1, 1_000_033, dtype=dtype)
    memory = torch.full((9 * 1_000_031 + 8,), torch.nan, dtype=dtype)
    out = memory[offset : offset - 8].view(9, 1_000_031)
    scanner.scan(x, out=out)
    pieces = [scanner.scan(x[:, first : first + 100_002]) for first in range(0, 1_000_031, 100_000)]
    assert torch.equal(out, torch.cat(pieces, dim=1))
    assert torch.isnan(memory[:offset]).all()
    assert torch.isnan(memory[offset - 8 :]).all()

"""A scan keeps to its memory bound, whatever the size of its input."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from backends import BACKENDS

from scanwise.kernels import absent

pytestmark = pytest.mark.slow

SLACK = 80e6  # the bound of 16 MB, the convolution library's workspace, and what the allocator keeps

SCRIPT = """
import resource, sys, warnings
import torch
from torch import nn
from scanwise.run import Scanner

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

torch.manual_seed(0)
hop, padding = int(sys.argv[1]), int(sys.argv[2])
convolution = nn.Conv1d(1, 64, 9, padding=padding)
net = nn.Sequential(convolution, nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(64, 1))
warnings.simplefilter("ignore")
scanner = Scanner(net.eval(), (1, 40), hop, backend=sys.argv[3], max_memory="16MB")
x = torch.zeros(1, 2_000_000 if not padding else 60_000)
scanner.scan(x[:, :20_000])
before = peak()
scores = scanner.scan(x)
print(peak() - before, scores.numel() * 4)
"""


def growth(hop: int, padding: int, backend: str) -> tuple[int, int]:
    """Return by how many bytes the peak grew during a scan, and the bytes of its scores."""
    command = [sys.executable, "-c", SCRIPT, str(hop), str(padding), backend]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    grown, scores = done.stdout.split()
    return int(grown), int(scores)


@pytest.mark.parametrize("backend", BACKENDS)
def test_feature_maps_ten_times_the_bound_are_never_held(backend: str) -> None:
    """The first map alone is 512 MB: 64 channels of 2 million samples."""
    grown, scores = growth(hop=1, padding=0, backend=backend)
    assert grown <= scores + SLACK


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_bound_holds_where_windows_are_run_one_by_one(backend: str) -> None:
    grown, scores = growth(hop=50, padding=0, backend=backend)
    assert grown <= scores + SLACK


def test_the_bound_holds_where_sharing_ends() -> None:
    """All windows cut out have a first map of 600 MB."""
    grown, scores = growth(hop=1, padding=1, backend="torch")
    assert grown <= scores + SLACK


NATIVE = """
import resource, sys
import numpy as np
from torch import nn
from scanwise.run import Scanner

net = nn.Sequential(nn.Conv1d(1, 8, 9), nn.ReLU(), nn.Conv1d(8, 8, 9), nn.ReLU(), nn.Conv1d(8, 1, 24))
scanner = Scanner(net.eval(), (1, 40), hop=10, backend="native")
x = np.memmap(sys.argv[1], "int16", "r").reshape(1, -1)
scanner.scan(x[:, :20_000])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
scores = scanner.scan(x)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(grown * 1024 - scores.nbytes - x.nbytes)
"""


@pytest.mark.skipif(absent() is not None, reason=f"no native engine: {absent()}")
def test_natively_nothing_grows_with_the_input_but_itself_and_its_scores(tmp_path: Path) -> None:
    """Recorded integers are read where they lie: as float32 they would be another 80 MB."""
    beyond = []
    for samples in (4_000_000, 20_000_000):
        (tmp_path / "signal").write_bytes(bytes(2 * samples))
        command = [sys.executable, "-c", NATIVE, str(tmp_path / "signal")]
        beyond.append(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    assert max(beyond) < 8e6, beyond

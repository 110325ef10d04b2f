"""A scan keeps to its memory bound, whatever the size of its input."""

from __future__ import annotations

import subprocess
import sys

import pytest

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
scanner = Scanner(net.eval(), (1, 40), hop, max_memory="16MB")
x = torch.zeros(1, 2_000_000 if not padding else 60_000)
scanner.scan(x[:, :20_000])
before = peak()
scores = scanner.scan(x)
print(peak() - before, scores.numel() * 4)
"""


def growth(hop: int, padding: int) -> tuple[int, int]:
    """Return by how many bytes the peak grew during a scan, and the bytes of its scores."""
    command = [sys.executable, "-c", SCRIPT, str(hop), str(padding)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    grown, scores = done.stdout.split()
    return int(grown), int(scores)


def test_feature_maps_ten_times_the_bound_are_never_held() -> None:
    """The first map alone is 512 MB: 64 channels of 2 million samples."""
    grown, scores = growth(hop=1, padding=0)
    assert grown <= scores + SLACK


def test_the_bound_holds_where_windows_are_run_one_by_one() -> None:
    grown, scores = growth(hop=50, padding=0)
    assert grown <= scores + SLACK


def test_the_bound_holds_where_sharing_ends() -> None:
    """All windows cut out have a first map of 600 MB."""
    grown, scores = growth(hop=1, padding=1)
    assert grown <= scores + SLACK

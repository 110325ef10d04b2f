"""What the machine can do, and what it is."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scanwise import kernels

PACKAGES = ("numpy", "torch", "onnxruntime", "onnx", "openvino", "jax", "jaxlib", "monai", "braindecode")


def peak_by() -> str:
    """Say what the peak is measured with: the native engine's loop, or a matrix product where it was not built."""
    return "matrix product" if kernels.absent() else "fused multiply-adds in registers"


def peak(double: bool, threads: int) -> float:
    """Return the GFLOP/s that the cores reach just now, measured for some 10 to 20 milliseconds."""
    dtype = "float64" if double else "float32"
    if not kernels.absent():
        return 1e-9 * kernels.peak(dtype, threads)
    matrix = torch.ones(768, 768, dtype=getattr(torch, dtype))
    torch.mm(matrix, matrix)
    started = time.perf_counter()
    torch.mm(matrix, matrix)
    return 2e-9 * 768**3 / (time.perf_counter() - started)


def peaks(threads: int) -> dict[bool, float]:
    """Return the best of several peaks, by whether in float64."""
    return {double: max(peak(double, threads) for _ in range(10)) for double in (False, True)}


@cache
def _copied(threads: int) -> tuple[np.ndarray, np.ndarray, ThreadPoolExecutor]:
    mebibytes = 32  # a thread: far more than fits in a cache
    return *np.ones((2, threads, mebibytes << 18), np.float32), ThreadPoolExecutor(threads)


def copy(threads: int) -> float:
    """Return the GB/s, read and written, of copying memory just now."""
    source, target, pool = _copied(threads)
    started = time.perf_counter()
    list(pool.map(np.copyto, target, source))
    return 2e-9 * source.nbytes / (time.perf_counter() - started)


def describe(threads: int) -> dict[str, Any]:
    """Return what the figures depend on."""
    root = Path(__file__).parents[2]
    return {
        "cpu": _cpu("model name"),
        "family and model": f"{_cpu('cpu family')}/{_cpu('model')}",
        "cores": len(os.sched_getaffinity(0)),
        "threads": threads,
        "avx512f": "avx512f" in _cpu("flags").split(),
        "memory, GiB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
        "commit": _git(root, "rev-parse", "HEAD"),
        "changed files": len(_git(root, "status", "--porcelain").splitlines()),
        "peak by": peak_by(),
    }


def _cpu(key: str) -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return "unknown"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git(root: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)  # noqa: S603, S607
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()

"""A process that judges builds of the native engine: it reads paths and answers whether scans equal the oracle's.

Networks are captured and their windows computed once. Each build then runs in a child of its own, since a faulty one
may crash, write anywhere or never end: all that is a verdict, as good as a wrong number.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from kernels.probes import Case, cases
from torch import nn
from torch.utils import _pytree as pytree

from scanwise.kernels import Engine, _count, _engine
from scanwise.program import Program
from scanwise.run import Scanner
from scanwise.run._lower import lower
from scanwise.run._native import Walk

SECONDS = 120  # after which a build counts as one that never ends


@dataclass(frozen=True)
class Prepared:
    """A captured case with what the oracle says."""

    kinds: str
    program: Program
    hop: tuple[int, ...]
    x: np.ndarray
    expected: list[np.ndarray]


def prepared(case: Case) -> Prepared:
    for name, value in case.module.state_dict().items():
        if name.endswith(("running_mean", "running_var")):
            nn.init.uniform_(value, 0.5, 1.5)
    net = case.module.eval().to(case.x.dtype)
    scanner = Scanner(net, case.window_shape, case.hop, strict=True, padding=case.padding, backend="torch")
    assert case.padding == "extend" or not scanner.program.ends, case.kinds
    scan = scanner.scan if case.padding == "extend" else scanner.scan_windows
    outputs = pytree.tree_leaves(scan(case.x))
    return Prepared(case.kinds, scanner.program, scanner.hop, case.x.numpy(), [out.numpy() for out in outputs])


def cuts(counts: tuple[int, ...]) -> Iterator[dict[str, int]]:
    """Ways to cut a scan: all at once, in several strips, in several jobs on two threads."""
    image = len(counts) == 2
    whole = -(-counts[-1] // 16) * 16
    yield {"strip": whole, "along": max(counts), "across": whole if image else 0, "threads": 1}
    yield {"strip": 32, "along": max(counts), "across": 32 if image else 0, "threads": 1}
    yield {"strip": 16, "along": 5 if image else 48, "across": 16 if image else 0, "threads": 2}
    yield {"strip": 16, "along": 7, "across": 5 if image else 0, "threads": 1, "every": 3}


def inputs(x: np.ndarray) -> Iterator[np.ndarray]:
    """The same numbers, as they are and lying otherwise: backwards, with gaps, and read-only."""
    yield x
    gaps = np.full((*x.shape[:-1], 2 * x.shape[-1]), 9e9, x.dtype)[..., ::-2]
    gaps[:] = x
    gaps.flags.writeable = False
    yield gaps
    yield np.ascontiguousarray(np.moveaxis(x, 1, -1)).swapaxes(1, -1) if x.ndim == 3 else x


def difference(case: Prepared) -> str | None:
    """Say how the native scans of a case differ from the oracle's, if they do."""
    engine = Walk(lower(case.program), case.hop, case.program.dtype, None).engine
    for x in inputs(case.x):
        for cut in cuts(case.expected[0].shape[2:]):
            wanted = [expected[..., :: cut.get("every", 1)] for expected in case.expected]
            got = [np.full(expected.shape, 7e7, expected.dtype) for expected in wanted]
            engine.scan(x, got, **cut)
            wrong = next(filter(None, map(values_differ, got, wanted)), None)
            if wrong:
                return f"{case.kinds}: {wrong}, cut {cut}"
    return types_differ(engine, case) if case.kinds.startswith("sums") else None


def values_differ(got: np.ndarray, expected: np.ndarray) -> str | None:
    """Say what is more than rounding beside the expected numbers, which are about 1, if any is."""
    exact = 1e-5 if expected.dtype == np.float32 else 1e-12
    near = exact * np.nanmean(np.abs(expected.clip(-3, 3)))
    wrong = ~np.isclose(got, expected, rtol=exact, atol=near, equal_nan=True)
    if not wrong.any():
        return None
    place = np.unravel_index(wrong.argmax(), wrong.shape)
    return f"{got[place]} instead of {expected[place]} at {[*map(int, place)]}, {wrong.sum()} wrong of {wrong.size}"


def types_differ(engine: Engine, case: Prepared) -> str | None:
    """Say which type of number is read wrongly, if any is."""
    cut = next(cuts(case.expected[0].shape[2:]))
    for kind in "bBhHiIqQfd?":
        low, high = {"?": (0, 2)}.get(kind, (0, 256) if kind.isupper() else (-128, 128))
        numbers = np.random.default_rng(0).integers(low, high, case.x.shape)
        expected, got = np.empty_like(case.expected[0]), np.empty_like(case.expected[0])
        engine.scan(numbers.astype(case.x.dtype), [expected], **cut)
        engine.scan(numbers.astype(kind), [got], **cut)
        if not np.array_equal(got, expected):
            return f"an input of {np.dtype(kind)}"
    return None


def counts_differ() -> str | None:
    """Say which counting of scores differs from numpy's, if any does."""
    rng = np.random.default_rng(0)
    for real, key in (("f4", np.uint32), ("f8", np.uint64)):
        scores = np.concatenate([rng.normal(0, 1, 1500), rng.integers(-2, 3, 1500), [0.0, -0.0]]).astype(real)
        bits = scores.view(key)
        keys = np.where(bits >> (bits.itemsize * 8 - 1), ~bits, bits | np.array(1, key) << (bits.itemsize * 8 - 1))
        for shift in range(0, 8 * scores.itemsize, 16):
            for prefix in (int(keys[k]) >> shift >> 16 for k in (0, 5, 2000, -1, scores.argmin(), scores.argmax())):
                counts = []
                for count in (_count.count_digits, _count._count):
                    bins, edges = np.zeros(1 << 16, np.int64), np.array([0, np.iinfo(np.uint64).max], np.uint64)
                    count(scores, shift, prefix, bins, edges)
                    count(scores[:3], shift, prefix, bins, edges)
                    counts.append([*bins.tolist(), *edges.tolist()])
                if counts[0] != counts[1]:
                    return f"counts of {real} above {shift} bits"
    return None


def judge(path: str, table: list[Prepared]) -> str:
    spec = importlib.util.spec_from_file_location("scanwise.kernels._native", path)
    assert spec is not None
    assert spec.loader is not None
    _engine._native = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(_engine._native)
    _count._native = _engine._native
    found = counts_differ() or next(filter(None, map(difference, table)), None)
    return f"wrong: {found}" if found else "equal"


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def child(path: str, table: list[Prepared]) -> None:
    """Answer in one line; whatever else happens ends the process without an answer."""
    signal.alarm(SECONDS)
    try:
        answer = judge(path, table)
    except Exception as error:
        answer = f"refused: {error!r}"
    say(" ".join(answer.split()))
    os._exit(0)


def main() -> None:
    warnings.simplefilter("ignore", DeprecationWarning)  # of forks where there are threads: none of ours are alive
    torch.set_num_threads(1)
    table = [prepared(case) for case in cases()]
    say("ready")
    for line in sys.stdin:
        if not (pid := os.fork()):
            child(line.strip(), table)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status == -signal.SIGALRM:
            say("endless")
        elif status:
            say(f"crashed: {status}")


if __name__ == "__main__":
    main()

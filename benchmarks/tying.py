"""Tied edges against what they replace: convolutions from index maps, gathered matrices, expanded networks.

Run from the project's root::

    python -m benchmarks.tying [conv] [recognise] [generic] [expand] [rule] [--threads 2] [--rounds 15] [--json FILE]

* ``conv``: layers given only as an index map (its edges shuffled, its parameters renumbered) against torch's own
  convolution with the same weights, forward and backward, in the input and all parameters.
* ``recognise``: seconds from a tie map of about ten million edges to its certificate, and to that of the same map with
  one edge that uses another parameter, which must be named.
* ``generic``: a map without structure, 4096 x 4096, 1 % of it edges, 1,000 parameters, batch 32, against the usual
  gather of the full matrix, ``F.linear(x, theta[index])``.
* ``expand``: the CIFAR-10 network of d'Ascoli et al. (2019, "Finding the needle in the haystack with convolutions",
  2,848,906 parameters), as edges: bytes of peak memory per edge, in a process of its own.
* ``rule``: the full matrix against the sparse one by share of edges and batch; `DENSE_FROM` and `SMALL` come from it.

Contenders take turns, round by round; a ratio is the median over rounds of the times in one round.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional

from scanwise.tying import TiedLinear, TieMap, edges_of, expand, recognise

PARTS = ("conv", "recognise", "generic", "expand", "rule")
CONVOLUTIONS: tuple[tuple[Callable[[], nn.Module], tuple[int, ...], int], ...] = (
    (lambda: nn.Conv2d(16, 32, 5, padding=2), (16, 32, 32), 32),
    (lambda: nn.Conv2d(3, 64, 3), (3, 32, 32), 32),
    (lambda: nn.Conv2d(64, 64, 3, padding=1), (64, 16, 16), 64),
    (lambda: nn.Conv2d(32, 64, 3, stride=2, padding=1, groups=2), (32, 32, 32), 32),
    (lambda: nn.Conv1d(4, 16, 9), (4, 4096), 16),
    (lambda: nn.Conv1d(32, 32, 5, dilation=4), (32, 1024), 16),
)


def rounds_of(contenders: Sequence[Callable[[], Any]], rounds: int) -> list[list[float]]:
    """Return the seconds of each contender in every round; they take turns, and the first round is not counted."""
    taken: list[list[float]] = [[] for _ in contenders]
    for number in range(rounds + 1):
        for run, times in zip(contenders, taken, strict=True):
            start = time.perf_counter()
            run()
            if number:
                times.append(time.perf_counter() - start)
    return taken


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median over rounds of our time over theirs."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def shuffled(ties: TieMap) -> tuple[TieMap, np.ndarray]:
    """Return the map as if its edges had been listed in any order and its parameters numbered anyhow, and how."""
    rng = np.random.default_rng(0)
    order, number = rng.permutation(ties.edges), rng.permutation(ties.parameters)
    return TieMap(ties.rows[order], ties.cols[order], number[ties.params][order], ties.shape), number


def measure_conv(rounds: int) -> list[dict[str, Any]]:
    """Compare convolutions that were recognised with torch's."""
    rows = []
    for make, shape, batch in CONVOLUTIONS:
        torch.manual_seed(0)
        conv = make()
        layer = edges_of(conv, shape)
        ties, number = shuffled(layer.ties)
        tied = TiedLinear(ties, layer.in_grid, layer.out_grid)
        assert tied.explain().startswith("convolution")
        with torch.no_grad():  # the same weights, wherever their numbers went
            where = layer.ties.labels[np.argsort(number)][ties.labels]
            tied.theta.copy_(torch.nn.utils.parameters_to_vector(conv.parameters())[torch.from_numpy(where)])
        x = torch.randn(batch, *shape, requires_grad=True)
        flat = x.detach().flatten(1).requires_grad_()
        grad = torch.randn_like(conv(x))
        torch.testing.assert_close(tied(flat), conv(x).flatten(1), rtol=1e-4, atol=1e-4)
        runs = [_both_ways(tied, flat, [tied.theta], grad.flatten(1)), _both_ways(conv, x, [*conv.parameters()], grad)]
        ours, theirs = rounds_of(runs, rounds)
        rows.append(
            {
                "layer": repr(conv),
                "input": shape,
                "batch": batch,
                "edges": tied.ties.edges,
                "torch, ms": 1000 * statistics.median(theirs),
                "ratio": ratio(ours, theirs),
            }
        )
    return rows


def _both_ways(
    forward: Callable[[Tensor], Tensor], x: Tensor, parameters: Sequence[Tensor], grad: Tensor
) -> Callable[[], Any]:
    return lambda: torch.autograd.grad(forward(x), [x, *parameters], grad)


def measure_recognise(rounds: int) -> list[dict[str, Any]]:
    """Time the way from a map of ten million edges to its certificate."""
    rows = []
    for conv, shape in (
        (nn.Conv2d(16, 32, 5, padding=2), (16, 30, 30)),
        (nn.Conv2d(64, 64, 3, bias=False), (64, 19, 19)),
        (nn.Conv1d(4, 4, 9), (4, 70000)),
        (nn.Conv1d(1, 1, 10, stride=2, bias=False), (1, 2000000)),
    ):
        layer = edges_of(conv, shape)
        rows_, cols, params = layer.ties.rows, layer.ties.cols, layer.ties.params
        building, recognising = [], []
        for _ in range(max(3, rounds // 5)):
            start = time.perf_counter()
            ties = TieMap(rows_, cols, params, layer.ties.shape)
            middle = time.perf_counter()
            kind = recognise(ties, layer.in_grid, layer.out_grid).kind
            recognising.append(time.perf_counter() - middle)
            building.append(middle - start)
        assert kind == "convolution"
        wrong = layer.ties.edges // 3
        params = params.copy()
        params[wrong] = (params[wrong] + 1) % layer.ties.parameters
        ties = TieMap(rows_, cols, params, layer.ties.shape)
        start = time.perf_counter()
        residual = recognise(ties, layer.in_grid, layer.out_grid).residual
        missing = time.perf_counter() - start
        assert residual.tolist() == [[rows_[wrong], cols[wrong]]]
        rows.append(
            {
                "layer": repr(conv),
                "input": shape,
                "edges": layer.ties.edges,
                "checking the arrays, s": statistics.median(building),
                "recognising, s": statistics.median(recognising),
                "one edge off, s": missing,
            }
        )
    return rows


def random_map(outputs: int, inputs: int, share: float, parameters: int) -> TieMap:
    """Return a map of random edges, each with a random parameter."""
    rng = np.random.default_rng(0)
    rows, cols = np.nonzero(rng.random((outputs, inputs)) < share)
    parameters = min(parameters, max(1, len(rows) // 2))
    params = rng.integers(parameters, size=len(rows))
    params[:parameters] = np.arange(parameters)
    return TieMap(rows, cols, params, (outputs, inputs))


def measure_generic(rounds: int) -> list[dict[str, Any]]:
    """Compare a map without structure with the gather of its full matrix."""
    ties = random_map(4096, 4096, 0.01, 1000)
    tied = TiedLinear(ties)
    theta = tied.theta
    index = torch.full(ties.shape, ties.parameters)
    index[torch.from_numpy(ties.rows.astype(np.int64)), torch.from_numpy(ties.cols.astype(np.int64))] = (
        torch.from_numpy(ties.params.astype(np.int64))
    )
    x, grad = torch.randn(32, 4096, requires_grad=True), torch.randn(32, 4096)

    def gathered(x: Tensor) -> Tensor:
        return functional.linear(x, torch.cat([theta, theta.new_zeros(1)])[index])

    torch.testing.assert_close(tied(x), gathered(x), rtol=1e-4, atol=1e-4)
    ours, theirs = rounds_of([_both_ways(run, x, [theta], grad) for run in (tied, gathered)], max(3, rounds // 3))
    return [{"kernel": tied.explain(), "edges": ties.edges, "times faster": 1 / ratio(ours, theirs)}]


def alexnet() -> nn.Sequential:
    """Return the CIFAR-10 network of d'Ascoli et al., zero padding as layers of its own."""
    pool = (3, 2)
    return nn.Sequential(
        *(nn.ZeroPad2d(2), nn.Conv2d(3, 64, 4, stride=2), nn.ReLU(), nn.MaxPool2d(*pool)),
        *(nn.ZeroPad2d(2), nn.Conv2d(64, 192, 5), nn.ReLU(), nn.MaxPool2d(*pool)),
        *(nn.ZeroPad2d(1), nn.Conv2d(192, 384, 3), nn.ReLU()),
        *(nn.ZeroPad2d(1), nn.Conv2d(384, 256, 3), nn.ReLU()),
        *(nn.ZeroPad2d(1), nn.Conv2d(256, 256, 3), nn.ReLU(), nn.MaxPool2d(*pool)),
        *(nn.Flatten(), nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)),
    )


def measure_expand(rounds: int) -> list[dict[str, Any]]:
    """Measure the expansion in a process of its own, so that nothing else is in its memory."""
    command = [sys.executable, "-m", "benchmarks.tying", "expand-here"]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    return [json.loads(found)]


def expand_here() -> dict[str, Any]:
    """Expand the network; count edges, and the bytes by which the peak rises above what was there before."""
    net = alexnet()
    shape = (3, 32, 32)
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    before = pages * resource.getpagesize()
    start = time.perf_counter()
    mlp = expand(net, shape)
    taken = time.perf_counter() - start
    status = Path("/proc/self/status").read_text(encoding="utf-8")  # getrusage would count the parent's memory too
    peak = 1024 * int(status.split("VmHWM:")[1].split()[0])
    return {
        "parameters": sum(p.numel() for p in net.parameters()),
        "edges": mlp.edges,
        "seconds": taken,
        "peak bytes per edge": (peak - before) / mlp.edges,
        "kept bytes per edge": mlp.nbytes / mlp.edges,
    }


def measure_rule(rounds: int) -> list[dict[str, Any]]:
    """Compare both kernels for maps without structure."""
    rows = []
    for size in (32, 64, 256, 1024, 2048):
        for share in (0.01, 0.05, 0.1, 0.2, 0.3, 0.5):
            ties = random_map(size, size, share, 1000)
            layers = [TiedLinear(ties, kernel=kernel) for kernel in ("dense", "sparse")]
            row: dict[str, Any] = {"size": size, "share": share}
            for batch in (1, 8, 32, 128):
                x, grad = torch.randn(batch, size, requires_grad=True), torch.randn(batch, size)
                dense, sparse = rounds_of(
                    [_both_ways(layer, x, [layer.theta], grad) for layer in layers], max(3, rounds // 3)
                )
                row[f"dense / sparse, batch {batch}"] = ratio(dense, sparse)
            rows.append(row)
    return rows


def show(console: Console, name: str, rows: Sequence[dict[str, Any]]) -> None:
    """Print one part as a table."""
    table = Table(title=name)
    for head in rows[0]:
        table.add_column(head, justify="left" if isinstance(rows[0][head], str) else "right")
    for row in rows:
        table.add_row(*map(_text, row.values()))
    console.print(table)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.parts == ["expand-here"]:
        sys.stdout.write(json.dumps(expand_here()))
        return
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"unknown part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    measures = {
        "conv": measure_conv,
        "recognise": measure_recognise,
        "generic": measure_generic,
        "expand": measure_expand,
        "rule": measure_rule,
    }
    found = {}
    for part in options.parts or PARTS[:-1]:
        found[part] = measures[part](options.rounds)
        show(Console(width=160), part, found[part])
    if options.json:
        options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()

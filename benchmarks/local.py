"""Unshared convolution, forward and backward: time and memory beside the usual ways to compute it.

Run from the project's root, in an environment that also has the peers (jax, flax, tensorflow, tf-keras)::

    PYTHONPATH=src python -m benchmarks.local [--rounds 7] [--threads 2] [--only NAME ...] [--json FILE]

Every contender is a process of its own on the same cores, and computes output, gradient of the input, and gradients of
all weights (with a bias at every position) of the same layer, from the same numbers.

* Time: contenders take turns, several rounds; a turn is the median of the calls in about half a second, after one that
  is not counted, and is repeated where other processes disturbed it (for up to ``--patience`` seconds). The table has
  the medians over the rounds of the contender's time and of its ratio to ours in the same round, and the least ratio.
  On a busy machine, ``--threads 1`` is the fairer comparison: threads that wait for each other wait for strangers too.
* Memory: the peak of the resident set during the first call, over what was resident before it, when
  imports, inputs, weights and (for jax and tensorflow) compilation are done, and a tiny layer of the same kind has been
  run, which loads the libraries' code.
* ``recipe`` is ``(x.unfold(..).unfold(..).unsqueeze(1) * w).sum(..)``; ``unfold + einsum`` is ``F.unfold``, then a
  contraction; ``flax`` is ``ConvLocal`` under ``jax.jit``; ``keras 1`` to ``keras 3`` are the implementations of
  tf-keras' ``LocallyConnected2D`` under ``tf.function``.

A contender that is not installed, or does not answer within ``--limit`` seconds, is named and left out.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

Step = Callable[[], Any]
DENSE_LIMIT = 4 * 2**30  # keras 2 multiplies by a full matrix; above 4 GiB it is left out


@dataclass(frozen=True)
class Shape:
    """One layer and one batch; stride 1, nothing padded."""

    name: str
    batch: int
    channels: int
    outputs: int
    size: int
    kernel: int

    @property
    def positions(self) -> int:
        """Positions per axis."""
        return self.size - self.kernel + 1

    @property
    def text(self) -> str:
        """The shape in words."""
        return (
            f"{self.name}: {self.batch} x {self.channels} x {self.size} x {self.size}, kernel {self.kernel}, "
            f"{self.outputs} outputs"
        )

    def numbers(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return input, weight ``(rows, columns, outputs, channels, kernel, kernel)``, bias and output's gradient."""
        generator = np.random.default_rng(0)
        p, k = self.positions, self.kernel
        shapes = (
            (self.batch, self.channels, self.size, self.size),
            (p, p, self.outputs, self.channels, k, k),
            (p, p, self.outputs),
            (self.batch, self.outputs, p, p),
        )
        x, weight, bias, grad = (generator.standard_normal(shape, dtype=np.float32) for shape in shapes)
        return x, weight, bias, grad


SHAPES = (
    Shape("small batch", 4, 32, 32, 30, 3),
    Shape("large batch", 128, 16, 32, 16, 3),
    Shape("many positions", 16, 3, 16, 64, 5),
)

TINY = Shape("tiny", 12, 2, 3, 6, 3)

# Contenders: each takes a shape and the number of threads and returns a call that returns the output, ready to be read.


def _torch_step(shape: Shape, threads: int, function: Callable[..., Any], order: Any = None) -> Step:
    import torch

    torch.set_num_threads(threads)
    x, weight, bias, grad = map(torch.from_numpy, shape.numbers())
    if order is not None:
        weight, bias = order(weight), bias.permute(2, 0, 1).contiguous()
    tensors = [t.requires_grad_() for t in (x, weight, bias)]

    def step() -> Any:
        y = function(*tensors)
        torch.autograd.grad(y, tensors, grad)
        return y.detach().numpy()

    return step


def scanwise(shape: Shape, threads: int) -> Step:
    """Ours."""
    from scanwise.nn import locally_connected

    return _torch_step(shape, threads, locally_connected)


def recipe(shape: Shape, threads: int) -> Step:
    """The usual recipe: patches times weights, summed."""
    k = shape.kernel

    def function(x: Any, weight: Any, bias: Any) -> Any:
        return (x.unfold(2, k, 1).unfold(3, k, 1).unsqueeze(1) * weight).sum([2, -1, -2]) + bias

    return _torch_step(shape, threads, function, lambda w: w.permute(2, 3, 0, 1, 4, 5).contiguous())


def unfold_einsum(shape: Shape, threads: int) -> Step:
    """Patches of all positions, and a contraction."""
    from torch import einsum
    from torch.nn import functional

    p, k = shape.positions, shape.kernel

    def function(x: Any, weight: Any, bias: Any) -> Any:
        patches = functional.unfold(x, k).view(len(x), -1, p, p)
        y = einsum("bkij,ijok->boij", patches, weight.flatten(3))
        return y + bias

    return _torch_step(shape, threads, function, lambda w: w)


def flax(shape: Shape, threads: int) -> Step:
    """Flax's layer under jit."""
    import flax.linen
    import jax

    x, weight, bias, grad = shape.numbers()
    layer = flax.linen.ConvLocal(shape.outputs, (shape.kernel,) * 2, padding="VALID")
    kernel = weight.transpose(0, 1, 3, 4, 5, 2).reshape(*weight.shape[:2], -1, shape.outputs)
    params = jax.device_put({"params": {"kernel": kernel, "bias": bias}})
    x, grad = jax.device_put((x.transpose(0, 2, 3, 1), grad.transpose(0, 2, 3, 1)))

    def both(params: Any, x: Any, grad: Any) -> Any:
        y, back = jax.vjp(layer.apply, params, x)
        return y, back(grad)

    compiled = jax.jit(both).lower(params, x, grad).compile()
    return lambda: np.asarray(jax.block_until_ready(compiled(params, x, grad))[0]).transpose(0, 3, 1, 2)


def _keras(shape: Shape, threads: int, implementation: int) -> Step:
    import tensorflow as tf
    import tf_keras

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    x, weight, bias, grad = shape.numbers()
    layer = tf_keras.layers.LocallyConnected2D(shape.outputs, shape.kernel, implementation=implementation)
    x, grad = tf.constant(x.transpose(0, 2, 3, 1)), tf.constant(grad.transpose(0, 2, 3, 1))
    layer.build(x.shape)
    if implementation == 1:  # the others keep their weights in orders of their own; theirs stay random
        layer.set_weights([weight.transpose(0, 1, 4, 5, 3, 2).reshape(shape.positions**2, -1, shape.outputs), bias])

    @tf.function
    def both(x: Any, grad: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        return y, tape.gradient(y, [x, *layer.trainable_variables], output_gradients=grad)

    compiled = both.get_concrete_function(x, grad)
    return lambda: compiled(x, grad)[0].numpy().transpose(0, 3, 1, 2)


CONTENDERS: dict[str, tuple[Callable[[Shape, int], Step], tuple[str, ...]]] = {
    "scanwise": (scanwise, ("torch",)),
    "recipe": (recipe, ("torch",)),
    "unfold + einsum": (unfold_einsum, ("torch",)),
    "flax": (flax, ("jax", "flax")),
    "keras 1": (lambda shape, threads: _keras(shape, threads, 1), ("tensorflow", "tf_keras")),
    "keras 2": (lambda shape, threads: _keras(shape, threads, 2), ("tensorflow", "tf_keras")),
    "keras 3": (lambda shape, threads: _keras(shape, threads, 3), ("tensorflow", "tf_keras")),
}
"""By name, what builds the call and the packages it needs."""


# A contender's process: answers a line "memory" or "time" with a line of JSON ---------------------------------------


def work(name: str, shape: Shape, threads: int) -> None:
    """Build a contender and answer questions on standard input until it ends."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    build, packages = CONTENDERS[name]
    try:
        for package in packages:
            importlib.import_module(package)
        build(TINY, threads)()
        step = build(shape, threads)
    except ImportError as error:
        out.write(json.dumps({"failed": str(error)}) + "\n")
        return
    out.write(json.dumps({"ready": True}) + "\n")
    for line in sys.stdin:
        answer = _memory(step) if line.strip() == "memory" else _time(step)
        out.write(json.dumps(answer) + "\n")


def _memory(step: Step) -> dict[str, float]:
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    y = step()
    return {"bytes": _resident("VmHWM") - before, "norm": float(np.linalg.norm(y.astype(np.float64)))}


def _resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name + ":"))


def _time(step: Step) -> dict[str, float]:
    step()
    seconds: list[float] = []
    while sum(seconds) < 0.4:
        started = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - started)
    return {"seconds": statistics.median(seconds)}


# The referee --------------------------------------------------------------------------------------------------------


@dataclass
class Contender:
    """A contender's process and what it measured."""

    name: str
    process: subprocess.Popen[str]
    limit: float
    failed: str = ""
    seconds: list[float] = field(default_factory=list)

    def ask(self, question: str = "") -> dict[str, Any]:
        """Return the answer, or an empty one after noting what went wrong."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if question and not self.failed:
            self.process.stdin.write(question + "\n")
            self.process.stdin.flush()
        if not self.failed and not select.select([self.process.stdout], [], [], self.limit)[0]:
            self.failed = f"no answer within {self.limit:g} s"
        line = "" if self.failed else self.process.stdout.readline()
        answer = json.loads(line) if line else {"failed": self.failed or "its process ended"}
        self.failed = answer.get("failed", "")
        return {} if self.failed else answer

    def used(self) -> int:
        """Return the ticks in which the process has worked."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def end(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()


def start(name: str, shape: Shape, options: argparse.Namespace) -> Contender:
    """Start a contender and wait until it is ready."""
    command = [sys.executable, "-m", "benchmarks.local", "--threads", str(options.threads)]
    command += ["--worker", name, "--shape", str(SHAPES.index(shape))]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu", "OMP_NUM_THREADS": str(options.threads)}
    process = subprocess.Popen(  # noqa: S603 (ourselves)
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | quiet,
    )
    contender = Contender(name, process, options.limit)
    contender.ask()
    return contender


def turn(contender: Contender, patience: float) -> float:
    """Return the seconds of a turn; of several, where other processes disturb, those of the least disturbed.

    Turns are repeated until others had less than a twentieth of all cores, or `patience` seconds are over.
    """
    until, least = time.monotonic() + patience, (float("inf"), float("nan"))
    while not contender.failed and least[0] > 0.05:
        time.sleep(0.2)  # until the threads of the one before sleep
        (total, busy), own = _cores(), contender.used()
        seconds = contender.ask("time").get("seconds", float("nan"))
        if not contender.failed:
            (total_after, busy_after), own_after = _cores(), contender.used()
            others = (busy_after - busy) - (own_after - own)
            least = min(least, (others / max(1, total_after - total), seconds))
        if time.monotonic() > until:
            break
    return least[1]


def _cores() -> tuple[int, int]:
    """Return the ticks that the cores had, and those in which they worked."""
    numbers = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(numbers), sum(numbers) - numbers[3] - numbers[4]


def compare(shape: Shape, options: argparse.Namespace, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Measure all contenders on one shape."""
    names = [name for name in CONTENDERS if name == "scanwise" or not options.only or name in options.only]
    if 4 * (shape.size * shape.positions) ** 2 * shape.channels * shape.outputs > DENSE_LIMIT and "keras 2" in names:
        say(f"{shape.name}: keras 2 is left out: its matrix would have more than 4 GiB")
        names.remove("keras 2")
    contenders, memory = [], {}
    for name in names:
        contenders.append(start(name, shape, options))
        memory[name] = contenders[-1].ask("memory")
    for _ in range(options.rounds):
        for contender in (c for c in contenders if not c.failed):
            contender.seconds.append(turn(contender, options.patience))
    for contender in contenders:
        contender.end()
        if contender.failed:
            say(f"{shape.name}: {contender.name} is left out: {contender.failed}")
    ours = contenders[0]
    rows = []
    for contender in (c for c in contenders if not c.failed):
        ratios = [a / b for a, b in zip(contender.seconds, ours.seconds, strict=True)]
        rows.append(
            {
                "shape": asdict(shape),
                "contender": contender.name,
                "seconds": statistics.median(contender.seconds),
                "time_ratio": statistics.median(ratios),
                "time_ratio_least": min(ratios),
                "bytes": memory[contender.name]["bytes"],
                "memory_ratio": memory[contender.name]["bytes"] / memory["scanwise"]["bytes"],
                "norm": memory[contender.name]["norm"],
            }
        )
    return rows


def main() -> None:
    """Measure, print a table for each shape, and write the figures where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contender (default 7)")
    parser.add_argument("--threads", type=int, default=2, help="cores and threads of each contender (default 2)")
    parser.add_argument("--only", nargs="+", choices=list(CONTENDERS), help="these contenders (default all)")
    parser.add_argument(
        "--shapes", nargs="+", type=int, default=range(len(SHAPES)), help="these shapes, counted from 0"
    )
    parser.add_argument("--limit", type=float, default=400, help="seconds to wait for an answer (default 400)")
    parser.add_argument("--patience", type=float, default=20, help="seconds to repeat a disturbed turn (default 20)")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--shape", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker, SHAPES[options.shape], options.threads)
        return
    console, rows = Console(), []
    for shape in (SHAPES[i] for i in options.shapes):
        measured = compare(shape, options, console.print)
        table = Table("", "ms", "times ours", "least", "peak MB", "times ours", "norm of output", title=shape.text)
        for row in measured:
            times = f"{1e3 * row['seconds']:.1f}", f"{row['time_ratio']:.2f}", f"{row['time_ratio_least']:.2f}"
            bytes_ = f"{row['bytes'] / 1e6:.0f}", f"{row['memory_ratio']:.2f}"
            table.add_row(row["contender"], *times, *bytes_, f"{row['norm']:.6g}")
        console.print(table)
        rows += measured
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()

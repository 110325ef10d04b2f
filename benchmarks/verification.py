"""Exact equal error rates: counting beside sorting, a billion scores from a file, and all pairs of 10,000 digits.

Run from the project's root::

    python -m benchmarks.verification [--scores 100_000_000] [--billion 1_000_000_000] [--data ../shared/data/mnist]
                                      [--rounds 5] [--only counting,billion,pairs] [--folder DIR] [--json FILE]

* ``counting``: the equal error rate of ``--scores`` float32 scores in memory, a tenth of them of targets, normal around
  1, the others around -1. Contenders take turns, ``--rounds`` times, scikit-learn ``--slow-rounds`` times (0 leaves it
  out); each is a process of its own and has made its inputs, in the form it wants them. The table has medians over the
  rounds of the seconds and of their ratio to ours in the same round, the least ratio, and the peak of the resident set
  during the call over what was resident before it, inputs included (ours is taken as 1 MiB at least). All must agree:
  ours and numpy's to the bit, scikit-learn's to 1e-9.

  * ``scanwise`` is ``eer_of_blocks`` with one block, with as many threads as there are cores; ``scanwise, 1 thread``
    is its ``EERCounter``.
  * ``numpy sort`` sorts either kind and finds the crossing by bisection of the sorted arrays, so its time is that of
    ``np.sort``, which has no threads. On some processors (Zen 4) its AVX-512 code takes several times as long as that
    for AVX2; without AVX-512 it has ``NPY_DISABLE_CPU_FEATURES=X86_V4`` set, and the faster of the two is the peer.
  * ``scikit-learn`` is ``roc_curve``, with its defaults, one thread, and the crossing read off between two points.
  * ``read`` takes the maximum of all scores and nothing else: what a pass over memory costs. GB/s are those of all
    passes; counting makes two. Scores that fit in a cache are read faster than memory.

* ``billion``: as many scores in a file, in ``--folder`` while it runs, read block by block; the first tenth of a block
  are targets. ``read`` reads the same blocks as often and does nothing else. A file that fits in the memory left is
  read from there and not from the disk. The errors at the threshold found are counted once more, by comparison, and
  must be the same.
* ``pairs``: ``eer_of_pairs`` of all 49,995,000 pairs of the 10,000 digits of MNIST's test set, which a small network
  has embedded that was trained on 2,000 of them for two epochs. Nothing is said of how good it is. On 1,000 digits the
  figure must equal ``eer`` of ``all_pairs`` to the bit.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import scanwise as sw
from benchmarks.local import Contender
from benchmarks.mnist import read_mnist

Step = Callable[[], dict[str, Any]]
BLOCK = 1 << 24  # scores read from the file at a time
TARGETS = 10  # one score in so many is a target's
FIT, DIMENSIONS, EPOCHS, CHECKED = 2000, 64, 2, 1000
CORES = len(os.sched_getaffinity(0))


def fill(scores: np.ndarray, rng: np.random.Generator) -> None:
    """Draw scores, with no memory but theirs."""
    for kind, mean in zip(split(scores), (1, -1), strict=True):
        rng.standard_normal(dtype=np.float32, out=kind)
        kind += np.float32(mean)


def split(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first tenth, those of targets, and the others."""
    targets = max(1, len(scores) // TARGETS)
    return scores[:targets], scores[targets:]


def made(count: int) -> np.ndarray:
    """Return scores, the same in each process."""
    scores = np.empty(count, np.float32)
    fill(scores, np.random.default_rng(0))
    return scores


# Contenders in memory: each takes the number of scores and returns a call that answers the equal error rate ----------


def scanwise(count: int) -> Step:
    """Ours."""
    scores = split(made(count))
    return lambda: {"eer": sw.verify.eer_of_blocks(lambda: [scores]).value}


def one_thread(count: int) -> Step:
    """Ours, with one thread."""
    scores = split(made(count))

    def step() -> dict[str, Any]:
        counter = sw.verify.EERCounter(threads=1)
        while not counter.done:
            counter.add(*scores)
            counter.end_pass()
        return {"eer": counter.result().value}

    return step


def sorting(count: int) -> Step:
    """Numpy's sort of either kind, and bisection."""
    scores = split(made(count))
    return lambda: {"eer": crossing_of(*map(np.sort, scores))}


def crossing_of(target: np.ndarray, nontarget: np.ndarray) -> float:
    """Return the equal error rate of sorted scores, in exact fractions until the last step."""

    def errors(score: np.float32, side: Any) -> tuple[Fraction, Fraction]:
        misses, rejected = (int(np.searchsorted(kind, score, side)) for kind in (target, nontarget))
        return Fraction(misses, len(target)), 1 - Fraction(rejected, len(nontarget))

    def first(kind: np.ndarray) -> Iterator[np.float32]:
        """Give the lowest score of a kind above which no fewer are missed than accepted, if there is one."""
        low, high = 0, len(kind)
        while low < high:
            middle = (low + high) // 2
            miss, accept = errors(kind[middle], "right")
            low, high = (low, middle) if miss >= accept else (middle + 1, high)
        yield from kind[low : low + 1]

    score = min([*first(target), *first(nontarget)])
    (miss, accept), (miss_after, accept_after) = errors(score, "left"), errors(score, "right")
    gap, gap_after = accept - miss, accept_after - miss_after
    return float(miss + (miss_after - miss) * gap / (gap - gap_after))


def scikit_learn(count: int) -> Step:
    """The curve of scikit-learn, and a line between the points beside the crossing."""
    from sklearn.metrics import roc_curve

    scores, same = made(count), np.zeros(count, bool)
    split(same)[0][:] = True

    def step() -> dict[str, Any]:
        accept, hit, _ = roc_curve(same, scores)
        after = int(np.argmax(accept >= 1 - hit))
        gaps = [1 - hit[k] - accept[k] for k in (after - 1, after)]
        share = gaps[0] / (gaps[0] - gaps[1])
        return {"eer": float(accept[after - 1] + (accept[after] - accept[after - 1]) * share)}

    return step


def reading(count: int, threads: int) -> Step:
    """The maximum of all scores."""
    parts, pool = np.array_split(made(count), threads), ThreadPoolExecutor(threads)
    return lambda: {"highest": float(max(pool.map(np.max, parts)))}


@dataclass(frozen=True)
class Way:
    """How a contender is built, and what is known of it."""

    build: Callable[[int], Step]
    passes: int = 0  # over all scores, where its speed is to be told
    environment: dict[str, str] = field(default_factory=dict)


WAYS = {
    "scanwise": Way(scanwise, passes=2),
    "scanwise, 1 thread": Way(one_thread, passes=2),
    "numpy sort": Way(sorting),
    "numpy sort, no AVX-512": Way(sorting, environment={"NPY_DISABLE_CPU_FEATURES": "X86_V4"}),
    "scikit-learn": Way(scikit_learn),
    "read": Way(lambda count: reading(count, CORES), passes=1),
    "read, 1 thread": Way(lambda count: reading(count, 1), passes=1),
}

# Contenders that read a file ------------------------------------------------------------------------------------------


def blocks(file: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give the scores of a file, block by block."""
    with file.open("rb") as stream:
        while len(scores := np.fromfile(stream, np.float32, BLOCK)):
            yield split(scores)


def write(file: Path, count: int) -> None:
    """Write random scores, block by block."""
    rng = np.random.default_rng(0)
    with file.open("wb") as stream:
        for first in range(0, count, BLOCK):
            scores = np.empty(min(BLOCK, count - first), np.float32)
            fill(scores, rng)
            scores.tofile(stream)


def counted_from(file: Path) -> dict[str, Any]:
    """Return the equal error rate of a file's scores, and the errors at its threshold."""
    found = sw.verify.eer_of_blocks(lambda: blocks(file))
    return {"eer": found.value, "threshold": found.threshold, "errors": [found.misses, found.false_accepts]}


def read_from(file: Path) -> dict[str, Any]:
    """Read the file as often as counting does."""
    return {"blocks": sum(1 for _ in range(2) for _ in blocks(file))}


FROM_FILE = {"scanwise": counted_from, "read": read_from}

# A contender's process: answers each line with a line of JSON ---------------------------------------------------------


def work(options: argparse.Namespace) -> None:
    """Build a contender and let it run whenever asked to, until standard input ends."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    if options.file:
        step: Step = partial(FROM_FILE[options.worker], options.file)
    else:
        WAYS[options.worker].build(1 << 16)()  # loads the libraries' code
        step = WAYS[options.worker].build(options.scores)
    out.write(json.dumps({"ready": True}) + "\n")
    for _ in sys.stdin:
        before = _resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        started = time.perf_counter()
        answer = step()
        answer["seconds"] = time.perf_counter() - started
        answer["peak"] = _resident("VmHWM")
        out.write(json.dumps(answer | {"bytes": answer["peak"] - before}) + "\n")


def _resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name + ":"))


def start(name: str, words: list[str], environment: dict[str, str], limit: float) -> Contender:
    """Start a contender's process and wait until it is ready."""
    process = subprocess.Popen(  # noqa: S603 (ourselves)
        [sys.executable, "-m", "benchmarks.verification", "--worker", name, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    contender = Contender(name, process, limit)
    contender.ask()
    return contender


def take_turns(contenders: list[Contender], rounds: dict[str, int]) -> dict[str, list[dict[str, Any]]]:
    """Return each contender's answers, `rounds` of them, from the first rounds."""
    answers: dict[str, list[dict[str, Any]]] = {contender.name: [] for contender in contenders}
    try:
        for number in range(max(rounds.values())):
            for contender in (c for c in contenders if number < rounds[c.name]):
                answers[contender.name].append(contender.ask("run"))
                assert not contender.failed, f"{contender.name}: {contender.failed}"
    finally:
        for contender in contenders:
            contender.end()
    return answers


def summary(name: str, answers: dict[str, list[dict[str, Any]]], read: int) -> dict[str, Any]:
    """Return a contender's medians, and its ratios to ours; `read` is how many bytes it reads, if that is known."""
    ours, own = answers["scanwise"], answers[name]
    ratios = [a["seconds"] / b["seconds"] for a, b in zip(own, ours, strict=False)]
    seconds, bytes_ = (statistics.median(answer[key] for answer in own) for key in ("seconds", "bytes"))
    least = max(1 << 20, statistics.median(answer["bytes"] for answer in ours))
    return {
        "contender": name,
        "seconds": seconds,
        "time_ratio": statistics.median(ratios),
        "time_ratio_least": min(ratios),
        "bytes": bytes_,
        "memory_ratio": bytes_ / least,
        "peak": statistics.median(answer["peak"] for answer in own),
        "GB/s": 1e-9 * read / seconds,
        "all_seconds": [answer["seconds"] for answer in own],
        "eer": own[-1].get("eer"),
    }


def table(title: str, rows: list[dict[str, Any]]) -> Table:
    """Return the summaries of all contenders."""
    result = Table("", "s", "x ours", "least", "MiB", "x ours", "GB/s", title=title)
    for row in rows:
        speed = f"{row['GB/s']:.2f}" if row["GB/s"] else ""
        times = f"{row['seconds']:.3f}", f"{row['time_ratio']:.3g}", f"{row['time_ratio_least']:.3g}"
        result.add_row(row["contender"], *times, f"{row['bytes'] / 2**20:.0f}", f"{row['memory_ratio']:.3g}", speed)
    return result


# The parts ------------------------------------------------------------------------------------------------------------


def counting(options: argparse.Namespace, console: Console) -> list[dict[str, Any]]:
    """Measure all contenders on scores in memory."""
    words = ["--scores", str(options.scores)]
    rounds = dict.fromkeys(WAYS, options.rounds) | {"scikit-learn": min(options.slow_rounds, options.rounds)}
    names = [name for name in WAYS if rounds[name]]
    contenders = [start(name, words, WAYS[name].environment, options.limit) for name in names]
    answers = take_turns(contenders, rounds)
    rows = [summary(name, answers, 4 * options.scores * WAYS[name].passes) for name in names]
    console.print(table(f"{options.scores:,} scores in memory, {CORES} cores", rows))
    expected = rows[0]["eer"]
    for row in (row for row in rows if row["eer"] is not None):
        tolerance = 1e-9 if row["contender"] == "scikit-learn" else 0
        assert abs(row["eer"] - expected) <= tolerance, f"{row['contender']} disagrees: {row['eer']}, not {expected}"
    speed = {row["contender"]: row["GB/s"] for row in rows}
    for ours, plain in (("scanwise", "read"), ("scanwise, 1 thread", "read, 1 thread")):
        console.print(f"{ours}: {100 * speed[ours] / speed[plain]:.0f} % of the speed of {plain}")
    console.print(f"all agree on the equal error rate, {expected:.9%}")
    return rows


def billion(options: argparse.Namespace, console: Console) -> list[dict[str, Any]]:
    """Measure counting from a file."""
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        file = Path(folder) / "scores.f32"
        write(file, options.billion)
        contenders = [start(name, ["--file", str(file)], {}, options.limit) for name in FROM_FILE]
        answers = take_turns(contenders, dict.fromkeys(FROM_FILE, max(1, options.slow_rounds)))
        found = answers["scanwise"][-1]
        threshold = np.float64(found["threshold"])  # in float32 it could be the score below
        errors = np.zeros(2, np.int64)
        for target, nontarget in blocks(file):
            errors += [np.sum(target < threshold), np.sum(nontarget >= threshold)]
        assert errors.tolist() == found["errors"], f"errors at the threshold are {errors}, not {found['errors']}"
    rows = [summary(name, answers, 2 * 4 * options.billion) for name in FROM_FILE]
    console.print(table(f"{options.billion:,} scores in a file, {CORES} cores", rows))
    peaks = ", ".join(f"{row['contender']} {row['peak'] / 2**20:.0f} MiB" for row in rows)
    console.print(f"peak of the whole process, with Python and numpy: {peaks}")
    console.print(f"equal error rate {found['eer']:.9%}, errors at its threshold counted again")
    return rows


def pairs(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Measure the equal error rate of all pairs of embeddings."""
    x, y = read_mnist(options.data)
    started = time.perf_counter()
    model = sw.train((x[:FIT], y[:FIT]), "convnet", task="verify", epochs=EPOCHS, dimensions=DIMENSIONS)
    trained = time.perf_counter()
    embeddings = model.embed(list(x))
    embedded = time.perf_counter()
    few = embeddings[:CHECKED], y[:CHECKED]
    assert sw.verify.eer_of_pairs(*few) == sw.verify.eer(*sw.verify.all_pairs(*few)), "eer_of_pairs is not eer"
    seconds = []
    for _ in range(options.rounds):
        before = time.perf_counter()
        found = sw.verify.eer_of_pairs(embeddings, y)
        seconds.append(time.perf_counter() - before)
    figures = {"seconds": statistics.median(seconds), "least": min(seconds)}
    figures |= {"train seconds": trained - started, "embed seconds": embedded - trained}
    shown = Table("pairs", *figures, "EER", title=f"all pairs of {len(x):,} digits")
    shown.add_row(
        f"{found.targets + found.nontargets:,}", *(f"{v:.2f}" for v in figures.values()), f"{found.value:.4%}"
    )
    console.print(shown)
    return figures | {"eer": found.value, "all_seconds": seconds}


PARTS: dict[str, Callable[..., Any]] = {part.__name__: part for part in (counting, billion, pairs)}


def main() -> None:
    """Measure, print tables, and write the numbers where they are wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scores", type=int, default=100_000_000, help="scores in memory (default 100,000,000)")
    parser.add_argument("--billion", type=int, default=1_000_000_000, help="scores in a file (default 1,000,000,000)")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/mnist"), help="folder of t10k-*-ubyte.gz")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contender (default 5)")
    parser.add_argument("--slow-rounds", type=int, default=1, help="turns of scikit-learn, and from a file (default 1)")
    parser.add_argument("--only", default=",".join(PARTS), help="these parts (default all)")
    parser.add_argument("--folder", type=Path, help="where the file of scores is while it is read (default /tmp)")
    parser.add_argument("--limit", type=float, default=3600, help="seconds to wait for an answer (default 3600)")
    parser.add_argument("--json", type=Path, help="file to write all numbers to")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options)
        return
    chosen, console = options.only.split(","), Console()
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"--only takes some of {','.join(PARTS)}; got {','.join(unknown)}")
    if "pairs" in chosen and not options.data.joinpath("t10k-images-idx3-ubyte.gz").is_file():
        parser.error(f"--data must be a folder of t10k-*-ubyte.gz; got {options.data}")
    results = {name: part(options, console) for name, part in PARTS.items() if name in chosen}
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()

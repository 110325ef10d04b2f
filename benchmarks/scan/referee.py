"""Measuring: contenders take turns, each in a process of its own; disturbed samples are taken again."""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scanwise.run import Scanner

from .contender import Case
from .peers import CONTENDERS
from .workloads import WORKLOADS, Workload

SAGGED = 0.95
"""A sample counts if both peaks around it reach this share of the best peak of the run."""
PATIENCE = 4
"""Samples are repeated until there were this many times as many as asked for."""
TOLERANCE = {False: 1e-4, True: 1e-11}
"""Largest error over the largest score, by whether the workload is in float64."""


@dataclass
class Contender:
    """A contender's process, and what it measured on one workload."""

    name: str
    load: Workload
    options: argparse.Namespace
    reference: Path
    forms: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Any] | None = None
    samples: list[dict[str, Any]] = field(default_factory=list)
    out: str = ""
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the process, and learn which forms there are."""
        self.end()
        words = [self.name, self.load.name, str(int(self.options.tiny)), str(self.options.threads), str(self.reference)]
        self.process = subprocess.Popen(  # noqa: S603 (ourselves)
            [sys.executable, "-m", "benchmarks.scan.worker", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=Path(__file__).parents[2],
            env=os.environ | {"OMP_NUM_THREADS": str(self.options.threads)},
        )
        answer = self._answer()
        self.out = answer.get("left out", answer.get("failed", ""))
        if not self.forms:
            self.forms = [{"form": form, "same": same} for form, same in answer.get("forms", [])]

    def ask(self, do: str, **details: Any) -> dict[str, Any]:
        """Return the answer, or why there is none; a process that gives none is ended, and started when needed."""
        if self.process is None:
            self.start()
        if self.process is None:
            return {"failed": self.out}
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **details}) + "\n")
            self.process.stdin.flush()
            return self._answer()
        except BrokenPipeError:
            return self._gone("its process ended")

    def _answer(self) -> dict[str, Any]:
        assert self.process is not None
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], self.options.limit)[0]:
            return self._gone(f"no answer within {self.options.limit:g} s")
        line = self.process.stdout.readline()
        return json.loads(line) if line else self._gone("its process ended")

    def _gone(self, why: str) -> dict[str, Any]:
        self.end()
        return {"failed": why}

    def end(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def try_forms(self, best_peak: float, say: Callable[[str], None]) -> None:
        """Try all forms, and keep the fastest correct one, ready to be sampled."""
        self.start()
        if self.out:
            say(f"{self.load.name}: {self.name} is left out: {self.out}")
            return
        say(f"{self.load.name}: {self.name}, {len(self.forms)} forms")
        for number, form in enumerate(self.forms):
            save = self.name.startswith("scanwise") and not self.reference.exists()
            best = min((known["seconds"] for known in self.forms if "seconds" in known and known["same"]), default=None)
            form |= self.ask("try", form=number, save=save, floor=SAGGED * best_peak, best=best)
            if "failed" in form:
                say(f"{self.load.name}: {self.name}, {form['form']}: {form['failed']}")
        good = [form for form in self.forms if form.get("same") and "seconds" in form and self.agrees(form)]
        for form in sorted(good, key=lambda form: float(form["seconds"])):
            answer = self.ask("keep", form=self.forms.index(form))
            if "failed" not in answer:
                self.best = {"form": form["form"], **answer}
                return
            form |= answer
        self.out = "no form computes the scores"
        self.end()

    def agrees(self, form: dict[str, Any]) -> bool:
        """Return whether a form's scores are ours."""
        return bool(form["error"] <= TOLERANCE[self.load.double])

    def kept(self, best_peak: float) -> list[dict[str, Any]]:
        """Return the samples that nothing disturbed."""
        return [sample for sample in self.samples if min(sample["peaks"]) >= SAGGED * best_peak]


def measure(
    load: Workload, options: argparse.Namespace, best_peaks: dict[bool, float], say: Callable[[str], None]
) -> dict[str, Any]:
    """Measure all contenders on one workload; ``best_peaks`` of the run so far, by whether in float64, grow."""
    case = Case(load, options.threads)
    scanner = Scanner(case.net, (1, *load.window), load.hop, backend="torch")
    best_peak = best_peaks.get(load.double, 0.0)
    with tempfile.TemporaryDirectory() as folder:
        contenders = []
        try:
            for name in CONTENDERS:
                scores = Path(folder) / "scores.npy"
                needed = name == "scanwise" or (name == "scanwise-torch" and not scores.exists())
                if needed or not options.peers or name in options.peers:
                    contenders.append(Contender(name, load, options, scores))
                    contenders[-1].try_forms(best_peak, say)
            ready = [c for c in contenders if c.best]
            best_peak = best_peaks[load.double] = _take_samples(ready, options, best_peak)
            say(f"{load.name}: done, best peak {best_peak:.0f} GFLOP/s")
        finally:
            for contender in contenders:
                contender.end()
    return {
        "workload": load.name,
        "text": load.text,
        "size": load.size,
        "window": load.window,
        "hop": load.hop,
        "dtype": "float64" if load.double else "float32",
        "outputs": load.outputs,
        "macs per output": scanner.plan.macs_per_window,
        "reuse factor": scanner.reuse_factor,
        "best peak": best_peak,
        "contenders": [
            {
                "name": c.name,
                "left out": c.out,
                "best": c.best,
                "forms": c.forms,
                "samples": c.samples,
                "kept": [sample in c.kept(best_peak) for sample in c.samples],
            }
            for c in contenders
        ],
    }


def _take_samples(contenders: list[Contender], options: argparse.Namespace, best: float) -> float:
    """Take turns until each contender has its undisturbed samples; return the best peak."""
    for _ in range(PATIENCE * options.rounds):
        for contender in contenders:
            if contender.best and len(contender.kept(best)) < options.rounds:
                sample = contender.ask("sample")
                if "failed" in sample:
                    contender.best, contender.out = None, sample["failed"]
                    continue
                contender.samples.append(sample)
                best = max(best, *sample["peaks"])
        if all(c.best is None or len(c.kept(best)) >= options.rounds for c in contenders):
            break
    return best


def workloads(options: argparse.Namespace) -> list[Workload]:
    """Return the workloads that were asked for."""
    chosen = [WORKLOADS[name] for name in options.only or WORKLOADS]
    return [load.tiny() for load in chosen] if options.tiny else chosen

"""A contender's process: builds its forms, answers each line of JSON with one."""

from __future__ import annotations

import json
import os
import sys
import time
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from . import machine
from .contender import Call, Case, Form, NotApplicableError
from .peers import forms_of
from .workloads import WORKLOADS

TRIAL, SAMPLE, LONGEST = 0.3, 0.06, 2.0
"""Seconds: to try a form, a sample at least, and a call on as much as a long form gets."""
FAR = 3.0  # times the best form's seconds
AGAIN = 4  # times that a form is tried at most
SETTLE = 0.03  # until threads that wait by spinning sleep


class Worker:
    """Forms of one contender on one workload."""

    def __init__(self, case: Case, name: str, reference: Path) -> None:
        self.case, self.reference = case, reference
        self.forms = forms_of(name, case)
        self.input = case.load.input()
        self.call: Call | None = None
        self.share, self.repeat = 1.0, 1

    def attempt(self, form: Form, on: float, *, save: bool, floor: float, best: float) -> dict[str, Any]:
        """Build a form, compare its scores, and time it on a share of the input; it stays built.

        It is timed again, some times at most, while a peak beside it is below the floor; one call is enough for a form
        that takes far more than the best so far.
        """
        self.call, self.share = self._short(form, on, best) if form.long else self._on(form, on)
        started = time.perf_counter()
        scores = self.call()
        seconds = time.perf_counter() - started
        if save:
            np.save(self.reference, scores)
        error, wrong = self._errors(scores, round(self.share * self.case.load.positions[0]))
        for _ in range(AGAIN if seconds / self.share < FAR * best else 0):
            peaks = [self._peak()]
            seconds = min(seconds, self._seconds(self.call, TRIAL if seconds < 2 else 0))
            peaks.append(self._peak())
            if min(peaks) >= floor:
                break
        self.repeat = ceil(SAMPLE / seconds)
        return {"error": error, "wrong": wrong, "share": self.share, "seconds": seconds / self.share}

    def _short(self, form: Form, on: float, best: float) -> tuple[Call, float]:
        """Build a form for as much of the input as takes no more than some seconds."""
        call, share = self._on(form, 1 / 64)
        self._seconds(call, 0)
        rate = self._seconds(call, 0) / share
        return (call, share) if rate > FAR * best else self._on(form, min(on, max(share, LONGEST / rate)))

    def _on(self, form: Form, share: float) -> tuple[Call, float]:
        """Build a form for a leading part of the input; return how it is called, and the share of the outputs."""
        load = self.case.load
        count = min(load.positions[0], max(form.least, ceil(load.positions[0] * share)))
        part = self.input[:, : (count - 1) * load.hop + load.window[0]]
        return form.prepare(np.ascontiguousarray(part)), count / load.positions[0]

    def _errors(self, scores: np.ndarray, count: int) -> tuple[float, float]:
        """Return the largest error over the largest score, and the share of scores that are off by more than 1e-4."""
        exact = np.load(self.reference, mmap_mode="r")[:, :count]
        if exact.shape != scores.shape:
            raise ValueError(f"scores have shape {scores.shape} instead of {exact.shape}")
        largest, error, wrong = 0.0, 0.0, 0
        for mine, right in zip(scores, exact, strict=True):
            off = np.abs(mine - right)
            largest = max(largest, float(np.abs(right).max()))
            error = max(error, float(off.max())) if np.isfinite(off).all() else float("inf")
        for mine, right in zip(scores, exact, strict=True):
            wrong += int((~(np.abs(mine - right) <= 1e-4 * largest)).sum())
        return error / largest, wrong / scores.size

    def _seconds(self, call: Call, at_least: float) -> float:
        least, until = float("inf"), time.perf_counter() + at_least
        while least == float("inf") or time.perf_counter() < until:
            started = time.perf_counter()
            call()
            least = min(least, time.perf_counter() - started)
        return least

    def _peak(self) -> float:
        time.sleep(SETTLE)
        return machine.peak(self.case.load.double, self.case.threads)

    def sample(self) -> dict[str, Any]:
        """Return the seconds of a scan, and what the machine could do just before and after."""
        assert self.call is not None
        copies, peaks = [machine.copy(self.case.threads)], [self._peak()]
        started = time.perf_counter()
        for _ in range(self.repeat):
            self.call()
        seconds = (time.perf_counter() - started) / self.repeat
        peaks.append(self._peak())
        copies.append(machine.copy(self.case.threads))
        return {
            "seconds": seconds / self.share,
            "calls": self.repeat,
            "peaks": peaks,
            "copies": copies,
        }

    def _known(self, question: dict[str, Any]) -> dict[str, float]:
        """Return what the run has seen so far: the peak to reach, and the seconds of the best form."""
        return {"floor": question.get("floor", 0.0), "best": question.get("best") or float("inf")}

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a question; what went wrong is one, too."""
        try:
            if question["do"] == "sample":
                return self.sample()
            form = self.forms[question["form"]]
            on = 1.0 if question["do"] == "keep" else form.tried_on
            return self.attempt(form, on, save=question.get("save", False), **self._known(question))
        except Exception as error:  # other people's libraries raise what they like
            return {"failed": f"{type(error).__name__}: {str(error).strip() or 'no text'}".split("\n")[0]}


def main() -> None:
    """Answer questions on standard input until it ends."""
    name, workload, tiny, threads, reference = sys.argv[1:]
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(threads)])
    torch.set_num_threads(int(threads))
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    load = WORKLOADS[workload].tiny() if int(tiny) else WORKLOADS[workload]
    try:
        worker = Worker(Case(load, int(threads)), name, Path(reference))
    except (ImportError, NotApplicableError) as error:
        out.write(json.dumps({"left out": str(error).split("\n")[0]}) + "\n")
        return
    out.write(json.dumps({"forms": [[form.name, form.same] for form in worker.forms]}) + "\n")
    for line in sys.stdin:
        out.write(json.dumps(worker.answer(json.loads(line))) + "\n")


if __name__ == "__main__":
    main()

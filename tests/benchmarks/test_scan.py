"""The benchmark of scans compares like with like, and says what it found. No test here looks at a time."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from benchmarks.scan import __main__ as command
from benchmarks.scan import markdown
from benchmarks.scan.contender import Case, Form, NotApplicableError
from benchmarks.scan.layers import dense_layers
from benchmarks.scan.peers import CONTENDERS, forms_of
from benchmarks.scan.referee import TOLERANCE, Contender
from benchmarks.scan.results import disagreements, rows_of, verdicts_of
from benchmarks.scan.table import show, show_asked
from benchmarks.scan.tiles import in_tiles
from benchmarks.scan.worker import Worker
from benchmarks.scan.workloads import ASKED, WORKLOADS
from scanwise.kernels import absent
from scanwise.run import scan_windows

ROOT = Path(__file__).parents[2]


@cache
def oracle(workload: str) -> np.ndarray:
    """The network on every window of the tiny input."""
    load = WORKLOADS[workload].tiny()
    scores = scan_windows(
        load.network(), torch.from_numpy(load.input())[None], load.window, (load.hop,) * len(load.size)
    )
    return scores.numpy().reshape(-1, *load.positions)


def forms(name: str, case: Case) -> list[Form]:
    if name == "scanwise" and absent():
        pytest.skip(f"scanwise: {absent()}")
    try:
        return forms_of(name, case)
    except (ImportError, NotApplicableError) as error:
        pytest.skip(f"{name}: {error}")


# Compiling is slow, and what torch uses for it is deprecated by torch.
COMPILING = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")]


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=COMPILING if name == "torch-compile" else []) for name in CONTENDERS]
)
def test_every_form_of_every_contender_computes_every_window_s_scores(name: str, workload: str) -> None:
    case = Case(WORKLOADS[workload].tiny(), threads=2)
    exact = oracle(workload)
    tried = forms(name, case)
    assert tried
    for form in tried:
        scores = form.prepare(case.load.input())()
        assert scores.shape == exact.shape, form.name
        error = np.abs(scores - exact).max() / np.abs(exact).max()
        assert (error <= TOLERANCE[case.load.double]) == form.same, f"{form.name}: {error}"


def test_the_networks_have_one_output_a_window_and_the_arithmetic_of_the_design() -> None:
    macs = {}
    for name, load in WORKLOADS.items():
        case, dtype = Case(load, 1), torch.float64 if load.double else torch.float32
        assert case.net(torch.zeros(2, 1, *load.window, dtype=dtype)).flatten(1).shape == (2, case.outs)
        macs[name] = sum(layer.weight.size for layer in case.layers if layer.weight is not None)
    assert {name: macs[name] for name in "ABCDE"} == {"A": 1944, "B": 33040, "C": 216, "D": 33296, "E": 80016}


def test_at_the_network_s_own_stride_its_layers_are_the_network_s() -> None:
    load = WORKLOADS["A8"]
    layers = [layer for layer in dense_layers(load.network(), load.window, load.hop) if layer.kernel]
    assert [(layer.kind, layer.step, layer.stride) for layer in layers] == [
        *[("conv", (1,), (1,)), ("pool", (1,), (2,))] * 3,
        ("conv", (1,), (1,)),
    ]


def test_a_hop_without_a_common_divisor_is_the_last_layer_s_stride() -> None:
    load = WORKLOADS["B10"]
    layers = [layer for layer in dense_layers(load.network(), load.window, load.hop) if layer.kernel]
    assert [layer.stride for layer in layers] == [(1,), (1,), (1,), (1,), (10,)]
    assert [layer.step for layer in layers] == [(1,), (2,), (4,), (8,), (1,)]


@pytest.mark.parametrize("rows", [0, 1, 3])
@pytest.mark.parametrize("runs", [1, 2])
def test_pieces_overlap_by_the_halo_and_are_of_one_size(rows: int, runs: int) -> None:
    case, seen = Case(WORKLOADS["A8"].tiny(), 1), []
    x = np.arange(case.load.size[0], dtype=np.float32)[None]

    def run(piece: np.ndarray) -> np.ndarray:
        seen.append(piece.shape)
        return piece[..., : -(case.load.window[0] - 1) : 8]  # the first sample of every window

    scores = in_tiles(case, x, [run] * runs, (33,), rows)()
    assert scores.tolist() == [list(range(0, 8 * 88, 8))]
    assert set(seen) == {(1, 1, *([rows] if rows else []), 32 * 8 + 128)}


class OneForm(Worker):
    """A worker with a form that gives these scores."""

    def __init__(self, scores: np.ndarray, reference: Path) -> None:
        self.case, self.reference = Case(WORKLOADS["C"].tiny(), 1), reference
        self.input = self.case.load.input()
        self.forms = [Form("made", lambda x: lambda: scores[:, : x.shape[1] - 24].copy())]
        self.share, self.repeat = 1.0, 1


class Clock:
    """A clock that goes on by a second whenever somebody looks."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        self.now += 1
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += 100


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    np.save(tmp_path / "scores.npy", oracle("C"))
    return tmp_path / "scores.npy"


def test_an_error_is_relative_to_the_largest_score_and_what_is_off_is_counted(reference: Path) -> None:
    scores = oracle("C").copy()
    scores[0, [3, 5, 600]] += np.abs(scores).max() / 8
    answer = OneForm(scores, reference).answer({"do": "try", "form": 0})
    assert answer["error"] == pytest.approx(1 / 8, rel=1e-5)
    assert answer["wrong"] == 3 / 701
    assert answer["share"] == 1


def test_a_score_that_is_not_a_number_is_infinitely_wrong(reference: Path) -> None:
    scores = oracle("C").copy()
    scores[0, 7] = np.nan
    answer = OneForm(scores, reference).answer({"do": "keep", "form": 0})
    assert answer["error"] == float("inf")
    assert answer["wrong"] == 1 / 701


def test_scores_of_another_shape_are_a_failure_in_words(reference: Path) -> None:
    answer = OneForm(oracle("C")[:, 1:], reference).answer({"do": "try", "form": 0})
    assert answer == {"failed": "ValueError: scores have shape (1, 700) instead of (1, 701)"}


def test_what_is_measured_on_a_part_is_said_and_scaled(reference: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.scan.worker.time", Clock())
    worker = OneForm(oracle("C"), reference)
    worker.forms = [Form("made", worker.forms[0].prepare, tried_on=0.1, least=200)]
    answer = worker.answer({"do": "try", "form": 0})
    assert answer["share"] == 200 / 701
    assert answer["seconds"] == pytest.approx(701 / 200)
    assert answer["error"] == 0
    assert len(worker.call()[0]) == 200


@pytest.mark.parametrize(("best", "share"), [(float("inf"), 200 / 701), (1.0, 100 / 701)])
def test_a_long_form_is_timed_on_a_part_and_one_far_from_the_best_on_a_small_one(
    best: float, share: float, reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = OneForm(oracle("C"), reference)
    worker.forms = [Form("made", worker.forms[0].prepare, least=100, long=True)]
    monkeypatch.setattr("benchmarks.scan.worker.time", Clock())
    answer = worker.answer({"do": "try", "form": 0, "best": best})
    assert answer["share"] == share
    assert answer["error"] == 0


def test_a_sample_is_of_a_whole_scan_between_two_peaks(reference: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = OneForm(oracle("C"), reference)
    worker.call, worker.share, worker.repeat = (lambda: oracle("C")), 0.25, 2
    monkeypatch.setattr("benchmarks.scan.worker.time", Clock())
    taken = worker.answer({"do": "sample"})
    assert (taken["seconds"], taken["calls"]) == (1 / 2 / 0.25, 2)
    assert len(taken["peaks"]) == len(taken["copies"]) == 2
    assert min(*taken["peaks"], *taken["copies"]) > 0


def sample(seconds: float, peak: float = 100.0) -> dict[str, Any]:
    return {"seconds": seconds, "calls": 1, "peaks": [peak, 100.0], "copies": [20.0, 20.0]}


def contender(name: str, *samples: dict[str, Any], error: float = 1e-7, same: bool = True) -> dict[str, Any]:
    form = {"form": "a form", "same": same, "error": error, "wrong": 0.5, "share": 1.0, "seconds": 1.0}
    return {"name": name, "left out": "", "best": form, "forms": [form], "samples": list(samples)}


def measured(workload: str, *contenders: dict[str, Any], reuse: float = 1.0) -> dict[str, Any]:
    load = WORKLOADS[workload]
    about = {"text": load.text, "size": load.size, "hop": load.hop, "dtype": "float64" if load.double else "float32"}
    work = {"outputs": 1000, "macs per output": 5e6, "best peak": 100.0, "reuse factor": reuse}
    return {"workload": workload, **about, **work, "contenders": list(contenders)}


def test_samples_beside_a_peak_that_sagged_do_not_count() -> None:
    ours = contender("scanwise", sample(0.2), sample(0.1, peak=89.0), sample(0.4), sample(9.0, peak=30.0), sample(0.2))
    (row,) = rows_of(measured("A", ours))
    assert (row.seconds, row.kept, row.taken) == (0.2, 3, 5)
    assert row.gflops == pytest.approx(50)  # 10 GFLOP in 0.2 s
    assert row.share == pytest.approx(0.5)


def test_a_contender_that_was_always_disturbed_is_shown_as_such() -> None:
    ours, peer = contender("scanwise", sample(0.1)), contender("torch-eager", sample(0.5, peak=30.0))
    verdicts = verdicts_of(measured("B2s", ours, peer))
    assert [v.disturbed for v in verdicts] == [True]
    assert "disturbed" in printed(measured("B2s", ours, peer))
    assert "0 of 1 DISTURBED" in printed(measured("B2s", ours, peer))


def test_what_is_asked_is_compared_with_the_fastest_of_the_peers_named() -> None:
    peers = [contender("ort-whole", sample(0.3)), contender("ort-tiles", sample(0.15)), contender("jax", sample(0.01))]
    verdicts = verdicts_of(measured("B", contender("scanwise", sample(0.1)), *peers))
    assert [(v.best_peer, v.reached, v.at_peak, v.passed) for v in verdicts] == [
        ("ort-tiles", pytest.approx(1.5), pytest.approx(1.5), True),
        ("", None, None, None),
        ("", pytest.approx(1.0), None, True),
    ]


def test_a_ratio_at_the_peak_is_that_of_the_peak_s_time() -> None:
    made = measured("B", contender("scanwise", sample(0.2)), contender("ort-tiles", sample(0.3)))
    (first, *_) = verdicts_of(made)  # ours takes twice the time of the peak
    assert (first.reached, first.at_peak) == (pytest.approx(1.5), pytest.approx(3.0))


def test_figures_are_written_as_the_page_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = measured("B", contender("scanwise", sample(0.1)), contender("jax", sample(9.0)))
    new = measured("B", contender("scanwise", sample(0.2)), contender("jax", sample(0.5)))
    other = measured("A", contender("scanwise", sample(0.1)), contender("jax", sample(0.1, peak=30.0)))
    for name, made in (("first", [old]), ("second", [new, other])):
        (tmp_path / name).write_text(json.dumps({"machine": {}, "workloads": made}), encoding="utf-8")
    out = io.StringIO()
    monkeypatch.setattr(sys, "argv", ["markdown", str(tmp_path / "first"), str(tmp_path / "second")])
    monkeypatch.setattr(sys, "stdout", out)
    markdown.main()
    lines = out.getvalue().splitlines()
    assert lines[0] == "| times ours | A | B |"
    assert "| jax | 1.00! | 2.50 |" in lines
    assert "| scanwise | 100% | 50% |" in lines
    assert "| torch-eager | - | - |" in lines
    assert "| B | jax | a form |" in lines
    assert sum(line.startswith("| B | share of the peak |  | 85% | 50% |") for line in lines) == 1


def test_batched_windows_are_compared_in_reuse_factors() -> None:
    made = measured("E", contender("scanwise", sample(0.1)), contender("windows", sample(4.0)), reuse=10.0)
    (verdict,) = (v for v in verdicts_of(made) if v.asked.reuse)
    assert verdict.reached == pytest.approx(4.0)
    assert verdict.passed


def test_every_peer_that_something_is_asked_of_exists() -> None:
    assert {name for asked in ASKED for name in asked.peers} <= set(CONTENDERS)
    assert {asked.workload for asked in ASKED} <= set(WORKLOADS)


def printed(*made: dict[str, Any]) -> str:
    console = Console(file=io.StringIO(), width=170)
    for one in made:
        show(console, one)
    show_asked(console, list(made))
    return console.file.getvalue()


def test_the_table_names_who_was_left_out_and_what_blends() -> None:
    absent_peer = contender("jax") | {"left out": "No module named 'jax'", "best": None, "forms": []}
    tiler = contender("monai", sample(1.0), error=0.25, same=False)
    text = printed(measured("A", contender("scanwise", sample(0.1)), absent_peer, tiler))
    assert "jax is left out: No module named 'jax'" in text
    assert "is not the scan: largest error 0.25 of the largest score, 50.0% of scores off" in text
    assert "DIFFERS" not in text


@pytest.mark.parametrize(("error", "status"), [(1e-5, 0), (2e-4, 1), (float("nan"), 1)])
def test_a_contender_that_computes_something_else_is_told_loudly(
    error: float, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = measured("A", contender("scanwise", sample(0.1)), contender("jax", sample(1.0), error=error))
    monkeypatch.setattr(command, "measure", lambda *_: made)
    assert command.main(["--only", "A"]) == status
    assert ("DIFFERS: A: jax, a form: largest error" in capsys.readouterr().out) == bool(status)
    assert len(disagreements(made)) == status


def test_an_unknown_name_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(["--only", "A,Z"])
    assert "unknown: Z; there are A, B, C, D, E" in capsys.readouterr().err


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Contender]:
    options = command.options_of(["--tiny", "--threads", "1", "--limit", "60"])
    made = Contender("torch-eager", WORKLOADS["C"].tiny(), options, tmp_path / "missing.npy")
    yield made
    made.end()


def test_a_contender_that_fails_says_why_and_goes_on(process: Contender) -> None:
    said: list[str] = []
    process.try_forms(0.0, said.append)
    assert process.out == "no form computes the scores"
    assert said[0] == "C: torch-eager, 2 forms"
    assert ["FileNotFoundError" in text for text in said[1:]] == [True, True]


def test_what_was_measured_is_written_after_every_workload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "scan.json"
    made = {name: measured(name, contender("scanwise", sample(0.1))) for name in "AC"}

    def measure(load: Any, *_: Any) -> dict[str, Any]:
        if load.name == "C":
            assert len(json.loads(file.read_text(encoding="utf-8"))["workloads"]) == 1
        return made[load.name]

    monkeypatch.setattr(command, "measure", measure)
    assert command.main(["--only", "A,C", "--json", str(file)]) == 0
    found = json.loads(file.read_text(encoding="utf-8"))
    assert [one["contenders"][0]["samples"] for one in found["workloads"]] == [[sample(0.1)]] * 2
    assert {"cpu", "cores", "threads", "versions", "commit", "changed files", "peak by"} <= set(found["machine"])


@pytest.mark.slow
def test_the_command_prints_a_table_and_writes_everything(tmp_path: Path) -> None:
    peers = "torch-eager,braindecode"
    words = ["scan", "--tiny", "--only", "C", "--rounds", "1", "--threads", "1", "--peers", peers, "--forms"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *words, "--json", str(tmp_path / "scan.json")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "scan.json").read_text(encoding="utf-8"))
    assert {"cpu", "cores", "threads", "versions", "commit", "peak by"} <= set(found["machine"])
    (one,) = found["workloads"]
    by_name = {contender["name"]: contender for contender in one["contenders"]}
    assert {"torch-eager", "braindecode"} < set(by_name)
    assert by_name["braindecode"]["left out"] or by_name["braindecode"]["samples"]
    samples = by_name["torch-eager"]["samples"]
    assert samples
    assert all(sample["seconds"] > 0 and len(sample["peaks"]) == 2 for sample in samples)
    for text in (
        "C: 1-D 1-4-4-1, k 9; 725 samples, float32",
        "fastest correct form",
        "torch-eager",
        "all forms",
        "Asked",
    ):
        assert text in done.stdout


def test_benchmarks_are_called_by_name() -> None:
    done = subprocess.run([sys.executable, "-m", "benchmarks", "scann"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "NAME is one of demo_f1, local, mnist, omniglot, scan, spoken_digits, tying, verification" in done.stderr

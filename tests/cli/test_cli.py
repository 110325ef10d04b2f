"""The command line: what it prints where, and its exit status."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import scanwise as sw
from scanwise.cli import main
from scanwise.cli._progress import progress_bar

Run = Callable[..., tuple[int, str, str]]
QUICK = ("--model", "mlp", "--set", "hidden=[8]", "--epochs", "3", "--validation", "0.2")


def complaints(err: str) -> list[str]:
    """Return the lines of complaint, without those of progress."""
    return [line for line in err.splitlines() if not re.match(r"(training|scanning) \d+/\d+ ", line)]


@pytest.fixture
def images(shapes: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> Path:
    """A folder of images per class."""
    folder = tmp_path / "images"
    for number, (x, name) in enumerate(zip(*shapes, strict=True)):
        (folder / str(name)).mkdir(parents=True, exist_ok=True)
        save_image(folder / str(name) / f"{number:02}.png", x)
    return folder


@pytest.fixture
def saved(model: sw.Model, tmp_path: Path) -> Path:
    model.save(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def picture(canvas: np.ndarray, tmp_path: Path) -> Path:
    np.save(tmp_path / "canvas.npy", canvas)
    return tmp_path / "canvas.npy"


def save_image(path: Path, x: np.ndarray) -> None:
    Image.fromarray((x[0] * 200).clip(0, 255).astype(np.uint8)).save(path)


def test_train_writes_a_model_and_prints_how_good_it_is(run: Run, images: Path, tmp_path: Path) -> None:
    status, out, err = run("train", images, "-o", tmp_path / "model", *QUICK, "--seed", "3")
    assert (status, complaints(err)) == (0, [])
    assert re.fullmatch(r"training 1/3 loss .* s left\)\ntraining 3/3 loss .* \(0 s left\)\n", err)
    assert "confusion matrix" in out
    info = sw.load(tmp_path / "model").info
    assert (info.classes, info.seed, info.arguments["hidden"]) == (("cross", "ring", "background"), 3, [8])


def test_train_takes_arrays_to_regress(run: Run, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(40, 8))
    np.savez(tmp_path / "data.npz", x=x, y=x.sum(axis=1))
    status, out, _ = run("train", tmp_path / "data.npz", "-o", tmp_path / "model", *QUICK, "--loss", "huber")
    assert status == 0
    assert "mean absolute error" in out


def test_train_goes_on_without_a_bad_file_and_says_so(run: Run, images: Path, tmp_path: Path) -> None:
    (images / "ring" / "broken.png").write_bytes(b"\x89PNG")
    status, _, err = run("train", images, "-o", tmp_path / "model", *QUICK)
    assert status == 1
    (complaint,) = complaints(err)
    assert complaint.startswith("scanwise: ring/broken.png: ")
    assert (tmp_path / "model" / "model.json").exists()


def test_train_refuses_an_existing_folder_before_it_trains(
    run: Run, images: Path, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sw, "train", lambda *_, **__: pytest.fail("trained in vain"))
    status, out, err = run("train", images, "-o", saved)
    assert (status, out) == (2, "")
    assert "exists already" in err


def test_train_replaces_a_model_when_told_to(run: Run, images: Path, saved: Path) -> None:
    assert run("train", images, "-o", saved, "--overwrite", *QUICK)[0] == 0
    assert sw.load(saved).info.architecture == "mlp"


def test_every_option_of_train_arrives(run: Run, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: dict[str, object] = {}

    def train(clips: object, model: str, **options: object) -> None:
        heard.update(options, model=model)
        raise sw.TrainingError("enough")

    monkeypatch.setattr(sw, "train", train)
    options = (
        "--model mlp --task classify --loss cross_entropy --window 9,8 --hop 0.25 --sample-rate 8000 --no-background "
        "--labels l --label-column Species --unlabelled ignore --features raw --columns a,b --resample "
        "--false-alarms-per-hour 2.5 "
        "--no-augment --validation 0.3 --optimiser sgd --lr 0.1 --weight-decay 0.2 --epochs 7 --batch 5 "
        "--patience 2 --class-balance --seed 4 --device cpu --set hidden=[3] --margin 0.3 --scale 8 --dimensions 5 "
        "--symmetries --no-whiten"
    )
    assert run("train", images, "-o", tmp_path / "m", *options.split()) == (2, "", "scanwise: enough\n")
    heard.pop("on_epoch")
    assert heard == {
        "model": "mlp", "task": "classify", "loss": "cross_entropy", "window": (9, 8), "hop": 0.25,
        "labels": "l", "label_column": "Species", "unlabelled": "ignore", "features": "raw", "columns": ("a", "b"),
        "resample": True, "false_alarms_per_hour": 2.5,
        "sample_rate_hz": 8000, "background": False, "augment": False, "validation": 0.3, "optimiser": "sgd",
        "lr": 0.1, "weight_decay": 0.2, "epochs": 7, "batch": 5, "patience": 2, "class_balance": True, "seed": 4,
        "device": "cpu", "hidden": [3], "margin": 0.3, "scale": 8, "dimensions": 5, "symmetries": True, "whiten": False,
    }  # fmt: skip


@pytest.mark.parametrize("verb", ["scan", "eval"])
def test_every_option_of_a_search_arrives(
    run: Run, saved: Path, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    heard: dict[str, object] = {}

    def search(model: sw.Model, inputs: object, **options: object) -> None:
        heard.update(options)
        raise sw.DataError("enough")

    monkeypatch.setattr(sw.Model, "search", search)
    (tmp_path / "truth.csv").write_text("file,x0,y0,x1,y1,label\n")
    last = ("-o", tmp_path / "out") if verb == "scan" else ("--truth", tmp_path / "truth.csv")
    options = ["--threshold", "0.25", "--hop", "3,2", "--merge-gap", "5", "--resample", "--device", "cpu"]
    assert run(verb, saved, picture, *last, *options) == (2, "", "scanwise: enough\n")
    # To tell what other thresholds would give, eval searches at a low one.
    assert heard == {
        "threshold": 0.25 if verb == "scan" else 0.05, "hop": (3, 2), "merge_gap": 5, "resample": True,
    }  # fmt: skip


def test_eval_of_clips_prints_accuracy_and_confusion(run: Run, images: Path, saved: Path) -> None:
    status, out, _ = run("eval", saved, images)
    assert status == 0
    assert "60 clips: accuracy 100.00%" in out


def test_eval_of_events_prints_precision_and_recall(run: Run, saved: Path, picture: Path, tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text(
        "file,x0,y0,x1,y1,label\ncanvas.npy,20,8,32,20,cross\ncanvas.npy,60,40,72,52,ring\n"
    )
    status, out, _ = run("eval", saved, picture, "--truth", tmp_path / "truth.csv")
    assert status == 0
    assert out.splitlines()[0] == "2 events: F1 1.000, precision 1.000, recall 1.000"
    assert out.splitlines()[2].split() == ["label", "truth", "found", "right", "precision", "recall", "f1"]
    assert out.splitlines()[-1].split() == ["(all)", "2", "2", "2", "1.000", "1.000", "1.000"]


def test_scan_writes_events_and_prints_counts(run: Run, saved: Path, picture: Path, tmp_path: Path) -> None:
    status, out, err = run("scan", saved, picture, "-o", tmp_path / "out", "--scores", "--hop", "1,2")
    assert (status, err) == (0, "scanning 1/1 canvas.npy (0 s left)\n")
    assert out.splitlines() == ["cross  1", "ring  1", f"found 2, wrote {tmp_path / 'out'}"]
    assert list(pd.read_csv(tmp_path / "out" / "events.csv")["label"]) == ["cross", "ring"]
    assert np.load(tmp_path / "out" / "scores" / "000000.npy").shape == (3, 61, 41)


def test_scan_finishes_the_rest_when_one_input_is_bad(run: Run, saved: Path, picture: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    status, out, err = run("scan", saved, tmp_path / "empty.png", picture, "-o", tmp_path / "out")
    assert status == 1
    assert complaints(err) == [f"scanwise: {tmp_path / 'empty.png'}: the file is empty. Write it again or remove it."]
    assert "found 2" in out


def test_scan_takes_folders_of_images(run: Run, saved: Path, canvas: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    save_image(tmp_path / "in" / "canvas.png", canvas)
    # Grey levels scale by 200 / 255, for which the threshold was not made.
    assert run("scan", saved, tmp_path / "in", "-o", tmp_path / "out", "--threshold", "0.3")[0] == 0
    assert set(pd.read_csv(tmp_path / "out" / "events.csv")["label"]) == {"cross", "ring"}


def test_explain_prints_model_layers_and_reuse(run: Run, saved: Path) -> None:
    status, out, _ = run("explain", saved)
    assert status == 0
    for word in ("convnet, to classify", "cross, ring, background", "reuse factor", "conv1"):
        assert word in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "{tmp}/gone", "-o", "{tmp}/new"], "gone: no such file"),
        (
            ["train", "{tmp}/images", "-o", "{tmp}/new", "--model", "tree"],
            "model must be one of convnet, mlp",
        ),
        (["train", "{tmp}/images", "-o", "{tmp}/new", "--optimiser", "magic"], "optimiser must be one of"),
        (["train", "{tmp}/images", "-o", "{tmp}/new", "--set", "depth=3"], "convnet takes no 'depth'"),
        (["explain", "{tmp}/model", "--hop", "1,9999999999"], "hop must be at most 2147483647; got 9999999999"),
        (["train", "{tmp}/images", "-o", "{tmp}/new", "--set", "seed=3"], "--set must name an argument of the network"),
        (["train", "{tmp}/images", "-o", "{tmp}/new", "--set", "data=3"], "--set must name an argument of the network"),
        (
            ["scan", "{tmp}/model", "{tmp}/canvas.npy", "-o", "{tmp}/new", "--threshold", "7"],
            "threshold must be from 0",
        ),
        (["scan", "{tmp}/model", "{tmp}/canvas.npy", "-o", "{tmp}/new", "--device", "no"], "device must be one that"),
        (["scan", "{tmp}/model", "", "-o", "{tmp}/new"], "inputs must be names of files or folders; got an empty one"),
        (["train", "{tmp}/images", "-o", "{tmp}/new", "--hop", "1,2,3"], "hop must be a whole number"),
        (["eval", "{tmp}/gone", "{tmp}/images"], "gone: must be a model folder"),
        (["scan", "{tmp}/model", "{tmp}/gone.png", "-o", "{tmp}/new"], "gone.png: no such file"),
        (
            ["scan", "{tmp}/model", "{tmp}/gone.png", "{tmp}/lost.png", "-o", "{tmp}/new"],
            "inputs must have one that can be scanned",
        ),
        (["scan", "{tmp}/model", "{tmp}/canvas.npy", "-o", "{tmp}/images"], "exists already"),
        (["scan", "{tmp}/model", "{tmp}/canvas.npy", "-o", "{tmp}/new", "--hop", "0"], "hop must be"),
        (["eval", "{tmp}/model", "{tmp}/canvas.npy", "--truth", "{tmp}/gone.csv"], "gone.csv: no such file"),
    ],
)
def test_wrong_requests_are_one_line_and_status_2(
    run: Run, images: Path, saved: Path, picture: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    status, out, err = run(*(argument.format(tmp=tmp_path) for argument in arguments))
    assert (status, out) == (2, "")
    assert message in err
    assert err.splitlines()[-1].startswith("scanwise: ")
    assert "Traceback" not in err
    assert not (tmp_path / "new").exists()
    assert not list(tmp_path.glob(".*")), "something half-written was left"


def test_an_interrupt_leaves_nothing_and_is_status_130(
    run: Run, saved: Path, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("scanwise.model._search.find_peaks", interrupt)
    status, _, err = run("scan", saved, picture, "-o", tmp_path / "out")
    assert (status, err) == (130, "scanwise: interrupted; nothing unfinished was written.\n")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["canvas.npy", "model"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["train", "data"], "the following arguments are required: -o/--output"),
        (["train", "data", "-o", "m", "--set", "x"], "must be NAME=VALUE; got 'x'"),
        (
            ["scan", "m", "x", "-o", "o", "--hop", "a"],
            "argument --hop: must be whole numbers such as 4 or 4,2, or seconds such as 0.5; got 'a'",
        ),
    ],
)
def test_what_cannot_be_parsed_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("scanwise: ")
    assert message in err
    assert err.endswith(" --help.\n")
    assert err.count("\n") == 1


def test_settings_are_json_or_text(run: Run, images: Path, tmp_path: Path) -> None:
    settings = ("--set", "activation=tanh", "--set", "dropout=0.5")
    run("train", images, "-o", tmp_path / "model", *QUICK, *settings)
    arguments = sw.load(tmp_path / "model").info.arguments
    assert (arguments["activation"], arguments["dropout"]) == ("tanh", 0.5)


def test_the_module_is_the_command() -> None:
    result = subprocess.run([sys.executable, "-m", "scanwise", "--version"], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == f"scanwise {sw.__version__}"


def test_too_little_memory_is_one_line_and_status_2(
    run: Run, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(*_: object, **__: object) -> None:
        raise MemoryError("9 GiB")

    monkeypatch.setattr(sw, "train", train)
    status, out, err = run("train", images, "-o", tmp_path / "model")
    assert (status, out) == (2, "")
    assert err == "scanwise: not enough memory (9 GiB). Use a smaller window or smaller inputs.\n"
    assert not (tmp_path / "model").exists()


def explained(saved: Path, stdout: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scanwise", "explain", str(saved)]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


def test_a_reader_who_has_seen_enough_is_no_failure(saved: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    result = explained(saved, writer)
    os.close(writer)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a file that is always full")
def test_results_that_cannot_be_printed_are_one_line_and_status_2(saved: Path) -> None:
    with Path("/dev/full").open("w") as full:
        result = explained(saved, full.fileno())
    assert result.returncode == 2
    assert result.stderr == "scanwise: stdout: cannot be written (No space left on device). Make room there.\n"


def test_progress_has_a_rate_and_the_time_that_remains(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar("scanning") as bar:
        for number in range(1, 4):
            bar.advance(number, 4, "a.png")
            time.sleep(0.02)
    assert re.search(r"3/4.*\d/s.*0:00:0\d.*a\.png", terminal.getvalue())


def test_eval_names_a_failed_input_once(run: Run, saved: Path, picture: Path, tmp_path: Path) -> None:
    (tmp_path / "slides").mkdir()
    picture.rename(tmp_path / "slides" / "a.npy")
    (tmp_path / "slides" / "b.npy").write_bytes(b"")
    (tmp_path / "truth.csv").write_text("file,x0,y0,x1,y1,label\n")
    status, _, err = run("eval", saved, tmp_path / "slides", "--truth", tmp_path / "truth.csv")
    assert status == 1
    assert err.count("b.npy") == 1


def test_a_complaint_is_one_line_whatever_the_name_of_the_file(run: Run, saved: Path, tmp_path: Path) -> None:
    status, _, err = run("scan", saved, tmp_path / "a\n\x1b.npy", "-o", tmp_path / "out")
    assert status == 2
    assert r"a\n\x1b.npy: no such file" in err
    assert len(complaints(err)) == 1
    assert err.replace("\n", "").isprintable()


def test_names_that_the_terminal_cannot_show_are_written_out(images: Path, tmp_path: Path) -> None:
    (images / "ring").rename(images / "öl")
    command = [sys.executable, "-m", "scanwise", "train", str(images), "-o", str(tmp_path / "model"), *QUICK]
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONIOENCODING": "ascii"}
    )
    assert (result.returncode, complaints(result.stderr)) == (0, [])
    assert r"\xf6l" in result.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_training_leaves_nothing_and_is_status_130(number: signal.Signals, tmp_path: Path) -> None:
    """A real signal to a real process, as a scheduler or a person sends it."""
    x = np.random.default_rng(0).random((400, 1, 64), np.float32)
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(400) % 2)
    command = [sys.executable, "-m", "scanwise", "train", "data.npz", "-o", "model", "--epochs", "100000"]
    # A shell that starts these tests in the background has them ignore SIGINT, and so their children.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        first = process.stderr.readline()
        process.send_signal(number)
        _, rest = process.communicate(timeout=60)
    finally:
        process.kill()
    assert "training 1/100000" in first
    assert process.returncode == 130
    assert rest.splitlines()[-1] == "scanwise: interrupted; nothing unfinished was written."
    assert "Traceback" not in rest
    assert [entry.name for entry in tmp_path.iterdir()] == ["data.npz"]

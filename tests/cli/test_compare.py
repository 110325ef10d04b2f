"""``scanwise compare``."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import scanwise as sw
from scanwise.cli import main

Run = Callable[..., tuple[int, str, str]]
QUICK = ("--widths", "3,3", "--epochs", "2", "--batch", "32")


@pytest.fixture
def data(shapes: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> Path:
    x, y = shapes
    np.savez(tmp_path / "shapes.npz", x=x, y=y)
    return tmp_path / "shapes.npz"


def test_compare_prints_the_table_and_what_it_means(run: Run, data: Path, tmp_path: Path) -> None:
    status, out, err = run("compare", data, *QUICK)
    assert status == 0
    assert "48 clips to learn from, 12 held out, 2 classes" in out
    for word in ("convolutional", "parameters", "accuracy held out", "deviation at a hop", "* Sharing:", "K0*D = 4"):
        assert word in out
    assert all(re.match(r"comparing \d+/10 (dense|convolutional): loss \d", line) for line in err.splitlines())
    assert len(err.splitlines()) >= 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["shapes.npz"]


def test_compare_writes_a_folder_and_replaces_only_its_own(run: Run, data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    status, out, _ = run("compare", data, *QUICK, "-o", folder)
    assert status == 0
    assert out.endswith(f"\nwrote {folder}\n")
    assert sorted(entry.name for entry in folder.iterdir()) == ["comparison.csv", "comparison.png", "comparison.txt"]
    assert (folder / "comparison.txt").read_text(encoding="utf-8") in out
    assert len(pd.read_csv(folder / "comparison.csv")) == 5
    assert run("compare", data, *QUICK, "-o", folder, "--overwrite")[0] == 0
    (folder / "comparison.csv").unlink()
    status, _, err = run("compare", data, *QUICK, "-o", folder, "--overwrite")
    assert status == 2
    assert "holds no comparison.csv: not replaced" in err


def test_compare_refuses_an_existing_folder_before_it_trains(
    run: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sw, "compare", lambda *_, **__: pytest.fail("trained in vain"))
    (tmp_path / "out").mkdir()
    status, out, err = run("compare", data, "-o", tmp_path / "out")
    assert (status, out) == (2, "")
    assert "exists already" in err


def test_every_option_of_compare_arrives(run: Run, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: dict[str, object] = {}

    def compare(clips: object, **options: object) -> None:
        heard.update(options, data=clips)
        raise sw.TrainingError("enough")

    monkeypatch.setattr(sw, "compare", compare)
    options = (
        "--widths 8,4 --kernels 4x2,3x3 --strides 2,1 --shifts 1,5 --features raw --window 9,8 --sample-rate 8000 "
        "--resample --held-out 0.3 --epochs 7 --batch 5 --lr 0.1 --seed 4 --max-parameters 99"
    )
    assert run("compare", data, *options.split()) == (2, "", "scanwise: enough\n")
    heard.pop("on_epoch")
    assert heard == {
        "data": str(data), "widths": (8, 4), "kernels": ((4, 2), (3, 3)), "strides": (2, 1), "shifts": (1, 5),
        "features": "raw", "window": (9, 8), "sample_rate_hz": 8000, "resample": True, "held_out": 0.3, "epochs": 7,
        "batch": 5, "lr": 0.1, "seed": 4, "max_parameters": 99,
    }  # fmt: skip


def test_without_options_the_command_and_the_function_do_the_same(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inspect import signature

    heard: dict[str, object] = {}

    def compare(clips: object, **options: object) -> None:
        heard.update(options)
        raise sw.TrainingError("enough")

    usual = {name: value.default for name, value in signature(sw.compare).parameters.items()}
    monkeypatch.setattr(sw, "compare", compare)
    run("compare", data)
    assert {name: value for name, value in heard.items() if name != "on_epoch"} == {
        name: value for name, value in usual.items() if name not in ("data", "on_epoch")
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{tmp}/gone"], "gone: no such file"),
        (["{tmp}/shapes.npz", "--kernels", "12,2"], "space must hold the window, (24, 24); got (12, 12)"),
        (["{tmp}/shapes.npz", "--kernels", "6,2"], "kernels must leave room for several windows"),
        (["{tmp}/shapes.npz", "--max-parameters", "3"], "max_parameters must allow the smallest architecture"),
        (["{tmp}/shapes.npz", "--held-out", "0"], "held_out must be above 0 and below 1; got 0.0"),
        (["{tmp}/shapes.npz", "--features", "logmel"], "features must be left out for images"),
    ],
)
def test_wrong_requests_are_one_line_and_status_2(
    run: Run, data: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    filled = [argument.format(tmp=tmp_path) for argument in arguments]
    status, out, err = run("compare", *filled, "-o", tmp_path / "new", "--epochs", "1")
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert err.startswith("scanwise: ")
    assert not (tmp_path / "new").exists()
    assert not list(tmp_path.glob(".*")), "something half-written was left"


@pytest.mark.parametrize("text", ["a", "4,,3", "4xx3", ""])
def test_layers_that_cannot_be_parsed_are_one_line_and_status_2(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["compare", "data", "--kernels", text])
    assert stop.value.code == 2
    err = capsys.readouterr().err
    assert f"must be whole numbers such as 4,3, or 4x2,3x3 for two axes; got {text!r}" in err
    assert err.count("\n") == 1


def test_a_bad_file_is_named_and_the_others_are_compared(
    run: Run, shapes: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    for number, (x, name) in enumerate(zip(*shapes, strict=True)):
        folder = tmp_path / "images" / str(name)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((x[0] * 200).clip(0, 255).astype(np.uint8)).save(folder / f"{number:02}.png")
    (tmp_path / "images" / "ring" / "broken.png").write_bytes(b"\x89PNG")
    status, out, err = run("compare", tmp_path / "images", *QUICK)
    assert status == 1
    assert "scanwise: ring/broken.png: " in err
    assert "48 clips to learn from" in out

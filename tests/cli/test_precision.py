"""``--precision``: what it costs is one line on stderr, of however many inputs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scanwise as sw

Run = Callable[..., tuple[int, str, list[str]]]
LINE = r"bfloat16 scores differ by at most \S+ \(\S+ % of the largest\) from float32 on \d+ of [\d,]+ windows; .*"


def test_of_several_recordings_the_worst_error_is_printed(
    run_well: Run, slow: Path, nights: tuple[Path, pd.DataFrame], tmp_path: Path
) -> None:
    command = ("scan", slow, nights[0], "--precision", "bfloat16", "--scores", "-o", tmp_path / "out")
    status, out, complaints = run_well(*command)
    assert status == 0
    assert out.endswith(f"wrote {tmp_path / 'out'}\n")
    (line,) = complaints
    assert re.fullmatch(LINE + r" \(the worst of 2 scans\)", line)
    kept = [np.load(file) for file in sorted((tmp_path / "out" / "scores").iterdir())]
    with pytest.warns(sw.ReducedPrecision, match=r"bfloat16 scores differ") as said:
        found = [result.scores for result in sw.load(slow, precision="bfloat16").search([str(nights[0])])]
    for ours, theirs in zip(kept, found, strict=True):
        assert np.array_equal(ours, theirs)
    assert line.startswith(str(max((w.message for w in said), key=lambda message: message.relative)))


def test_the_error_of_a_single_scan_is_printed_as_it_is(
    run_well: Run, slow: Path, nights: tuple[Path, pd.DataFrame], tmp_path: Path
) -> None:
    command = ("scan", slow, nights[0] / "a.csv", "--precision", "bfloat16", "-o", tmp_path / "out")
    (line,) = run_well(*command)[2]
    assert re.fullmatch(LINE, line)
    assert "the worst of" not in line


def test_evaluation_prints_it_too(run_well: Run, slow: Path, nights: tuple[Path, pd.DataFrame], tmp_path: Path) -> None:
    folder, truth = nights
    truth.to_csv(tmp_path / "truth.csv", index=False)
    command = ("eval", slow, folder, "--truth", tmp_path / "truth.csv", "--precision", "bfloat16")
    status, _, (line,) = run_well(*command)
    assert status == 0
    assert re.fullmatch(LINE + r" \(the worst of 2 scans\)", line)


def test_an_unknown_precision_is_refused(
    run_well: Run, slow: Path, nights: tuple[Path, pd.DataFrame], tmp_path: Path
) -> None:
    status, _, (line,) = run_well("scan", slow, nights[0], "--precision", "fp8", "-o", tmp_path / "out")
    assert status == 2
    assert line.startswith("precision must be 'bfloat16', or None for the network's own number type; got 'fp8'.")
    assert not (tmp_path / "out").exists()


def test_clips_of_one_window_are_answered_in_the_precision_asked_for(
    model: sw.Model, shapes: tuple[np.ndarray, np.ndarray]
) -> None:
    """Without one, no scanner is needed for them."""
    clips = list(shapes[0][:6])
    assert all(clip.shape == model.info.window_shape for clip in clips)
    reduced = sw.Model(model.net, model.info, precision="bfloat16")
    with pytest.warns(sw.ReducedPrecision, match="on 6 of 6 windows"):
        assert reduced.predict(clips) == model.predict(clips)

"""What the README shows is what happens."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from scanwise.cli import main

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    assert found, f"the README shows no {language or 'plain'} block"
    return found


@pytest.fixture
def bench(tmp_path: Path, shapes: tuple[np.ndarray, np.ndarray], canvas: np.ndarray) -> Path:
    """A folder in which the README's data lie."""
    for number, (x, name) in enumerate(zip(*shapes, strict=True)):
        folder = tmp_path / "cells" / {"ring": "round", "cross": "spindle"}[str(name)]
        folder.mkdir(parents=True, exist_ok=True)
        save(folder / f"{number:03}.png", x)
    save(tmp_path / "slides" / "a.png", canvas)
    (tmp_path / "cells" / "round" / "001.png").exists()
    (tmp_path / "truth.csv").write_text("file,x0,y0,x1,y1,label\na.png,20,8,32,20,spindle\n")
    write_recordings(tmp_path)
    write_birds(tmp_path)
    return tmp_path


def write_birds(folder: Path) -> None:
    """Songs of six birds, of two tones each, and of two others who are known."""
    rng = np.random.default_rng(0)
    time = np.arange(4000) / 8000
    for bird in range(8):
        kind = folder / ("birds" if bird < 6 else "known-birds") / f"bird{bird}"
        kind.mkdir(parents=True)
        for song in range(4):
            tones = sum(np.sin(2 * np.pi * (pitch + 250 * bird) * time + rng.uniform(0, 6)) for pitch in (500, 900))
            soundfile.write(kind / f"{song}.wav", 0.2 * tones + rng.normal(0, 0.02, len(time)), 8000)
    for day, song in (("monday", 0), ("tuesday", 1)):
        (folder / "known-birds" / "bird7" / f"{song}.wav").rename(folder / f"{day}.wav")
    lines = [f"1 known-birds/{bird}/2.wav known-birds/{bird}/3.wav" for bird in ("bird6", "bird7")]
    lines += [f"0 known-birds/bird6/{song}.wav tuesday.wav" for song in range(4)]
    (folder / "pairs.txt").write_text("\n".join(lines))


def write_recordings(folder: Path) -> None:
    """Clips of rising and falling tones, and a night in which they are heard and labelled."""
    rng = np.random.default_rng(0)
    (folder / "nights").mkdir()
    night, labels = [], ["file,start_s,end_s,label"]
    for number in range(40):
        name, tones = ("rise", (500, 1500)) if number % 2 else ("fall", (1500, 500))
        (folder / "calls" / name).mkdir(parents=True, exist_ok=True)
        call = np.sin(2 * np.pi * np.cumsum(np.linspace(*tones, 1600)) / 8000) * np.hanning(1600)
        soundfile.write(folder / "calls" / name / f"{number:03}.wav", 0.3 * call, 8000)
        night += [np.zeros(int(rng.integers(2000, 12000))), 0.3 * call]
        end = sum(map(len, night))
        labels.append(f"1.wav,{(end - 1600) / 8000},{end / 8000},{name}")
    samples = np.concatenate([*night, np.zeros(8000)])
    soundfile.write(folder / "nights" / "1.wav", samples + rng.normal(0, 0.01, len(samples)), 8000)
    (folder / "nights.csv").write_text("\n".join(labels) + "\n")


def save(path: Path, x: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray((x[0] * 200).clip(0, 255).astype(np.uint8)).save(path)


def test_the_set_up_commands_are_the_ones_that_are_tested() -> None:
    commands = [block.strip() for block in blocks("") if block.startswith("python3")]
    assert commands == [
        "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt . && .venv/bin/scanwise demo",
        "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt -e '.[test]' && .venv/bin/pytest",
    ]


def test_the_commands_run_as_shown(
    bench: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(bench)
    monkeypatch.setattr("scanwise.model._train._RECORDING_STEPS", 200)  # these tones need no more
    for block in blocks("console"):
        for line in block.splitlines():
            dollar, program, *arguments = shlex.split(line)
            assert (dollar, program) == ("$", "scanwise")
            assert main(arguments) == 0, capsys.readouterr().err
    assert (bench / "found" / "events.csv").read_text().startswith("file,x0,y0,x1,y1,label,score\n")
    assert (bench / "heard" / "events.csv").read_text().startswith("file,start,end,start_s,end_s,label,score\n")
    assert {path.name for path in (bench / "figures").iterdir()} == {"det.png", "summary.txt", "trials.csv"}
    assert len((bench / "heard" / "labels" / "1.txt").read_text().splitlines()) >= 20


def test_the_python_runs_as_shown(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bench)
    names: dict[str, object] = {}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), names)
    assert names["answer"] == "round"
    assert set(names["found"]["label"]) == {"round", "spindle"}  # type: ignore[index]

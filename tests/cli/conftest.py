"""Running commands, and what they are run on."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from signals import (
    SLOW_HZ,
    finder,
    recording,
    save,
)

from scanwise.cli import main

Run = Callable[..., tuple[int, str, str]]
RunWell = Callable[..., tuple[int, str, list[str]]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process: exit status, stdout, stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        status = main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def run_well(run: Run) -> RunWell:
    """Run a command in this process: exit status, stdout, and the complaints on stderr."""

    def run_well(*arguments: object) -> tuple[int, str, list[str]]:
        status, out, err = run(*arguments)
        assert "Traceback" not in err
        complaints = [
            line for line in err.splitlines() if not re.match(r"(training|scanning|embedding) \d+/\d+ ", line)
        ]
        assert all(line.startswith("scanwise: ") for line in complaints), complaints
        return status, out, [line.removeprefix("scanwise: ") for line in complaints]

    return run_well


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that finds chirps."""
    folder = tmp_path_factory.mktemp("models") / "sound"
    finder().save(folder)
    return folder


@pytest.fixture(scope="session")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that finds bumps."""
    folder = tmp_path_factory.mktemp("models") / "slow"
    finder(slow=True).save(folder)
    return folder


@pytest.fixture
def nights(tmp_path: Path) -> tuple[Path, pd.DataFrame]:
    """Two recordings of bumps, of 20 s each, and what is where in them."""
    parts = []
    for seed, name in ((5, "a.csv"), (6, "x/b.csv")):
        x, table = recording(seed, slow=True)
        save(tmp_path / "in" / name, x, rate_hz=SLOW_HZ)
        parts.append(table.assign(file=name))
    return tmp_path / "in", pd.concat(parts, ignore_index=True)

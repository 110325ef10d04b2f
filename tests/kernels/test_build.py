"""The native engine is built where that is possible, and nothing fails where it is not."""

from __future__ import annotations

import os
import platform
import runpy
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from scanwise import kernels

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "src" / "scanwise" / "kernels" / "csrc"

pytest.importorskip("setuptools")
SETS = runpy.run_path(str(ROOT / "setup.py"))["SETS"]
NATIVE = "scanwise/kernels/_native.abi3.so"


def setup(*arguments: str | Path, root: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "setup.py", *map(str, arguments)]
    return subprocess.run(
        command, cwd=root, env={**os.environ, **environment}, capture_output=True, text=True, timeout=600, check=False
    )


def build(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return setup("build_ext", "--build-lib", folder, "--build-temp", folder / "objects", **environment)


@pytest.mark.skipif(kernels.absent() is not None, reason=f"no native engine: {kernels.absent()}")
def test_the_engine_has_the_instruction_sets_of_the_build_the_best_first() -> None:
    built = kernels.instruction_sets()
    assert built == [name for name in SETS if name in built]
    assert built[-1] == list(SETS)[-1]  # which every machine has


def test_without_a_compiler_the_build_succeeds_and_an_earlier_engine_does_not_stay(tmp_path: Path) -> None:
    earlier = tmp_path / NATIVE
    earlier.parent.mkdir(parents=True)
    earlier.write_text("an engine of other sources")
    result = build(tmp_path, CC="/bin/false")
    assert result.returncode == 0, result.stderr
    assert 'building extension "scanwise.kernels._native" failed' in result.stderr
    assert not earlier.exists()


def test_an_editable_build_without_a_compiler_removes_the_engine_beside_the_sources(tmp_path: Path) -> None:
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=ignored)
    earlier = tmp_path / "src" / NATIVE
    earlier.write_text("an engine of other sources")
    result = setup("build_ext", "--inplace", root=tmp_path, CC="/bin/false")
    assert result.returncode == 0, result.stderr
    assert not earlier.exists()


def test_who_asks_for_sanitizers_is_told_when_the_build_fails(tmp_path: Path) -> None:
    result = build(tmp_path, CC="/bin/false", SCANWISE_SANITIZE="1")
    assert result.returncode != 0
    assert "/bin/false" in result.stderr


def test_the_source_distribution_has_all_that_the_engine_is_built_from(tmp_path: Path) -> None:
    result = setup("egg_info", "--egg-base", tmp_path, "sdist", "--dist-dir", tmp_path)
    assert result.returncode == 0, result.stderr
    (file,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    sources = {str(source.relative_to(ROOT)) for source in CSRC.iterdir() if source.suffix in (".c", ".h")}
    assert "src/scanwise/kernels/csrc/simd.h" in sources
    assert sources | {"setup.py"} <= held


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="a single instruction set here")
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_an_instruction_set_that_the_compiler_does_not_know_is_left_out(tmp_path: Path) -> None:
    compiler = tmp_path / "old-compiler"
    compiler.write_text('#!/bin/sh\ncase "$*" in *-mavx512*) exit 1;; esac\nexec cc "$@"\n')
    compiler.chmod(0o755)
    before = set(ROOT.iterdir())
    result = build(tmp_path, CC=str(compiler))
    assert set(ROOT.iterdir()) == before, "a build writes nothing beside the sources"
    assert result.returncode == 0, result.stderr
    listed = (tmp_path / "objects" / "variants.h").read_text()
    assert listed.split(maxsplit=2)[2].split() == ["X(avx2)", "X(baseline)"]
    assert (tmp_path / NATIVE).exists()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_a_user_s_flags_do_not_flush_small_numbers_of_the_whole_process_to_zero(tmp_path: Path) -> None:
    result = build(tmp_path, CFLAGS="-Ofast -ffast-math", SCANWISE_SANITIZE="")
    assert result.returncode == 0, result.stderr
    loads = "import sys, numpy as np, importlib.util as u; "
    loads += "s = u.spec_from_file_location('_native', sys.argv[1]); s.loader.exec_module(u.module_from_spec(s)); "
    loads += "print(np.array([1e-40], np.float32)[0] * np.float32(0.5) > 0)"
    command = [sys.executable, "-c", loads, str(tmp_path / NATIVE)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True\n"

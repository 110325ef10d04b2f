"""Every fault of a list, planted in the native engine, is seen: the comparison with the oracle is able to fail.

The engine is built with the address sanitizer and its scratch memory filled with NaN, so that faults also show where a
wrong number happens not to matter.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kernels.judge import prepared
from kernels.mutations import MUTATIONS, Mutation
from kernels.probes import cases

from scanwise.kernels import absent, operation_codes
from scanwise.run._lower import lower

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "src" / "scanwise" / "kernels" / "csrc"
FLAGS = ["-std=c11", "-O0", "-ffp-contract=off", "-fPIC", "-pthread", "-fsanitize=address"]
FLAGS += ["-DSCANWISE_POISON", "-DPy_LIMITED_API=0x030B0000"]

Judge = Callable[[Path], str]


def library(name: str) -> str | None:
    """Where gcc has a library of its own; None without gcc or without it."""
    if shutil.which("gcc") is None:
        return None
    command = ["gcc", f"-print-file-name={name}"]
    path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return path if Path(path).is_absolute() else None  # the name alone is gcc's answer where it has none


# The second brings the C++ library with it: the first must find it when it starts, and torch brings it only later.
PRELOADED = [library(name) for name in ("libasan.so", "libubsan.so")]
needs_sanitizer = pytest.mark.skipif(None in PRELOADED, reason="needs gcc and its sanitizers, as Linux has them")


def planted(mutation: Mutation) -> str:
    text = (CSRC / mutation.file).read_text()
    assert text.count(mutation.old) == 1, f"{mutation.old!r} must stand once in {mutation.file}"
    return text.replace(mutation.old, mutation.new)


def gcc(folder: Path, *commands: list[str]) -> None:
    """Run compilers at the same time."""
    running = [subprocess.Popen(["gcc", *FLAGS, *command], cwd=folder) for command in commands]
    assert [compiler.wait() for compiler in running] == [0] * len(running)


def build(folder: Path, mutation: Mutation | None = None) -> Path:
    """Build the engine in `folder`, for the one instruction set that every machine has: to be quick about it."""
    shutil.copytree(CSRC, folder, dirs_exist_ok=True)
    if mutation:
        (folder / mutation.file).write_text(planted(mutation))
    (folder / "variants.h").write_text("#define SETS(X) X(baseline)\n")
    sources = {path.name for path in folder.glob("*.c")} - {"variant.c"}
    for real, is_double in (("float", 0), ("double", 1)):
        macros = f"#define REAL {real}\n#define REAL_IS_DOUBLE {is_double}\n#define VARIANT baseline_{real}\n"
        (folder / f"{real}.c").write_text(f'{macros}#include "variant.c"\n')
        sources.add(f"{real}.c")
    gcc(folder, *(["-c", f"-I{sysconfig.get_path('include')}", source] for source in sorted(sources)))
    gcc(folder, ["-shared", *(f"{Path(source).stem}.o" for source in sources), "-o", "_native.so", "-lm"])
    return folder / "_native.so"


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    """What the process of `judge.py` says of a build; what the sanitizer says is in the file beside it."""
    log = tmp_path_factory.mktemp("judge") / "log"
    environment = {
        **os.environ,
        "LD_PRELOAD": " ".join(filter(None, PRELOADED)),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python leaves memory to the end on purpose
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), *sys.path]),
    }
    command = [sys.executable, "-m", "kernels.judge"]
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            bufsize=1,
            env=environment,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", log.read_text()

        def ask(path: Path) -> str:
            print(path, file=process.stdin)
            return process.stdout.readline().strip()

        yield ask
        process.stdin.close()


@needs_sanitizer
@pytest.mark.slow
def test_the_engine_without_a_fault_equals_the_oracle(judge: Judge, tmp_path: Path) -> None:
    assert judge(build(tmp_path)) == "equal"


@pytest.mark.slow
@pytest.mark.skipif(absent() is not None, reason=f"no native engine: {absent()}")
def test_the_probes_use_every_operation_of_the_engine() -> None:
    known = {(kind, op) for kind, codes in operation_codes().items() for op in codes}
    used = {(step.kind, step.op) for case in cases() for step in lower(prepared(case).program).steps}
    programs_have_other_nodes_for = {("binary", "prelu"), ("vector", "add"), ("vector", "sub"), ("vector", "mul")}
    assert known - used == programs_have_other_nodes_for


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: f"{mutation.file}: {mutation.breaks}")
def test_each_fault_can_be_planted_in_one_place(mutation: Mutation) -> None:
    assert planted(mutation) != (CSRC / mutation.file).read_text()


@needs_sanitizer
@pytest.mark.slow
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: f"{mutation.file}: {mutation.breaks}")
def test_each_fault_is_seen(judge: Judge, tmp_path: Path, mutation: Mutation) -> None:
    verdict = judge(build(tmp_path, mutation))
    assert verdict.startswith(("wrong", "crashed", "endless", "refused")), f"not seen: {mutation.breaks}"

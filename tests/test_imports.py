"""The import law: what each room may know, and what the public door must not load."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import scanwise

PACKAGE = Path(scanwise.__file__).parent

TENSORS = {"numpy", "safetensors", "torch"}
TABLES = {"numpy", "pandas"}
BELOW_MODEL = {
    "errors", "events", "features", "geometry", "nn", "plan", "program", "run", "sources", "training", "verify",
}  # fmt: skip

LAW: dict[str, set[str]] = {
    "__init__": set(),
    "__main__": {"cli"},
    "_checks": set(),
    "_registry": set(),
    "_version": set(),
    "errors": set(),
    "geometry": set(),
    "nn": {"geometry", "torch"},
    "tying": {"geometry", "nn", "numpy", "scipy", "torch"},
    "program": {"geometry"} | TENSORS,
    "plan": {"geometry"},
    "kernels": {"numpy"},
    "sources": {"PIL", "scipy", "soundfile"} | TABLES,
    "features": {"geometry", "numpy", "torch"},
    "run": {"geometry", "kernels", "plan", "program", "sources"} | TENSORS,
    "events": TABLES,
    "training": {"nn", "sources", "verify"} | TENSORS,
    "verify": {"kernels", "numpy"},
    "model": BELOW_MODEL | TENSORS | TABLES,
    "audit": {"geometry", "model", "nn", "program", "sources", "training", "tying"} | TENSORS | TABLES,
    "report": {"audit", "events", "matplotlib", "model", "rich", "sources", "verify"} | TABLES,
    "demo": {"events", "model", "report", "rich", "run", "sklearn", "sources", "training"} | TABLES,
    "cli": {"demo", "model", "report", "rich", "scanwise"},
}
"""Rooms and third parties that each room may import, beside the standard library and `ALL_KNOW`."""

ALL_KNOW = {"_checks", "_registry", "_version", "errors"}

FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imported(file: Path, root: Path = PACKAGE) -> Iterator[str]:
    """Dotted names that `file` imports anywhere, functions and types included; relative ones made absolute."""
    package = ("scanwise", *file.relative_to(root).parts[:-1])
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            name = ".".join((*above, *filter(None, [node.module])))
            if name == "scanwise" or node.module is None:
                yield from (f"{name}.{alias.name}" for alias in node.names)
            else:
                yield name


def knows(name: str) -> str:
    """The room or third party that a dotted name belongs to; ``scanwise`` for a name of the door itself."""
    top, _, rest = name.partition(".")
    if top != "scanwise":
        return top
    room = rest.split(".")[0]
    is_room = (PACKAGE / room).is_dir() or (PACKAGE / f"{room}.py").is_file()
    return room if room and is_room else "scanwise"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_room_imports_only_what_it_may_know(file: Path) -> None:
    room = room_of(file)
    assert room in LAW, f"the room {room} is not in the law"
    if room == "__init__":
        return  # what the door loads, and when, has a test of its own
    allowed = LAW[room] | {room} | ALL_KNOW | sys.stdlib_module_names
    assert {knows(name) for name in imported(file)} <= allowed


def test_the_law_reads_imports_wherever_and_however_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "nn" / "module.py"
    file.parent.mkdir()
    file.write_text(
        "import a.b\nfrom ._mlp import mlp\nfrom . import _mlp\nfrom ..program import Program\n"
        "def f():\n    from c.d import e\n    from scanwise import geometry, train\n"
    )
    assert [knows(name) for name in imported(file, tmp_path)] == [
        "a", "nn", "nn", "program", "c", "geometry", "scanwise",
    ]  # fmt: skip


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_private_modules_are_opened_by_their_own_room_only(file: Path) -> None:
    for name in imported(file):
        parts = name.split(".")
        private = [part for part in parts[2:] if part.startswith("_") and not part.startswith("__")]
        if parts[0] == "scanwise" and private:
            assert parts[1] == room_of(file), f"{file} reaches into {name}"


ROOMS = sorted(folder for folder in PACKAGE.iterdir() if (folder / "__init__.py").is_file())


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_room_exports_exactly_what_it_imports(room: Path) -> None:
    tree = ast.parse((room / "__init__.py").read_text(encoding="utf-8"))
    bound, exported = set(), None
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            own = node.level == 1 or (node.module or "").startswith(f"scanwise.{room.name}.")
            bound |= {alias.asname or alias.name for alias in node.names} if own else set()
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            exported = ast.literal_eval(node.value)
    assert exported is not None, f"{room.name} has no __all__"
    assert sorted(exported) == sorted(bound)  # ruff keeps the order


def test_the_door_declares_to_type_checkers_what_it_exports() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    (types_only,) = filter(is_for_types_only, tree.body)
    declared = {alias.name for node in ast.walk(types_only) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert scanwise.__all__ == sorted(declared | {"__version__"})


@pytest.mark.parametrize("name", scanwise.__all__)
def test_every_public_name_arrives(name: str) -> None:
    assert getattr(scanwise, name) is not None
    assert name in dir(scanwise)


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match=r"module 'scanwise' has no attribute 'trian'"):
        scanwise.trian  # noqa: B018


@pytest.mark.parametrize("statement", ["import scanwise", "import scanwise.cli; scanwise.cli.main(['--help'])"])
def test_heavy_libraries_wait_until_they_are_needed(statement: str) -> None:
    program = (
        "import sys\n"
        "try:\n"
        f"    exec({statement!r})\n"
        "except SystemExit:\n"
        "    pass\n"
        "print(sorted({'matplotlib', 'numpy', 'pandas', 'rich', 'sklearn', 'torch'} & set(sys.modules)))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"

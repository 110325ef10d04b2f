"""``python -m benchmarks NAME ...`` runs the benchmark of that name, as ``python -m benchmarks.NAME ...`` does."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path


def names() -> list[str]:
    """Return the benchmarks beside this file: modules, and packages with a module ``__main__``."""
    here = Path(__file__).parent
    packages = [path.parent.name for path in here.glob("*/__main__.py")]
    return sorted(packages + [path.stem for path in here.glob("*.py") if path.stem != "__main__"])


def main() -> None:
    """Hand over to the benchmark named first."""
    if len(sys.argv) < 2 or sys.argv[1] not in names():
        sys.exit(f"usage: python -m benchmarks NAME ...; NAME is one of {', '.join(names())}")
    name = sys.argv.pop(1)
    runpy.run_module(f"benchmarks.{name}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

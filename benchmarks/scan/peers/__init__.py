"""The contenders, by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from benchmarks.scan.contender import Case, Form

CONTENDERS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "scanwise": ("ours", "native", ("torch",)),
    "scanwise-torch": ("ours", "on_torch", ("torch",)),
    "torch-eager": ("by_torch", "eager", ("torch",)),
    "torch-channels-last": ("by_torch", "channels_last", ("torch",)),
    "torch-compile": ("by_torch", "compiled", ("torch",)),
    "torch-tiles": ("by_torch", "tiles", ("torch",)),
    "ort-whole": ("by_onnxruntime", "whole", ("onnx", "onnxruntime")),
    "ort-tiles": ("by_onnxruntime", "tiles", ("onnx", "onnxruntime")),
    "openvino-whole": ("by_openvino", "whole", ("onnx", "openvino")),
    "openvino-tiles": ("by_openvino", "tiles", ("onnx", "openvino")),
    "jax": ("by_jax", "forms", ("jax",)),
    "monai": ("tilers", "by_monai", ("monai",)),
    "braindecode": ("tilers", "by_braindecode", ("braindecode",)),
    "windows": ("by_torch", "windows", ("torch",)),
}
"""The module, its function from a case to forms, and the packages it needs."""

PEERS = tuple(name for name in CONTENDERS if not name.startswith("scanwise"))


def forms_of(name: str, case: Case) -> list[Form]:
    """Return a contender's forms.

    Raises
    ------
    ImportError
        When one of its packages is not installed.
    NotApplicableError
        When it cannot do the workload.
    """
    module, function, packages = CONTENDERS[name]
    for package in packages:
        importlib.import_module(package)
    make: Callable[[Case], list[Form]] = getattr(importlib.import_module(f"{__name__}.{module}"), function)
    return make(case)

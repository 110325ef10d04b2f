"""Train a network on windows; run it everywhere, exactly.

The public door. Names arrive when first used, so ``import scanwise`` imports neither torch nor numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from scanwise._version import __version__

if TYPE_CHECKING:
    from scanwise import (
        audit,
        errors,
        events,
        features,
        geometry,
        model,
        nn,
        plan,
        program,
        run,
        sources,
        training,
        tying,
        verify,
    )
    from scanwise.audit import compare
    from scanwise.errors import (
        ArgumentError,
        DataError,
        InputFailed,
        ModelError,
        NotScannable,
        OutputExists,
        ReducedPrecision,
        ScanwiseError,
        SharingEnds,
        TrainingError,
    )
    from scanwise.model import Model, load, train
    from scanwise.program import receptive_field
    from scanwise.run import Scanner

__all__ = [
    "ArgumentError",
    "DataError",
    "InputFailed",
    "Model",
    "ModelError",
    "NotScannable",
    "OutputExists",
    "ReducedPrecision",
    "Scanner",
    "ScanwiseError",
    "SharingEnds",
    "TrainingError",
    "__version__",
    "audit",
    "compare",
    "errors",
    "events",
    "features",
    "geometry",
    "load",
    "model",
    "nn",
    "plan",
    "program",
    "receptive_field",
    "run",
    "sources",
    "train",
    "training",
    "tying",
    "verify",
]

_HOMES = {
    "Model": "model",
    "Scanner": "run",
    "compare": "audit",
    "load": "model",
    "receptive_field": "program",
    "train": "model",
} | dict.fromkeys(
    (
        "ArgumentError",
        "DataError",
        "InputFailed",
        "ModelError",
        "NotScannable",
        "OutputExists",
        "ReducedPrecision",
        "ScanwiseError",
        "SharingEnds",
        "TrainingError",
    ),
    "errors",
)
"""Where each public name that is not a room lives."""


def __getattr__(name: str) -> object:
    """Import a public name's room the first time the name is used."""
    if name in _HOMES:
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    elif name in __all__:
        value = import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

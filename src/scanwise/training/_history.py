"""What a training run leaves behind beside the weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class History:
    """The epochs of one run.

    Attributes
    ----------
    rows : list of dict
        One per epoch, fit for a line of JSON: ``epoch`` (from 0), ``loss`` (mean over the epoch's batches),
        ``val_loss`` and ``metric`` (None without validation), ``lr`` (of the last step) and ``seconds``.
    best : int
        The epoch whose weights the network has.
    metric_name : str
        What ``metric`` is: accuracy, or mean absolute error.
    stopped_early : bool
        Whether patience ended the run before its last epoch.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    best: int = -1
    metric_name: str = ""
    stopped_early: bool = False

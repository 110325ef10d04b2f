"""Everything about a model but its weights, as a checked value and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from scanwise.errors import ModelError
from scanwise.model._json import Fields, integer, listed, mapping, number, optional, parse, switch, text

__all__ = ["SCHEMA", "ModelInfo"]

MAX_HOP = 2**31 - 1
"""The largest step between windows; positions must fit in machine integers."""

SCHEMA = 1
"""Version of the layout of ``model.json`` that this Scanwise writes, and the newest that it reads."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a model is, besides its weights; immutable, and checked when made.

    Attributes
    ----------
    architecture, arguments
        The network's description in the closed registry of `scanwise.nn`.
    task
        ``"classify"`` or ``"regress"``.
    channels, window
        Shape of what one answer looks at: channels, and samples or pixels per axis.
    hop
        Samples or pixels between the windows of a search, per axis, unless it names another.
    classes
        A name for each output, or None for regression.
    background
        Those of `classes` that mean "no pattern here".
    background_labelled
        Whether a background class came with the data; one made for training never answers for a clip.
    mean, std
        Input normalisation per channel, ``(x - mean) / std``, fixed when the model was trained.
    thresholds
        Score from which a class counts as found, per class, from validation data. None for regression.
    sample_rate_hz
        Samples per second of the recordings, where it is known.
    seed
        Of the training.
    versions
        Of what it was made with.

    Raises
    ------
    ModelError
        If the values contradict each other.
    """

    architecture: str
    arguments: dict[str, Any]
    task: str
    channels: int
    window: tuple[int, ...]
    hop: tuple[int, ...]
    classes: tuple[str, ...] | None
    background: tuple[str, ...]
    background_labelled: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    thresholds: tuple[float, ...] | None
    sample_rate_hz: float | None
    seed: int
    versions: dict[str, str]

    def __post_init__(self) -> None:
        classes = self.classes or ()
        shape = [self.channels, *self.window]
        outputs = self.arguments.get("outputs")
        for rule, kept in {
            "task must be classify (with classes) or regress (without)": self.task
            == ("regress" if self.classes is None else "classify"),
            "window must have one or two axes of at least 1": len(self.window) in (1, 2) and min(self.window) > 0,
            f"hop must have one step from 1 to {MAX_HOP} per axis": len(self.hop) == len(self.window)
            and 1 <= min(self.hop) <= max(self.hop) <= MAX_HOP,
            "arguments must agree with channels and window": self.arguments.get("window_shape") == shape,
            "classes must be distinct, one per output": self.classes is None
            or (len(set(classes)) == len(classes) == outputs),
            "background must be among the classes": set(self.background) <= set(classes),
            "mean and std must have one number per channel": len(self.mean) == len(self.std) == self.channels,
            "std must be above 0": min(self.std, default=0) > 0,
            "thresholds must be one per class": (self.thresholds is None) == (self.classes is None)
            and len(self.thresholds or ()) == len(classes),
            "sample_rate_hz must be above 0": self.sample_rate_hz is None or self.sample_rate_hz > 0,
        }.items():
            if not kept:
                raise ModelError(rule)

    @property
    def window_shape(self) -> tuple[int, ...]:
        """``(channels, *window)``."""
        return (self.channels, *self.window)

    @property
    def labels(self) -> tuple[str | None, ...]:
        """The classes with None in place of background, as a search for events wants them."""
        return tuple(None if name in self.background else name for name in self.classes or ())

    def __str__(self) -> str:
        names = ", ".join(self.classes or ()) or "none: values are predicted"
        lines = {
            "model": f"{self.architecture}, to {self.task}",
            "window": f"{_by(self.window)}, channels {self.channels}",
            "hop": _by(self.hop),
            "classes": names,
            "background": ", ".join(self.background) or "none",
            "threshold": ", ".join(f"{value:.3f}" for value in dict.fromkeys(self.thresholds or ())) or "none",
        }
        return "\n".join(f"{name:<13}  {value}" for name, value in lines.items())

    def to_json(self, *, weights_sha256: str) -> str:
        """The text of ``model.json``; the checksum is that of the weights it belongs to."""
        layout = {"schema": SCHEMA} | asdict(self) | {"weights_sha256": weights_sha256}
        return json.dumps(layout, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, source: str) -> tuple[ModelInfo, str]:
        """The value, and the checksum of its weights, of `to_json`'s text.

        Raises
        ------
        ModelError
            If the text is not exactly what `to_json` writes, or of a newer schema.
        """
        try:
            fields = Fields(parse(source))
            schema = fields.take("schema", integer)
            if schema == SCHEMA:
                weights_sha256 = fields.take("weights_sha256", text)
                info = cls(**{name: fields.take(name, check) for name, check in _LAYOUT.items()})
                fields.end()
                return info, weights_sha256
        except ModelError as error:
            raise ModelError(f"{error}. Restore the file from a copy, or train again.") from error
        remedy = "Update Scanwise: a newer one wrote it." if schema > SCHEMA else "Restore the file from a copy."
        raise ModelError(f"schema must be {SCHEMA}; got {schema}. {remedy}")


def _by(numbers: tuple[int, ...]) -> str:
    return " x ".join(map(str, numbers))


def _versions(value: Any) -> dict[str, str]:
    return {name: text(version) for name, version in mapping(value).items()}


_LAYOUT: dict[str, Any] = {
    "architecture": text,
    "arguments": mapping,
    "task": text,
    "channels": integer,
    "window": listed(integer),
    "hop": listed(integer),
    "classes": optional(listed(text)),
    "background": listed(text),
    "background_labelled": switch,
    "mean": listed(number),
    "std": listed(number),
    "thresholds": optional(listed(number)),
    "sample_rate_hz": optional(number),
    "seed": integer,
    "versions": _versions,
}

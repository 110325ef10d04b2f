"""Everything about a model but its weights, as a checked value and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from scanwise import features
from scanwise.errors import ArgumentError, ModelError
from scanwise.features import Front
from scanwise.model._json import Fields, integer, listed, mapping, number, optional, parse, switch, text
from scanwise.model._verification import Verification
from scanwise.sources import Reading

__all__ = ["BACKGROUND_NAMES", "SCHEMA", "ModelInfo"]

MAX_HOP = 2**31 - 1
"""The largest step between windows; positions must fit in machine integers."""

BACKGROUND_NAMES = ("background", "noise", "other")
"""Classes of these names, in capitals or not, mean "no pattern here"."""

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
        ``"classify"``, ``"regress"`` or ``"verify"``.
    channels, window
        Shape of what one answer looks at: channels, and samples or pixels per axis.
    features
        The front end of a model of signals, its description in the closed registry of `scanwise.features`. None
        for images.
    hop
        Samples or pixels between the windows of a search, per axis, unless it names another.
    classes
        A name for each output, or None where outputs are values or embeddings.
    background
        Those of `classes` that mean "no pattern here".
    background_labelled
        Whether a background class came with the data; one made for training never answers for a clip.
    mean, std
        Normalisation of what the network looks at, per channel, ``(x - mean) / std``, fixed when it was trained.
    thresholds
        Score from which a class counts as found, per class, from validation data. None without classes.
    verification
        How embeddings are compared; None unless that is the task.
    sample_rate_hz
        Samples per second of the recordings, where it is known.
    columns
        Of CSV recordings, the columns that are the channels; None for all.
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
    features: dict[str, Any] | None
    hop: tuple[int, ...]
    classes: tuple[str, ...] | None
    background: tuple[str, ...]
    background_labelled: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    thresholds: tuple[float, ...] | None
    verification: Verification | None
    sample_rate_hz: float | None
    columns: tuple[str, ...] | None
    seed: int
    versions: dict[str, str]

    def __post_init__(self) -> None:
        classes = self.classes or ()
        shape = self._network_shape()
        outputs = self.arguments.get("outputs")
        for rule, kept in {
            "task must be classify (with classes), verify (with verification) or regress (without)": (
                self.task,
                self.classes is None,
                self.verification is None,
            )
            in {("classify", False, True), ("verify", True, False), ("regress", True, True)},
            "window must have one or two axes of at least 1": len(self.window) in (1, 2) and min(self.window) > 0,
            f"hop must have one step from 1 to {MAX_HOP} per axis": len(self.hop) == len(self.window)
            and 1 <= min(self.hop) <= max(self.hop) <= MAX_HOP,
            "features must be for signals, and for as many channels": shape is not None,
            "arguments must agree with channels, window and features": self.arguments.get("window_shape") == shape,
            "classes must be distinct, one per output": self.classes is None
            or (len(set(classes)) == len(classes) == outputs),
            "background must be among the classes": set(self.background) <= set(classes),
            "mean and std must have one number per channel": shape is None
            or len(self.mean) == len(self.std) == shape[0],
            "std must be above 0": min(self.std, default=0) > 0,
            "thresholds must be one per class": (self.thresholds is None) == (self.classes is None)
            and len(self.thresholds or ()) == len(classes),
            "features must be for sample_rate_hz": self.features is None
            or self.features["arguments"].get("rate_hz") in (None, self.sample_rate_hz),
            "sample_rate_hz must be above 0": self.sample_rate_hz is None or self.sample_rate_hz > 0,
            "columns must be distinct, one per channel": self.columns is None
            or len(set(self.columns)) == len(self.columns) == self.channels,
        }.items():
            if not kept:
                raise ModelError(rule)

    def _network_shape(self) -> list[int] | None:
        """What the network looks at, ``[channels, *window]``; None if the features are not for these windows."""
        front = self.front()
        if front is None:
            return [self.channels, *self.window] if len(self.window) == 2 else None
        if len(self.window) != 1 or front.channels != self.channels:
            return None
        return [front.outputs, front.frames(self.window[0])]

    def front(self) -> Front | None:
        """The front end; None for images.

        Raises
        ------
        ModelError
            If the description is none of the registry's.
        """
        try:
            return None if self.features is None else features.from_description(self.features)
        except ArgumentError as error:
            raise ModelError(f"features: {str(error).rstrip('.')}") from error

    def reading(self, *, resample: bool = False) -> Reading:
        """How recordings for this model are to be read."""
        return Reading(self.sample_rate_hz, resample, self.columns)

    @property
    def window_shape(self) -> tuple[int, ...]:
        """``(channels, *window)``."""
        return (self.channels, *self.window)

    @property
    def labels(self) -> tuple[str | None, ...]:
        """The classes with None in place of background, as a search for events wants them."""
        return tuple(None if name in self.background else name for name in self.classes or ())

    def __str__(self) -> str:
        names = ", ".join(self.classes or ()) or f"none: {self._answers}"
        lines = {
            "model": f"{self.architecture}, to {self.task}",
            "window": f"{self.extent(self.window)}, channels {self.channels}",
            "features": self._front_line(),
            "hop": self.extent(self.hop),
            "rate": "" if self.sample_rate_hz is None else f"{self.sample_rate_hz:.9g} Hz",
            "classes": names,
            "background": ", ".join(self.background) or "none",
            "threshold": ", ".join(f"{value:.3f}" for value in dict.fromkeys(self.thresholds or ())) or "none",
        }
        if self.verification is not None:
            known = self.verification
            lines["threshold"] = f"{known.threshold:.4f} of the cosine, for the {known.rule} of {known.data}"
            lines["measured"] = str(known)
        return "\n".join(f"{name:<13}  {value}" for name, value in lines.items() if value)

    @property
    def _answers(self) -> str:
        return "values are predicted" if self.verification is None else "embeddings are compared"

    def extent(self, samples: tuple[int, ...]) -> str:
        """Samples or pixels, and milliseconds where the rate is known."""
        if len(samples) == 2:
            return f"{_by(samples)} pixels"
        rate = self.sample_rate_hz
        return f"{samples[0]} samples" + (f" ({1000 * samples[0] / rate:.4g} ms)" if rate else "")

    def _front_line(self) -> str:
        front = self.front()
        if front is None:
            return ""
        return (
            f"{front.name}: {front.frames(self.window[0])} frames of {front.outputs} values in a window, a frame "
            f"spans {self.extent((front.frame_samples,))}, one every {self.extent((front.step_samples,))}"
        )

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
    "features": optional(mapping),
    "hop": listed(integer),
    "classes": optional(listed(text)),
    "background": listed(text),
    "background_labelled": switch,
    "mean": listed(number),
    "std": listed(number),
    "thresholds": optional(listed(number)),
    "verification": optional(Verification.from_json),
    "sample_rate_hz": optional(number),
    "columns": optional(listed(text)),
    "seed": integer,
    "versions": _versions,
}

"""The model card: what a person should know before using a model."""

from __future__ import annotations

from scanwise.model._evaluate import Evaluation
from scanwise.model._evaluate_events import EventEvaluation
from scanwise.model._info import ModelInfo

__all__ = ["card"]

_SCAN = "scan <this folder> <files or folders> -o <results>"
_USES = {"classify": _SCAN, "regress": f"{_SCAN} --scores", "verify": "verify <this folder> <file> <other file>"}


def card(info: ModelInfo, validation: Evaluation | EventEvaluation | None, epochs: int) -> str:
    """The card as Markdown."""
    window = " x ".join(map(str, info.window))
    unit = "samples" if len(info.window) == 1 else "pixels (rows x columns)"
    rate = "" if info.sample_rate_hz is None else f" at {info.sample_rate_hz:.9g} Hz"
    seen = "" if info.features is None else f" as {info.features['name']}"
    lines = [
        f"# A Scanwise model: {info.architecture}, {info.task}",
        "",
        f"It looks at windows of {window} {unit}{rate} with {info.channels} channel(s){seen}.",
        "",
    ]
    if info.classes is not None and info.thresholds is not None:
        lines += ["| class | threshold |", "| --- | --- |"]
        for name, threshold in zip(info.classes, info.thresholds, strict=True):
            role = "background" if name in info.background else f"{threshold:.3f}"
            lines.append(f"| {_plain(name)} | {role} |")
        lines += [
            "",
            "Scores are not calibrated probabilities; thresholds come from validation examples.",
            "",
        ]
    if info.verification is not None:
        known = info.verification
        from_where = f"the {known.rule} of {known.data}"
        lines += [f"Two samples count as the same from a cosine of {known.threshold:.4f} on, {from_where}.", ""]
    if validation is not None:
        noun = "events" if isinstance(validation, EventEvaluation) else "examples"
        lines += [f"On {validation.count} held-out {noun}: {validation.summary}.", ""]
    versions = ", ".join(f"{name} {version}" for name, version in info.versions.items())
    lines += [
        f"Trained for {epochs} epochs with seed {info.seed} ({versions}).",
        "",
        f"    scanwise {_USES[info.task]}",
        "",
    ]
    return "\n".join(lines)


def _plain(name: str) -> str:
    """A class' name, inert inside a Markdown table."""
    safe = (character if character.isprintable() else " " for character in name)
    return "".join(f"&#{ord(character)};" if character in "\\`*_[]<>|#&" else character for character in safe)

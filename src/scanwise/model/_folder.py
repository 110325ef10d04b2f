"""The model folder: weights.safetensors, model.json, log.jsonl and README.md. All data, no code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from
from safetensors.torch import save as bytes_of

from scanwise.errors import ArgumentError, ModelError
from scanwise.model._card import card
from scanwise.model._evaluate import Evaluation
from scanwise.model._evaluate_events import EventEvaluation
from scanwise.model._info import ModelInfo
from scanwise.model._json import parse
from scanwise.nn import WindowNet, from_description
from scanwise.sources import ESCAPE

__all__ = ["MARKER", "read", "write"]

MARKER = "model.json"
"""What makes a folder a model; only a folder with it is ever overwritten."""

_WEIGHTS, _LOG, _CARD = "weights.safetensors", "log.jsonl", "README.md"
_MAX_TEXT_BYTES = 2**26
_MAX_HEADER_BYTES = 2**20
_DAMAGED = "Restore the folder from a copy, or train again."


def write(
    folder: Path,
    net: WindowNet,
    info: ModelInfo,
    history: Sequence[dict[str, Any]],
    validation: Evaluation | EventEvaluation | None,
) -> None:
    """Fill an empty folder."""
    weights = bytes_of({name: tensor.cpu().contiguous() for name, tensor in net.state_dict().items()})
    (folder / _WEIGHTS).write_bytes(weights)
    checksum = hashlib.sha256(weights).hexdigest()
    (folder / MARKER).write_text(info.to_json(weights_sha256=checksum), encoding="utf-8", errors=ESCAPE)
    lines = [json.dumps(row, allow_nan=False) + "\n" for row in history]
    (folder / _LOG).write_text("".join(lines), encoding="utf-8")
    (folder / _CARD).write_text(card(info, validation, len(history)), encoding="utf-8", errors=ESCAPE)


def read(folder: Path) -> tuple[WindowNet, ModelInfo, list[dict[str, Any]]]:
    """The network in evaluation mode, what is known of it, and its history.

    Raises
    ------
    ModelError
        If the folder is missing, incomplete, damaged, or of a newer schema.
    """
    try:
        there = (folder / MARKER).is_file()
    except OSError as error:
        raise ModelError(f"{folder}: cannot be opened ({error.strerror}). Check its permissions.") from error
    if not there:
        raise ModelError(f"{folder}: must be a model folder; it holds no {MARKER}. Check the path.")
    try:
        info, checksum = ModelInfo.from_json(_text(folder / MARKER))
    except ModelError as error:
        raise ModelError(f"{folder / MARKER}: {error}") from error
    net = _empty_net(folder, info)
    net.load_state_dict(_weights(folder / _WEIGHTS, net, checksum), assign=True)
    return net.eval(), info, _history(folder / _LOG)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_TEXT_BYTES:
            raise ModelError(f"must be at most {_MAX_TEXT_BYTES:,} bytes; got more. {_DAMAGED}")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"cannot be read as text ({error}). {_DAMAGED}") from error


def _empty_net(folder: Path, info: ModelInfo) -> WindowNet:
    """The described network without memory for its weights, so that no file can ask for too much of it."""
    try:
        with torch.device("meta"):
            return from_description({"architecture": info.architecture, "arguments": info.arguments})
    except ArgumentError as error:
        raise ModelError(f"{folder / MARKER}: {error} {_DAMAGED}") from error


def _weights(path: Path, net: WindowNet, checksum: str) -> dict[str, torch.Tensor]:
    """The tensors of a file, after every check that can be made."""
    expected = net.state_dict()
    size = sum(tensor.nbytes for tensor in expected.values())
    try:
        if path.stat().st_size > size + _MAX_HEADER_BYTES:
            raise ModelError(f"{path}: must hold {size:,} bytes of weights; got more. {_DAMAGED}")
        content = path.read_bytes()
        found = tensors_from(content)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: cannot be read as safetensors ({error}). {_DAMAGED}") from error
    for name in sorted(expected.keys() | found.keys()):
        wanted, got = (
            f"{tensors[name].dtype} {tuple(tensors[name].shape)}" if name in tensors else "nothing"
            for tensors in (expected, found)
        )
        if wanted != got:
            raise ModelError(f"{path}: {name} must be {wanted}; got {got}. {_DAMAGED}")
    if hashlib.sha256(content).hexdigest() != checksum:
        raise ModelError(f"{path}: must have the checksum that {MARKER} names; got another. {_DAMAGED}")
    return found


def _history(path: Path) -> list[dict[str, Any]]:
    """The training log; a model without one is a model."""
    if not path.exists():
        return []
    try:
        return [parse(line) for line in _text(path).splitlines()]
    except ModelError as error:
        raise ModelError(f"{path}: {error}. Remove it: the model works without.") from error

"""Programs as files: one safetensors file, its structure as JSON in the header. Nothing in it is ever executed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from scanwise.errors import ModelError

from ._nodes import KINDS, End, Node, Output, Program, Source
from ._residue import Residue
from ._views import Factor, View

FORMAT = "scanwise-program"
VERSION = 1


def save_program(program: Program, path: str | Path) -> None:
    """Write a program to ``path`` atomically; an existing file is replaced only by a complete one."""
    path = Path(path)
    tensors = {
        f"{i}.{name}": t.detach().cpu().contiguous()
        for i, n in enumerate(program.nodes)
        for name, t in n.params.items()
    }
    header = json.dumps(_program_json(program), separators=(",", ":"), allow_nan=False)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            file.write(save(tensors, {FORMAT: header}))
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def load_program(path: str | Path) -> Program:
    """Read a program written by `save_program`.

    Raises
    ------
    ModelError
        When the file is missing, damaged, of another kind or of a newer version.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(FORMAT, "null"))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  (no mapping)
        version = header["version"]
        if version > VERSION:
            raise ModelError(f"{path} must be of version {VERSION} or older; got {version}. Update scanwise.")
        return _program(header, tensors)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, IndexError) as error:
        raise ModelError(
            f"{path} must be a program file; got {type(error).__name__}: {error}. Write it again."
        ) from error


def _program_json(program: Program) -> dict[str, Any]:
    return {
        "version": VERSION,
        "window_shape": program.window_shape,
        "dtype": program.dtype,
        "nodes": [
            {
                "kind": node.kind,
                "inputs": [[s.node, s.shift] for s in node.inputs],
                "channels": node.channels,
                "attrs": {k: _residue_json(v) if isinstance(v, Residue) else _finite(v) for k, v in node.attrs.items()},
                "params": sorted(node.params),
                "path": node.path,
                "units": node.units,
            }
            for node in program.nodes
        ],
        "outputs": [[o.node, o.shift, o.shape, o.dtype] for o in program.outputs],
        "structure": program.structure,
        "ends": [[e.path, e.op, e.reason] for e in program.ends],
        "jump": program.jump,
        "padding": program.padding,
    }


def _residue_json(residue: Residue) -> dict[str, Any]:
    views = [
        [v.node, [[[f.axis, f.count, f.step] for f in dim] for dim in v.dims], v.channel, v.offset, v.jump]
        for v in residue.views
    ]
    sizes = {"results": residue.results, "shapes": residue.shapes, "values": residue.values}
    return {"views": views, "calls": residue.calls, **sizes}


def _finite(value: Any) -> Any:
    """Write infinities and NaN, which JSON does not have, as ``{"float": text}``."""
    if isinstance(value, float) and not isfinite(value):
        return {"float": repr(value)}
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value


def _restored(value: Any) -> Any:
    """Undo `_finite`."""
    if isinstance(value, dict):
        return float(value["float"]) if set(value) == {"float"} else {k: _restored(v) for k, v in value.items()}
    return [_restored(item) for item in value] if isinstance(value, list) else value


def _program(header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Program:
    nodes = []
    for place, entry in enumerate(header["nodes"]):
        if entry["kind"] not in KINDS or any(not 0 <= source < place for source, _ in entry["inputs"]):
            raise ValueError(f"node {place} is not one of a program")
        params = {name: tensors[f"{place}.{name}"] for name in entry["params"]}
        attrs = {name: value if name == "residue" else _restored(value) for name, value in entry["attrs"].items()}
        if entry["kind"] == "window":
            attrs["residue"] = _residue(attrs["residue"], params)
        inputs = tuple(Source(node, tuple(shift)) for node, shift in entry["inputs"])
        nodes.append(Node(entry["kind"], inputs, entry["channels"], attrs, params, entry["path"], entry["units"]))
    return Program(
        tuple(header["window_shape"]),
        _dtype_name(header["dtype"]),
        tuple(nodes),
        tuple(
            Output(node, tuple(shift), tuple(shape), _dtype_name(dtype))
            for node, shift, shape, dtype in header["outputs"]
        ),
        header["structure"],
        tuple(End(*end) for end in header["ends"]),
        tuple(header["jump"]),
        header["padding"],
    )


def _residue(entry: Mapping[str, Any], params: Mapping[str, torch.Tensor]) -> Residue:
    views = tuple(
        View(node, tuple(tuple(Factor(*f) for f in dim) for dim in dims), channel, tuple(offset), tuple(jump))
        for node, dims, channel, offset, jump in entry["views"]
    )
    shapes = tuple(tuple(shape) for shape in entry["shapes"])
    return Residue(views, tuple(entry["calls"]), tuple(entry["results"]), shapes, entry["values"], params)


def _dtype_name(name: str) -> str:
    if not isinstance(getattr(torch, name, None), torch.dtype):
        raise ValueError(f"{name!r} is no number type")
    return name

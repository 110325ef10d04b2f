"""Simplification of programs: scale-and-shift nodes folded into convolutions, and unused nodes removed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import torch

from ._nodes import Node, Program, Source


def simplified(program: Program) -> Program:
    """Return a program with the same outputs, batch normalisation folded into the convolution before it.

    What was computed from parameters in float64 is rounded to the program's type once, here.
    """
    program = _without_unused(_folded(program))
    dtype = getattr(torch, program.dtype)
    nodes = (
        node if node.kind == "window" else replace(node, params={k: v.to(dtype) for k, v in node.params.items()})
        for node in program.nodes
    )
    return replace(program, nodes=tuple(nodes))


def _folded(program: Program) -> Program:
    """Fold ``affine`` into the ``conv`` it alone reads, in float64 (Jacob et al. 2018, section 3.2)."""
    readers = Counter(source.node for node in program.nodes for source in node.inputs)
    readers.update(output.node for output in program.outputs)
    nodes = list(program.nodes)
    for place, node in enumerate(nodes):
        if node.kind != "affine":
            continue
        source = node.inputs[0].node
        before = nodes[source]
        if before.kind == "conv" and readers[source] == 1:
            nodes[place] = replace(_scaled(before, node), units=before.units)
    return replace(program, nodes=tuple(nodes))


def _scaled(conv: Node, affine: Node) -> Node:
    weight = conv.params["weight"]
    scale, shift = affine.params["scale"].double(), affine.params["shift"].double()
    bias = conv.params["bias"].double() * scale + shift if "bias" in conv.params else shift
    scaled = weight.double() * scale.reshape(-1, *[1] * (weight.dim() - 1))
    return replace(conv, params={"weight": scaled, "bias": bias})


def _without_unused(program: Program) -> Program:
    used = {output.node for output in program.outputs} | {0}
    for place in range(len(program.nodes) - 1, -1, -1):
        if place in used:
            used.update(source.node for source in program.nodes[place].inputs)
    order = {old: new for new, old in enumerate(sorted(used))}
    nodes = [
        replace(
            program.nodes[old],
            inputs=tuple(Source(order[s.node], s.shift) for s in program.nodes[old].inputs),
        )
        for old in sorted(used)
    ]
    outputs = tuple(replace(output, node=order[output.node]) for output in program.outputs)
    return replace(program, nodes=tuple(nodes), outputs=outputs)

"""From a torch module to its graph on one window, with everything refused that cannot be scanned at all."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from scanwise.errors import NotScannable

from ._refuse import call, refuse_batch_mixing, refuse_operation, refuse_unready, structure_of
from ._trace import example, trace

BATCH_SIZE = 3
OTHER_BATCH_SIZE = 5


@dataclass(frozen=True)
class Captured:
    """A window network as a functional ATen graph.

    Attributes
    ----------
    graph
        The graph on a batch of `BATCH_SIZE` windows.
    tensors
        Snapshot of parameters, buffers and constants by the name of their placeholder.
    input
        Name of the input's placeholder.
    dtype
        Number type of the input.
    outputs
        Names of the graph nodes that the network returns, flattened.
    structure
        How the outputs are packed; see `Program.structure`.
    """

    graph: torch.fx.Graph
    tensors: dict[str, torch.Tensor]
    input: str
    dtype: torch.dtype
    outputs: tuple[str, ...]
    structure: str | list[str] | None


def capture(module: torch.nn.Module, window_shape: tuple[int, ...]) -> Captured:
    """Trace ``module`` on windows, down to the operators the rewriting knows.

    Raises
    ------
    NotScannable
        When the module is in training mode, draws random numbers, changes its buffers, mixes the windows of a batch,
        or cannot be traced.
    """
    refuse_unready(module)
    windows = example(module, window_shape, BATCH_SIZE, seed=0)
    given = call(module, windows)
    structure = structure_of(given)
    exported = trace(module, window_shape, BATCH_SIZE)
    signature = exported.graph_signature
    if changed := sorted(signature.buffers_to_mutate.values()):
        raise NotScannable(
            f"module must not change its state in forward; it changes {', '.join(changed)}. "
            "Make forward free of side effects: a window's result must not depend on the windows before it."
        )
    for node in exported.graph.nodes:
        refuse_operation(node)
    refuse_batch_mixing(module, windows, given)
    tensors = {**exported.state_dict, **exported.constants}
    named = {
        spec.arg.name: tensors[spec.target].detach().clone()
        for spec in signature.input_specs
        if spec.target is not None and isinstance(tensors.get(spec.target), torch.Tensor)
    }
    outputs = tuple(spec.arg.name for spec in signature.output_specs if spec.kind.name == "USER_OUTPUT")
    return Captured(exported.graph, named, str(signature.user_inputs[0]), windows.dtype, outputs, structure)

"""Whether a module does what its class says: edges are read off its settings, not off its code."""

from __future__ import annotations

from torch import nn
from torch.nn.utils import parametrize

from scanwise.errors import ArgumentError

__all__ = ["trusted"]


def trusted(module: nn.Module, kinds: tuple[type[nn.Module], ...]) -> bool:
    """Return whether a module is of one of these kinds, and runs as they do.

    Raises
    ------
    ArgumentError
        If it is of such a kind, but a subclass, a hook or a parametrization changes what it computes.
    """
    kind = next((kind for kind in kinds if isinstance(module, kind)), None)
    if kind is None:
        return False
    name = type(module).__name__
    own = any(getattr(type(module), method, None) is not getattr(kind, method, None) for method in _METHODS)
    if own or any(method in vars(module) for method in _METHODS):
        raise ArgumentError(
            f"layer must run as {kind.__name__} does; got {name} with a forward of its own. Expand its parts."
        )
    if parametrize.is_parametrized(module):
        raise ArgumentError(f"layer must have plain parameters; got {name} with parametrizations. Remove them first.")
    if module._forward_hooks or module._forward_pre_hooks:
        raise ArgumentError(f"layer must run without hooks; got {name} with one. Remove it (weight norm is one, too).")
    return True


_METHODS = ("forward", "_conv_forward", "__call__")

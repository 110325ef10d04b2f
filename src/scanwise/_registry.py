"""Closed registries, known to all rooms: names that a file may use, and how what they mean is made.

Closed, because a model folder is data: it can name what is registered and nothing else, so loading never runs what a
file says.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from scanwise._checks import choice
from scanwise.errors import ArgumentError

__all__ = ["Registry"]

T = TypeVar("T")


class Registry(Generic[T]):
    """Makers by name.

    Parameters
    ----------
    argument : str
        What a name is called in messages.
    key : str
        What it is called in descriptions.
    makers : mapping
        What is called with the arguments.
    """

    def __init__(self, argument: str, key: str, makers: Mapping[str, Callable[..., T]]) -> None:
        self._argument, self._key, self._makers = argument, key, dict(makers)

    @property
    def names(self) -> tuple[str, ...]:
        """All names."""
        return tuple(self._makers)

    def build(self, name: str, arguments: Mapping[str, Any]) -> T:
        """Return what `name` and `arguments` mean.

        Raises
        ------
        ArgumentError
            If the name or an argument is unknown, or an argument is missing.
        """
        maker = self._makers[choice(self._argument, name, self.names)]
        known = inspect.signature(maker).parameters
        for unknown in arguments.keys() - known.keys():
            raise ArgumentError(f"{name} takes no {unknown!r}. It takes {', '.join(known)}.")
        for parameter in known.values():
            if parameter.default is parameter.empty and parameter.name not in arguments:
                raise ArgumentError(f"{name} must be given {parameter.name}; got none. Add {parameter.name}=.")
        return maker(**arguments)

    def from_description(self, description: Any) -> T:
        """Return what a mapping of the name and the ``arguments``, and nothing else, means.

        Raises
        ------
        ArgumentError
            If it has another form, or as `build` does.
        """
        keys = sorted((self._key, "arguments"))
        if not isinstance(description, Mapping) or sorted(description) != keys:
            got = sorted(description) if isinstance(description, Mapping) else type(description).__name__
            raise ArgumentError(f"description must have exactly the keys {', '.join(keys)}; got {got}.")
        arguments = description["arguments"]
        if not isinstance(arguments, Mapping):
            raise ArgumentError(f"arguments must be a mapping of names to values; got {arguments!r}.")
        return self.build(description[self._key], arguments)

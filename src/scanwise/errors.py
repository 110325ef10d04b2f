"""One family of exceptions, known to every room.

Messages are read by people, often on one line of a terminal, so all follow one form::

    <argument> must <rule>; got <value>. <what to do>.

Catch `ScanwiseError` to catch them all. Those that mean what a built-in exception means inherit from it
too, so code that knows nothing of Scanwise (``except ValueError``) still does the right thing.
"""

from __future__ import annotations

__all__ = [
    "ArgumentError",
    "DataError",
    "InputFailed",
    "ModelError",
    "NotScannable",
    "OutputExists",
    "ReducedPrecision",
    "ScanwiseError",
    "SharingEnds",
    "TrainingError",
]


class ScanwiseError(Exception):
    """Base of every error that Scanwise raises on purpose."""


class ArgumentError(ScanwiseError, ValueError):
    """A wrong argument: the request cannot mean anything."""


class DataError(ScanwiseError, ValueError):
    """A file or an array that cannot be read or does not fit; the message names it."""


class ModelError(ScanwiseError):
    """A model folder that is missing, damaged, or written by a newer Scanwise."""


class NotScannable(ScanwiseError):
    """A network that no scan can equal; the message has the layer's path, the reason and the remedy."""


class OutputExists(ScanwiseError, FileExistsError):
    """An output that exists already and was not to be overwritten."""


class TrainingError(ScanwiseError):
    """Training that cannot go on, such as a loss that is no longer finite."""


class SharingEnds(UserWarning):
    """From the named layer on, a scan works window by window: still exact, but slower."""


class ReducedPrecision(UserWarning):
    """Scores are in a smaller number type than the network's, as asked; the message says how far off they are.

    Parameters
    ----------
    message
        In words.
    relative
        Largest difference measured, over the largest score.
    """

    def __init__(self, message: str, relative: float = 0.0) -> None:
        super().__init__(message)
        self.relative = relative


class InputFailed(UserWarning):
    """One of several inputs cannot be used, and why; the others are."""

"""Lists of trials as text: which samples to compare, and whether they show the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scanwise.errors import ArgumentError, DataError
from scanwise.verify._similarity import similarity

__all__ = ["TrialList", "parse_trials", "score_trials"]

_AT_A_TIME = 1 << 16  # trials whose embeddings are gathered
_LABELS = {"1": True, "target": True, "0": False, "nontarget": False}


@dataclass(frozen=True, eq=False)
class TrialList:
    """Pairs of samples, and whether each shows one identity.

    Attributes
    ----------
    name
        Of the list's file, for messages.
    samples
        Names of all samples, in the order in which they first appear.
    first, second
        ``(trials,)`` numbers in `samples`.
    same
        ``(trials,)`` bool.
    lines
        ``(trials,)``: the line of the file on which each stands, from 1.
    """

    name: str
    samples: tuple[str, ...]
    first: np.ndarray
    second: np.ndarray
    same: np.ndarray
    lines: np.ndarray

    def __len__(self) -> int:
        return len(self.same)

    def where(self, trial: int) -> str:
        """A trial's place, for messages."""
        return f"{self.name}: line {self.lines[trial]}"

    def first_use(self, sample: int) -> str:
        """The place of a sample's first trial, for messages."""
        return self.where(int(np.argmax((self.first == sample) | (self.second == sample))))

    def subjects(self) -> np.ndarray:
        """A subject for each sample: samples that target trials join are of one, and all others of none but their own.

        ``(samples,)``.

        Raises
        ------
        DataError
            If two samples of a nontarget trial are joined by target trials. The message has the number of its line.
        """
        parent = list(range(len(self.samples)))

        def root(i: int) -> int:
            while parent[i] != i:
                parent[i] = parent[parent[i]]
                i = parent[i]
            return i

        for a, b in zip(self.first[self.same].tolist(), self.second[self.same].tolist(), strict=True):
            parent[root(a)] = root(b)
        found = np.array([root(i) for i in range(len(parent))])
        wrong = (found[self.first] == found[self.second]) & ~self.same
        if wrong.any():
            at = int(wrong.argmax())
            one, other = (self.samples[side[at]] for side in (self.first, self.second))
            raise DataError(
                f"{self.where(at)} must agree with the target trials; got nontarget for {one} and {other}, which these "
                "say are of one identity. One of the labels is wrong."
            )
        return found


def parse_trials(text: str, name: str = "trials") -> TrialList:
    r"""Read a list of trials, one a line: ``label a b`` with 1 or 0, or ``a b target`` and ``a b nontarget``.

    The first is what VoxCeleb's lists look like, the second Kaldi's. One list has one form, that of its first line.
    Names hold no spaces; empty lines are passed over.

    Parameters
    ----------
    text
        The list.
    name
        Of its file, for messages.

    Raises
    ------
    DataError
        If there are no trials, a line has another form or its label is neither, a sample is to be compared with itself,
        or trials contradict each other. The message has the line's number.

    Examples
    --------
    >>> trials = parse_trials("1 anna/1.wav anna/2.wav\n0 anna/1.wav ben/1.wav\n")
    >>> trials.samples, trials.same.tolist()
    (('anna/1.wav', 'anna/2.wav', 'ben/1.wav'), [True, False])
    """
    numbers: dict[str, int] = {}
    rows: list[tuple[int, int, bool, int]] = []
    said: dict[tuple[int, int], tuple[bool, int]] = {}
    label_at = -1
    for line, row in enumerate(text.splitlines(), start=1):
        words = row.split()
        if not words:
            continue
        where = f"{name}: line {line}"
        if len(words) != 3:
            raise DataError(f"{where} must be 'label a b' or 'a b label'; got {row.strip()!r}. Names hold no spaces.")
        if label_at < 0:
            label_at = 2 if words[2] in ("target", "nontarget") else 0
        label = words.pop(label_at)
        if label not in _LABELS:
            place = "first" if label_at == 0 else "third"
            raise DataError(f"{where}: the {place} word must be 1, 0, target or nontarget; got {label!r}.")
        a, b = (numbers.setdefault(word, len(numbers)) for word in words)
        same = _LABELS[label]
        if a == b:
            raise DataError(f"{where} must compare two samples; got {words[0]} twice. It would be equal to itself.")
        pair = (min(a, b), max(a, b))
        if pair in said and said[pair][0] != same:
            raise DataError(f"{where} must agree with line {said[pair][1]}; got the other label for the same samples.")
        said.setdefault(pair, (same, line))
        rows.append((a, b, same, line))
    if not rows:
        raise DataError(f"{name}: must hold a trial at least; got none. Write one a line, 'label a b'.")
    first, second, kind, lines = (np.array(column) for column in zip(*rows, strict=True))
    found = TrialList(name, tuple(numbers), first, second, kind, lines)
    found.subjects()
    return found


def score_trials(trials: TrialList, embeddings: Mapping[str, Any], kind: str = "cosine") -> np.ndarray:
    """Return the score of every trial of a list, ``(trials,)``.

    Parameters
    ----------
    trials
        The list.
    embeddings
        ``(features,)`` of each sample that it names.
    kind
        See `similarity`.

    Raises
    ------
    DataError
        If a sample is unknown, or its embedding is not finite or, where the angle is asked for, zero. The message has
        the number of the first line that names it.
    ArgumentError
        If the kind is unknown, or embeddings have different numbers of features.

    Examples
    --------
    >>> score_trials(parse_trials("1 a b"), {"a": [3.0, 4.0], "b": [4.0, 3.0]})
    array([0.96])
    """
    rows = []
    for number, sample in enumerate(trials.samples):
        if sample not in embeddings:
            raise DataError(f"{trials.first_use(number)}: there must be an embedding of {sample}; got none. Add it.")
        row = np.asarray(embeddings[sample])
        if not np.isfinite(row).all() or (kind == "cosine" and not row.any()):
            wrong = "a zero vector" if np.isfinite(row).all() else "NaN or infinity"
            raise DataError(
                f"{trials.first_use(number)}: the embedding of {sample} must have a direction; got {wrong}. Leave the "
                "sample out."
            )
        rows.append(row)
    if len({row.shape for row in rows}) > 1:
        raise ArgumentError(f"embeddings must have one shape; got {', '.join(map(str, {row.shape for row in rows}))}.")
    matrix = np.stack(rows).astype(np.float64)
    parts = np.array_split(np.arange(len(trials)), -(-len(trials) // _AT_A_TIME))
    return np.concatenate([similarity(matrix[trials.first[k]], matrix[trials.second[k]], kind) for k in parts])

"""A trained model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from scanwise.errors import ArgumentError
from scanwise.model._answers import answers
from scanwise.model._device import checked_device
from scanwise.model._embed import clip_embeddings
from scanwise.model._evaluate import Evaluation, evaluate_clips
from scanwise.model._evaluate_events import EventEvaluation, evaluate_events
from scanwise.model._examples import Data
from scanwise.model._explain import context_table
from scanwise.model._folder import MARKER, write
from scanwise.model._given import clips_by_class, given_clips
from scanwise.model._info import MAX_HOP, ModelInfo
from scanwise.model._labels import Labels
from scanwise.model._layout import extent_of
from scanwise.model._module import front_module, window_module
from scanwise.model._scan_folder import scan_writer
from scanwise.model._search import Inputs, Searched, collected, named_inputs, search
from scanwise.model._trial_scores import TrialScores, scored_trials
from scanwise.model._verification import Verification
from scanwise.model._verify import Enrolment, Verdict, enrolled, known_verification, mean_embedding, verdict
from scanwise.nn import WindowNet
from scanwise.run import Scanner
from scanwise.sources import atomic_folder
from scanwise.verify import TrialList, similarity

__all__ = ["Model"]


class Model:
    """A network that knows what it was trained for: classes, normalisation, thresholds.

    Made by `train` or `load`; not changed afterwards.

    Parameters
    ----------
    net
        The window network; set to evaluation mode.
    info
        Everything else.
    history
        The training log, a row per epoch.
    validation
        How it did on the examples held back in training, where that is known.
    device
        Where it runs, such as ``"cuda"``.
    precision
        ``"bfloat16"`` for faster and less exact scores, see `Scanner`; embeddings are in the network's own type.
    """

    def __init__(
        self,
        net: WindowNet,
        info: ModelInfo,
        history: Iterable[dict[str, Any]] = (),
        validation: Evaluation | EventEvaluation | None = None,
        device: torch.device | str = "cpu",
        precision: str | None = None,
    ) -> None:
        self.net = net.eval()
        self.info = info
        self.history = tuple(history)
        self.validation = validation
        self.device = checked_device(device)
        self.precision = precision
        front = front_module(info.front(), mean=info.mean, std=info.std, axes=len(net.window_shape) - 1)
        self.module = window_module(front, net, classify=info.classes is not None).to(self.device)
        self._scanner = lru_cache(maxsize=4)(
            lambda hop: Scanner(self.module, info.window_shape, hop=hop, precision=precision)
        )

    def __repr__(self) -> str:
        return f"Model({self.info.architecture}, {self.info.task}, window={self.info.window_shape})"

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the model folder, atomically.

        Raises
        ------
        OutputExists
            If `folder` exists, unless it is a model folder and `overwrite` is set.
        """
        with atomic_folder(folder, overwrite, marker=MARKER) as aside:
            self.write(aside)

    def write(self, folder: Path) -> None:
        """Fill an empty folder with the model's files."""
        write(folder, self.net, self.info, self.history, self.validation)

    def scanner(self, hop: float | Sequence[int] | None = None) -> Scanner:
        """The scanner of raw inputs to scores; without a hop, of the model's own.

        Scores are probabilities ``(classes, *positions)``, or the predicted values in regression.
        """
        info = self.info
        steps = info.hop if hop is None else extent_of("hop", hop, len(info.window), info.sample_rate_hz)
        if max(steps) > MAX_HOP:
            raise ArgumentError(f"hop must be at most {MAX_HOP}; got {max(steps)}. Take the window's extent or less.")
        return self._scanner(steps)

    def explain(self, hop: float | Sequence[int] | None = None) -> str:
        """What the model is, how far it looks, what every layer sees, and what a scan shares and costs."""
        parts = (str(self.info), context_table(self.info), str(self.scanner(hop).explain()))
        return "\n\n".join(part for part in parts if part)

    def predict(self, clips: Inputs, *, resample: bool = False) -> Any:
        """One answer a clip.

        A clip shorter than the window is centred in its own background level; a longer one is scanned. A clip of sound
        or another signal of known rate is searched as `find` does, if the model knows background: with half a window
        of its level at either end.

        Parameters
        ----------
        clips
            A file or an array ``(channels, *space)``; or several: a list of such, or an array
            ``(clips, channels, *space)``.
        resample
            As in `find`.

        Returns
        -------
        str, float or ndarray, or a list of such
            For classes the name of the best window's. Background answers only if it is a class that came
            with the data and beats every other class everywhere. For regression the mean over the windows: a
            number, or ``(outputs,)`` if there are several.

        Raises
        ------
        DataError
            If a clip cannot be read or does not fit the model.
        """
        arrays, single = given_clips(clips, self.info, resample=resample)
        found = answers(self, arrays)
        return found[0] if single else found

    def embed(self, clips: Inputs, *, resample: bool = False) -> np.ndarray:
        """Embeddings ``(clips, features)``, or ``(features,)`` of a single clip; clips as in `predict`.

        A model that verifies scans each clip and pools the embeddings of its windows, so clips may be longer than the
        window. What comes out does not depend on the clips beside it.

        Raises
        ------
        DataError
            As `predict`, and if a clip is longer than the window of a model that does not verify.
        """
        arrays, single = given_clips(clips, self.info, resample=resample)
        embeddings = clip_embeddings(self, arrays)
        return np.asarray(embeddings[0] if single else embeddings)

    def verify(self, first: Inputs, second: Inputs, *, resample: bool = False) -> Verdict:
        """Whether two samples show the same identity, of those seen in training or others.

        Parameters
        ----------
        first, second
            A clip each, as in `predict`; or several samples of one identity, whose embeddings are averaged.
        resample
            As in `find`.

        Raises
        ------
        ArgumentError
            If the model was not trained to verify.
        DataError
            As `predict`, and if an embedding is zero.
        """
        known = known_verification(self.info)
        sides = {"first": first, "second": second}
        means = [mean_embedding(name, self.embed(clips, resample=resample)) for name, clips in sides.items()]
        return verdict(float(similarity(means[:1], means[1:])[0]), known)

    def enrol(self, samples: Mapping[str, Inputs] | Data, *, resample: bool = False) -> Enrolment:
        """Identities to be recognised later, each by one clip or several; by name as in `predict`, or as in `train`.

        Raises
        ------
        ArgumentError
            As `verify`, and if there are no identities.
        DataError
            As `verify`, and if the data cannot be read. Of several files, each that cannot be used is an `InputFailed`
            warning.
        """
        known = known_verification(self.info)
        given = samples if isinstance(samples, Mapping) else clips_by_class(samples, self.info, resample=resample)
        return enrolled({name: self.embed(clips, resample=resample) for name, clips in given.items()}, known)

    def evaluate_trials(
        self,
        trials: TrialList | str | os.PathLike[str],
        *,
        root: str | os.PathLike[str] | None = None,
        embeddings: str | os.PathLike[str] | None = None,
        resample: bool = False,
        on_done: Callable[[int, int], None] | None = None,
    ) -> TrialScores:
        """Score the trials of a list, see `scanwise.verify.parse_trials`.

        Parameters
        ----------
        trials
            The list, or its file. Names are of files.
        root
            What they are relative to; by default the list's own folder.
        embeddings
            A safetensors file in which embeddings are kept for the next time; none by default.
        resample
            As in `find`.
        on_done
            Told how many files have been embedded, of how many.

        Raises
        ------
        ArgumentError
            As `verify`.
        DataError
            As `parse_trials`; if a file is missing, cannot be used or holds the same as the one it is compared with,
            or all trials are of one kind, with the number of the line; if `embeddings` are another model's.
        """
        return scored_trials(self, trials, root=root, embeddings=embeddings, resample=resample, on_done=on_done)

    def with_verification(self, verification: Verification) -> Model:
        """The model with another threshold and calibration, as `TrialScores.judged` gives them."""
        info = replace(self.info, verification=verification)
        return Model(self.net, info, self.history, self.validation, self.device, self.precision)

    def find(
        self,
        inputs: Inputs,
        *,
        threshold: float | None = None,
        hop: float | Sequence[int] | None = None,
        merge_gap: float | None = None,
        resample: bool = False,
    ) -> pd.DataFrame:
        """Find the classes' patterns anywhere in images, recordings or arrays.

        Inputs are padded by half a window of their own background level, so that a pattern at the edge is
        found. Its window then reaches beyond the edge: positions are absolute and not clipped.

        Parameters
        ----------
        inputs
            A file, a pattern such as ``"night/*.png"``, a folder, an array ``(channels, *space)``, or a list
            of such.
        threshold
            Score from which a class counts as found. By default each class' own, from validation data.
        hop
            Samples or pixels between windows; a float is seconds. By default the model's.
        merge_gap
            Samples between two events of one class in a recording, at the least; a float is seconds. Samples are the
            model's, as those of `hop` are. By default half a window.
        resample
            Whether recordings of another rate than the model's are resampled to it. Otherwise they fail.

        Returns
        -------
        DataFrame
            Images: ``file, x0, y0, x1, y1, label, score``. One axis: ``file, start, end, start_s, end_s,
            label, score``. All intervals are half-open.

        Raises
        ------
        ArgumentError
            If the model has no classes.
        DataError
            If the only input fails. Of several, each that fails is an `InputFailed` warning.
        """
        return collected(
            self, self.search(inputs, threshold=threshold, hop=hop, merge_gap=merge_gap, resample=resample)
        )

    def search(
        self,
        inputs: Inputs,
        *,
        threshold: float | None = None,
        hop: float | Sequence[int] | None = None,
        merge_gap: float | None = None,
        resample: bool = False,
    ) -> Iterable[Searched]:
        """As `find`, but input by input, with dense scores and failures."""
        named = named_inputs(inputs, axes=len(self.info.window))
        return search(self, named, threshold=threshold, hop=hop, merge_gap=merge_gap, resample=resample)

    def scan(
        self,
        inputs: Inputs,
        out: str | os.PathLike[str],
        *,
        threshold: float | None = None,
        hop: float | Sequence[int] | None = None,
        merge_gap: float | None = None,
        resample: bool = False,
        scores: bool = False,
        labels: str | None = None,
        overwrite: bool = False,
        on_result: Callable[[Searched], None] | None = None,
    ) -> pd.DataFrame:
        """As `find`, into a folder: ``events.csv``, ``scan.json``, and the dense scores on request.

        Parameters
        ----------
        inputs, threshold, hop, merge_gap, resample
            As in `find`.
        out
            The folder. It appears when all inputs are done.
        scores
            Whether to keep each input's scores, as ``scores/NNNNNN.npy`` of ``(outputs, *positions)``.
        labels
            ``"audacity"`` or ``"raven"`` to also write each recording's events as its program reads them, to
            ``labels/<recording>.txt``.
        overwrite
            Whether a former scan's folder may be replaced.
        on_result
            Told of every input when it is done or has failed.

        Returns
        -------
        DataFrame
            All events.

        Raises
        ------
        ArgumentError
            If there would be nothing to write, a regression without `scores`; or `labels` are asked of images or of a
            regression.
        OutputExists
            If `out` exists and may not be replaced.
        DataError
            If every input failed.
        """
        write = scan_writer(self.info, scores=scores, labels=labels, hop=self.scanner(hop).hop, threshold=threshold)
        results = self.search(inputs, threshold=threshold, hop=hop, merge_gap=merge_gap, resample=resample)
        return write(out, results, overwrite=overwrite, on_result=on_result)

    def evaluate(self, data: Data, *, resample: bool = False) -> Evaluation:
        """Compare the answers to clips with the truth; `data` as in `train`, `resample` as in `find`.

        Raises
        ------
        DataError
            If the data cannot be read, does not fit the model, or has classes that the model does not know.
        """
        return evaluate_clips(self, data, resample=resample)

    def evaluate_events(
        self,
        inputs: str | os.PathLike[str],
        truth: Labels,
        *,
        label_column: str | None = None,
        threshold: float | None = None,
        hop: float | Sequence[int] | None = None,
        merge_gap: float | None = None,
        resample: bool = False,
    ) -> EventEvaluation:
        """Compare what is found in a file or folder with the true events.

        A true event is found at most once, by an event of its label whose centre lies within half a window of its own.

        Parameters
        ----------
        inputs
            A file, a folder of files, or a manifest of recordings.
        truth
            A table or its file. For images ``file, x0, y0, x1, y1, label``; for recordings as the labels in `train`,
            a folder of them included. Files are named relative to the folder.
        label_column, threshold, hop, merge_gap, resample
            As in `train` and `find`.

        Raises
        ------
        ArgumentError
            If the model has no classes.
        DataError
            If `truth` has labels that the model does not know or, for images, names files that are not there or has
            a row of no extent. A recording whose labels cannot be true is in the result's `failed`.
        """
        rest: dict[str, Any] = {"hop": hop, "merge_gap": merge_gap, "resample": resample}
        return evaluate_events(self, inputs, truth, label_column=label_column, threshold=threshold, **rest)

"""A trained model."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from scanwise.errors import ArgumentError, DataError, InputFailed
from scanwise.model._answers import clip_scores
from scanwise.model._clips import checked_input, padded_to_window
from scanwise.model._device import checked_device
from scanwise.model._evaluate import Evaluation, evaluate_clips
from scanwise.model._evaluate_events import EventEvaluation, evaluate_events
from scanwise.model._examples import Data
from scanwise.model._explain import context_table
from scanwise.model._folder import MARKER, read, write
from scanwise.model._info import MAX_HOP, ModelInfo
from scanwise.model._label_files import label_writer
from scanwise.model._labels import Labels
from scanwise.model._layout import extent_of
from scanwise.model._module import front_module, window_module
from scanwise.model._scan_folder import write_scan
from scanwise.model._search import Input, Inputs, Searched, empty_events, named_inputs, search
from scanwise.nn import WindowNet
from scanwise.run import Scanner
from scanwise.sources import atomic_folder, read_input

__all__ = ["Model", "load"]


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
        arrays, single = self._arrays(clips, resample=resample)
        scores = clip_scores(self, arrays)
        answers: list[Any]
        if self.info.classes is not None:
            answers = [self.info.classes[k] for k in scores.argmax(axis=1)]
        else:
            answers = scores[:, 0].tolist() if scores.shape[1] == 1 else list(scores)
        return answers[0] if single else answers

    def embed(self, clips: Inputs, *, resample: bool = False) -> np.ndarray:
        """Embeddings ``(clips, features)``, or ``(features,)`` of a single clip; clips as in `predict`.

        Raises
        ------
        DataError
            As `predict`, and if a clip is longer than the window.
        """
        arrays, single = self._arrays(clips, resample=resample)
        windows = [padded_to_window(array, self.info.window) for array in arrays]
        for window in windows:
            if window.shape != self.info.window_shape:
                raise DataError(
                    f"clips must fit the window, {self.info.window}; got {window.shape[1:]}. Cut them to it."
                )
        with torch.inference_mode():
            x = torch.from_numpy(np.stack(windows)).to(self.device)
            embeddings = self.net.embedding(self.module.get_submodule("front")(x)).cpu().numpy()
        return np.asarray(embeddings[0] if single else embeddings)

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
        if self.info.classes is None:
            raise ArgumentError(
                "task must be classify to find patterns; got regress. Scan for values instead: model.scanner().scan(x)."
            )
        tables = []
        for result in self.search(inputs, threshold=threshold, hop=hop, merge_gap=merge_gap, resample=resample):
            if result.error is not None and result.total == 1:
                raise DataError(result.error)
            if result.error is not None:
                warnings.warn(result.error, InputFailed, stacklevel=2)
            elif len(result.events):
                tables.append(result.events)
        return pd.concat(tables, ignore_index=True) if tables else empty_events(self)

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
        if self.info.classes is None and not scores:
            raise ArgumentError("scores must be kept for a regression; it finds no events. Add scores (--scores).")
        if self.info.classes is None and labels is not None:
            raise ArgumentError(f"labels must be left out for a regression; got {labels}. It finds no events.")
        write_labels = None if labels is None else label_writer(labels, axes=len(self.info.window))
        scanner = self.scanner(hop)
        settings = {
            "window": list(self.info.window),
            "hop": list(scanner.hop),
            "origin": [-(extent // 2) for extent in self.info.window],
            "outputs": self.info.classes and list(self.info.classes),
            "threshold": threshold if threshold is not None else self.info.thresholds,
        }
        return write_scan(
            out,
            self.search(inputs, threshold=threshold, hop=hop, merge_gap=merge_gap, resample=resample),
            settings,
            keep_scores=scores,
            write_labels=write_labels,
            overwrite=overwrite,
            on_result=on_result or (lambda result: None),
        )

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
        label_column
            As in `train`.
        threshold, hop, merge_gap, resample
            As in `find`.

        Raises
        ------
        ArgumentError
            If the model has no classes.
        DataError
            If `truth` has labels that the model does not know or, for images, names files that are not there or has
            a row of no extent. A recording whose labels cannot be true is in the result's `failed`.
        """
        if self.info.classes is None:
            raise ArgumentError("task must be classify to find events; got regress. Leave out the truth table.")
        return evaluate_events(
            self,
            inputs,
            truth,
            label_column=label_column,
            threshold=threshold,
            hop=hop,
            merge_gap=merge_gap,
            resample=resample,
        )

    def _arrays(self, clips: Inputs, *, resample: bool) -> tuple[list[np.ndarray], bool]:
        """Checked clips, and whether a single one was given."""
        if isinstance(clips, np.ndarray | torch.Tensor):
            array = np.asarray(clips)
            single = array.ndim <= len(self.info.window_shape)
            given: Sequence[Input] = [array] if single else list(array)
        else:
            single = isinstance(clips, str | os.PathLike)
            given = [clips] if isinstance(clips, str | os.PathLike) else clips
        if not len(given):
            raise ArgumentError("clips must hold at least one clip; got none. Give one.")
        return [self._array(clip, f"clip {number}", resample) for number, clip in enumerate(given)], single

    def _array(self, clip: Input, name: str, resample: bool) -> np.ndarray:
        if isinstance(clip, str | os.PathLike):
            name = os.fspath(clip)
            clip = read_input(clip, axes=len(self.info.window), reading=self.info.reading(resample=resample)).x
        return checked_input(clip, self.info, name)


def load(folder: str | os.PathLike[str], *, device: torch.device | str = "cpu", precision: str | None = None) -> Model:
    """Load a model folder, to run on `device` and in `precision`, see `Model`. Nothing in it is executed.

    Raises
    ------
    ModelError
        If it is missing, incomplete, damaged, or written by a newer Scanwise.
    """
    return Model(*read(Path(folder)), device=device, precision=precision)

"""The commands: each calls the public door and prints, results to stdout and all else to stderr."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from inspect import signature
from pathlib import Path
from typing import Any

import scanwise as sw
from scanwise.cli._lines import complaint, one_line
from scanwise.cli._progress import progress_bar

__all__ = ["compare", "demo", "evaluate", "explain", "scan", "train", "verify"]

_CANDIDATES = 5


def demo(options: argparse.Namespace) -> bool:
    """``scanwise demo``."""
    from scanwise.demo import run

    run(options.output, seed=options.seed, overwrite=options.overwrite)
    return True


def train(options: argparse.Namespace) -> bool:
    """``scanwise train``."""
    _check_settings(options.set)
    # The folder is made first: nobody should train for an hour to learn that it exists.
    with sw.sources.atomic_folder(options.output, options.overwrite, marker=sw.model.MARKER) as folder:
        with progress_bar("training") as bar, _complaining(bar.complain) as failed:
            model = sw.train(
                options.data,
                options.model,
                labels=options.labels,
                label_column=options.label_column,
                unlabelled=options.unlabelled,
                task=options.task,
                loss=options.loss,
                margin=options.margin,
                scale=options.scale,
                dimensions=options.dimensions,
                symmetries=options.symmetries,
                whiten=not options.no_whiten,
                features=options.features,
                window=options.window,
                hop=options.hop,
                sample_rate_hz=options.sample_rate,
                resample=options.resample,
                columns=options.columns,
                false_alarms_per_hour=options.false_alarms_per_hour,
                background=not options.no_background,
                augment=not options.no_augment,
                validation=options.validation,
                optimiser=options.optimiser,
                lr=options.lr,
                weight_decay=options.weight_decay,
                epochs=options.epochs,
                batch=options.batch,
                patience=options.patience,
                class_balance=options.class_balance,
                seed=options.seed,
                device=options.device,
                on_epoch=lambda row: bar.advance(row["epoch"] + 1, row["epochs"], _epoch(row)),
                **dict(options.set),
            )
        model.write(folder)
    _say(f"held out: {model.validation}")
    _say(f"\nwrote {options.output}")
    return not failed


def evaluate(options: argparse.Namespace) -> bool:
    """``scanwise eval``."""
    model = sw.load(options.model, device=options.device, precision=options.precision)
    with _complaining(_complain) as failed:
        if options.truth is None:
            result = str(model.evaluate(options.data, resample=options.resample))
        else:
            found = model.evaluate_events(
                options.data,
                options.truth,
                label_column=options.label_column,
                **_searching(options),
            )
            result = str(found)
            for file, reason in found.failed:
                warnings.warn(f"{file}: {reason}", sw.InputFailed, stacklevel=1)
    _say(result)
    return not failed


def scan(options: argparse.Namespace) -> bool:
    """``scanwise scan``."""
    model = sw.load(options.model, device=options.device, precision=options.precision)
    with progress_bar("scanning") as bar, _complaining(bar.complain) as failed:

        def on_result(result: sw.model.Searched) -> None:
            bar.advance(result.number, result.total, Path(result.file).name)
            if result.error is not None:
                failed.append(result.file)
                bar.complain(result.error)

        events = model.scan(
            options.inputs,
            options.output,
            **_searching(options),
            scores=options.scores,
            labels=options.labels,
            overwrite=options.overwrite,
            on_result=on_result,
        )
    counts = Counter(events["label"])
    for label in sorted(counts):
        _say(f"{label}  {counts[label]}")
    _say(f"found {len(events)}, wrote {options.output}")
    return not failed


def verify(options: argparse.Namespace) -> bool:
    """``scanwise verify``."""
    _check_verify(options)
    model = sw.load(options.model, device=options.device)
    if options.trials is not None:
        return _verify_trials(model, options)
    with _complaining(_complain) as failed:
        if options.enroll is None:
            _say(_decision(model, model.verify(*options.samples, resample=options.resample)))
        else:
            known = model.enrol(options.enroll, resample=options.resample)
            for sample in options.samples:
                _say(
                    f"{one_line(sample)}\n{_identified(known.identify(model.embed(sample, resample=options.resample)))}"
                )
    return not failed


def _check_verify(options: argparse.Namespace) -> None:
    """There are three questions, each with options of its own."""
    if options.trials is not None:
        if options.samples or options.enroll is not None:
            raise sw.ArgumentError("--trials must be given without samples and --enroll; got both. Leave one out.")
        if options.save and options.threshold is None:
            raise sw.ArgumentError("--save must be given with --threshold; got none. Say what it shall be for.")
        if options.threshold is not None:
            sw.model.threshold_rule(options.threshold)
        return
    for name in ("root", "output", "overwrite", "threshold", "save", "embeddings"):
        if getattr(options, name):
            raise sw.ArgumentError(f"--{name} must be given with --trials; got no list. Leave it out.")
    if options.enroll is None and len(options.samples) != 2:
        raise sw.ArgumentError(f"samples must be two to be compared; got {len(options.samples)}. See --help.")
    if not options.samples:
        raise sw.ArgumentError("samples must be named for --enroll; got none. Say who is to be identified.")


def _verify_trials(model: sw.Model, options: argparse.Namespace) -> bool:
    with ExitStack() as stack:
        folder = None
        if options.output is not None:
            from scanwise.report import TRIALS_MARKER, write_trials

            folder = stack.enter_context(
                sw.sources.atomic_folder(options.output, options.overwrite, marker=TRIALS_MARKER)
            )
        with progress_bar("embedding") as bar:
            found = model.evaluate_trials(
                options.trials,
                root=options.root,
                embeddings=options.embeddings,
                resample=options.resample,
                on_done=lambda number, total: bar.advance(number, total, ""),
            )
        if folder is not None:
            write_trials(found, folder)
    _say(str(found))
    if options.output is not None:
        _say(f"wrote {options.output}")
    if options.threshold is not None:
        judged = found.judged(options.threshold)
        _say(f"threshold {judged.threshold:.4f} for the {judged.rule} of {judged.data}")
        if options.save:
            model.with_verification(judged).save(options.model, overwrite=True)
            _say(f"wrote {options.model}")
    return True


def _decision(model: sw.Model, found: sw.model.Verdict) -> str:
    known = model.info.verification
    where = "" if known is None else f", for the {known.rule} of {known.data}"
    return (
        f"decision     {'same' if found.same else 'different'}\n"
        f"similarity   {found.similarity:.4f}, the cosine\n"
        f"threshold    {found.threshold:.4f}{where}\n"
        f"probability  {found.chance} of the same, if that is as likely as not before anything is seen "
        f"(log-likelihood ratio {found.llr:+.2f})"
    )


def _identified(candidates: list[tuple[str, sw.model.Verdict]]) -> str:
    """The decision, and the likeliest few."""
    lines = [f"  {one_line(name)}  {found}" for name, found in candidates[:_CANDIDATES]]
    return "\n".join([*lines, *([] if candidates[0][1].same else ["  nobody who is enrolled"])])


def explain(options: argparse.Namespace) -> bool:
    """``scanwise explain``."""
    model = sw.load(options.model)
    _say(model.explain(options.hop))
    return True


def compare(options: argparse.Namespace) -> bool:
    """``scanwise compare``."""
    with ExitStack() as stack:
        # Made first, as in training; it appears when all is in it.
        folder = None
        if options.output is not None:
            from scanwise.report import COMPARISON_MARKER, write_comparison

            folder = stack.enter_context(
                sw.sources.atomic_folder(options.output, options.overwrite, marker=COMPARISON_MARKER)
            )
        with progress_bar("comparing") as bar, _complaining(bar.complain) as failed:
            found = sw.compare(
                options.data,
                widths=options.widths,
                kernels=options.kernels,
                strides=options.strides,
                shifts=options.shifts,
                features=options.features,
                window=options.window,
                sample_rate_hz=options.sample_rate,
                resample=options.resample,
                held_out=options.held_out,
                epochs=options.epochs,
                batch=options.batch,
                lr=options.lr,
                seed=options.seed,
                max_parameters=options.max_parameters,
                on_epoch=lambda row: bar.advance(
                    row["number"], row["total"], f"{row['architecture']}: loss {row['loss']:.4f}"
                ),
            )
        if folder is not None:
            write_comparison(found, folder)
    _say(str(found))
    if options.output is not None:
        _say(f"\nwrote {options.output}")
    return not failed


def _searching(options: argparse.Namespace) -> dict[str, Any]:
    """What all commands that search have in common."""
    return {name: getattr(options, name) for name in ("threshold", "hop", "merge_gap", "resample")}


@contextmanager
def _complaining(complain: Callable[[str], None]) -> Iterator[list[str]]:
    """Turn each `InputFailed` warning into a line of complaint, and collect them; of `ReducedPrecision`, the worst."""
    failed: list[str] = []
    measured: list[sw.ReducedPrecision] = []

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if issubclass(category, sw.InputFailed):
            failed.append(str(message))
            complain(str(message))
        elif isinstance(message, sw.ReducedPrecision):
            measured.append(message)
        else:
            usual(message, category, *_, **__)

    with warnings.catch_warnings():
        usual, warnings.showwarning = warnings.showwarning, show
        warnings.simplefilter("always", sw.InputFailed)
        warnings.simplefilter("always", sw.ReducedPrecision)
        yield failed
        if measured:
            worst = max(measured, key=lambda warning: warning.relative)
            complain(f"{worst} (the worst of {len(measured)} scans)" if len(measured) > 1 else str(worst))


def _check_settings(settings: list[tuple[str, Any]]) -> None:
    """``--set`` is for the network; it must not come in the way of the options of training."""
    for name, value in settings:
        if name in signature(sw.train).parameters:
            raise sw.ArgumentError(f"--set must name an argument of the network; got {name}={value}. See --help.")


def _epoch(row: dict[str, Any]) -> str:
    return f"loss {row['loss']:.4f}  held out: loss {row['val_loss']:.4f}, metric {row['metric']:.4f}"


def _say(text: str) -> None:
    """Print a result. Whoever reads it may have seen enough (``| head``): that is no failure."""
    try:
        print(text, flush=True)
    except OSError as error:
        # What is left in the buffer goes nowhere, or Python would complain of it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise sw.DataError(f"stdout: cannot be written ({error.strerror}). Make room there.") from error


def _complain(line: str) -> None:
    print(complaint(line), file=sys.stderr)

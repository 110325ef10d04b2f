"""What can be said on the command line.

Plain argparse: a front end of more comfort costs a fifth of a second at every start.
"""

from __future__ import annotations

import argparse
import json
from typing import Any, NoReturn

from scanwise._version import __version__
from scanwise.cli import _commands as commands

__all__ = ["parser"]


class _Parser(argparse.ArgumentParser):
    """One that says what is wrong in one line; the usage of a command with many options would bury it."""

    trailing: str | None = None
    """The list that takes words that stand behind options, which argparse gives back where a list may be empty."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        found, rest = super().parse_known_args(args, namespace)
        if self.trailing is not None and not any(word.startswith("-") for word in rest):
            setattr(found, self.trailing, [*getattr(found, self.trailing), *rest])
            rest = []
        return found, rest

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"scanwise: {message}. See {self.prog} --help.\n")


def parser() -> argparse.ArgumentParser:
    """The parser of all commands; its result's ``run`` takes it and tells if all went well."""
    top = _Parser(
        prog="scanwise",
        description="Train a network on windows; run it everywhere, exactly.",
        epilog="Exit status: 0 done; 1 done, some inputs failed; 2 the request was wrong; 130 interrupted.",
    )
    top.add_argument("--version", action="version", version=f"scanwise {__version__}")
    verbs = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (_demo, _train, _eval, _scan, _verify, _explain, _compare):
        add(verbs)
    return top


def _demo(verbs: Any) -> None:
    verb = verbs.add_parser("demo", help="train on real digits, find them in a large picture, show it")
    _output(verb, "folder to write", default="scanwise-demo")
    verb.add_argument("--seed", type=int, default=0, help="of everything that is drawn (default 0)")
    verb.set_defaults(run=commands.demo)


def _train(verbs: Any) -> None:
    verb = verbs.add_parser("train", help="learn from examples of patterns")
    verb.add_argument(
        "data",
        metavar="DATA",
        help="clips: a folder per class, manifest or .npz; with --labels recordings",
    )
    _output(verb, "model folder to write")
    verb.add_argument("--model", default="convnet", help="convnet (default), mlp, or tdnn for signals")
    verb.add_argument("--labels", metavar="FILE", help="events in the recordings: CSV, Audacity or Raven, or a folder")
    verb.add_argument("--label-column", metavar="NAME", help="of Raven tables (default Annotation)")
    verb.add_argument("--unlabelled", default="background", help="what is not labelled: background (default) or ignore")
    verb.add_argument("--task", help="classify or regress (default: what the data are fit for), or verify")
    verb.add_argument(
        "--loss", help="cross_entropy; mse or huber; am (default), aam, softmax, prototypical, triplet or supcon"
    )
    verb.add_argument("--margin", type=float, help="of losses that verify, such as 0.15 (default: the loss' usual one)")
    verb.add_argument("--scale", type=float, help="of losses that verify, such as 16 (default: the loss' usual one)")
    verb.add_argument("--dimensions", type=int, help="of an embedding (default 128)")
    verb.add_argument(
        "--symmetries", action="store_true", help="to verify images: their turns and mirror images are further classes"
    )
    verb.add_argument("--no-whiten", action="store_true", help="to verify: leave embeddings as training made them")
    verb.add_argument(
        "--features",
        type=_json_or_text,
        help='of signals: raw, logmel (default from 4000 Hz on), or with arguments {"name": "logmel", "n_fft": 512}',
    )
    verb.add_argument(
        "--window", type=_numbers, metavar="N[,N]", help="extent, 0.5 is seconds (default: the examples' size)"
    )
    verb.add_argument("--hop", type=_numbers, metavar="N[,N]", help="default step of a search, 0.01 is seconds")
    verb.add_argument("--sample-rate", type=float, metavar="HZ", help="of recordings that do not say it")
    verb.add_argument("--columns", type=_names, metavar="A,B", help="channels of CSV recordings (default: all)")
    verb.add_argument(
        "--false-alarms-per-hour", type=float, metavar="N", help="let the threshold keep to so many (default: best F1)"
    )
    _resampling(verb)
    verb.add_argument("--no-background", action="store_true", help="add no windows without a pattern")
    verb.add_argument("--no-augment", action="store_true", help="leave the patterns as they are")
    verb.add_argument("--validation", type=float, default=0.1, help="share to hold back (default 0.1)")
    verb.add_argument(
        "--optimiser",
        default="adamw",
        help="sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw (default) or lbfgs",
    )
    verb.add_argument("--lr", type=float, help="learning rate (default: the optimiser's usual one)")
    verb.add_argument("--weight-decay", type=float, default=0.01, help="(default 0.01)")
    verb.add_argument("--epochs", type=int, help="passes over the examples, at most")
    verb.add_argument("--batch", type=int, default=64, help="examples per step (default 64)")
    verb.add_argument("--patience", type=int, help="stop after so many epochs without progress")
    verb.add_argument("--class-balance", action="store_true", help="let every class count the same")
    verb.add_argument("--seed", type=int, default=0, help="of everything that is drawn (default 0)")
    verb.add_argument("--device", help="such as cuda (default: a GPU if there is one)")
    verb.add_argument(
        "--set",
        action="append",
        type=_setting,
        default=[],
        metavar="NAME=VALUE",
        help="an argument of the network as JSON, such as channels=[16,32] or dropout=0.2; repeatable",
    )
    verb.set_defaults(run=commands.train)


def _eval(verbs: Any) -> None:
    verb = verbs.add_parser("eval", help="compare a model with the truth")
    verb.add_argument("model", metavar="MODEL", help="model folder")
    verb.add_argument("data", metavar="DATA", help="clips as for train; with --truth, a file or folder to search")
    verb.add_argument("--truth", metavar="FILE", help="true events: CSV file,x0,y0,x1,y1,label, or labels as for train")
    verb.add_argument("--label-column", metavar="NAME", help="of Raven tables (default Annotation)")
    _searching(verb)
    verb.set_defaults(run=commands.evaluate)


def _scan(verbs: Any) -> None:
    verb = verbs.add_parser("scan", help="find the patterns anywhere")
    verb.add_argument("model", metavar="MODEL", help="model folder")
    verb.add_argument("inputs", metavar="INPUT", nargs="+", help="images, recordings, arrays, folders or patterns")
    _output(verb, "folder to write events.csv to")
    _searching(verb)
    verb.add_argument("--scores", action="store_true", help="keep the dense scores of every input, as .npy")
    verb.add_argument("--labels", metavar="FORMAT", help="also write the events for audacity or raven")
    verb.set_defaults(run=commands.scan)


def _verify(verbs: Any) -> None:
    verb = verbs.add_parser("verify", help="tell whether samples show the same, of classes never seen")
    verb.add_argument("model", metavar="MODEL", help="model folder, trained with --task verify")
    verb.trailing = "samples"
    verb.add_argument("samples", metavar="SAMPLE", nargs="*", help="two to compare; with --enroll, whom to identify")
    verb.add_argument(
        "--enroll", metavar="DIR", help="known identities: a folder, manifest or .npz, as clips for train"
    )
    verb.add_argument("--trials", metavar="FILE", help="a list, 'label a b' or 'a b target|nontarget' a line")
    verb.add_argument("--root", metavar="DIR", help="what the list's names are relative to (default: its own folder)")
    verb.add_argument("--embeddings", metavar="FILE", help="keep embeddings there for the next time (.safetensors)")
    verb.add_argument("-o", "--output", metavar="OUT", help="folder to write all scores and the DET picture to")
    verb.add_argument("--overwrite", action="store_true", help="replace what an earlier run wrote there")
    verb.add_argument(
        "--threshold", metavar="RULE", help="from the trials: eer, far=0.01, or costs p_target=0.01,c_miss=10,c_fa=1"
    )
    verb.add_argument("--save", action="store_true", help="keep that threshold, and the calibration, in the model")
    _resampling(verb)
    verb.add_argument("--device", default="cpu", help="where to run, such as cuda (default cpu)")
    verb.set_defaults(run=commands.verify)


def _explain(verbs: Any) -> None:
    verb = verbs.add_parser("explain", help="what a model is, and what scanning with it costs")
    verb.add_argument("model", metavar="MODEL", help="model folder")
    verb.add_argument("--hop", type=_numbers, metavar="N[,N]", help="step between windows (default: the model's)")
    verb.set_defaults(run=commands.explain)


def _compare(verbs: Any) -> None:
    verb = verbs.add_parser("compare", help="what sharing buys: five architectures on the same data, side by side")
    verb.add_argument("data", metavar="DATA", help="clips: a folder per class, manifest or .npz")
    verb.add_argument("-o", "--output", metavar="OUT", help="folder to write the table and a picture to")
    verb.add_argument("--overwrite", action="store_true", help="replace what an earlier run wrote there")
    verb.add_argument(
        "--widths", type=_layers, default=(16, 16), metavar="N,N", help="of the layers before the last (default 16,16)"
    )
    verb.add_argument(
        "--kernels", type=_layers, metavar="K,K", help="one a layer, or 3x5,2x2 (default: a window of half the clip)"
    )
    verb.add_argument("--strides", type=_layers, metavar="S,S", help="one a kernel (default: its own size, the last 1)")
    verb.add_argument("--shifts", type=_layers, metavar="N,N", help="how far clips are moved (default: to a quarter)")
    verb.add_argument("--features", type=_json_or_text, help="of signals: raw or logmel, as for train")
    verb.add_argument("--window", type=_numbers, metavar="N[,N]", help="size of a clip (default: the examples' size)")
    verb.add_argument("--sample-rate", type=float, metavar="HZ", help="of recordings that do not say it")
    _resampling(verb)
    verb.add_argument("--held-out", type=float, default=0.2, help="share of the clips to hold back (default 0.2)")
    verb.add_argument("--epochs", type=int, help="passes over the clips (default: about 1000 steps)")
    verb.add_argument("--batch", type=int, default=64, help="clips per step (default 64)")
    verb.add_argument("--lr", type=float, help="learning rate of AdamW (default: the usual one)")
    verb.add_argument("--seed", type=int, default=0, help="of everything that is drawn (default 0)")
    verb.add_argument(
        "--max-parameters", type=int, default=2**24, metavar="N", help="larger ones are not trained (default 16777216)"
    )
    verb.set_defaults(run=commands.compare)


def _output(verb: argparse.ArgumentParser, what: str, default: str | None = None) -> None:
    verb.add_argument("-o", "--output", metavar="OUT", required=default is None, default=default, help=what)
    verb.add_argument("--overwrite", action="store_true", help="replace what an earlier run wrote there")


def _searching(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--threshold", type=float, help="score that counts (default: the model's own)")
    verb.add_argument("--hop", type=_numbers, metavar="N[,N]", help="step between windows (default: the model's)")
    verb.add_argument(
        "--merge-gap", type=_numbers, metavar="N", help="least distance of two events in recordings, 0.3 is seconds"
    )
    _resampling(verb)
    verb.add_argument("--device", default="cpu", help="where to run, such as cuda (default cpu)")
    verb.add_argument("--precision", help="bfloat16: less exact, by how much is measured (default: the model's own)")


def _resampling(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--resample", action="store_true", help="resample recordings of another rate (else they fail)")


def _names(text: str) -> tuple[str, ...]:
    """``"left,right"``."""
    return tuple(text.split(","))


def _numbers(text: str) -> int | float | tuple[int, ...]:
    """``"4"`` or ``"4,2"``, samples or pixels; or ``"0.5"``, seconds."""
    try:
        if "." in text:
            return float(text)
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        rule = "must be whole numbers such as 4 or 4,2, or seconds such as 0.5"
        raise argparse.ArgumentTypeError(f"{rule}; got {text!r}") from None
    return numbers[0] if len(numbers) == 1 else numbers


def _layers(text: str) -> tuple[int | tuple[int, ...], ...]:
    """``"4,3"``, a number per layer; or ``"4x2,3x3"``, one per layer and axis."""
    try:
        layers = [tuple(int(part) for part in layer.split("x")) for layer in text.split(",")]
    except ValueError:
        rule = "must be whole numbers such as 4,3, or 4x2,3x3 for two axes"
        raise argparse.ArgumentTypeError(f"{rule}; got {text!r}") from None
    return tuple(layer[0] if len(layer) == 1 else layer for layer in layers)


def _setting(text: str) -> tuple[str, Any]:
    """``"name=value"`` with a value in JSON; what is no JSON is text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE; got {text!r}")
    return name, _json_or_text(value)


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text

"""``scanwise verify``, and training and evaluating for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from cli.conftest import Run, RunWell
from identities import save_patterns, verifier
from PIL import Image

import scanwise as sw

PEOPLE = range(100, 106)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`model`, `people` with pictures of six, and `trials.txt` over them."""
    root = tmp_path_factory.mktemp("verify")
    verifier().save(root / "model")
    save_patterns(root / "people", PEOPLE, 3)
    names = [f"{who}/{number}.png" for who in PEOPLE for number in range(3)]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    lines = [f"{int(a[:3] == b[:3])} {a} {b}" for a, b in pairs]
    (root / "trials.txt").write_text("\n".join(lines))
    return root


def test_two_samples_are_compared(run_well: RunWell, folder: Path) -> None:
    for other, decision in (("100/1.png", "same"), ("101/0.png", "different")):
        files = folder / "people" / "100" / "0.png", folder / "people" / other
        status, out, _ = run_well("verify", folder / "model", *files)
        assert status == 0
        found = verifier().verify(*files)
        lines = dict(line.split(maxsplit=1) for line in out.splitlines())
        assert lines["decision"] == decision
        assert lines["similarity"] == f"{found.similarity:.4f}, the cosine"
        assert lines["threshold"].startswith(f"{found.threshold:.4f}, for the equal error rate of 5 of 24 identities")
        assert lines["probability"].startswith(f"{found.chance} of the same")


@pytest.mark.parametrize("behind", [False, True])
def test_who_is_enrolled_is_identified(run_well: RunWell, folder: Path, tmp_path: Path, *, behind: bool) -> None:
    probes = save_patterns(tmp_path, range(103, 105), 1, seed=1)
    stranger = save_patterns(tmp_path, range(114, 115), 1)
    samples = [probes / "103" / "0.png", probes / "104" / "0.png", stranger / "114" / "0.png"]
    enrol = ["--enroll", folder / "people"]
    status, out, _ = run_well("verify", folder / "model", *([*enrol, *samples] if behind else [*samples, *enrol]))
    assert status == 0
    blocks = out.split(str(tmp_path))
    assert blocks[1].splitlines()[1].split()[:2] == ["103", "same:"]
    assert blocks[2].splitlines()[1].split()[:2] == ["104", "same:"]
    assert blocks[3].splitlines()[-1] == "  nobody who is enrolled"
    assert len(blocks[1].splitlines()) == 6  # the five likeliest of six


def test_a_broken_sample_is_named_and_the_others_are_enrolled(run_well: RunWell, folder: Path, tmp_path: Path) -> None:
    people = shutil.copytree(folder / "people", tmp_path / "people")
    (people / "100" / "0.png").write_bytes(b"")
    status, out, complaints = run_well("verify", folder / "model", people / "101" / "0.png", "--enroll", people)
    assert status == 1
    assert "101  same" in out
    assert len(complaints) == 1
    assert "0.png" in complaints[0]


def test_a_list_of_trials_is_scored_and_written(run: Run, folder: Path, tmp_path: Path) -> None:
    arguments = ["verify", folder / "model", "--trials", folder / "trials.txt", "--root", folder / "people"]
    kept = ["--embeddings", tmp_path / "e.safetensors"]
    status, out, err = run(*arguments, "-o", tmp_path / "out", *kept)
    assert (status, err.strip()) == (0, "embedding 18/18  (0 s left)")
    found = verifier().evaluate_trials(folder / "trials.txt", root=folder / "people")
    assert out == f"{found}\nwrote {tmp_path / 'out'}\n"
    table = pd.read_csv(tmp_path / "out" / "trials.csv")
    assert table["score"].tolist() == pytest.approx(found.scores.tolist())
    assert (tmp_path / "out" / "summary.txt").read_text() == f"{found}\n"
    with Image.open(tmp_path / "out" / "det.png") as picture:
        assert min(picture.size) > 400
    status, again, err = run(*arguments, *kept)
    assert (status, again, err) == (0, f"{found}\n", "")  # nothing was embedded anew
    assert run(*arguments, "-o", tmp_path / "out")[0] == 2
    assert run(*arguments, "-o", tmp_path / "out", "--overwrite")[0] == 0


def test_a_threshold_is_shown_and_kept_on_request(run_well: RunWell, folder: Path, tmp_path: Path) -> None:
    model = shutil.copytree(folder / "model", tmp_path / "model")
    arguments = ["verify", model, "--trials", folder / "trials.txt", "--root", folder / "people"]
    before = sw.load(model).info
    _, out, _ = run_well(*arguments, "--threshold", "far=0.1")
    assert "for the false accept rate 0.1 of trials trials.txt" in out
    assert sw.load(model).info == before
    _, out, _ = run_well(*arguments, "--threshold", "p_target=0.5,c_fa=2", "--save")
    assert out.endswith(f"wrote {model}\n")
    after = sw.load(model).info.verification
    assert after is not None
    assert after.rule == "costs p_target=0.5, c_miss=1, c_fa=2"
    assert f"threshold {after.threshold:.4f} for the costs" in out
    assert sw.load(model).history == sw.load(folder / "model").history


def test_what_was_measured_is_shown_and_written_before_a_threshold_fails(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    arguments = ["verify", folder / "model", "--trials", folder / "trials.txt", "--root", folder / "people"]
    status, out, err = run(*arguments, "-o", tmp_path / "out", "--threshold", "far=0.0001")
    assert status == 2
    assert out.startswith("153 trials")
    assert err.splitlines()[-1].startswith("scanwise: far must be measurable")
    assert (tmp_path / "out" / "trials.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["one.png"], "samples must be two to be compared; got 1. See --help."),
        (["a", "b", "c"], "samples must be two to be compared; got 3. See --help."),
        (["--enroll", "people"], "samples must be named for --enroll; got none. Say who is to be identified."),
        (["a", "b", "--root", "x"], "--root must be given with --trials; got no list. Leave it out."),
        (["a", "b", "--save"], "--save must be given with --trials; got no list. Leave it out."),
        (["a", "b", "--overwrite"], "--overwrite must be given with --trials; got no list. Leave it out."),
        (["a", "b", "--threshold", "eer"], "--threshold must be given with --trials; got no list. Leave it out."),
        (["a", "--trials", "t"], "--trials must be given without samples and --enroll; got both. Leave one out."),
        (["--trials", "t", "--save"], "--save must be given with --threshold; got none. Say what it shall be for."),
        (["--trials", "t", "--threshold", "0.5"], "threshold must be eer, far=RATE, or costs such as"),
        (["--trials", "none.txt"], "none.txt: no such file"),
        (["none.png", "none.png"], "none.png: no such file"),
    ],
)
def test_wrong_requests_are_one_line(
    run_well: RunWell, folder: Path, arguments: list[str], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    status, out, complaints = run_well("verify", "model", *arguments)
    assert (status, out) == (2, "")
    assert len(complaints) == 1
    assert complaints[0].startswith(complaint)


def test_unknown_options_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        sw.cli.main(["verify", str(folder / "model"), "a", "b", "--blah"])  # type: ignore[attr-defined]
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "scanwise: unrecognized arguments: --blah. See scanwise --help.\n"


def test_a_classifier_does_not_verify(run_well: RunWell, folder: Path, tmp_path: Path) -> None:
    run_well("train", folder / "people", "-o", tmp_path / "m", "--epochs", 1, "--set", "channels=[2]")
    file = folder / "people" / "100" / "0.png"
    status, _, complaints = run_well("verify", tmp_path / "m", file, file)
    assert status == 2
    assert complaints[-1].startswith("task must be verify to compare samples; got classify. Train with task='verify'")


def test_training_to_verify_and_evaluating(run_well: RunWell, folder: Path, tmp_path: Path) -> None:
    options = "--task verify --loss prototypical --scale 4 --dimensions 8 --symmetries --epochs 2 --set channels=[4]"
    status, out, _ = run_well("train", folder / "people", "-o", tmp_path / "m", *options.split())
    assert status == 0
    assert "held out: 9 clips: EER " in out
    status, out, _ = run_well("eval", tmp_path / "m", folder / "people")
    assert status == 0
    assert out.startswith("18 clips: EER ")
    assert "of 18 target and 135 nontarget pairs of 6 subjects" in out

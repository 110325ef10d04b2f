"""Lists of trials over files, and embeddings that are kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from identities import save_patterns, save_voices, verifier, voices
from safetensors.numpy import save_file

import scanwise as sw
from scanwise.errors import ArgumentError, DataError
from scanwise.model import _store
from scanwise.verify import DetBand, DetCurve, bootstrap, cllr, eer, min_cllr, min_dcf, similarity, tar_at_far

PEOPLE = range(100, 107)
EACH = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of seven, and `trials.txt`, all pairs of them."""
    root = save_patterns(tmp_path_factory.mktemp("people"), PEOPLE, EACH)
    names = [f"{who}/{number}.png" for who in PEOPLE for number in range(EACH)]
    lines = [
        f"{a} {b} {'target' if a[:3] == b[:3] else 'nontarget'}" for i, a in enumerate(names) for b in names[i + 1 :]
    ]
    (root / "trials.txt").write_text("\n".join(lines) + "\n")
    return root


def written(folder: Path, text: str) -> Path:
    path = folder / "list.txt"
    path.write_text(text)
    return path


class TestScores:
    def test_they_are_those_of_the_embeddings(self, folder: Path) -> None:
        model = verifier()
        found = model.evaluate_trials(folder / "trials.txt")
        files = [str(folder / name) for name in found.trials.samples]
        z = model.embed(files)
        expected = similarity(*(z[side].astype(np.float64) for side in (found.trials.first, found.trials.second)))
        np.testing.assert_array_equal(found.scores, expected)
        assert found.eer == eer(expected[found.trials.same], expected[~found.trials.same])
        assert found.eer.targets == 7 * 6
        assert found.eer.nontargets == 21 * 16

    def test_the_table_has_a_row_a_trial(self, folder: Path) -> None:
        model = verifier()
        found = model.evaluate_trials(folder / "trials.txt")
        table = found.table()
        assert list(table) == ["line", "first", "second", "label", "score", "llr", "same"]
        assert table["line"].tolist() == list(range(1, 379))
        assert table.loc[0, ["first", "second", "label"]].tolist() == ["100/0.png", "100/1.png", "target"]
        known = model.info.verification
        assert known is not None
        np.testing.assert_allclose(table["llr"], known.scale * table["score"].astype(float) + known.offset)
        assert (table["same"] == (table["score"] >= known.threshold)).all()
        assert isinstance(table, pd.DataFrame)

    def test_the_summary_says_every_figure(self, folder: Path) -> None:
        found = verifier().evaluate_trials(folder / "trials.txt")
        t, n, known = found.target, found.nontarget, found.verification
        ratios = [known.scale * scores + known.offset for scores in (t, n)]
        text = str(found)
        assert text.startswith("378 trials of 28 samples and 7 subjects\nEER ")
        interval = bootstrap(found.scores, *found.subjects, rounds=500)
        assert f"95 % interval over subjects: {100 * interval.low:.3g} to {100 * interval.high:.3g} %" in text
        assert f"DCF at p_target 0.01: at the least {min_dcf(t, n).value:.4f}" in text
        assert f"Cllr {cllr(*ratios):.4f} bits, at the least {min_cllr(t, n):.4f}" in text
        assert str(tar_at_far(t, n, 0.01)) in text
        assert "TAR at FAR 0.001: not measurable, 336 nontarget trials" in text
        misses, accepts = (t < known.threshold).sum(), (n >= known.threshold).sum()
        assert f"{misses} of 42 targets missed, {accepts} of 336 nontargets accepted" in text

    def test_recordings_are_compared_too(self, tmp_path: Path) -> None:
        clips = voices(range(100, 106), 2)
        save_voices(tmp_path, clips)
        trials = written(tmp_path, "1 100/0.wav 100/1.wav\n0 100/0.wav 101/2.wav\n")
        found = verifier(sound=True).evaluate_trials(trials)
        z = verifier(sound=True).embed(clips.x)
        np.testing.assert_allclose(found.scores, similarity(z[[0, 0]], z[[1, 2]]), atol=1e-6)

    def test_names_are_relative_to_the_list_or_to_a_root(self, folder: Path, tmp_path: Path) -> None:
        here = verifier().evaluate_trials(folder / "trials.txt")
        shutil.copy(folder / "trials.txt", tmp_path)
        there = verifier().evaluate_trials(tmp_path / "trials.txt", root=folder)
        np.testing.assert_array_equal(here.scores, there.scores)
        with pytest.raises(DataError, match=r"trials\.txt: line 1: 100/0\.png must be a file; got none at"):
            verifier().evaluate_trials(tmp_path / "trials.txt")

    def test_of_few_subjects_there_is_a_curve_without_a_band(self, folder: Path) -> None:
        few = verifier().evaluate_trials(written(folder, "1 100/0.png 100/1.png\n0 100/0.png 101/1.png\n"))
        assert few.interval is None
        assert isinstance(few.det(), DetCurve)
        assert "95 % interval over subjects: too few of them, or of errors, to tell" in str(few)
        many = replace(verifier().evaluate_trials(folder / "trials.txt"))
        noisy = replace(many, scores=many.scores + np.random.default_rng(0).normal(0, 0.5, len(many.scores)))
        assert isinstance(noisy.det(), DetBand)

    def test_a_threshold_comes_from_the_trials(self, folder: Path) -> None:
        found = verifier().evaluate_trials(folder / "trials.txt")
        judged = found.judged("far=0.1")
        assert (judged.rule, judged.data) == ("false accept rate 0.1", "trials trials.txt")
        assert 0.09 < np.mean(found.nontarget >= judged.threshold) <= 0.1
        assert (judged.targets, judged.nontargets, judged.identities) == (42, 336, 7)


class TestBadLists:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("1 100/0.png 100/1.png\n0 100/0.png 999/0.png", r"list\.txt: line 2: 999/0\.png must be a file; got none"),
            ("1 100/0.png 100/1.png\n0 100/0.png", r"list\.txt: line 2 must be 'label a b'"),
            ("1 100/0.png 100/1.png\n2 100/0.png 101/1.png", r"list\.txt: line 2: the first word must be 1, 0, target"),
            ("100/0.png 100/1.png target\na b maybe", r"list\.txt: line 2: the third word must be .* got 'maybe'"),
            ("1 100/0.png 100/0.png", r"list\.txt: line 1 must compare two samples; got 100/0\.png twice"),
            ("1 100/0.png 100/1.png\n1 100/1.png 100/2.png", r"list\.txt: must hold a nontarget trial at least"),
            ("0 100/0.png 101/1.png", r"list\.txt: must hold a target trial at least; got none"),
            ("1 100/0.png 100/1.png\n0 100/1.png 100/0.png", r"list\.txt: line 2 must agree with line 1"),
            ("", r"list\.txt: must hold a trial at least; got none"),
            (
                "1 100/0.png 100/1.png\n\n0 100/0.png trials.txt",
                r"list\.txt: line 3: .*trials\.txt: files of kind '\.txt'",
            ),
        ],
    )
    def test_the_line_is_named(self, text: str, message: str, folder: Path) -> None:
        with pytest.raises(DataError, match=message):
            verifier().evaluate_trials(written(folder, text))

    def test_a_copy_is_the_same_sample(self, folder: Path) -> None:
        shutil.copy(folder / "100" / "0.png", folder / "copy.png")
        text = "1 100/0.png 100/1.png\n0 100/1.png 101/1.png\n1 100/0.png copy.png\n"
        with pytest.raises(DataError, match=r"line 3 must compare two samples; 100/0\.png and copy\.png hold the same"):
            verifier().evaluate_trials(written(folder, text))

    def test_a_sample_that_embeds_to_nothing_is_named(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_store, "clip_embeddings", lambda _, clips: np.zeros((len(clips), 4), np.float32))
        with pytest.raises(DataError, match=r"line 1: the embedding of 100/0\.png must have a direction; got a zero"):
            verifier().evaluate_trials(folder / "trials.txt")

    def test_a_missing_list_is_said_to_be(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="no such file"):
            verifier().evaluate_trials(tmp_path / "none.txt")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are read, as they are."""
    names: list[str] = []
    usual = _store.read_clip

    def heard(file: str, *arguments: object, **others: object) -> np.ndarray:
        names.append(Path(file).name)
        return usual(file, *arguments, **others)  # type: ignore[arg-type]

    monkeypatch.setattr(_store, "read_clip", heard)
    return names


class TestKept:
    def test_what_is_known_is_not_read_again(self, folder: Path, tmp_path: Path, read: list[str]) -> None:
        trials, kept = folder / "trials.txt", tmp_path / "e.safetensors"
        done: list[tuple[int, int]] = []
        first = verifier().evaluate_trials(trials, embeddings=kept, on_done=lambda *some: done.append(some))
        assert len(read) == 28
        assert done == [(28, 28)]
        second = verifier().evaluate_trials(trials, embeddings=kept)
        assert len(read) == 28
        np.testing.assert_array_equal(first.scores, second.scores)

    def test_a_file_that_changed_is_read_again(self, folder: Path, tmp_path: Path, read: list[str]) -> None:
        root = tmp_path / "root"
        shutil.copytree(folder, root)
        before = verifier().evaluate_trials(root / "trials.txt", embeddings=tmp_path / "e.safetensors")
        shutil.copy(root / "101" / "0.png", root / "100" / "3.png")
        os.utime(root / "100" / "3.png", (1, 1))
        text = (root / "trials.txt").read_text().replace("100/3.png 101/0.png nontarget\n", "")
        (root / "trials.txt").write_text(text)
        del read[:]
        after = verifier().evaluate_trials(root / "trials.txt", embeddings=tmp_path / "e.safetensors")
        assert read == ["3.png"]
        assert len(after.scores) == len(before.scores) - 1

    @pytest.mark.parametrize("how", ["written", "moved"])
    def test_a_file_of_the_same_size_and_time_is_another(self, tmp_path: Path, read: list[str], how: str) -> None:
        files = [tmp_path / "a.npy", tmp_path / "b.npy"]
        for number, file in enumerate(files):
            np.save(file, np.full((1, 12, 12), number / 2, np.float32))
            os.utime(file, (1, 1))
        store = _store.EmbeddingStore(verifier())
        before = store.of([str(files[0])])
        if how == "written":
            shutil.copy2(files[1], files[0])
        else:
            files[1].replace(files[0])
        assert store.of([str(files[0])])[0].digest != before[0].digest
        assert read == ["a.npy", "a.npy"]

    def test_what_was_resampled_is_refused_without(self, tmp_path: Path) -> None:
        root = tmp_path / "root"
        save_voices(root, voices(range(100, 102), 2))
        for path in root.glob("*/*.wav"):
            path.rename(path.with_suffix(".old"))
            x, rate = soundfile.read(path.with_suffix(".old"))
            soundfile.write(path, x, 2 * rate)
        lines = ["1 100/0.wav 100/1.wav", "0 100/0.wav 101/2.wav"]
        trials = written(root, "\n".join(lines))
        kept = tmp_path / "e.safetensors"
        model = verifier(sound=True)
        assert len(model.evaluate_trials(trials, embeddings=kept, resample=True).scores) == 2
        with pytest.raises(DataError, match="4000 Hz"):
            model.evaluate_trials(trials, embeddings=kept)

    def test_a_file_that_went_is_said_to_be_missing(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="no such file"):
            _store.EmbeddingStore(verifier()).of([str(tmp_path / "none.png")])

    def test_what_was_done_is_written_from_time_to_time(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_store, "_AT_A_TIME", 10)
        monkeypatch.setattr(_store, "_SECONDS", 0)
        kept = tmp_path / "e.safetensors"
        sizes: list[int] = []
        verifier().evaluate_trials(
            folder / "trials.txt",
            embeddings=kept,
            on_done=lambda *_: sizes.append(kept.exists() and kept.stat().st_size),
        )
        assert sizes[0] == 0
        assert 0 < sizes[1] < sizes[2] < kept.stat().st_size

    def test_what_was_done_before_a_failure_is_kept(
        self, folder: Path, tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_store, "_AT_A_TIME", 3)
        root = tmp_path / "root"
        shutil.copytree(folder, root)
        (root / "102" / "0.png").write_bytes(b"no image")
        with pytest.raises(DataError, match=r"trials\.txt: line 8: .*102/0\.png"):
            verifier().evaluate_trials(root / "trials.txt", embeddings=tmp_path / "e.safetensors")
        assert len(read) == 9
        shutil.copy(folder / "102" / "0.png", root / "102" / "0.png")
        del read[:]
        verifier().evaluate_trials(root / "trials.txt", embeddings=tmp_path / "e.safetensors")
        assert len(read) == 28 - 8

    @pytest.mark.parametrize(
        "change",
        [
            lambda info: replace(info, mean=(0.25,)),
            lambda info: replace(info, verification=replace(info.verification, pooling="mean_std")),
            lambda info: replace(info, hop=(2, 2)),
        ],
    )
    def test_those_of_another_model_are_refused(
        self, folder: Path, tmp_path: Path, change: Callable[[sw.model.ModelInfo], sw.model.ModelInfo]
    ) -> None:
        model, kept = verifier(), tmp_path / "e.safetensors"
        model.evaluate_trials(folder / "trials.txt", embeddings=kept)
        other = sw.Model(model.net, change(model.info))
        with pytest.raises(DataError, match=r"e\.safetensors: must hold embeddings of this model; got another one's"):
            other.evaluate_trials(folder / "trials.txt", embeddings=kept)

    def test_those_of_other_weights_are_refused(self, folder: Path, tmp_path: Path) -> None:
        model, kept = verifier(), tmp_path / "e.safetensors"
        model.evaluate_trials(folder / "trials.txt", embeddings=kept)
        model.save(tmp_path / "m")
        other = sw.load(tmp_path / "m")
        assert len(other.evaluate_trials(folder / "trials.txt", embeddings=kept).scores) == 378
        next(iter(other.net.parameters())).data[0] += 1e-3
        with pytest.raises(DataError, match="must hold embeddings of this model"):
            other.evaluate_trials(folder / "trials.txt", embeddings=kept)

    def test_another_threshold_changes_no_embedding(self, folder: Path, tmp_path: Path, read: list[str]) -> None:
        model, kept = verifier(), tmp_path / "e.safetensors"
        known = model.evaluate_trials(folder / "trials.txt", embeddings=kept).judged("far=0.1")
        del read[:]
        found = model.with_verification(known).evaluate_trials(folder / "trials.txt", embeddings=kept)
        assert not read
        assert found.verification == known

    @pytest.mark.parametrize("what", ["text", "tensors", "cut"])
    def test_other_files_are_refused(self, folder: Path, tmp_path: Path, what: str) -> None:
        path = tmp_path / "e.safetensors"
        if what == "text":
            path.write_text("no tensors here, but some text")
        elif what == "tensors":
            save_file({"embeddings": np.zeros(3)}, path)
        else:
            verifier().evaluate_trials(folder / "trials.txt", embeddings=path)
            path.write_bytes(path.read_bytes()[:-10])
        before = path.read_bytes()
        with pytest.raises(
            DataError, match=r"e\.safetensors: (cannot be read as embeddings|must hold embeddings that)"
        ):
            verifier().evaluate_trials(folder / "trials.txt", embeddings=path)
        assert path.read_bytes() == before


def test_unlike_embeddings_are_refused() -> None:
    trials = sw.verify.parse_trials("1 a b")
    with pytest.raises(DataError, match="trials: line 1: there must be an embedding of b; got none"):
        sw.verify.score_trials(trials, {"a": [1.0]})
    with pytest.raises(ArgumentError, match="embeddings must have one shape"):
        sw.verify.score_trials(trials, {"a": [1.0], "b": [1.0, 2.0]})
    with pytest.raises(DataError, match="the embedding of b must have a direction; got NaN or infinity"):
        sw.verify.score_trials(trials, {"a": [1.0], "b": [np.nan]})
    assert sw.verify.score_trials(trials, {"a": [0.0], "b": [2.0]}, "euclidean").tolist() == [-2.0]

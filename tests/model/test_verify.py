"""Models that verify: training, embeddings, decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from identities import RATE_HZ, SMALL, UNSEEN, WINDOW, patterns, save_patterns, verifier, voices

import scanwise as sw
from scanwise.errors import ArgumentError, DataError
from scanwise.model import Verdict
from scanwise.model._embed import clip_embeddings
from scanwise.sources import Clips
from scanwise.training import fit
from scanwise.verify import all_pairs, eer, similarity


def rate(model: sw.Model, x: Any, y: np.ndarray) -> float:
    return eer(*all_pairs(model.embed(list(x)), y)).value


class TestTraining:
    def test_images_of_identities_never_seen_are_told_apart(self) -> None:
        x, y = patterns(UNSEEN, 8)
        assert rate(verifier(), x, y) < 0.06

    def test_recordings_of_identities_never_seen_are_told_apart_whatever_their_length(self) -> None:
        clips = voices(UNSEEN, 8)
        assert rate(verifier(sound=True), clips.x, clips.y) < 0.2

    @pytest.mark.parametrize("loss", ["aam", "softmax", "prototypical", "triplet", "supcon"])
    def test_every_loss_learns(self, loss: str) -> None:
        x, y = patterns(range(12), 8)
        model = sw.train((x, y), task="verify", loss=loss, **SMALL | {"epochs": 10})
        before, after = model.history[0], model.history[-1]
        assert after["loss"] < before["loss"]
        assert after["val_loss"] < 0.7

    def test_whole_identities_are_held_back_and_measured(self) -> None:
        x, y = patterns(range(12), 4)
        model = sw.train((x, y), task="verify", validation=0.5, **SMALL | {"epochs": 1})
        known = model.info.verification
        assert known is not None
        assert known.data == "6 of 12 identities, held back in training"
        assert (known.identities, known.targets, known.nontargets) == (6, 6 * 6, 15 * 16)
        assert model.validation is not None
        assert str(known) in str(model.validation)

    def test_few_are_held_back_but_five_if_there_are_twice_as_many(self) -> None:
        for count, held in ((4, 2), (9, 4), (10, 5), (30, 5)):
            x, y = patterns(range(count), 2)
            model = sw.train((x, y), task="verify", **SMALL | {"epochs": 1, "channels": [2]})
            assert model.info.verification is not None
            assert model.info.verification.identities == held

    @pytest.mark.parametrize(
        ("change", "kept"),
        [({}, "last"), ({"patience": 2}, "best"), ({"task": "classify", "dimensions": None}, "best")],
    )
    def test_the_last_weights_are_kept_unless_patience_asks_for_the_best(
        self, change: dict[str, Any], kept: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []
        usual = fit

        def heard(*arguments: Any, **others: Any) -> Any:
            asked.append(others["keep"])
            return usual(*arguments, **others)

        monkeypatch.setattr("scanwise.model._train.fit", heard)
        sw.train(patterns(range(6), 3), **{"task": "verify"} | SMALL | {"epochs": 1} | change)
        assert asked == [kept]

    def test_symmetries_are_further_identities(self) -> None:
        x, y = patterns(range(8), 4)
        heard: list[dict[str, Any]] = []
        usual = SMALL | {"epochs": 1, "batch": 8, "loss": "softmax", "lr": 1e-5}
        for symmetries in (False, True):
            model = sw.train((x, y), task="verify", symmetries=symmetries, on_epoch=heard.append, **usual)
            assert model.info.verification is not None
            assert model.info.verification.targets == 4 * 6  # what is held back is as it was
        assert heard[1]["loss"] > heard[0]["loss"] + 1  # eight times as many to tell apart

    @pytest.mark.parametrize("whiten", [True, False])
    def test_heads_are_whitened_by_the_images_that_were_learnt_from(
        self, monkeypatch: pytest.MonkeyPatch, *, whiten: bool
    ) -> None:
        x, y = patterns(range(12), 4)
        asked: list[tuple[Any, ...]] = []
        monkeypatch.setattr("scanwise.model._train.whiten_head", lambda *given, **others: asked.append(given))
        model = sw.train((x, y), task="verify", whiten=whiten, symmetries=True, **SMALL | {"epochs": 1})
        assert len(asked) == whiten
        for net, windows, identities in asked:
            assert net is model.net
            held = [i for i in range(12) if not any((windows == one).all((1, 2, 3)).any() for one in x[y == i])]
            assert len(held) == 5
            np.testing.assert_array_equal(windows, x[~np.isin(y, held)])
            np.testing.assert_array_equal(identities, np.repeat(np.arange(7), 4))

    def test_whitening_changes_what_is_answered(self) -> None:
        x, y = patterns(range(12), 4)
        plain, whitened = (
            sw.train((x, y), task="verify", whiten=whiten, **SMALL | {"epochs": 2}) for whiten in (False, True)
        )
        assert plain.history[-1]["loss"] == whitened.history[-1]["loss"]
        assert np.abs(plain.embed(list(x)) - whitened.embed(list(x))).max() > 0.01
        assert plain.info.verification != whitened.info.verification

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"margin": -1.0}, "margin must be at least 0; got -1"),
            ({"loss": "mse"}, "loss must be one of am, aam, softmax, prototypical, triplet, supcon; got 'mse'"),
            ({"loss": "supcon", "margin": 0.1}, "margin must be left out for the loss supcon"),
            ({"loss": "triplet", "batch": 4}, "batch must be at least 8, two groups of 4 examples"),
            ({"class_balance": True}, "class_balance must be left out of the task verify"),
            ({"task": "classify", "whiten": False, "dimensions": None}, "whiten must be left out of the task classify"),
            ({"dimensions": 0}, "outputs must be a whole number of at least 1"),
            ({"task": "classify", "dimensions": None, "margin": 0.1}, "margin must be left out of the task classify"),
            (
                {"task": "classify", "symmetries": True, "dimensions": None},
                "symmetries must be left out of the task cla",
            ),
            ({"task": "classify"}, "dimensions must be left out of the task classify; got 16. It is for embeddings"),
            ({"task": "classify", "dimensions": None, "loss": "am"}, "loss must be one of cross_entropy; got 'am'"),
            ({"false_alarms_per_hour": 1}, "false_alarms_per_hour must be for patterns in recordings"),
        ],
    )
    def test_what_cannot_be_is_refused(self, change: dict[str, Any], message: str) -> None:
        with pytest.raises(ArgumentError, match=message):
            sw.train(patterns(range(6), 3), **{"task": "verify"} | SMALL | {"epochs": 1} | change)

    def test_values_have_no_identity(self) -> None:
        x, y = patterns(range(6), 3)
        with pytest.raises(ArgumentError, match="task must suit the data, which is to regress; got verify"):
            sw.train((x, y.astype(float)), task="verify")

    @pytest.mark.parametrize(("identities", "each"), [(3, 4), (8, 1)])
    def test_too_few_identities_are_refused(self, identities: int, each: int) -> None:
        with pytest.raises(DataError, match="training data must have 4 identities with two clips each; got"):
            sw.train(patterns(range(identities), each), task="verify")

    def test_symmetries_are_for_square_images(self) -> None:
        x, y = patterns(range(6), 3)
        for change in (x[..., :8], x[:, 0]):
            with pytest.raises(ArgumentError, match="symmetries must be of square images"):
                sw.train((change.reshape(len(x), 1, *change.shape[-2:]) if change.ndim == 4 else x[:, :, 0], y),
                         task="verify", symmetries=True, epochs=1)  # fmt: skip

    def test_labelled_recordings_are_searched_not_verified(self) -> None:
        with pytest.raises(ArgumentError, match="task must suit the data, which is to classify; got verify"):
            sw.train({"a": np.zeros((1, 100), np.float32)}, labels=[], task="verify")  # type: ignore[arg-type]


class TestEmbedding:
    @pytest.mark.parametrize("sound", [False, True])
    def test_no_bit_depends_on_the_clips_beside_it(self, *, sound: bool) -> None:
        model = verifier(sound=sound)
        x = list(voices(UNSEEN, 2).x if sound else patterns(UNSEEN, 2)[0])
        together = model.embed(x)
        np.testing.assert_array_equal(together, [model.embed(one) for one in x])
        np.testing.assert_array_equal(together[::-1], model.embed(x[::-1]))
        x[3] = np.pad(x[3], [(0, 0)] * (x[3].ndim - 1) + [(0, 1000)])
        np.testing.assert_array_equal(np.delete(together, 3, 0), np.delete(model.embed(x), 3, 0))

    def test_it_is_mean_and_deviation_of_every_window_brought_to_length_1(self) -> None:
        model = verifier(sound=True)
        long = voices(UNSEEN, 3).x[0]
        long = np.concatenate([long] * 4, axis=1)
        dense = np.asarray(model.scanner().scan_windows(long)).astype(np.float64)
        assert dense.shape[1] > 20
        unit = dense / np.linalg.norm(dense, axis=0)
        expected = np.concatenate([unit.mean(axis=1), unit.std(axis=1)])
        np.testing.assert_allclose(model.embed(long), expected, atol=2e-6)
        assert np.abs(expected[16:]).max() > 0.01

    def test_a_short_clip_stands_in_the_middle_of_its_window(self) -> None:
        model = verifier(sound=True)
        short = voices(UNSEEN, 1).x[0][:, :160]
        level = np.full((1, WINDOW), np.median(short), np.float32)
        level[:, 20:180] = short
        np.testing.assert_array_equal(model.embed(short), model.embed(level))

    def test_a_larger_image_is_scanned(self) -> None:
        model = verifier()
        x = np.random.default_rng(0).uniform(size=(1, 15, 13)).astype(np.float32)
        windows = np.stack([x[:, i : i + 12, j : j + 12] for i in range(4) for j in range(2)])
        each = model.embed(windows)
        np.testing.assert_allclose(np.linalg.norm(each, axis=1), 1, atol=1e-6)
        np.testing.assert_allclose(model.embed(x), each.mean(axis=0), atol=1e-6)


class TestDecisions:
    def test_a_verdict_says_what_it_rests_on(self) -> None:
        model = verifier()
        x, _ = patterns(range(100, 102), 2)
        known = model.info.verification
        assert known is not None
        for other, same in ((1, True), (2, False)):
            found = model.verify(x[0], x[other])
            assert found == model.verify(x[other], x[0])
            assert found.same is same
            z = model.embed(x[[0, other]])
            assert found.similarity == pytest.approx(similarity(z[:1], z[1:])[0], abs=1e-6)
            assert found.threshold == known.threshold
            assert found.llr == pytest.approx(known.scale * found.similarity + known.offset)
            assert found.probability == pytest.approx(1 / (1 + np.exp(-found.llr)))
            assert str(found).startswith("same: similarity" if same else "different: similarity")

    @pytest.mark.parametrize(
        ("probability", "words"), [(0.99951, "above 0.999"), (0.9994, "0.999"), (0.5, "0.5"), (1e-9, "1e-09")]
    )
    def test_nothing_is_certain(self, probability: float, words: str) -> None:
        assert Verdict(0.5, 0.5, True, 0.0, probability).chance == words

    def test_several_samples_are_averaged(self) -> None:
        model = verifier()
        x, _ = patterns(range(100, 102), 4)
        z = model.embed(x)
        mean = z[:3].mean(axis=0)
        found = model.verify(list(x[:3]), x[3])
        assert found.similarity == pytest.approx(float(mean @ z[3]) / np.linalg.norm(mean), abs=1e-6)

    @pytest.mark.parametrize("given", ["mapping", "folder"])
    def test_who_is_enrolled_is_recognised(self, given: str, tmp_path: Path) -> None:
        model = verifier()
        x, y = patterns(range(100, 106), 4)
        by_name: dict[str, Any] = {f"{100 + k}": list(x[y == k]) for k in range(6)}
        enrolment = model.enrol(by_name if given == "mapping" else save_patterns(tmp_path, range(100, 106), 4))
        assert enrolment.names == tuple(by_name)
        probes, whose = patterns(range(100, 106), 3, seed=1)
        for probe, who in zip(probes, whose, strict=True):
            found = enrolment.identify(model.embed(probe))
            assert found[0][0] == str(100 + who)
            assert found[0][1].same
            scores = [one.similarity for _, one in found]
            assert scores == sorted(scores, reverse=True)
            assert {name for name, _ in found} == set(by_name)

    def test_a_file_that_cannot_be_used_is_named_and_the_others_enrolled(self, tmp_path: Path) -> None:
        folder = save_patterns(tmp_path, range(100, 103), 2)
        (folder / "100" / "0.png").write_bytes(b"no image")
        with pytest.warns(sw.InputFailed, match=r"0\.png"):
            enrolment = verifier().enrol(folder)
        assert enrolment.names == ("100", "101", "102")

    def test_a_zero_embedding_has_no_direction(self, monkeypatch: pytest.MonkeyPatch) -> None:
        x, _ = patterns(range(100, 102), 1)
        clips = voices(UNSEEN, 1)
        enrolment = verifier(sound=True).enrol({"a": clips.x[0], "b": clips.x[1]})
        monkeypatch.setattr("scanwise.model._model.clip_embeddings", lambda _, clips: np.zeros((len(clips), 4)))
        with pytest.raises(DataError, match="first: must have an embedding of some direction; got a zero vector"):
            verifier().verify(x[0], x[1])
        with pytest.raises(DataError, match="anna: must have an embedding of some direction"):
            verifier().enrol({"anna": x[0]})
        with pytest.raises(ArgumentError, match="must not be zero; got a zero vector at 0"):
            enrolment.identify(np.zeros(32))

    def test_nobody_is_no_enrolment(self) -> None:
        with pytest.raises(ArgumentError, match="samples must be of one identity at least; got none"):
            verifier().enrol({})

    def test_other_models_do_not_verify(self) -> None:
        x, y = patterns(range(3), 4)
        classifier = sw.train((x, y), channels=[4], epochs=1)
        for ask in (lambda: classifier.verify(x[0], x[1]), lambda: classifier.enrol({"a": x[0]}),
                    lambda: classifier.evaluate_trials("trials.txt")):  # fmt: skip
            with pytest.raises(ArgumentError, match="task must be verify to compare samples; got classify"):
                ask()

    def test_a_verifier_finds_no_patterns(self, tmp_path: Path) -> None:
        x, _ = patterns(range(100, 101), 1)
        with pytest.raises(ArgumentError, match="task must be classify to find patterns; got verify"):
            verifier().find(x[0])
        with pytest.raises(ArgumentError, match="scores must be kept without classes"):
            verifier().scan([x[0]], tmp_path / "out")


def test_clips_of_another_rate_fail(tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "a.wav", np.zeros(500, np.float32), 2 * RATE_HZ)
    with pytest.raises(DataError, match="4000 Hz"):
        verifier(sound=True).verify(tmp_path / "a.wav", tmp_path / "a.wav")
    z = clip_embeddings(verifier(sound=True), [np.zeros((1, 300), np.float32)])
    assert z.shape == (1, 32)
    assert isinstance(voices(UNSEEN, 1), Clips)

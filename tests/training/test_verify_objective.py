"""Training to verify: what is minimised, by what it is judged, and what `fit` does with it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from toys import seeded

from scanwise.errors import ArgumentError, TrainingError
from scanwise.nn import WindowNet, mlp
from scanwise.training import Objective, _fit, _objectives, embedding_loss, embedding_losses, fit, objective, predict
from scanwise.training._identity_batches import IdentityBatches
from scanwise.verify import all_pairs, eer, min_cllr

CLASSIFY = ("am", "aam", "softmax")
COMPARE = ("prototypical", "triplet", "supcon")

Windows = tuple[np.ndarray, np.ndarray]


def people(identities: range, each: int = 12) -> Windows:
    """Windows of some identities, ``(n, 1, 12)``: four samples tell who it is, the others are louder and say nothing.

    The last tells the identity's number to whom it may concern, too softly for a network.
    """
    codes = np.random.default_rng(0).normal(size=(100, 4))
    rng = np.random.default_rng([1, identities.start])
    y = np.repeat(np.arange(len(identities)), each)
    x = rng.normal(scale=2, size=(len(y), 1, 12))
    x[:, 0, :4] = codes[identities.start + y] + rng.normal(scale=0.2, size=(len(y), 4))
    x[:, 0, 11] = 1e-6 * y
    return x.astype(np.float32), y


LEARNT, UNSEEN = people(range(24)), people(range(50, 64), each=6)


def net() -> WindowNet:
    return seeded(mlp, (1, 12), 8, hidden=())


def scores(network: WindowNet, held: Windows = UNSEEN) -> tuple[np.ndarray, np.ndarray]:
    """Those of all pairs, of one identity and of two."""
    return all_pairs(predict(network, held[0]).numpy(), held[1])


def embeddings(count: int = 40) -> tuple[Tensor, Tensor]:
    """Embeddings of five identities, each a little nearer to its own."""
    y = torch.arange(count) % 5
    z = torch.randn(count, 6, generator=torch.Generator().manual_seed(0))
    z[:, :5] += torch.nn.functional.one_hot(y, 5)
    return z, y


class Goals(list[tuple[Objective, list[Tensor]]]):
    """Objectives that `fit` made, with copies of what they had to learn."""

    def make(self, *args: Any, **kwargs: Any) -> Objective:
        made = objective(*args, **kwargs)
        self.append((made, [parameter.detach().clone() for parameter in made.parameters()]))
        return made


@pytest.fixture
def goals(monkeypatch: pytest.MonkeyPatch) -> Goals:
    made = Goals()
    monkeypatch.setattr(_fit, "objective", made.make)
    return made


def test_losses_that_classify_have_weights_for_each_identity_and_others_have_none() -> None:
    shapes = {
        loss: [tuple(parameter.shape) for parameter in objective("verify", loss, features=6, identities=5).parameters()]
        for loss in embedding_losses()
    }
    assert shapes == {
        "am": [(5, 6)],
        "aam": [(5, 6)],
        "softmax": [(5, 6), (5,)],
        "prototypical": [],
        "triplet": [],
        "supcon": [],
    }
    assert not list(objective("classify").parameters())


@pytest.mark.parametrize(
    ("loss", "numbers"), [("am", {"margin": 0.4, "scale": 3.0}), ("triplet", {"margin": 0.7}), ("supcon", {})]
)
def test_its_loss_is_the_embedding_loss_of_its_name_margin_and_scale(loss: str, numbers: dict[str, float]) -> None:
    sizes: dict[str, Any] = {"features": 6, "identities": 5, **numbers}
    torch.manual_seed(0)
    goal = objective("verify", loss, **sizes)
    torch.manual_seed(0)
    assert goal.loss(*embeddings()).item() == embedding_loss(loss, **sizes)(*embeddings()).item()
    assert goal.loss_name == loss


def test_the_usual_loss_is_am() -> None:
    assert objective("verify").loss_name == "am"


@pytest.mark.parametrize("loss", embedding_losses())
def test_whatever_is_descended_those_held_back_are_judged_by_all_pairs(loss: str) -> None:
    z, y = embeddings()
    goal = objective("verify", loss, features=6, identities=5)
    target, nontarget = all_pairs(z.numpy(), y.numpy())
    assert goal.metric_name == "equal error rate"
    assert goal.metric(z, y).item() == pytest.approx(eer(target, nontarget).value, rel=1e-6)
    assert goal.judge(z, y).item() == pytest.approx(min_cllr(target, nontarget), rel=1e-6)
    assert 0.1 < goal.metric(z, y) < 0.45


def test_other_tasks_are_judged_by_what_they_descend() -> None:
    z, y = embeddings()
    for goal, targets in [(objective("classify", label_smoothing=0.1), y), (objective("regress"), z + 1)]:
        assert torch.equal(goal.judge(z, targets), goal.loss(z, targets))


@pytest.mark.parametrize(("count", "least"), [(7, 7), (2000, 2000), (2001, 1900), (9000, 1900)])
def test_of_many_held_back_two_thousand_are_paired(count: int, least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = []
    z = torch.arange(count)[:, None].float()
    y = torch.arange(count) // 2

    def spy(embeddings: np.ndarray, identities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = embeddings[:, 0].astype(int)
        assert (identities == rows // 2).all()
        chosen.append(set(rows.tolist()))
        return np.array([0.9, 0.2, 0.3]), np.array([0.1, 0.4])

    monkeypatch.setattr(_objectives, "all_pairs", spy)
    goal = objective("verify", "triplet")
    assert goal.metric(z, y).item() == pytest.approx(eer([0.9, 0.2, 0.3], [0.1, 0.4]).value)
    assert goal.judge(z, y).item() == pytest.approx(min_cllr([0.9, 0.2, 0.3], [0.1, 0.4]))
    assert least <= len(chosen[0]) <= 2000
    assert chosen[1] == chosen[0]  # the same, every time


@pytest.mark.parametrize("each", [2, 10])
def test_those_that_are_paired_are_of_one_identity_and_of_two(each: int) -> None:
    y = torch.arange(2000).repeat_interleave(each)
    z = torch.randn(len(y), 4, generator=torch.Generator().manual_seed(0))
    assert objective("verify", "triplet").metric(z, y).item() == pytest.approx(0.5, abs=0.05)


def test_identities_are_whole_numbers_that_may_exceed_the_outputs() -> None:
    targets = objective("verify", "triplet").targets(torch.tensor([70, 0, 3], dtype=torch.int32), 2)
    assert (targets.dtype, targets.tolist()) == (torch.int64, [70, 0, 3])


@pytest.mark.parametrize(
    ("y", "got"),
    [
        (torch.zeros(4), r"got torch.float32 \(4,\)"),
        (torch.zeros(4, 1, dtype=torch.int64), r"got torch.int64 \(4, 1\)"),
        (torch.tensor([0, -1]), r"got torch.int64 \(2,\)"),
    ],
)
def test_other_targets_are_refused(y: Tensor, got: str) -> None:
    with pytest.raises(ArgumentError, match=rf"y must be whole identity numbers from 0, of shape \(batch,\); {got}"):
        objective("verify", "triplet").targets(y, 3)


@pytest.mark.parametrize("task", ["classify", "regress"])
def test_other_tasks_have_no_margin_and_no_scale(task: str) -> None:
    with pytest.raises(ArgumentError, match=rf"margin must be left out of the task {task}; got 0\.2"):
        objective(task, margin=0.2)
    with pytest.raises(ArgumentError, match=rf"scale must be left out of the task {task}; got 0\.0"):
        objective(task, scale=0.0)


@pytest.mark.parametrize("loss", embedding_losses())
def test_every_loss_teaches_to_verify_identities_that_were_never_seen(loss: str) -> None:
    network = net()
    before = eer(*scores(network)).value
    fit(network, *LEARNT, task="verify", loss=loss, epochs=30, batch=32, lr=0.02)
    assert before > 0.3
    assert eer(*scores(network)).value < 0.4 * before


@pytest.mark.parametrize("optimiser", ["adamw", "sgd", "lbfgs"])
@pytest.mark.parametrize("loss", CLASSIFY)
def test_weights_of_identities_are_trained_along(loss: str, optimiser: str, goals: Goals) -> None:
    network = net().double()
    fit(network, *LEARNT, task="verify", loss=loss, optimiser=optimiser, epochs=1)
    ((goal, before),) = goals
    after = list(goal.parameters())
    assert len(after) == len(before) > 0
    assert {parameter.dtype for parameter in after} == {torch.float64}
    for old, new in zip(before, after, strict=True):
        assert new.shape[0] == 24
        assert (new - old).abs().amax(dim=tuple(range(1, new.ndim))).min() > 1e-6
    assert not any(parameter is weight for parameter in after for weight in network.parameters())


def test_an_epoch_is_judged_by_its_pairs_and_the_best_one_is_kept() -> None:
    network = net()
    judged = []

    def judge(row: dict[str, Any]) -> None:
        target, nontarget = scores(network)
        judged.append(min_cllr(target, nontarget))
        assert row["val_loss"] == pytest.approx(judged[-1], rel=1e-5)
        assert row["metric"] == pytest.approx(eer(target, nontarget).value, rel=1e-5)

    history = fit(network, *LEARNT, task="verify", epochs=6, lr=0.2, validation=UNSEEN, on_epoch=judge)
    assert history.metric_name == "equal error rate"
    assert history.best == int(np.argmin(judged))
    assert min_cllr(*scores(network)) == pytest.approx(min(judged), rel=1e-5)
    assert len(set(judged)) == 6


@pytest.mark.parametrize("loss", embedding_losses())
def test_losses_that_compare_a_batch_get_several_of_each_identity(loss: str) -> None:
    x, y = LEARNT
    batches: list[list[int]] = []

    def spy(drawn: Tensor, generator: torch.Generator) -> Tensor:
        batches.append((drawn[:, 0, 11] * 1e6).round().int().tolist())
        return drawn

    fit(net(), x, y, task="verify", loss=loss, epochs=2, batch=32, seed=3, augment=spy)
    assert len(batches) == 18
    for epoch in (batches[:9], batches[9:]):
        assert sorted(itertools.chain(*epoch)) == y.tolist()
    alone = sum(batch.count(identity) < 4 for batch in batches for identity in set(batch))
    if loss in COMPARE:
        assert alone == 0
        expected = IdentityBatches(y, 32, 3)
        assert batches == [y[expected.indices(epoch, index)].tolist() for epoch in range(2) for index in range(9)]
    else:
        assert alone > 100


def test_only_a_loss_that_compares_needs_large_batches() -> None:
    x, y = (part[:48] for part in LEARNT)
    fit(net(), x, y, task="verify", loss="am", epochs=1, batch=7)
    with pytest.raises(ArgumentError, match=r"batch must be at least 8, two groups of 4 examples, .*; got 7\."):
        fit(net(), x, y, task="verify", loss="triplet", epochs=1, batch=7)


def run(seed: int = 0, state: int = 0, **arguments: Any) -> tuple[Tensor, float]:
    """Return embeddings and the loss after training, entered with torch in some state."""
    network = net()
    with torch.random.fork_rng():
        torch.manual_seed(state)
        history = fit(network, *LEARNT, task="verify", epochs=2, seed=seed, **arguments)
    return predict(network, UNSEEN[0]), history.rows[-1]["loss"]


@pytest.mark.parametrize("loss", ["am", "triplet"])
def test_the_same_seed_repeats_the_run_and_another_does_not(loss: str) -> None:
    first, again, other = run(loss=loss), run(loss=loss, state=5), run(loss=loss, seed=1)
    assert torch.equal(first[0], again[0])
    assert first[1] == again[1]
    assert not torch.equal(first[0], other[0])


def test_the_seed_chooses_the_first_weights_of_identities(goals: Goals) -> None:
    for seed in (0, 0, 1):
        run(seed)
    first, again, other = (weights for _, (weights,) in goals)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("loss", ["am", "triplet"])
def test_torchs_own_random_state_is_left_alone(loss: str) -> None:
    before = torch.get_rng_state()
    fit(net(), *LEARNT, task="verify", loss=loss, epochs=1, validation=UNSEEN)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("loss", embedding_losses())
def test_identities_are_not_smoothed(loss: str) -> None:
    """Label smoothing is of classification; it has a default, so it is passed over."""
    smoothed, plain = run(loss=loss, label_smoothing=0.5), run(loss=loss, label_smoothing=0.0)
    assert torch.equal(smoothed[0], plain[0])
    assert smoothed[1] == plain[1]


def test_margin_and_scale_reach_the_loss() -> None:
    usual, same, wide, soft = run(), run(margin=0.15, scale=16.0), run(margin=0.5), run(scale=4.0)
    assert usual[1] == same[1]
    assert wide[1] > usual[1] + 1
    assert soft[1] < usual[1] - 1


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"class_balance": True}, "class_balance must be left out of the task verify; got true"),
        ({"loss": "cross_entropy"}, "loss must be one of am, aam, softmax, .*; got 'cross_entropy'"),
        ({"loss": "triplet", "scale": 2.0}, r"scale must be left out for the loss triplet; got 2\.0"),
        ({"margin": -1.0}, r"margin must be at least 0; got -1\.0"),
        ({"y": np.zeros(288)}, r"y must be whole identity numbers from 0, .*; got torch.float64 \(288,\)"),
        ({"y": np.arange(288) - 1}, r"y must be whole identity numbers from 0, .*; got torch.int64 \(288,\)"),
        ({"y": np.zeros((288, 2), int)}, r"y must be whole identity numbers .*; got torch.int64 \(288, 2\)"),
        ({"y": np.zeros(5, int)}, "y must have one target for each of 288 windows; got 5"),
        ({"validation": (UNSEEN[0], UNSEEN[1] / 2)}, r"y must be whole identity numbers .*; got torch.float64"),
        ({"task": "classify", "margin": 0.1}, r"margin must be left out of the task classify; got 0\.1"),
        ({"task": "regress", "scale": 2.0}, r"scale must be left out of the task regress; got 2\.0"),
    ],
)
def test_a_wrong_argument_is_named(change: dict[str, Any], text: str) -> None:
    arguments: dict[str, Any] = {"x": LEARNT[0], "y": LEARNT[1], "task": "verify"} | change
    with pytest.raises(ArgumentError, match=text):
        fit(net(), **arguments)


@pytest.mark.parametrize("value", [np.nan, -1])
def test_numbers_that_are_none_are_named_before_they_are_counted(value: float) -> None:
    with pytest.raises(ArgumentError, match="y must be whole identity numbers from 0"):
        fit(net(), LEARNT[0], np.full(288, value), task="verify")


def test_embeddings_that_explode_in_the_last_step_are_noticed() -> None:
    network = net()
    before = network.head.get_parameter("weight").detach().clone()
    x, y = (part[:24] for part in LEARNT)
    with pytest.raises(TrainingError, match=r"loss must stay finite; got (nan|inf) in epoch 0"):
        fit(network, x, y, task="verify", optimiser="sgd", lr=1e38, schedule="constant", epochs=1, validation=UNSEEN)
    assert torch.equal(network.head.get_parameter("weight"), before)

"""Full training on images with several labels."""

import copy
import csv

import msgspec
import pytest
import torch
from torch.nn import functional

import nasd
from nasd.config import Config, EncoderConfig, LayersConfig
from nasd.data import stream
from nasd.data._codebrim import Codebrim
from nasd.errors import DataMissingError, NasdError
from nasd.evaluators.mini_batches import to_input
from nasd.evaluators.networks.network import Network
from nasd.evaluators.objective import confusion, hits, label_scores, mean_label_accuracy, summed_loss
from nasd.evaluators.training import training as full
from nasd.evaluators.training.training import BEST, CHECKPOINT, LAST, train_fully
from nasd.export.deep_prior import DeepPrior
from nasd.outcome import Measured
from nasd.spaces.layers import SearchSpace
from tests.helpers.codebrim_images import LABELS, generate

NET = "[C(8,5,2,1), C(8,3,1,0), C(8,3,0,2), FC(16), SM(6)]"
TRAINING = {
    "optimizer": "sgd", "learning_rate": 0.01, "momentum": 0.9, "warm_restart_epochs": 2, "batch_size": 16, "epochs": 3,
    "dropout": 0.5, "early_stopping_thresh": 0.0,
}  # fmt: skip


class Kept(dict):
    """Files in memory."""

    read, write = dict.get, dict.__setitem__


class KilledError(Exception):
    pass


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("codebrim")
    generate(root, crops=24, side=32)
    return root


@pytest.fixture(scope="module")
def space():
    return SearchSpace(LayersConfig(form="codebrim", patch_size=24, channels=3, num_classes=6, max_fc=1))


def configure(root, training=None, data=None, **sections):
    return Config.model_validate(
        {
            "evaluation": "full",
            "data": {"name": "codebrim", "root": root, "image_size": 24, **(data or {})},
            "training": {**TRAINING, **(training or {})},
            **sections,
        }
    )


def train(space, config, net=NET, seed=5, **rest):
    return train_fully(space.parse(net), stream(config.data, config.seed), config, seed, "cpu", **rest)


def unmeasured(outcome):
    return msgspec.structs.replace(outcome, measured=Measured())


def test_labels_are_learned(root, space):
    outcome = train(
        space, configure(root, {"epochs": 20, "warm_restart_epochs": 20, "learning_rate": 0.05, "dropout": 0.0})
    )
    labels = outcome.labels
    assert outcome.reward > 0.4  # every second image is background, all others have one or two of five labels
    assert labels.validation_accuracies[-1] > 0.8
    assert labels.test_accuracy == pytest.approx(sum(score.accuracy for score in labels.test) / 6)
    assert labels.validation_accuracies[-1] == pytest.approx(sum(score.accuracy for score in labels.validation) / 6)
    assert [score.label for score in labels.test] == list(LABELS)
    background = labels.validation[0]
    assert background.f1 > 0.7
    assert background.recall is not None
    assert len(labels.validation_accuracies) == len(outcome.validation_accuracies) == 20
    assert all(mean >= exact for mean, exact in zip(
        labels.validation_accuracies, outcome.validation_accuracies, strict=True
    ))  # fmt: skip


@pytest.mark.parametrize("limit", [10**9, 0])
@pytest.mark.parametrize("killed_at", [1, 3])
def test_a_killed_training_goes_on_bit_for_bit(root, space, limit, killed_at):
    config = configure(root, data={"resident_limit": limit})
    whole, parts = Kept(), Kept()
    undisturbed = train(space, config, files=whole)

    def kill(stage, at, *_):
        if stage == "train" and at == killed_at:
            raise KilledError

    with pytest.raises(KilledError):
        train(space, config, files=parts, progress=kill)
    resumed = train(space, config, files=parts)
    assert unmeasured(resumed) == unmeasured(undisturbed)
    assert parts == whole
    assert undisturbed.labels.test


def test_where_images_are_kept_changes_nothing(root, space):
    kept, decoded = (train(space, configure(root, data={"resident_limit": limit})) for limit in (10**9, 0))
    assert unmeasured(kept) == unmeasured(decoded)


def test_cuts_differ_from_epoch_to_epoch_and_validation_sees_the_centres(root, space, monkeypatch):
    seen = {True: [], False: []}
    forward = Network.forward

    def look(network, images):
        if images.device.type == "cpu":
            seen[network.training].append(images.clone())
        return forward(network, images)

    monkeypatch.setattr(Network, "forward", look)
    config = configure(root, {"epochs": 2})
    data = stream(config.data, config.seed)
    train(space, config)
    samples, validated = len(data.train), len(data.validation)
    cuts = torch.cat(seen[True])
    assert len(cuts) == 2 * samples
    again = sum(any(torch.equal(cut, other) for other in cuts[:samples]) for cut in cuts[samples:])
    assert again < samples / 2  # a nearly square image has few cuts
    centres = to_input(data.validation.images[torch.arange(validated)])
    looked = torch.cat(seen[False])
    assert torch.equal(looked[:validated], centres)
    assert torch.equal(looked[validated : 2 * validated], centres)


def test_gradients_of_parts_add_up_to_the_whole(root, space, monkeypatch):
    config = configure(root, {"epochs": 1}, encoder={"batch_norm": 0})
    weights = []
    for micro_batch in (16, 5):
        files = Kept()
        monkeypatch.setattr(full, "fit_micro_batch", lambda *_, fitting=micro_batch: fitting)
        assert train(space, config, files=files).micro_batch == micro_batch
        weights.append(full.read_checkpoint(files[CHECKPOINT])[1])
    for name, value in weights[0].items():
        torch.testing.assert_close(value, weights[1][name], rtol=1e-4, atol=1e-5)


def test_the_loss_is_the_mean_over_images_and_labels():
    logits, labels = torch.randn(7, 6), torch.rand(7, 6) < 0.3
    expected = functional.binary_cross_entropy(torch.sigmoid(logits), labels.float())
    torch.testing.assert_close(summed_loss(logits, labels) / 7, expected)


def test_an_image_is_right_if_all_its_labels_are():
    labels = torch.tensor([[True, False], [True, True], [False, False], [False, True]])
    logits = torch.tensor([[1.0, -1.0], [2.0, -1.0], [-1.0, 3.0], [-2.0, 0.0]])
    assert hits(logits, labels) == 2
    confused = confusion(logits, labels).tolist()
    assert confused == [[2, 0, 0], [1, 1, 1]]
    first, second = label_scores(("a", "b"), confused, 4)
    assert (first.accuracy, first.precision, first.recall, first.f1) == (1.0, 1.0, 1.0, 1.0)
    assert (second.accuracy, second.precision, second.recall, second.f1) == (0.5, 0.5, 0.5, 0.5)
    assert mean_label_accuracy(confused, 4) == 0.75


def test_a_share_of_nothing_is_none():
    never_there, never_told = label_scores(("a", "b"), [[0, 2, 0], [0, 0, 2]], 4)
    assert (never_there.precision, never_there.recall, never_there.f1) == (0.0, None, 0.0)
    assert (never_told.precision, never_told.recall, never_told.f1) == (None, 0.0, 0.0)
    assert label_scores(("a",), [[0, 0, 0]], 4)[0].f1 is None


def test_a_memory_limit_is_kept_to(root, space):
    config = configure(root, {"epochs": 1})
    data = stream(config.data, config.seed)
    with torch.device("meta"):
        network = Network(space.parse(NET), 3, EncoderConfig(), 0.5)
    assert data.images_nbytes > 0
    limit = data.images_nbytes + full.state_bytes(network) + full.step_bytes(network, data, 9)
    assert train(space, config, memory_limit=limit).micro_batch == 8


def test_the_weights_come_back_as_a_module(root, space, tmp_path):
    files, config = Kept(), configure(root)
    outcome = train(space, config, files=files)
    data = stream(config.data, config.seed).validation
    for name, accuracy in ((BEST, max(outcome.validation_accuracies)), (LAST, outcome.validation_accuracies[-1])):
        (tmp_path / f"{name}.safetensors").write_bytes(files[name])
        module = nasd.load_model(tmp_path / f"{name}.safetensors")
        with torch.no_grad():
            logits = module(to_input(data.images[torch.arange(len(data))]))
        assert hits(logits, data.labels) / len(data) == pytest.approx(accuracy)


def test_the_same_images_listed_in_a_csv_file_are_the_same_training(root, space):
    config = configure(root)
    listed = Codebrim().listing(root, config.data)
    parts = {"train": listed.train, "val": listed.validation, "test": listed.test}
    with (root / "images.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["path", "split", *LABELS])
        for split, part in parts.items():
            for path, labels in zip(part.paths, part.labels.astype(int).tolist(), strict=True):
                lines.writerow([path.relative_to(root), split, *labels])
    outcome = train(space, configure(root, data={"name": "image_csv"}))
    assert unmeasured(outcome) == unmeasured(train(space, config))


def test_there_is_no_deep_prior_to_embed(root, space):
    with pytest.raises(NasdError, match=r"nasd retrain leaves weights"):
        DeepPrior(space.parse(NET), 5, configure(root)).load()


def test_a_damaged_image_is_named(root, space, tmp_path):
    config = configure(root, data={"resident_limit": 0})
    data = stream(config.data, config.seed)
    broken = copy.copy(data.train.images._pictures)
    bad = tmp_path / "bad.png"
    bad.write_bytes(broken._paths[3].read_bytes()[:-300])
    broken._paths = (*broken._paths[:3], bad, *broken._paths[4:])
    data.train.images._pictures = broken
    with pytest.raises(DataMissingError, match=r"bad\.png is damaged"):
        train_fully(space.parse(NET), data, config, 5, "cpu")

"""Epochs of a supernet: what the controller is rewarded with, that it learns, and that a file is all that goes on."""

import json
from pathlib import Path

import msgspec
import pytest
import torch
from torch import nn

from nasd.config import Config, ControllerConfig
from nasd.data import Data, ImageSplit
from nasd.evaluators.bench import Bench
from nasd.evaluators.mini_batches import to_input
from nasd.evaluators.networks.supernet import SupernetNetwork
from nasd.evaluators.orders import Supernet as Order
from nasd.evaluators.supernet import epoch as module
from nasd.evaluators.supernet import evaluator
from nasd.evaluators.supernet.controller import Controller
from nasd.evaluators.supernet.epoch import Epoch
from nasd.evaluators.supernet.evaluator import SupernetEvaluator
from nasd.evaluators.supernet.images import divide, varied
from nasd.evaluators.supernet.judging import accuracy, recalibrate
from nasd.evaluators.supernet.reinforce import Baseline, reward
from nasd.outcome import Evaluated, Failed, Judged
from nasd.protocol.enas import Standing
from nasd.spaces.supernet import SupernetSpace

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "enas.json"


@pytest.fixture(scope="module")
def golden():
    if not GOLDEN.exists():
        pytest.skip(f"the golden values are not at {GOLDEN}")
    return json.loads(GOLDEN.read_text())


def test_rewards(golden):
    average = golden["reward"]["average_latency_resnet18"]
    for found, latency, wanted in golden["reward"]["examples"]:
        assert reward(found, latency, average, 0.07) == pytest.approx(wanted, abs=1e-15)


def test_the_baseline(golden):
    baseline = Baseline(0.95)
    for given, advantage, after in golden["baseline"]["sequence"]:
        assert baseline.advantage(given) == pytest.approx(advantage, abs=1e-15)
        assert baseline.value == pytest.approx(after, abs=1e-15)


# --- the controller --------------------------------------------------------------------------------------------------


def controller(**keys) -> Controller:
    made = Controller([2, 3, 2], ControllerConfig(hidden=16, **keys))
    made.initialise(torch.Generator().manual_seed(1))
    return made


def test_samples_come_as_often_as_their_probability_says():
    made, stream = controller(temperature=0.1), torch.Generator().manual_seed(1)
    with torch.no_grad():
        sampled = made.sample(4000, stream)
        for numbers in set(sampled.numbers):
            rows = [index for index, other in enumerate(sampled.numbers) if other == numbers]
            probability = float(sampled.log_probabilities[rows[0]].exp())
            assert len(rows) / 4000 == pytest.approx(probability, abs=0.03)


def test_the_most_probable_takes_the_likeliest_choice_of_each_unit():
    made = controller(temperature=0.05)
    derived = made.most_probable()
    for number, share in zip(derived.numbers[0], derived.probabilities, strict=True):
        assert share[0, number] == share.max()


def test_temperature_and_tanh_constant_bound_the_choices():
    shares = [made.most_probable().probabilities[0] for made in (controller(), controller(temperature=0.01))]
    assert shares[1].max() > shares[0].max()
    bounded = controller(temperature=1e-6, tanh_constant=0.5).most_probable().probabilities[0]
    assert float(bounded[0].max() / bounded[0].min()) <= 2.7183


# --- images ----------------------------------------------------------------------------------------------------------


def split_of(count, side=8) -> ImageSplit:
    stream = torch.Generator().manual_seed(count)
    images = torch.randint(1, 156, (count, 1, side, side), dtype=torch.uint8, generator=stream)
    labels = torch.randint(2, (count,), generator=stream)
    images[:, :, :4, :4] += 100 * labels[:, None, None, None].to(torch.uint8)  # bright in a corner
    return ImageSplit(images, labels, torch.arange(count))


def test_the_controllers_images_are_of_their_own_and_the_same_in_every_epoch():
    train = split_of(100)
    one, again, other = divide(train, 0.2, 1), divide(train, 0.2, 1), divide(train, 0.2, 2)
    assert (len(one.weights), len(one.controller)) == (80, 20)
    assert sorted((*one.weights.index.tolist(), *one.controller.index.tolist())) == list(range(100))
    assert torch.equal(one.controller.index, again.controller.index)
    assert not torch.equal(one.controller.index, other.controller.index)


def test_images_are_shifted_and_mirrored():
    images = split_of(200).images
    assert varied(images, 0, False, torch.Generator()) is images
    found = varied(images, 2, True, torch.Generator().manual_seed(1))
    assert found.shape == images.shape
    kinds = set()
    for image, new in zip(images, found, strict=True):
        for mirrored in (False, True):
            plain = nn.functional.pad(image.flip(2) if mirrored else image, (2, 2, 2, 2))
            for down in range(5):
                for right in range(5):
                    if torch.equal(plain[:, down : down + 8, right : right + 8], new):
                        kinds.add((mirrored, down, right))
    assert len(kinds) > 40  # of 50


# --- epochs ----------------------------------------------------------------------------------------------------------


def config(seed=1, **sections) -> Config:
    plain = {
        "seed": seed,
        "space": {"kind": "supernet", "widths": (4, 4, 8, 8, 16), "patch_size": 8, "channels": 1, "num_classes": 2},
        "search": {"strategy": "enas", "epochs": 3, "controller": {"hidden": 16, "samples": 3, "every": 2}},
        "evaluation": {"kind": "supernet", "batch_size": 32, "recalibration": 64},
    }
    return Config.model_validate({**plain, **sections})


def bench(tmp_path, made=None, memory_limit=None) -> Bench:
    made = made or config()
    data = Data("made up", split_of(240), split_of(60), split_of(50), ("dark", "bright"), ())
    return Bench(
        config=made, space=SupernetSpace(made.space), device=torch.device("cpu"), data=data,
        memory_limit=memory_limit, staging=tmp_path,
    )  # fmt: skip


def epochs(made: Bench, count: int, seed=1, worker=SupernetEvaluator):
    """The outcomes and files of some epochs, each by a worker of its own."""
    begin = None
    for number in range(1, count + 1):
        order = Order(epoch=number, seed=seed + number, begin=begin, end=f"{number}.safetensors")
        outcome, left = worker(made).run(order, lambda _: None)
        assert isinstance(outcome, Evaluated), outcome
        begin = str(left[order.end])
        yield outcome, left[order.end]


def test_epochs_are_a_function_of_seed_and_file(tmp_path):
    made = bench(tmp_path)
    one, again = list(epochs(made, 3)), list(epochs(made, 3))
    assert [found.supernet for found, _ in one] == [found.supernet for found, _ in again]
    assert [path.read_bytes() for _, path in one] == [path.read_bytes() for _, path in again]
    (other, path), *_ = epochs(made, 1, seed=50)
    assert other.supernet != one[0][0].supernet
    assert path.read_bytes() != one[0][1].read_bytes()


def test_an_epoch_says_what_happened(tmp_path):
    made, steps = bench(tmp_path), []
    order = Order(epoch=1, seed=1, end="a.safetensors")
    outcome, left = SupernetEvaluator(made).run(order, steps.append)
    assert outcome.reward == outcome.validation_accuracies[0]
    assert outcome.test_accuracy is None
    assert outcome.supernet.steps == 6
    assert outcome.supernet.controller_steps == 3
    assert made.space.parse(outcome.supernet.net)
    assert [sum(shares) for shares in outcome.supernet.probabilities] == [pytest.approx(1)] * 8
    assert outcome.supernet.baseline is not None
    assert list(left) == ["a.safetensors"]
    assert [step.stage for step in steps] == ["build", *["train"] * 7, "judge", "judge"]
    *_, last, _, _ = steps
    standing = msgspec.convert(last.facts, Standing)
    assert [unit.probabilities for unit in standing.units] == list(outcome.supernet.probabilities)
    assert (standing.entropy, standing.baseline) == (outcome.supernet.entropy, outcome.supernet.baseline)
    assert standing.units[0].entropy == pytest.approx(0.69, abs=0.01)
    assert msgspec.convert(steps[2].facts, Standing).reward is None  # the controller has not learned yet


def test_the_test_split_is_not_touched(tmp_path):
    made = bench(tmp_path)
    for images in (made.data.test.images, made.data.test.labels):
        images.random_()
    assert [found.supernet for found, _ in epochs(made, 1)] == [
        found.supernet for found, _ in epochs(bench(tmp_path), 1)
    ]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"search": {"latency_exponent": 1e6}}, "latency_exponent is too large"),
        ({"evaluation": {"learning_rate": 1e30}}, "diverged"),
    ],
)
def test_an_epoch_that_comes_to_nothing_says_why(tmp_path, changes, why):
    plain = {"search": {"strategy": "enas", "epochs": 2}, "evaluation": {"kind": "supernet", "batch_size": 16}}
    made = config(**{name: {**section, **changes.get(name, {})} for name, section in plain.items()})
    outcome, left = SupernetEvaluator(bench(tmp_path, made)).run(Order(epoch=1, seed=1, end="a"), lambda _: None)
    assert isinstance(outcome, Failed)
    assert why in outcome.reason
    assert left == {}


def test_a_mini_batch_may_be_larger_than_the_data_and_one_epoch_be_all(tmp_path):
    search = {"strategy": "enas", "epochs": 1, "controller": {"samples": 1, "every": 1, "hidden": 1}}
    evaluation = {"kind": "supernet", "batch_size": 5000, "recalibration": 2, "controller_fraction": 0.99, "crop": 50}
    ((found, _),) = epochs(bench(tmp_path, config(search=search, evaluation=evaluation)), 1)
    assert (found.supernet.steps, found.supernet.controller_steps) == (1, 1)
    assert found.supernet.judged == (Judged(found.supernet.net, found.reward),)


def test_warm_up_teaches_the_weights_alone(tmp_path):
    search = {"strategy": "enas", "epochs": 2, "controller": {"hidden": 8, "warm_up_epochs": 1}}
    (first, _), (second, _) = epochs(bench(tmp_path, config(search=search)), 2)
    assert (first.supernet.controller_steps, first.supernet.baseline) == (0, None)
    assert second.supernet.controller_steps == 1


def test_a_full_disk_costs_nothing_but_time(tmp_path, monkeypatch):
    (whole, path), *_ = epochs(bench(tmp_path), 1)
    left, real = [OSError(28, "No space left on device")] * 2, Epoch.write

    def write(epoch, target):
        if left:
            target.write_bytes(b"half")
            raise left.pop()
        real(epoch, target)

    monkeypatch.setattr(Epoch, "write", write)
    monkeypatch.setattr(evaluator, "RETRY", 0.01)
    (found, other), *_ = epochs(bench(tmp_path), 1)
    assert found.supernet == whole.supernet
    assert other.read_bytes() == path.read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("damage", ["missing", "cut", "other"])
def test_a_file_that_cannot_be_used_is_a_failed_epoch(tmp_path, damage):
    made = bench(tmp_path)
    *_, (_, path) = epochs(made, 1)
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    number = 4 if damage == "other" else 2
    order = Order(epoch=number, seed=2, begin=str(path), end="b.safetensors")
    outcome, left = SupernetEvaluator(made).run(order, lambda _: None)
    assert isinstance(outcome, Failed)
    assert left == {}


def test_less_memory_splits_the_mini_batches(tmp_path):
    whole, _ = next(epochs(bench(tmp_path), 1))
    limit = 1 << 24
    while (found := next(epochs(bench(tmp_path, memory_limit=limit), 1))[0]).micro_batch == whole.micro_batch:
        limit = limit * 3 // 4
    assert found.micro_batch < whole.micro_batch == 32
    assert found.supernet.steps == whole.supernet.steps


def test_binary_weights_do_not_decay_and_all_others_do(tmp_path):
    made = bench(tmp_path)
    epoch = Epoch(made, Order(epoch=1, seed=1, end="x"), 32, lambda _: None)
    still, decaying = epoch.learners["network"].optimiser.param_groups
    assert (still["weight_decay"], decaying["weight_decay"]) == (0, 1e-4)
    units = {id(weight) for step in epoch.network.steps for weight in step.weights.values()}
    assert {id(weight) for weight in still["params"]} == units
    assert len(still["params"]) + len(decaying["params"]) == len(list(epoch.network.parameters()))


def test_batch_norms_of_the_judged_architecture_get_averages_of_their_own(tmp_path):
    made = bench(tmp_path)
    network = SupernetNetwork(made.space.config, made.config.encoder)
    network.initialise(1)
    images, choices = made.data.train.images[:64], ("32",) * 8
    with torch.no_grad():
        before = network.eval()(to_input(images), choices)
        recalibrate(network, choices, images, batch=64)
        after = network.eval()(to_input(images), choices)
        wanted = network.train()(to_input(images), choices)  # by the statistics of the very mini-batch
    assert (after - wanted).abs().mean() < 0.1 * (before - wanted).abs().mean()
    other = network.steps[0].norms["1"][0]
    assert other.num_batches_tracked == 0
    assert 0 <= accuracy(network, choices, made.data.validation, 7) <= 1


# --- it learns -------------------------------------------------------------------------------------------------------


class Toy(nn.Module):
    """A supernet with shared weights in which the third unit sees the image or does not."""

    features = 64

    def __init__(self, space, encoder):
        super().__init__()
        self.linear = nn.Linear(64, 2)

    def forward(self, images, choices):
        return self.linear(images.flatten(1) * (choices[2] == "32"))

    @torch.no_grad()
    def initialise(self, seed):
        self.linear.weight.normal_(std=0.01, generator=torch.Generator().manual_seed(seed))
        self.linear.bias.zero_()

    def binary_weights(self):
        return []

    def norms_of(self, choices):
        return []


@pytest.mark.parametrize("seed", range(20))
def test_the_controller_finds_the_choice_that_is_clearly_better(tmp_path, monkeypatch, seed):
    monkeypatch.setattr(module, "SupernetNetwork", Toy)
    search = {
        "strategy": "enas", "epochs": 6,
        "controller": {"hidden": 16, "every": 1, "learning_rate": 0.02, "entropy_weight": 0.01, "warm_up_epochs": 1},
    }  # fmt: skip
    evaluation = {"kind": "supernet", "batch_size": 16, "learning_rate": 0.02, "controller_fraction": 0.3}
    *_, (found, _) = epochs(bench(tmp_path, config(seed, search=search, evaluation=evaluation)), 6, 100 * seed, _Plain)
    assert found.supernet.net.split()[2] == "32"
    assert found.supernet.probabilities[2][1] > 0.9
    assert found.reward > 0.9


class _Plain:
    """A worker that predicts no memory: a toy has none to speak of."""

    def __init__(self, made):
        self.bench = made

    def run(self, order, report):
        epoch = Epoch(self.bench, order, 64, report)
        outcome, path = epoch.run(), self.bench.staging / order.end
        epoch.write(path)
        return outcome, {order.end: path}

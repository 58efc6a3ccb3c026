import msgspec
import pytest
import torch

from nasd.evaluators.deep_prior import embed, evaluation
from nasd.evaluators.deep_prior.evaluation import evaluate
from nasd.evaluators.deep_prior.rungs import estimate
from nasd.evaluators.memory import pass_bytes, resident_bytes
from nasd.evaluators.networks.encoder import Encoder
from nasd.evaluators.orders import Rung
from nasd.evaluators.reward import recent_mean
from nasd.outcome import Evaluated, Failed, Measured, Outcome
from nasd.seeding import derive, trial_seed

SMALL = "[C(32,3,1,1,1), C(64,3,1,1,1), C(64,3,1,1,1), P(2,2,0,0), SM(10)]"
TINY = "[C(8,3,1,1,1), P(2,2,0,0), SM(10)]"


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def bare(outcome):
    return msgspec.structs.replace(outcome, measured=Measured())


def test_digits_end_to_end(parse, digits, configure):
    outcome = evaluate(parse(SMALL), digits, configure(training={"epochs": 20}), 1, "cpu")
    assert isinstance(outcome, Evaluated)
    assert outcome.reward > 0.9
    assert outcome.test_accuracy > 0.85
    assert outcome.train_accuracies[-1] > outcome.train_accuracies[0]
    assert outcome.reward == recent_mean(outcome.validation_accuracies)
    assert len(outcome.validation_accuracies) == len(outcome.train_accuracies) == 20
    assert (outcome.embedding_dim, outcome.micro_batch, outcome.early_stopped) == (1024, 128, False)
    assert outcome.measured.seconds > outcome.measured.encode_seconds > 0
    assert outcome.measured.device == "cpu"
    assert msgspec.json.decode(msgspec.json.encode(outcome), type=Outcome) == outcome


@pytest.mark.parametrize("statistics", ["batch", "population"])
def test_the_same_seed_gives_the_same_bits(parse, few, configure, statistics):
    config = configure(encoder={"batch_norm_statistics": statistics})
    kept = []
    one, same, other = (
        evaluate(parse(SMALL), few, config, seed, "cpu", on_embedding=kept.append) for seed in (5, 5, 6)
    )
    assert bare(one) == bare(same) != bare(other)
    for name in ("train", "val", "test"):
        assert torch.equal(kept[0].splits[name].x, kept[1].splits[name].x)
        assert not torch.equal(kept[0].splits[name].x, kept[2].splits[name].x)


@pytest.mark.parametrize("statistics", ["batch", "population"])
def test_any_number_of_threads_gives_the_same_bits(parse, few, configure, threads, statistics):
    config = configure(encoder={"batch_norm_statistics": statistics}, training={"batch_size": 16})
    outcomes, kept = [], []
    for number in (1, 2, 5):
        threads(number)
        outcomes.append(bare(evaluate(parse(SMALL), few, config, 5, "cpu", on_embedding=kept.append)))
        assert torch.get_num_threads() == number
    assert outcomes[0] == outcomes[1] == outcomes[2]
    for name in ("train", "val", "test"):
        for other in kept[1:]:
            assert torch.equal(kept[0].splits[name].x, other.splits[name].x)


def test_threads_are_given_up_where_memory_is_short(parse, few, configure, threads, monkeypatch):
    """Before mini-batches are split; both when it is known and when it is found out."""
    threads(4)
    config, used = configure(), []
    real = evaluation.embed

    def embed(*arguments):
        used.append(arguments[4:6])
        if len(used) == 2:
            raise MemoryError
        return real(*arguments)

    monkeypatch.setattr(evaluation, "embed", embed)
    plain = evaluate(parse(SMALL), few, config, 5, "cpu")
    with torch.device("meta"):
        encoder = Encoder(parse(SMALL), 1, config.encoder)
    whole = min(config.training.batch_size, len(few.train))
    images = sum(split.images.nbytes for split in few.splits.values())
    limit = images + resident_bytes(encoder, few, config) + 5 * pass_bytes(encoder, few, whole) // 2
    tight = evaluate(parse(SMALL), few, config, 5, "cpu", memory_limit=limit)
    assert used == [(whole, 4), (whole, 2), (whole, 1)]
    assert bare(plain) == bare(tight)


def test_a_quick_look_ends_what_it_finds_poor(parse, few, configure):
    plain = evaluate(parse(SMALL), few, configure(), 5, "cpu")
    config = configure(training={"screen": {"samples": 100}})
    looked, poor, good = (
        evaluate(parse(SMALL), few, config, 5, "cpu", screen_floor=floor) for floor in (None, 1.1, 0.0)
    )
    assert bare(looked) == bare(good) == msgspec.structs.replace(bare(plain), screening=looked.screening)
    assert 0.15 < looked.screening < 1
    assert poor.early_stopped
    assert (poor.reward, poor.validation_accuracies, poor.test_accuracy) == (
        looked.screening, (looked.screening,), None,
    )  # fmt: skip
    assert len(poor.train_accuracies) == 1


def test_rungs_that_are_passed_change_nothing_but_what_they_record(parse, few, configure):
    rungs = (Rung(images=100), Rung(images=200, floor=0.0), Rung(images=300, floor=1.1))  # the last one is no part
    plain = evaluate(parse(SMALL), few, configure(), 5, "cpu")
    looked = evaluate(parse(SMALL), few, configure(), 5, "cpu", rungs=rungs)
    assert bare(looked) == msgspec.structs.replace(bare(plain), rungs=looked.rungs)
    assert not looked.rungs.cut
    assert [0.15 < score < 1 for score in looked.rungs.scores] == [True, True]


def test_a_trial_that_is_stopped_at_a_rung_has_encoded_no_more(parse, few, configure, monkeypatch):
    passed = []
    plain = embed.embed_mini_batch
    monkeypatch.setattr(embed, "embed_mini_batch", lambda *given: passed.append(len(given[2])) or plain(*given))
    rungs = (Rung(images=128, floor=0.0), Rung(images=129, floor=1.0, gain=0.01))
    looked = evaluate(parse(SMALL), few, configure(), 5, "cpu", rungs=rungs)
    assert passed == [128, 128]
    assert looked.early_stopped
    assert looked.rungs.cut
    first, second = looked.rungs.scores
    assert first != second
    assert (looked.reward, looked.validation_accuracies, looked.test_accuracy) == (second + 0.01, (), None)
    again = evaluate(parse(SMALL), few, configure(), 5, "cpu", rungs=rungs[1:])
    assert again.rungs.scores == (second,)


def test_an_estimate_is_a_fraction():
    assert [estimate(*given) for given in ((0.9, 0.2), (0.1, -0.2), (0.5, 0.25))] == [1.0, 0.0, 0.75]


def test_the_global_random_stream_is_left_alone(parse, few, configure):
    state = torch.random.get_rng_state()
    evaluate(parse(TINY), few, configure(), 1, "cpu")
    assert torch.equal(state, torch.random.get_rng_state())


def test_seeds_differ_by_run_trial_and_purpose():
    seeds = {trial_seed(run, number) for run in range(20) for number in range(50)}
    assert len(seeds) == 1000
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert trial_seed(1, 2) == 7295439611570415962  # frozen: runs on disk depend on it
    assert derive(1, "weights") != derive(1, "shuffles")


def test_progress_and_embedding(parse, few, configure):
    told, kept = [], []
    outcome = evaluate(
        parse(TINY), few, configure(), 1, "cpu", progress=lambda *what: told.append(what), on_embedding=kept.append
    )
    assert told[:3] == [("build", 0, 0, None, None), ("encode", 0, 0, None, None), ("train", 0, 3, None, None)]
    accuracies = zip(outcome.train_accuracies, outcome.validation_accuracies, strict=True)
    assert told[3:] == [("train", n, 3, *pair) for n, pair in enumerate(accuracies, 1)]
    embedding = kept[0]
    assert embedding.train.x.shape == (300, 128)
    assert torch.equal(embedding.validation.index, few.validation.index)
    attributes = embedding.attributes
    assert attributes["architecture"] == TINY
    assert attributes["encoder"]["batch_norm_statistics"] == "batch"
    assert attributes["data"]["transforms"] == list(few.transforms)
    assert attributes["reward"] == outcome.reward
    assert {"seed", "dtype", "nasd"} < set(attributes)
    msgspec.json.encode(attributes)


def test_what_progress_raises_is_passed_on(parse, few, configure):
    class Cancelled(Exception):
        pass

    def progress(stage, *rest):
        if stage == "train":
            raise Cancelled

    with pytest.raises(Cancelled):
        evaluate(parse(TINY), few, configure(), 1, "cpu", progress=progress)


def test_early_stop(parse, few, configure):
    kept = []
    training = {"epochs": 9, "early_stopping_epoch": 4, "early_stopping_thresh": 1.0}
    outcome = evaluate(parse(TINY), few, configure(training=training), 1, "cpu", on_embedding=kept.append)
    assert outcome.early_stopped
    assert outcome.test_accuracy is None
    assert len(outcome.validation_accuracies) == len(outcome.train_accuracies) == 4
    assert outcome.reward == recent_mean(outcome.validation_accuracies) > 0
    assert kept[0].attributes["test_accuracy"] is None


def test_no_early_stop_above_the_threshold_or_before_its_epoch(parse, few, configure):
    for training in ({"early_stopping_epoch": 2, "early_stopping_thresh": 0.0}, {"early_stopping_thresh": 1.0}):
        outcome = evaluate(parse(TINY), few, configure(training={"epochs": 3} | training), 1, "cpu")
        assert not outcome.early_stopped
        assert outcome.test_accuracy is not None


def test_reward_is_the_mean_of_the_last_five():
    assert recent_mean([0.5]) == 0.5
    assert recent_mean([0.0, 0.1, 0.2, 0.3, 0.4, 0.5]) == pytest.approx(0.3)


@pytest.mark.parametrize("init", ["kaiming-normal", "kaiming-uniform", "xavier-normal", "xavier-uniform", "orthogonal"])
@pytest.mark.parametrize("batch_norm", [0, 1e-4])
def test_every_init_with_and_without_batch_norm(parse, few, configure, init, batch_norm):
    config = configure(encoder={"init": init, "batch_norm": batch_norm}, training={"epochs": 20, "learning_rate": 0.01})
    outcome = evaluate(parse(SMALL), few, config, 1, "cpu")
    assert isinstance(outcome, Evaluated)
    assert outcome.reward > 0.5


def test_layers_of_later_versions_are_a_failed_trial(parse, few, configure):
    outcome = evaluate(parse("[C(8,3,1,1), FC(32), SM(10)]"), few, configure(), 1, "cpu")
    assert isinstance(outcome, Failed)
    assert "fc" in outcome.reason


def test_a_lost_device_is_not_the_architectures_fault(parse, few, configure, monkeypatch):
    def lost(*args):
        raise torch.AcceleratorError("CUDA error: unspecified launch failure")

    monkeypatch.setattr("nasd.evaluators.deep_prior.evaluation.embed", lost)
    with pytest.raises(torch.AcceleratorError):
        evaluate(parse(TINY), few, configure(), 1, "cpu")

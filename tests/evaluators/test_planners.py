"""The daemon's half of each evaluator: orders, and what they leave in the run's directory."""

from pathlib import Path

import msgspec
import pytest

from nasd import rooms
from nasd.config import Config
from nasd.evaluators.orders import DeepPrior, Order, Rung, Think, Training, evaluator_of
from nasd.executors.staged import Staged
from nasd.outcome import Evaluated, RungScores, to_metrics
from nasd.seeding import trial_seed

NET = "[C(8,3,1,1,1), SM(10)]"


@pytest.fixture
def planners(tmp_path):
    config = Config.model_validate({"seed": 7, "training": {"screen": {"keep": 0.5, "after": 2}}})
    return rooms.planners(config, tmp_path)


def scored(score):
    return Evaluated(
        reward=score, validation_accuracies=(), train_accuracies=(), test_accuracy=None, early_stopped=False,
        embedding_dim=1, micro_batch=1, screening=score,
    )  # fmt: skip


def test_a_trial_is_held_to_the_best_of_what_was_observed_by_then(planners):
    planner = planners["deep_prior"]
    planner.restore([(1, 0.25, {"screening": 0.25}), (2, 0.75, {"screening": 0.75})])
    planner.observed(5, 3, scored(0.5))
    planner.observed(6, 4, None)
    floors = [planner.trial(NET, 9, after=after, keep_above=0.5).screen_floor for after in (1, 2, 3, 4)]
    assert floors == [None, 0.75, 0.75, 0.75]
    planner.observed(7, 5, scored(0.8))
    order = planner.trial(NET, 9, after=5, keep_above=0.5)
    assert order == DeepPrior(net=NET, seed=trial_seed(7, 9), keep_above=0.5, screen_floor=0.75)
    assert planner.repeat(1, 1, NET, 3, 5, embedding=False) == DeepPrior(net=NET, seed=3, epochs=5)  # not held to it


def test_rungs_hold_a_trial_to_what_was_observed_by_then_also_after_a_restart(tmp_path):
    rungs = {"images": [100, 200], "keep": [0.5, 0.5], "after": 2}
    config = Config.model_validate({"evaluation": {"rungs": rungs}})
    whole, resumed = (rooms.planners(config, tmp_path)["deep_prior"] for _ in range(2))
    looks = [
        msgspec.structs.replace(scored(reward), screening=None, rungs=RungScores(scores=scores, cut=cut))
        for reward, scores, cut in ((0.6, (0.5, 0.7), False), (0.75, (0.25,), True), (0.5, (0.75, 0.5), False))
    ]
    for place, look in enumerate(looks, 1):
        whole.observed(place, place, look)
    resumed.restore((place, look.reward, to_metrics(look)) for place, look in enumerate(looks[:2], 1))
    resumed.observed(3, 3, looks[2])
    for after in range(5):
        orders = [planner.trial(NET, 9, after=after, keep_above=None).rungs for planner in (whole, resumed)]
        assert orders[0] == orders[1]
    assert whole.trial(NET, 9, after=1, keep_above=None).rungs == (
        Rung(images=100, gain=pytest.approx(0.1)), Rung(images=200, gain=pytest.approx(-0.1)),
    )  # fmt: skip
    assert [rung.floor for rung in whole.trial(NET, 9, after=2, keep_above=None).rungs] == [0.5, None]
    first, second = whole.trial(NET, 9, after=3, keep_above=None).rungs
    assert (first.floor, second.floor) == (0.75, 0.7)
    assert (first.gain, second.gain) == (pytest.approx((0.1 - 0.25) / 2), pytest.approx((-0.1 + 0.0) / 2))
    assert whole.repeat(1, 1, NET, 3, 5, embedding=False).rungs == ()  # a job's architecture is evaluated whole


def test_after_a_fork_only_scores_at_the_same_number_of_images_count(tmp_path):
    """They were taken by their places: what a rung at 1,000 had said held trials at 300."""
    rungs = {"images": [300, 1000], "keep": [0.5, 0.5], "after": 2}
    planner = rooms.planners(Config.model_validate({"evaluation": {"rungs": rungs}}), tmp_path)["deep_prior"]
    for place, score in enumerate((0.5, 0.7), 1):
        looked = RungScores(scores=(score, 0.8), images=(1000, 4000))
        planner.restore([(place, 0.9, to_metrics(msgspec.structs.replace(scored(0.9), rungs=looked)))])
    assert planner.trial(NET, 9, after=2, keep_above=None).rungs == (
        Rung(images=300), Rung(images=1000, floor=0.7, gain=pytest.approx(0.3)),
    )  # fmt: skip


def test_nothing_is_stopped_where_all_are_kept(tmp_path):
    rungs = {"images": [100], "keep": [1.0], "after": 1}
    planner = rooms.planners(Config.model_validate({"evaluation": {"rungs": rungs}}), tmp_path)["deep_prior"]
    planner.observed(1, 1, msgspec.structs.replace(scored(0.9), rungs=RungScores(scores=(0.9,), images=(100,))))
    assert planner.trial(NET, 9, after=1, keep_above=None).rungs[0].floor is None


async def test_an_embedding_that_a_job_keeps_gets_its_name(planners, tmp_path):
    planner, folder = planners["deep_prior"], tmp_path / "exports" / "jobs"
    order = planner.repeat(2, 1, NET, 3, 5, embedding=True)
    assert (order.staging, order.keep_above) == (str(folder), -1.0)
    for content in ("first", "again"):  # as after a kill between the rename and the commit
        staged = folder / ".tmp-1"
        staged.mkdir()
        (staged / "content").write_text(content)
        kept = await planner.keep(2, 1, {"embedding": Staged(staged)})
        assert kept == {"embedding": "exports/jobs/job-000002-1.zarr", "weights": []}
    assert (tmp_path / kept["embedding"] / "content").read_text() == "again"
    (folder / ".tmp-2").mkdir()
    planner.sweep([], [])
    assert [path.name for path in folder.iterdir()] == ["job-000002-1.zarr"]


async def test_an_embedding_that_cannot_be_kept_costs_no_result(planners, tmp_path, caplog):
    kept = await planners["deep_prior"].keep(2, 1, {"embedding": Staged(tmp_path / "gone")})
    assert kept == {"embedding": None, "weights": []}
    assert "job-000002-1.zarr is not kept" in caplog.text


async def test_a_training_leaves_weights_where_its_order_says(planners, tmp_path):
    planner = planners["training"]
    assert planner.trial(NET, 4, after=3, keep_above=0.5) == Training(
        net=NET, seed=trial_seed(7, 4), weights=str(tmp_path / "weights" / "trial-000004")
    )
    order = planner.repeat(2, 1, NET, 3, 5, embedding=False)
    assert (order.keep_weights, order.epochs) == (True, 5)
    Path(order.weights).parent.mkdir()
    for kind in ("best", "last", "checkpoint"):
        Path(f"{order.weights}-{kind}.safetensors").touch()
    names = ["weights/job-000002-1-best.safetensors", "weights/job-000002-1-last.safetensors"]
    assert await planner.keep(2, 1, {}) == {"embedding": None, "weights": names}
    planner.forget(2, 1)
    assert sorted(f"weights/{path.name}" for path in (tmp_path / "weights").iterdir()) == names


def test_orders_survive_the_way_to_a_worker():
    import msgspec

    orders = [
        DeepPrior(net=NET, seed=2**64 - 1, keep_above=0.1), Training(net=NET, seed=1, weights="w"),
        Think(name="ranking", request=b"\x00\xff", inputs={"a": "/b"}),
    ]  # fmt: skip
    for order in orders:
        assert msgspec.json.decode(msgspec.json.encode(order), type=Order) == order
    assert [evaluator_of(order) for order in orders[:2]] == ["deep_prior", "training"]
    assert [order.subject for order in orders] == [NET, NET, "ranking"]

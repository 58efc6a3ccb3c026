"""What a search is said to cost before it begins."""

import dataclasses
import math

import pytest

from nasd import rooms
from nasd.config import Config, yaml_text
from nasd.errors import NasdError
from nasd.runs.expected import Pace, leaving_out, too_long
from nasd.runs.plan import Images, Plan, plan, works

IMAGES = Images(1000, 100, 200)
SPACE = {"min_conv": 1, "max_conv": 3, "conv_sizes": [1, 3], "conv_features": [4, 8], "patch_size": 12}


def configured(**sections) -> Config:
    search = {"strategy": "random", "trials": 20}
    return Config.model_validate({"space": SPACE, "search": search, "training": {"epochs": 7}, **sections})


@pytest.fixture(scope="module")
def small() -> Plan:
    return plan(configured(), IMAGES)


def test_an_evaluation_takes_one_pass_of_all_images_and_two_products_a_step(small):
    space = rooms.space(configured())
    for cost in small.costs:
        *encoder, classifier = space.graph(space.parse(cost.net)).nodes
        assert cost.encoder == pytest.approx(1300 * 2 * sum(node.operations for node in encoder) / 1e9)
        assert cost.classifier == pytest.approx((7 * (2 * 1000 + 100) + 200) * 2 * classifier.operations / 1e9)
        assert cost.values * 10 == classifier.parameters


def test_full_training_counts_forward_and_backward(small):
    trained = plan(configured(evaluation="training"), IMAGES)
    for cost, random in zip(trained.costs, small.costs, strict=True):
        assert (cost.passes, cost.classifier) == (7 * (3 * 1000 + 100) + 200, 0)
        assert cost.encoder == pytest.approx(cost.passes * cost.gflops)
        assert cost.gflops == random.gflops


def test_population_statistics_need_a_second_pass(small):
    twice = plan(configured(encoder={"batch_norm_statistics": "population"}), IMAGES)
    assert [cost.passes for cost in twice.costs] == [2300] * len(small.costs)


def test_rungs_leave_out_what_they_are_expected_to(small):
    rungs = {"images": [100, 400, 5000], "keep": [0.5, 0.2, 0.1], "after": 4}
    found = plan(configured(evaluation={"kind": "deep_prior", "rungs": rungs}), IMAGES)
    passes = [cost.passes for cost in found.costs]
    assert passes[:4] == [1300] * 4
    assert passes[4] == 100 + 0.5 * 300 + 0.5 * 0.2 * 900
    assert {cost.whole for cost in found.costs} == {1300}
    assert [one.net for one in found.costs] == [other.net for other in small.costs]
    assert found.costs[4].classifier == pytest.approx(0.1 * small.costs[4].classifier)


def test_all_operations_are_those_of_the_stages_and_of_the_layers():
    schedule = {"strategy": "qlearning", "epsilon_schedule": [[1.0, 12], [0.5, 6], [0.0, 2]]}
    found = plan(configured(search=schedule), IMAGES)
    assert sum(found.kinds.values()) - found.kinds.get("infeasible", 0) == 20
    assert len(found.costs) == found.kinds["evaluate"]
    total = sum(cost.encoder for cost in found.costs)
    assert sum(found.by_kernel.values()) == pytest.approx(total)
    assert sum(cost.encoder for costs in found.by_stage.values() for cost in costs) == pytest.approx(total)
    assert next(iter(found.by_stage)) == "e=1"
    assert found.quantile(1.0).encoder == max(cost.encoder for cost in found.costs)


def test_cells_are_planned_with_what_the_surrogate_would_think():
    cells = {"kind": "cells", "blocks": 2, "operators": ["id", "max3x3"], "filters": 4, "repeats": 1, "patch_size": 8}
    found = plan(configured(space=cells, search={"strategy": "pnas", "k": 4, "surrogate": "ridge"}), IMAGES)
    assert list(found.by_stage) == ["b=1", "b=2"]
    assert len(found.by_stage["b=2"]) == 4


def test_a_search_that_does_not_end_and_one_that_cannot_be_planned_are_refused():
    with pytest.raises(NasdError, match="none of 1,000 trials in a row counts"):
        plan(configured(space={**SPACE, "max_gflops": 1e-12}), IMAGES)
    supernet = {"space": {"kind": "supernet"}, "search": {"strategy": "enas"}, "evaluation": {"kind": "supernet"}}
    with pytest.raises(NasdError, match="the epochs of a supernet cannot be planned"):
        plan(configured(**supernet), IMAGES)
    with pytest.raises(NasdError, match="the epochs of a supernet cannot be planned"):
        works(configured(**supernet), lambda: None)


def test_examples_stand_for_equal_parts_of_the_operations(small):
    for kernel, examples in small.examples(4).items():
        layers = sorted(
            (layer.gflop, cost.net, layer.place)
            for cost in small.costs for layer in cost.layers if layer.kernel == kernel
        )  # fmt: skip
        work = {(net, place): gflop for gflop, net, place in layers}
        assert len(examples) == 4
        sizes = [work[example] for example in examples]
        assert sizes == sorted(sizes)
        below = sum(gflop for gflop, *_ in layers if gflop < sizes[0])
        assert below <= sum(work.values()) / 8


CELLS = {"kind": "cells", "blocks": 2, "operators": ["sep3x3", "id"], "filters": 4, "repeats": 1, "patch_size": 8}


@pytest.mark.parametrize(("space", "key"), [(SPACE, "max_gflops"), (CELLS, "max_operations")])
def test_the_limit_that_is_advised_leaves_out_what_takes_too_long(space, key):
    small = plan(configured(space=space), IMAGES)
    pace = Pace(dict.fromkeys(small.by_kernel, 1.0), 0.0, 2)
    assert pace.search(small.costs) == pytest.approx(sum(cost.encoder for cost in small.costs))
    timeout = 2 * small.quantile(0.5).encoder  # each worker has half of the pace
    late = too_long(small, pace, timeout)
    assert {cost.net for cost in late} == {cost.net for cost in small.costs if 2 * cost.encoder > timeout}
    name, _, limit = (leaving_out(late, small, space.get("kind", "layers")) or "").partition(" to ")
    assert name == f"space.{key}"
    kept = rooms.space(configured(space={**space, key: yaml_text.read(limit, "the advice")}))
    least = min(cost.gflops for cost in late)
    for cost in small.costs:
        assert (kept.feasible(kept.parse(cost.net)) is None) == (cost.gflops < least)
    assert too_long(small, pace, 1e9) == []


@pytest.mark.parametrize(
    ("sizes", "space", "limit"),
    [
        ([1.236, 1.238], "layers", "space.max_gflops to 1.236"),
        ([1.2341, 1.238], "layers", "space.max_gflops to 1.2341"),
        ([1.2361, 1.25], "layers", "space.max_gflops to 1.24"),
        ([1234.0, 2000.0], "layers", "space.max_gflops to 1234"),
        ([1.0, math.nextafter(1.0, 2.0)], "layers", "space.max_gflops to 1"),
        ([1 / 3, math.nextafter(1 / 3, 1.0)], "layers", "space.max_gflops to 0.3333333333333333"),
        ([1.236, 1.236000002], "cells", "space.max_operations to 618000000"),
        ([1.236, 1.238], "supernet", None),
        ([1.238], "layers", None),
    ],
)
def test_the_limit_that_is_advised_has_as_few_digits_as_leave_out_the_largest(small, sizes, space, limit):
    costs = tuple(dataclasses.replace(small.costs[0], gflops=gflops) for gflops in sizes)
    assert leaving_out(costs[-1:], Plan({}, costs), space) == limit

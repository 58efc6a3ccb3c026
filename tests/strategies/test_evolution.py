"""Regularised evolution: whose child, who goes; and that it finds better architectures than random search."""

from collections import deque
from typing import Any

import numpy as np
import pytest

from nasd.config import Config, LayersConfig
from nasd.protocol.evolution import PopulationParams
from nasd.spaces.layers import SearchSpace
from nasd.strategies.base import Observed, Proposal, Strategy
from nasd.strategies.evolution.strategy import Evolution
from nasd.strategies.evolution.views import population
from nasd.strategies.random.strategy import RandomSearch
from tests.strategies.contract import evaluated

SPACE = SearchSpace(LayersConfig(max_conv=6, conv_features=(4, 8, 16), max_num_fc_input=10**6, max_image_size=28))


def configure(strategy: str, seed: int = 1, **search: Any) -> Config:
    return Config.model_validate({"seed": seed, "search": {"strategy": strategy, **search}})


def reward(net: str) -> float:
    """More convolutions of 16 features are better: what a mutation can keep and a fresh sample cannot."""
    return (1 + net.count("C(16")) / 10


def run(strategy: Strategy, trials: int) -> list[tuple[Proposal, Observed]]:
    done = []
    while not strategy.finished and len(done) < trials:
        (proposal,) = strategy.propose(1)
        outcome = evaluated(reward(proposal.net)) if proposal.kind == "evaluate" else None
        done.append((proposal, strategy.observe(proposal, outcome)))
    return done


def test_children_are_mutations_of_members_and_the_oldest_goes() -> None:
    strategy = Evolution(configure("evolution", trials=80, population=12, sample_size=4), SPACE)
    members: deque[Proposal] = deque(maxlen=12)
    for proposal, observed in run(strategy, 200):
        if proposal.stage == "initial":
            assert len(members) < 12
            assert proposal.facts == {}
        else:
            assert len(members) == 12
            parent = next(member for member in members if member.number == proposal.facts["parent"])
            assert proposal.facts["parent_reward"] == reward(parent.net)
            lengths = [len(SPACE.parse(net).states) for net in (parent.net, proposal.net)]
            assert abs(lengths[0] - lengths[1]) <= 1
        if observed.counted:
            members.append(proposal)
    assert [row.number for row in strategy.members] == [member.number for member in members]


def test_the_parent_is_the_best_of_a_sample() -> None:
    """With a sample far larger than the population, it is the best of all."""
    strategy = Evolution(configure("evolution", trials=60, population=5, sample_size=5), SPACE)
    strategy.sample_size = 500
    run(strategy, 5)
    for _ in range(20):
        best = max(row.reward for row in strategy.members)
        ((proposal, _),) = run(strategy, 1)
        assert proposal.facts["parent_reward"] == best


def test_it_finds_better_architectures_than_random_search() -> None:
    best: dict[str, list[float]] = {"evolution": [], "random": []}
    for seed in range(5):
        sizes = {"population": 20, "sample_size": 5}
        evolution = Evolution(configure("evolution", seed, trials=120, **sizes), SPACE)
        random = RandomSearch(configure("random", seed, trials=120), SPACE)
        for name, strategy in (("evolution", evolution), ("random", random)):
            best[name].append(float(np.mean([observed.reward for _, observed in run(strategy, 500)][-20:])))
    assert min(best["evolution"]) > max(best["random"])


@pytest.mark.parametrize(("offset", "limit", "shown"), [(0, 100, 10), (8, 100, 2), (0, 3, 3), (50, 5, 0)])
def test_the_population_in_pages(offset: int, limit: int, shown: int) -> None:
    strategy = Evolution(configure("evolution", trials=60, population=10, sample_size=3), SPACE)
    assert population(strategy, SPACE, PopulationParams()).members == ()
    trials = run(strategy, 200)
    parents = {proposal.number: proposal.facts.get("parent") for proposal, _ in trials}
    page = population(strategy, SPACE, PopulationParams(offset=offset, limit=limit))
    assert (page.size, page.sample_size, page.total, page.offset) == (10, 3, 10, offset)
    assert len(page.members) == shown
    assert [member.age for member in page.members] == list(range(offset, offset + shown))
    assert all(member.parent == parents[member.trial] for member in page.members)

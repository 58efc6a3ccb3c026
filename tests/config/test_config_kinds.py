"""Sections of several kinds, and configs as older versions froze them."""

import re
from pathlib import Path

import pytest

from nasd import config as configuration
from nasd.config import EvolutionConfig, FullTrainingConfig, QLearningConfig, RandomConfig
from nasd.errors import ConfigError

FROZEN = sorted((Path(__file__).parent / "frozen").glob("*.yaml"))


def faults(text, overrides=()):
    with pytest.raises(ConfigError) as caught:
        configuration.parse(text, overrides)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "kind", "trials"),
    [
        ("", QLearningConfig, 2403),
        ("search: {}", QLearningConfig, 2403),
        ("search: {epsilon_schedule: [[1.0, 4], [0.1, 3]]}", QLearningConfig, 7),
        ("search: {strategy: random, trials: 30}", RandomConfig, 30),
        ("search: {strategy: evolution, trials: 50, population: 10, sample_size: 3}", EvolutionConfig, 50),
    ],
)
def test_the_strategy_chooses_the_section(text, kind, trials):
    config = configuration.parse(text)
    assert type(config.search) is kind
    assert config.search.total_trials == trials
    assert configuration.parse(configuration.dump(config)) == config
    assert kind.of(config.search) is config.search


def test_the_section_of_another_strategy():
    config = configuration.parse("search: {strategy: random}")
    with pytest.raises(ConfigError, match=r"search\.strategy is random, which does not fit"):
        QLearningConfig.of(config.search)


def test_a_strategy_that_does_not_exist_lists_those_that_do():
    assert "search.strategy: there is no strategy 'annealing'; known here are qlearning, random, evolution" in faults(
        "search: {strategy: annealing, trials: 5}"
    )
    assert "evaluation.kind: there is no kind 'half'; known here are deep_prior, training" in faults("evaluation: half")
    assert "there is no strategy '[1]'" in faults("search: {strategy: [1]}")


def test_faults_in_a_kind_name_the_keys_as_they_are_written():
    text = faults(
        "search: {strategy: evolution, population: 1, epsilon_schedule: [], colour: blue}\n"
        "evaluation: {kind: training, screen: {}}\ntraining: {screen: {keep: 2, colour: red}}\nspace: [3]\n"
    )
    for fault in (
        "search.population: input should be greater than or equal to 2 (got 1)",
        "search.epsilon_schedule: qlearning takes it, evolution does not; known here are classes, ",
        "search.colour: unknown key; known here are classes, lookahead, order, population, sample_size, ",
        "evaluation.screen: unknown key; known here are kind",
        "training.screen.keep: ",
        "training.screen.colour: unknown key; known here are after, keep, probe, samples",
        "space: a section is wanted: keys with their values",
    ):
        assert fault in text
    text = faults("search: {trials: 5}")
    assert re.search(r"search\.trials: (\w+, )*evolution.* and random take it, qlearning does not", text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("evaluation: {rungs: {images: [500]}}", "evaluation.rungs: images names 1 rungs, keep 2: give each rung both"),
        ("evaluation: {rungs: {images: [500, 500], keep: [0.5, 0.5]}}", "evaluation.rungs: images must ascend"),
        ("evaluation: {rungs: {}}\ntraining: {screen: {}}", "both end evaluations early"),
        ("evaluation: {rungs: {}}\nencoder: {batch_norm_statistics: population}", "population statistics are those"),
        ("evaluation: {kind: training, rungs: {}}", "evaluation.rungs: deep_prior takes it, training does not"),
    ],
)
def test_rungs_that_do_not_fit(text, fault):
    assert fault in faults(text)


@pytest.mark.parametrize("path", FROZEN, ids=lambda path: path.stem)
def test_what_older_versions_froze_is_read(path):
    config = configuration.load(path)
    assert config.space.kind == "layers"
    assert config.search.strategy == "qlearning"
    assert configuration.parse(configuration.dump(config)) == config


def test_older_forms_mean_what_they_meant():
    full = configuration.parse("evaluation: full\ncheckpoint: {every: 7}", ("checkpoint.keep=2", "name=1e5"))
    assert isinstance(full.evaluation, FullTrainingConfig)
    assert (full.snapshots.every, full.snapshots.keep, full.name) == (7, 2, "1e5")
    assert configuration.parse("evaluation: full", ("evaluation.kind=deep_prior",)).evaluation.kind == "deep_prior"
    assert configuration.parse("", ("evaluation=training",)) == configuration.parse("evaluation: {kind: training}")
    written = configuration.dump(full)
    assert "evaluation:\n  kind: training\n" in written
    assert "checkpoint" not in written
    assert "and both are given: keep snapshots" in faults("checkpoint: {every: 1}\nsnapshots: {keep: 2}")
    assert "and both are given: keep snapshots" in faults("checkpoint: {}\nsnapshots: {}", ("seed=2",))

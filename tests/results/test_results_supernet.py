"""A finished search of a supernet: what is exported and drawn of it."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import nasd
from nasd import config as configuration
from nasd import rooms
from nasd.cli import cli, enas
from nasd.daemon.trial_rows import make_trial
from nasd.evaluators.bench import Bench
from nasd.evaluators.mini_batches import to_input
from nasd.evaluators.supernet.judging import accuracy
from nasd.export.shared_weights import shared_accuracies
from nasd.outcome import epoch_in
from nasd.protocol import FROM_SCRATCH
from nasd.runs.opening import search_of
from nasd.runs.report import report
from store import Delta, Job, Learned, Run
from tests.evaluators.test_supernet import bench, config


def searched(directory: Path, made: Bench) -> Path:
    """A whole search in this process."""
    planner = rooms.planners(made.config, directory)["supernet"]
    strategy = rooms.strategy(made.config, made.space)
    with Run.create(directory, configuration.dump(made.config), name="supernet", version="0") as run:
        while not strategy.finished:
            (proposal,) = strategy.propose(1)
            order = planner.trial(
                proposal.net, proposal.number, after=0, keep_above=None, facts=proposal.facts, file=run.files.path
            )
            outcome, left = rooms.evaluator("supernet", made).run(order, lambda _: None)
            observed = strategy.observe(proposal, outcome)
            files = tuple(run.files.adopt(path, name) for name, path in left.items())
            run.commit(
                Delta(
                    trial=make_trial(proposal, observed, outcome, order=proposal.number, seed=made.config.seed),
                    learned=Learned(observed.learned.payload, files),
                    position=strategy.position(),
                    dropped_files=observed.dropped_files,
                )
            )
    return directory


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("supernet")
    keeping = {"strategy": "enas", "epochs": 3, "keep": 1, "controller": {"hidden": 16, "samples": 3, "every": 2}}
    return bench(folder, config(search=keeping))


@pytest.fixture(scope="module")
def run(made, tmp_path_factory):
    return searched(tmp_path_factory.mktemp("runs") / "supernet", made)


def said(*arguments):
    result = CliRunner().invoke(cli, list(map(str, arguments)))
    return result.exit_code, result.output + str(result.exception or "")


@pytest.mark.parametrize("flags", [(), ("--packed",)])
def test_an_epochs_architecture_is_exported_as_it_was_judged(run, made, tmp_path, flags):
    target = tmp_path / "it.safetensors"
    code, text = said("export", "network", run, "--trial", 3, *flags, "-o", target)
    assert code == 0, text
    network = nasd.load_model(target)
    with Run.open(run) as opened:
        trial = opened.trial(3)
    split = made.data.validation
    found = accuracy(network, made.space.parse(trial.net).choices, split, made.config.evaluation.batch_size)
    assert found == pytest.approx(trial.reward, abs=0.0 if not flags else 0.1)  # folding rounds, and signs may flip
    if not flags:
        network.train()(to_input(made.data.train.images[:8])).sum().backward()
        assert all(parameter.grad is not None for parameter in network.parameters())


def test_a_program_runs_without_nasd(run, made, tmp_path):
    code, text = said("export", "network", run, "--trial", 3, "-o", tmp_path / "it.pt2")
    assert code == 0, text
    program = torch.export.load(tmp_path / "it.pt2").module()
    assert program(to_input(made.data.test.images)).shape == (50, 2)


def test_an_epoch_whose_file_was_dropped_is_refused_in_one_sentence(run, tmp_path):
    with Run.open(run) as opened:
        there = opened.files.referred_to()
    gone = next(number for number in (1, 2, 3) if f"supernet-{number:06}.safetensors" not in there)
    code, text = said("export", "network", run, "--trial", gone, "-o", tmp_path / "it.safetensors")
    assert code == 1
    assert "was dropped" in text


def test_choices_are_drawn(run, tmp_path):
    code, text = said("plot", "choices", run, "-o", tmp_path / "choices.svg")
    assert code == 0, text
    drawn = (tmp_path / "choices.svg").read_text()
    assert "block 4.2" in drawn
    code, text = said("plot", "architecture", run, "--trial", 3, "-o", tmp_path / "it.svg")
    assert code == 0, text
    assert "block 1.1" in (tmp_path / "it.svg").read_text()


def test_shared_weights_judge_as_the_epoch_did_and_are_compared_with_training_from_scratch(run, made, monkeypatch):
    monkeypatch.setattr("nasd.data.load", lambda *_: made.data)
    with Run.open(run) as opened:
        selected = enas.chosen(opened, drawn=4)
        newest = opened.trial(3)
    assert [one.group for one in selected].count("random") == 4
    assert len({one.net for one in selected}) == len(selected)
    judged = {one.net: one.reward for one in selected}
    assert judged[newest.net] == newest.reward
    code, text = said("enas", "ranking", run)
    assert code == 1
    assert "nasd enas derive queues them" in text
    for number, one in enumerate(selected):
        repeat = {"best_validation": 0.5 + number / 100, "test_accuracy": 0.4}
        params = {"net": one.net, "group": one.group, "reward": one.reward, "label": FROM_SCRATCH}
        job = Job(id=0, kind="retrain", params=params, status="done", result={"repeats": [repeat]})
        with Run.open(run, writable=True) as opened:
            opened.commit(Delta(jobs=(job,)))
    code, text = said("enas", "ranking", run)
    assert code == 0, text
    assert "40.0 % of random ones" in text
    assert f"{len(selected)} of {len(selected)} architectures" in text
    code, text = said("plot", "ranking", run, "-o", run.parent / "ranking.svg")
    assert code == 0, text
    assert "rank correlation" in (run.parent / "ranking.svg").read_text()
    with Run.open(run) as opened:
        assert "40.0 % of random ones" in report(opened)
        assert not {one.net for one in enas.chosen(opened, drawn=2)} & set(judged)  # each once


def test_the_last_epoch_judges_the_best_derived_architectures_with_its_own_weights(run, made, monkeypatch):
    monkeypatch.setattr("nasd.data.load", lambda *_: made.data)
    with Run.open(run) as opened:
        trainings = search_of(opened).strategy.trainings()
        nets = {trial.net for trial in opened.trials()}
        last = epoch_in(opened.trial(3).metrics)
        wanted = shared_accuracies(opened, [made.space.parse(one.net) for one in trainings])
        assert epoch_in(opened.trial(2).metrics).judged == ()
    assert {one.net for one in last.judged} == nets
    assert {one.net for one in trainings} == nets
    assert [one.reward for one in trainings] == wanted

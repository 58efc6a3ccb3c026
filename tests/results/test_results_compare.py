"""`nasd compare`: groups, curves, intervals, probabilities, and what is written of them."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from nasd.cli.compare import compare_command
from nasd.cli.plot import report_command
from nasd.data import Fingerprint
from nasd.errors import NasdError
from nasd.outcome import Evaluated, Measured
from nasd.runs import compare
from nasd.runs.compare import Curve, Group
from nasd.runs.data import IDENTITY
from store import Delta, Run
from tests.helpers import searches


def curve(rewards, name="run", strategy="random", seconds=None, key=None):
    values = np.asarray(rewards, dtype=float)
    spent = np.cumsum(np.ones(len(values)) if seconds is None else seconds).astype(float)
    return Curve(name, strategy, key or strategy, values, spent)


def evaluated(reward):
    """An outcome that took a second."""
    return Evaluated(
        reward=reward, validation_accuracies=(reward,), train_accuracies=(reward,), test_accuracy=reward,
        early_stopped=False, embedding_dim=10, micro_batch=1, measured=Measured(seconds=1.0),
    )  # fmt: skip


def search(folder, strategy, seed):
    """A search whose rewards depend on the architecture, and whose trials take a second each."""

    def outcome(architecture, _seed, _on_embedding):
        return evaluated(min(0.1 + architecture.embedding_dim / 2000, 1.0))

    section = {
        "random": {"strategy": "random", "trials": 30},
        "evolution": {"strategy": "evolution", "trials": 30, "population": 10, "sample_size": 3},
        "qlearning": {"epsilon_schedule": [[1.0, 20], [0.1, 10]]},
    }[strategy]
    name = f"{strategy}-{seed}"
    return searches.search(folder / name, searches.configure(name=name, seed=seed, search=section), outcome)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    return [search(folder, strategy, seed) for strategy in ("qlearning", "random", "evolution") for seed in (1, 2)]


def test_best_and_mean_rewards():
    one = curve([0.2, 0.1, 0.4, 0.3])
    assert one.values("best").tolist() == [0.2, 0.2, 0.4, 0.4]
    assert one.values("mean") == pytest.approx([0.2, 0.15, 0.7 / 3, 0.25])
    long = curve(np.arange(50) / 50)
    assert long.values("mean")[-1] == pytest.approx(np.mean(np.arange(30, 50) / 50))


def test_bands_are_over_runs_and_of_one_run_its_own_line():
    single = compare.by_trial(Group("a", (curve([0.1, 0.2]),)), "best")
    assert single.low.tolist() == single.mean.tolist() == single.high.tolist() == [0.1, 0.2]
    several = Group("b", (*(curve([value] * 3) for value in (0.2, 0.4, 0.6, 0.8)), curve([0.5] * 9)))
    series = compare.by_trial(several, "best")
    assert series.mean == pytest.approx([0.5] * 3)  # up to the shortest run
    assert (series.low < series.mean).all()
    assert (series.low >= 0.2).all()
    assert (series.high > series.mean).all()
    again = compare.by_trial(several, "best")
    assert (again.low == series.low).all()


def test_a_bootstrap_interval_is_as_wide_as_the_theory_says():
    """The mean of 40 normal values: its standard error is their deviation over the root of 40."""
    values = np.random.default_rng(1).normal(0.5, 0.1, 40)
    series = compare.by_trial(Group("a", tuple(curve([value]) for value in values)), "best")
    half = 1.96 * values.std() / np.sqrt(40)
    assert series.high[0] - series.mean[0] == pytest.approx(half, rel=0.1)
    assert series.mean[0] - series.low[0] == pytest.approx(half, rel=0.1)


def test_seconds_include_trials_that_did_not_count(tmp_path):
    directory = search(tmp_path, "random", 3)
    with Run.open(directory) as run:
        read = compare.read(run)
        trials = list(run.observed())
    assert len(read.rewards) == 30
    assert read.seconds[-1] == sum(trial.seconds for trial in trials)
    fast, slow = curve([0.1, 0.5, 0.6], seconds=[1, 1, 1]), curve([0.2, 0.3, 0.9], seconds=[2, 2, 2])
    series = compare.by_seconds(Group("a", (fast, slow)), "best")
    assert (series.at[0], series.at[-1]) == (2, 3)
    assert series.mean[0] == pytest.approx((0.5 + 0.2) / 2)
    assert series.mean[-1] == pytest.approx((0.6 + 0.2) / 2)


def test_the_probability_of_being_ahead_is_the_share_of_pairs():
    good = Group("good", (curve([0.1, 0.9]), curve([0.3, 0.5])))
    bad = Group("bad", (curve([0.2, 0.2]), curve([0.3, 0.6])))
    assert compare.probability(good, bad).tolist() == [(0 + 0 + 1 + 0.5) / 4, (1 + 1 + 1 + 0) / 4]
    end = compare.duel(good, bad)
    assert end.probability == 0.75
    assert end.low <= 0.75 <= end.high
    assert compare.duel(bad, good).probability == 0.25
    same = compare.duel(good, good)
    assert same.probability == 0.5


def test_runs_are_grouped_by_config_apart_from_seed_and_name(runs):
    groups = compare.group([read(path) for path in runs])
    assert [one.label for one in groups] == ["qlearning", "random", "evolution"]
    assert [len(one.runs) for one in groups] == [2, 2, 2]
    other = replace(groups[1].runs[0], name="other", key="another config")
    labels = [one.label for one in compare.group([*groups[1].runs, other])]
    assert labels == ["random (random-1)", "random (other)"]


def test_where_a_run_runs_does_not_set_it_apart(tmp_path):
    def made(name, **sections):
        config = searches.configure(name=name, search={"strategy": "random", "trials": 2}, **sections)
        return read(searches.search(tmp_path / name, config, lambda *_: evaluated(0.5)))

    here = made("here", seed=1)
    there = made(
        "there", seed=2, executor={"devices": ["cpu"], "threads": 2}, log={"keep": 9}, store={"keep_embeddings": 0}
    )
    another = made("another", seed=2, space={**searches.SPACE, "max_conv": 2})
    assert [one.label for one in compare.group([here, there, another])] == ["random (here)", "random (another)"]


def read(path):
    with Run.open(path) as run:
        return compare.read(run)


def test_the_command_prints_a_table_and_writes_figure_and_csv(runs, tmp_path):
    figure, table = tmp_path / "c.png", tmp_path / "c.csv"
    arguments = [*map(str, runs), "-o", str(figure), "--csv", str(table)]
    done = CliRunner().invoke(compare_command, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert "after 30 trials" in done.stdout
    assert "evolution is ahead of" not in done.stdout
    assert "random is ahead of evolution with probability" in done.stdout
    assert "fewer than 5 runs" in done.stderr
    assert figure.read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader(table.read_text().splitlines()))
    ends = {row["group"]: float(row["value"]) for row in rows if row["measure"] == "best" and row["at"] == "30"}
    assert ends["random"] == pytest.approx(np.mean([read(path).rewards.max() for path in runs[2:4]]))
    beats = [row for row in rows if row["measure"] == "beats"]
    assert len(beats) == 3 * 30
    assert all(0 <= float(row["value"]) <= 1 for row in beats)
    again = CliRunner().invoke(compare_command, [*map(str, runs), "--json"], catch_exceptions=False)
    facts = json.loads(again.stdout)
    assert facts["trials"] == 30
    assert [one["group"] for one in facts["groups"]] == ["qlearning", "random", "evolution"]
    assert facts["groups"][1]["best"][0] == pytest.approx(ends["random"])


def test_what_cannot_be_compared_is_said_in_one_sentence(runs, tmp_path):
    with pytest.raises(NasdError, match="one search with several seeds"):
        CliRunner().invoke(
            compare_command, [*map(str, runs[:2]), "-o", str(tmp_path / "c.svg")], catch_exceptions=False
        )
    from nasd import config as configuration

    empty = tmp_path / "empty"
    Run.create(empty, configuration.dump(searches.configure()), name="empty", version="0").close()
    with pytest.raises(NasdError, match="empty has no trial that counts"):
        CliRunner().invoke(compare_command, [str(runs[0]), str(empty)], catch_exceptions=False)


@pytest.mark.parametrize(
    ("differs", "said"),
    [
        ({"training": {"epochs": 3, "early_stopping_epoch": 1}}, r"training\.epochs \(2, 3\)"),
        ({"data": {"name": "digits", "train_samples": 200}}, r"data\.train_samples \(300, 200\)"),
        ({"search": {"strategy": "random", "trials": 3, "classes": [0, 1]}}, r"search\.classes \(None, \(0, 1\)\)"),
        ({"evaluation": "full"}, r"evaluation\.kind \(deep_prior, training\)"),
    ],
)
def test_rewards_that_were_not_measured_alike_are_not_compared(runs, tmp_path, differs, said):
    config = searches.configure(name="other", **{"search": {"strategy": "random", "trials": 3}, **differs})
    other = searches.search(tmp_path / "other", config, lambda *_: evaluated(0.5))
    first = str(runs[0])
    for command in ((compare_command, [first, str(other)]), (report_command, [first, "--against", str(other)])):
        with pytest.raises(NasdError, match=rf"^qlearning-1 and other cannot be compared, .*: they differ in {said}$"):
            CliRunner().invoke(*command, catch_exceptions=False)


def test_runs_of_the_same_name_of_a_data_set_but_other_images_are_not_compared(runs, tmp_path):
    copies = []
    for place, digest in enumerate("ab"):
        copies.append(shutil.copytree(runs[place], tmp_path / str(place)))
        with Run.open(copies[-1], writable=True) as run:
            identity = Fingerprint(digest * 64, ("0", "1"), 2, 10, None, "part").to_json()
            run.commit(Delta(flags={IDENTITY: identity}))
    with pytest.raises(NasdError, match=r"they differ in data \(sha256 a{12}, sha256 b{12}\)$"):
        CliRunner().invoke(compare_command, [*map(str, copies)], catch_exceptions=False)
    assert compare.group(map(read, [copies[0], copies[0]]))


def test_the_report_has_a_section(runs, tmp_path):
    page = tmp_path / "r.html"
    arguments = [str(runs[0]), "-o", str(page), *(word for run in runs[1:] for word in ("--against", str(run)))]
    assert CliRunner().invoke(report_command, arguments, catch_exceptions=False).exit_code == 0
    text = page.read_text()
    assert "Searches compared" in text
    assert "qlearning is ahead of random" in text

"""Hypotheses 2 and 3 through the daemon: with the real evaluator on digits, and interrupted with the stub."""

import csv
import sys

import pytest
from click.testing import CliRunner

from nasd.cli import cli
from nasd.client import Client, Target
from nasd.config import Config
from nasd.errors import NasdError
from nasd.experiments import figures, measure
from nasd.experiments.selection import GROUPS, Choice
from nasd.protocol import QueueJobParams
from nasd.runs import create
from store import Run, StoreError
from tests.helpers.nasd_harness import Process, make, rows

PNG = b"\x89PNG\r\n\x1a\n"
DIGITS = {
    "name": "digits",
    "space": {"min_conv": 1, "max_conv": 3, "conv_sizes": [1, 3], "conv_features": [8, 16], "large_conv_strides": [],
              "pool_sizes": [2], "pool_strides": [2]},
    "search": {"epsilon_schedule": [[1.0, 6]], "lookahead": 1},
    "training": {"epochs": 2},
    "executor": {"devices": ["cpu"], "threads": 1},
    "store": {"keep_embeddings": 0},
}  # fmt: skip


def nasd(*words):
    result = CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_h2_and_h3_on_digits(home, tmp_path):
    directory = home / "digits"
    create.create(create.settle(Config.model_validate(DIGITS)), directory)
    with Process(directory, command=[sys.executable, "-m", "nasd.daemon", str(directory)]) as daemon:
        daemon.ready().state("finished")
        said = nasd("experiment", "h2", directory, "--each", 1, "--repeats", 2, "--epochs", 3, "--to", tmp_path)
        again = nasd("experiment", "h2", directory, "--each", 1, "--repeats", 2, "--epochs", 3, "--to", tmp_path)
        with pytest.raises(
            NasdError, match="digits has no finished experiment h3: make one with nasd experiment h3 dig"
        ):
            nasd("plot", "h3", directory, "-o", tmp_path / "x.png")
        trained = nasd("experiment", "h3", directory, "--each", 1, "--epochs", 4, "--to", tmp_path)
        daemon.end()
    for label in ("h2", "h3"):
        nasd("plot", label, directory, "-o", tmp_path / f"{label}.png")
        assert (tmp_path / f"{label}.png").read_bytes() == (tmp_path / f"digits-{label}.png").read_bytes()
    assert said.splitlines()[-1] == again.splitlines()[-1]  # from the same jobs
    assert "Hypothesis 2 (no initialisation lottery) is " in said
    lines = table(tmp_path / "digits-h2.csv")
    assert [line["group"] for line in lines] == ["low", "low", "mid", "mid", "top", "top"]
    assert all(0 < float(line["reward"]) <= 1 and 0 < float(line["test_accuracy"]) <= 1 for line in lines)
    assert float(lines[-1]["search_reward"]) == max(row["reward"] for row in rows(directory))
    assert len({line["seed"] for line in lines}) == 6
    assert (tmp_path / "digits-h2.png").read_bytes().startswith(PNG)
    assert "Hypothesis 3 (no further inference needed) is " in trained
    full = table(tmp_path / "digits-h3.csv")
    assert [line["net"] for line in full] == [line["net"] for line in lines[::2]]
    assert (tmp_path / "digits-h3.png").read_bytes().startswith(PNG)
    with Run.open(directory) as run:
        jobs = sorted(run.jobs(), key=lambda job: job.id)
    assert [job.params["evaluator"] for job in jobs] == ["deep_prior"] * 3 + ["training"] * 3
    assert all((directory / name).exists() for job in jobs[3:] for name in job.result["repeats"][0]["weights"])


def test_an_experiment_takes_up_its_jobs_after_a_kill(home, tmp_path):
    directory = make(home, 20)
    params, choice = QueueJobParams(repeats=2), Choice(GROUPS, 2)
    with Process(directory) as daemon:
        daemon.ready().state("finished")
        (directory / "gate").touch()

        def interrupt(share):
            raise KeyboardInterrupt

        with Client.connect(Target(directory=directory)) as client, pytest.raises(KeyboardInterrupt):
            measure(client, "h2", choice, params, on_progress=interrupt)
        daemon.busy()
        daemon.kill()
    (directory / "gate").unlink(missing_ok=True)
    with Process(directory) as daemon:
        daemon.ready()
        with Client.connect(Target(directory=directory)) as client:
            found = measure(client, "h2", choice, params)
            other = measure(client, "h2", Choice(GROUPS, 1), params)
            more = measure(client, "h2", choice, params, again=True)
        daemon.end()
    assert [row.job for row in found] == [1, 2, 3, 4, 5, 6]
    assert [row.job for row in other] == [7, 8, 9]
    assert [row.job for row in more] == [10, 11, 12, 13, 14, 15]
    assert {row.group for row in found} == {"low", "mid", "top"}


def test_what_keeps_an_experiment_from_a_result(home, monkeypatch):
    directory = make(home, 3)
    with Process(directory) as daemon:
        daemon.ready().state("finished")
        with pytest.raises(NasdError, match=r"needs 18 different architectures .* there are 3"):
            nasd("experiment", "h2", directory)
        monkeypatch.setattr(figures.importlib.util, "find_spec", lambda name: None)
        with pytest.raises(NasdError, match="pip install 'nasd\\[plot\\]'"):
            nasd("experiment", "h2", directory)
        with pytest.raises(StoreError, match="could not make a folder for the results in /proc/none"):
            nasd("experiment", "h2", directory, "--each", 1, "--no-figure", "--to", "/proc/none")
        (directory / "stub.json").write_text('{"every": "unfit"}')
        with pytest.raises(NasdError, match=r"too few are done: job 1 failed \(the stub does not like it\)"):
            nasd("experiment", "h2", directory, "--each", 1, "--no-figure")
        daemon.end()

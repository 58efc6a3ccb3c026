"""The preset of ENAS on digits, from its start to what it reports, as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from nasd.cli import cli
from store import Run
from tests.helpers.fake_daemon import FakeDaemon
from tests.helpers.fake_search import World
from tests.helpers.nasd_harness import short_folder

PRESET = Path(__file__).parents[2] / "configs" / "enas-digits.yaml"
SMALL = (
    "data.train_samples=300", "space.widths=[4, 4, 4, 8, 8]", "search.epochs=3", "search.derive=2", "training.epochs=1",
    "search.controller.every=1",
)  # fmt: skip


def said(*arguments: object) -> str:
    result = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("epochs", "changes"),
    [pytest.param(3, SMALL, id="small"), pytest.param(8, (), id="whole", marks=pytest.mark.slow)],
)
def test_the_preset_runs_to_its_end_and_trains_what_it_derived(epochs: int, changes: tuple[str, ...]) -> None:
    with short_folder() as home:
        settings = [word for change in (*changes, "executor.devices=[cpu]") for word in ("--set", change)]
        command = [sys.executable, "-m", "nasd", "run", str(PRESET), *settings]
        environment = {**os.environ, "NASD_HOME": str(home)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        run = home / "enas-digits"
        with Run.open(run) as opened:
            trials, jobs = list(opened.trials()), opened.jobs()
        assert sum(trial.counted for trial in trials) == epochs
        assert jobs
        assert {job.status for job in jobs} == {"done"}
        assert len({job.params["net"] for job in jobs}) == len(jobs)
        for job in jobs:
            assert f"job {job.id}" in done.stdout
        note = f"trained from scratch: {len(jobs)} of {len(jobs)} architectures"
        assert note in said("status", run)
        assert note in said("enas", "ranking", run)
        said("report", run, "-o", home / "report.html")
        assert note in (home / "report.html").read_text()
        assert "wrong" not in said("verify", run)
        for trial in trials:
            said("plot", "architecture", run, "--trial", trial.number, "-o", home / "it.svg")
            assert "block 4.2" in (home / "it.svg").read_text()


def test_status_says_how_far_an_epoch_is_and_where_the_controller_stands() -> None:
    world = World(5, name="run", strategy="enas")
    facts = {"reward": 0.6123, "baseline": None, "entropy": 0.5, "units": [{"label": "block 1.1"}]}
    worker = msgspec.structs.replace(world.worker(), epoch=24, epochs=38, facts=facts)
    world.worker = lambda: worker  # type: ignore[method-assign]
    with short_folder() as home, FakeDaemon(home / "run", world).thread():
        (home / "run" / "run.db").touch()
        assert "  worker    0 on cuda:0: trial 6, train 24 of 38, reward 0.6123, entropy 0.5\n" in said(
            "status", home / "run"
        )

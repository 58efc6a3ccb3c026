"""The front door for notebooks, on a finished search of digits, and beside a daemon that works."""

import re
from pathlib import Path

import matplotlib.figure
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import nasd
from nasd import data as datasets
from nasd.cli import cli
from nasd.errors import NasdError
from nasd.evaluators.deep_prior.evaluation import evaluate
from store import Run
from tests.helpers import nasd_harness, searches

PAGE = Path(__file__).parents[2] / "docs" / "notebook.md"


@pytest.fixture(scope="module", name="home")
def _home(tmp_path_factory):
    """A home with a search of digits that keeps all its embeddings, named as on the page."""
    home = tmp_path_factory.mktemp("home")
    config = searches.configure([[1.0, 24]], name="digits", training={"epochs": 1, "early_stopping_epoch": 1})
    data = datasets.load(config.data, config.seed)

    def outcome_of(architecture, seed, on_embedding):
        return evaluate(architecture, data, config, seed, "cpu", on_embedding=on_embedding)

    searches.search(home / "digits", config, outcome_of, keep=10_000)
    return home


@pytest.fixture(autouse=True)
def _at_home(home, monkeypatch, tmp_path):
    monkeypatch.setenv("NASD_HOME", str(home))
    monkeypatch.chdir(tmp_path)


def test_the_page_runs(home, tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    names = {}
    exec("\n".join(blocks), names)
    assert names["features"].shape == (4, names["trial"].embedding_dim)
    assert isinstance(names["figure"], matplotlib.figure.Figure)
    assert (tmp_path / "rewards.png").stat().st_size > 10_000
    assert names["embedding"].path.parent == home / "digits" / "embeddings"


def test_the_table_is_the_trials(home):
    table = nasd.open(home / "digits").trials()
    with Run.open(home / "digits") as run:
        trials = run.trials()
    assert list(table.index) == [trial.number for trial in trials]
    for trial in trials:
        row = table.loc[trial.number]
        assert (row.net, row.reward, row.counted, row.stage) == (trial.net, trial.reward, trial.counted, trial.stage)
        assert row["facts.epsilon"] == trial.facts["epsilon"]
        assert tuple(row.validation_accuracies) == trial.validation_accuracies
        for name in ("seed", "embedding_dim"):  # seeds have more digits than a float64
            value = getattr(trial, name)
            assert row[name] is pd.NA if value is None else row[name] == value
    assert str(table.finished_at.dtype).endswith("UTC]")


def test_a_model_embeds_as_the_search_did(home):
    import torch

    opened = nasd.open("digits")
    best = int(opened.trials().reward.idxmax())
    kept = opened.embedding(best)
    model, data = opened.model(best), datasets.load(opened.config.data, opened.config.seed)
    with torch.no_grad():
        found = model(data.test.images.float() / 255).numpy()
    stored = kept.read("test")
    places = {sample: place for place, sample in enumerate(data.test.index.tolist())}
    assert np.allclose(found[[places[sample] for sample in stored.index.tolist()]], stored.x, atol=1e-4)


def test_what_is_not_there(home, monkeypatch):
    opened = nasd.open("digits")
    with pytest.raises(NasdError, match="has no trial 999"):
        opened.trial(999)
    with pytest.raises(NasdError, match="no run at"):
        nasd.open("absent")
    assert repr(opened) == f"nasd.open({str(home / 'digits')!r})"


def test_export_trials(home, tmp_path):
    for form, read in (("csv", pd.read_csv), ("parquet", pd.read_parquet)):
        done = CliRunner().invoke(cli, ["export", "trials", "digits", "--to", form], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        table = read(tmp_path / f"digits-trials.{form}")
        assert list(table.reward) == list(nasd.open("digits").trials().reward)
    seeds = [str(trial.seed) for trial in nasd.open("digits").trials().itertuples() if trial.seed is not pd.NA]
    assert list(pd.read_csv(tmp_path / "digits-trials.csv", dtype=str).seed.dropna()) == seeds
    assert pd.read_csv(tmp_path / "digits-trials.csv").validation_accuracies[0].startswith("[")


async def test_beside_a_daemon_that_works():
    with nasd_harness.short_folder() as home:
        directory = nasd_harness.make(home, 6)
        opened = nasd.open(directory)
        assert len(opened.trials()) == 0
        assert "reward" in opened.trials()
        async with nasd_harness.living(directory) as live:
            await nasd_harness.soon(lambda: live.trials >= 2, "two trials")
            assert len(opened.trials()) >= 2
            assert opened.trial(1).number == 1

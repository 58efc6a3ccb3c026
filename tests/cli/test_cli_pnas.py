"""`nasd pnas score`, `nasd pnas rank`, `nasd plot levels`."""

from itertools import combinations_with_replacement
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from benchmarks import kill_and_compare as crash
from nasd import config as configuration
from nasd.cli import cli
from nasd.config import CellsConfig, PnasConfig
from nasd.errors import NasdError
from nasd.pictures.levels import draw_levels, of_run, with_titles
from nasd.pictures.style import render, styled
from nasd.runs import ranked
from nasd.runs.published import cells
from nasd.runs.published.taking_over import create_from_history
from nasd.runs.report import report
from nasd.spaces.cells import CellSpace, count
from store import Run
from tests.helpers.nasd_harness import short_folder
from tests.results.test_results_cells import config as config_of_published

PRESET = Path(__file__).parents[2] / "configs" / "pnas-digits.yaml"
PAIRS = combinations_with_replacement(["3x3 dconv", "1x7-7x1 conv", "3x3 maxpool"], 2)
LEVEL1 = "".join(f"{0.3 + place / 10:.1f},0,{first},0,{second}\n" for place, (first, second) in enumerate(PAIRS))


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            ("search.k=2", "space.operators=[id, max3x3]", "space.filters=2", "training.epochs=1"), id="small"
        ),
        pytest.param((), id="whole", marks=pytest.mark.slow),
    ],
)
def test_the_preset_runs_to_its_end_through_the_daemon(changes: tuple[str, ...]) -> None:
    with short_folder() as home:
        config = configuration.load(PRESET, (*changes, "executor.devices=[cpu]", "executor.threads=1"))
        assert isinstance(config.search, PnasConfig)
        assert isinstance(config.space, CellsConfig)
        first = count(config.space.lookback, len(config.space.operators), 1)
        search = crash.make(config, home / "pnas")
        crash.undisturbed(search)
        with Run.open(search) as run:
            blocks = [trial.net.count("(") for trial in run.trials() if trial.counted]
        assert [blocks.count(level) for level in (1, 2, 3)] == [first, config.search.k, config.search.k]
        assert crash.check(search) == len(blocks)
        assert len(score(search, home / "scores.csv", "--blocks", 3, "--top", 5)) == 5


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "train_history.csv").write_text(LEVEL1)
    create_from_history(config_of_published(), tmp_path / "run", tmp_path / "train_history.csv")
    return tmp_path / "run"


def nasd(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=True)


def score(run: Path, output: Path, *words: object) -> list[ranked.RankedRow]:
    done = nasd("pnas", "score", run, "-o", output, *words)
    assert done.exit_code == 0, done.output
    return list(ranked.read(output))


def test_every_cell_is_scored_and_the_best_are_the_best(run: Path, tmp_path: Path) -> None:
    every = score(run, tmp_path / "all.csv", "--blocks", 2, "--all")
    space = CellSpace(config_of_published().space)
    assert [row.net for row in every] == list(space.cells(2))
    assert len(every) == count(1, 3, 2)
    best = score(run, tmp_path / "best.csv", "--blocks", 2, "--top", 7)
    assert best == sorted(every, key=lambda row: (-round(row.score, 6), row.net))[:7]
    assert {row.kind for row in best} == {"predicted"}
    assert all(row.spread is not None for row in best)


def test_there_may_be_more_blocks_than_the_run_has_and_other_operators(run: Path, tmp_path: Path) -> None:
    words = ("--blocks", 5, "--operators", "id", "--all")
    every = score(run, tmp_path / "all.csv", *words)
    assert len(every) == count(1, 1, 5)
    done = nasd("pnas", "score", run, "-o", tmp_path / "p.csv", "--published", *words)
    assert done.exit_code == 0
    published = list(cells.read(tmp_path / "p.csv"))
    assert [(row.score, CellSpace(config_of_published().space).canonical(row.net)) for row in published] == [
        (row.score, row.net) for row in every
    ]


def test_it_says_how_many_there_are_and_refuses_what_would_not_end(run: Path, tmp_path: Path) -> None:
    done = nasd("pnas", "score", run, "--blocks", 5, "--all", "-o", tmp_path / "s.csv")
    assert done.output.startswith(f"{count(1, 3, 5):,} cells of 5 blocks, scored from 6 rewards\n")
    assert "at most 10,000,000 are written: ask for the best with --top" in str(done.exception)
    for words in (("--top", 3), ("--all",)):
        done = nasd("pnas", "score", run, "--blocks", 8, *words, "-o", tmp_path / "s.csv")
        assert "at most 200,000,000 are scored: ask for fewer --blocks" in str(done.exception)
        assert isinstance(done.exception, NasdError)
    assert not (tmp_path / "s.csv").exists()


def test_files_are_ranked_measured_and_predicted_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train_history.csv").write_text(LEVEL1)
    Path("scores_2.csv").write_text("0.75" + ",0,3x3 maxpool" * 4)  # no line end, as some write them
    done = nasd("pnas", "rank", "*.csv", "--top", 3)
    assert [line.split()[:4] for line in done.output.splitlines()[1:]] == [
        ["1", "80.0", "%", "measured"], ["2", "75.0", "%", "predicted"], ["3", "70.0", "%", "measured"],
    ]  # fmt: skip
    assert "cell[(h-1 max3x3, h-1 max3x3), (h-1 max3x3, h-1 max3x3)]" in done.output
    done = nasd("pnas", "rank", "scores_2.csv", "train_history.csv", "--sort", "--top", 1)
    assert "30.0 %  measured" in done.output
    assert nasd("pnas", "rank", "*.csv", "-o", "ranked.csv").exit_code == 0
    again = nasd("pnas", "rank", "ranked.csv", "--top", 3)
    assert "75.0 %  predicted" in again.output
    assert "there is no file none_" in str(nasd("pnas", "rank", "none_*.csv").exception)


@pytest.mark.parametrize("row", ["1,x,measured,,1,cell[(h-1 id, h-1 id)]", "1,1,said,,1,c", "1,1,measured,,1,cell"])
def test_what_is_no_ranked_row_is_refused(tmp_path: Path, row: str) -> None:
    file = tmp_path / "ranked.csv"
    start, comma, rest = row.partition("cell[")
    file.write_text(f"rank,score,kind,std,blocks,cell\n{start}" + (f'"{comma}{rest}"\n' if comma else "\n"))
    with pytest.raises(NasdError, match="line 2, column"):
        list(ranked.read(file))


def test_levels_are_drawn_and_say_what_a_dot_is(run: Path, tmp_path: Path) -> None:
    assert nasd("plot", "levels", run, "-o", tmp_path / "run.png").exit_code == 0
    done = nasd("plot", "levels", "--csv", tmp_path / "train_*.csv", "-o", tmp_path / "files.svg")
    assert done.exit_code == 0, done.exception
    assert "measured" in (tmp_path / "files.svg").read_text()
    with Run.open(run) as opened, styled():
        svg = with_titles(render(draw_levels(of_run(opened), "run", hover=True), "svg").decode())
        assert "<title>measured 80.00 %: cell[(h-1 max3x3, h-1 max3x3)]</title>" in svg
        assert "<title>measured 80.00 %: cell[(h-1 max3x3, h-1 max3x3)]</title>" in report(opened)
    with styled(), pytest.raises(NasdError, match="no cell with a score yet"):
        draw_levels([], "empty")

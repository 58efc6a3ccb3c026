"""Published histories and scores of cells, in and out, and a search that goes on from one."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import nasd
from nasd.config import Config
from nasd.errors import NasdError
from nasd.export.deep_prior import DeepPrior, fit_statistics
from nasd.export.model import export_model
from nasd.runs import tables
from nasd.runs.opening import search_of
from nasd.runs.published import cells
from nasd.runs.published.table import CsvError
from nasd.runs.published.taking_over import create_from_history
from nasd.runs.verify import replay
from nasd.spaces.cells import CellSpace
from store import Run

GOLDEN = Path(__file__).parents[3] / "shared" / "golden"
OPERATORS = ["sep3x3", "conv1x7-7x1", "max3x3"]
HISTORY = (
    "0.45,0,3x3 dconv,0,3x3 dconv\r\n0.5,0,3x3 dconv,0,3x3 maxpool\r\n"
    "0.6,0,3x3 maxpool,0,3x3 dconv,0,3x3 dconv,0,3x3 dconv\r\n\r\n0.55,0,3x3 maxpool,0,3x3 dconv\r\n"
)


def config(**search: Any) -> Config:
    return Config.model_validate(
        {
            "space": {"kind": "cells", "blocks": 3, "operators": OPERATORS, "lookback": 1},
            "search": {"strategy": "pnas", "k": 4, "surrogate": "ridge", "lookahead": 1, **search},
        }
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "train_history.csv"


@pytest.fixture(scope="module")
def golden() -> Any:
    if not GOLDEN.is_dir():
        pytest.skip(f"the golden values are not at {GOLDEN}")
    return json.loads((GOLDEN / "pnas.json").read_text())


def test_the_golden_files_are_read(golden: Any) -> None:
    space = CellSpace(config().space)
    history = [[row.score, space.canonical(row.net)] for row in cells.read(GOLDEN / "pnas_history.csv")]
    assert history == golden["fixtures"]["history"]["parsed"]
    scores = [[row.score, space.canonical(row.net)] for row in cells.read(GOLDEN / "pnas_scores.csv")]
    expected = golden["fixtures"]["scores"]
    assert scores[:3] == expected["first"]
    assert scores[-1] == expected["last"]
    assert len(scores) == expected["rows"]
    assert len({net for _, net in scores}) == expected["distinct_cells_pairs_added"]


def test_the_golden_lines_are_read_or_refused(golden: Any, file: Path) -> None:
    space = CellSpace(Config.model_validate({"space": {"kind": "cells"}, "search": {"strategy": "pnas"}}).space)
    for example in golden["csv"]["examples"]:
        file.write_text(example["line"])
        (row,) = cells.read(file)
        assert (row.score, space.canonical(row.net)) == (example["score"], example["nasd"])
    *refused, (empty, _) = golden["csv"]["to_refuse"]
    for line, _ in refused:
        file.write_text(
            f"0.5,-1,3x3 conv,-1,3x3 conv\n{line}\n" if "-1" in line else f"0.5,0,3x3 conv,0,3x3 conv\n{line}\n"
        )
        with pytest.raises(CsvError, match="line 2: "):
            list(cells.read(file))
    file.write_text(f"{empty}\n0.5,0,3x3 conv,0,3x3 conv\n{empty}\n")
    assert [row.line for row in cells.read(file)] == [2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nan,0,3x3 conv,0,3x3 conv", "the score 'nan' is no finite number"),
        ("0.5,0,3x3 conv,0", "4 fields, not a score and 4 for each"),
        ("0.5,x,3x3 conv,0,3x3 conv", "the input 'x' is no integer"),
        ("0.5,0.0,3x3 conv,0,3x3 conv", "the input '0.0' is no integer"),
        ("0.5,-1,3x3 conv,0,3x3 conv", "block 1 reads block 1"),
        ("0.5,0,9x9 conv,0,3x3 conv", "the operator '9x9 conv' is none of identity"),
        ("", "holds no cell"),
    ],
)
def test_what_is_no_cell_is_refused_in_one_sentence(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    with pytest.raises(CsvError, match=said):
        list(cells.read(file))


def test_a_published_search_goes_on_here(file: Path, tmp_path: Path) -> None:
    file.write_bytes(HISTORY.encode())
    assert create_from_history(config(), tmp_path / "run", file) == 4
    with Run.open(tmp_path / "run") as run:
        assert [(trial.number, trial.stage, trial.reward, trial.duplicate_of) for trial in run.trials()] == [
            (1, "b=1", 0.45, None), (2, "b=1", 0.5, None), (3, "b=2", 0.6, None), (4, "b=1", 0.55, 2),
        ]  # fmt: skip
        strategy = search_of(run).strategy
        work = strategy.work()
        assert work is not None
        assert work.name.endswith("cells of 2 blocks")
        assert sum(1 for _ in replay(run)) == 4
        assert tables.names(run) == ("replay_buffer", "train_history")
        assert tables.export(run, "train_history", tmp_path / "out.csv") == 4
    assert [row.score for row in cells.read(tmp_path / "out.csv")] == [0.45, 0.5, 0.6, 0.55]
    assert (tmp_path / "out.csv").read_bytes().startswith(b"0.45,0,3x3 dconv,0,3x3 dconv\r\n")


def test_a_history_that_does_not_fit_leaves_no_run(file: Path, tmp_path: Path) -> None:
    for text, said in (
        ("0.5,-2,3x3 dconv,-1,identity", "line 1: not an architecture.*at most h-1"),
        ("50.1,0,3x3 dconv,0,identity", "line 1: the accuracy 50.1 is not from 0 to 1"),
        ("0.5" + ",0,3x3 dconv,0,identity" * 4, "there are cells of 4 blocks, and space.blocks is 3"),
    ):
        file.write_text(text)
        with pytest.raises(NasdError, match=said):
            create_from_history(config(), tmp_path / "run", file)
        assert not (tmp_path / "run").exists()


def test_the_deep_prior_of_a_cell_is_exported_and_loaded(tmp_path: Path) -> None:
    settings = Config.model_validate(
        {
            "space": {
                "kind": "cells",
                "blocks": 1,
                "operators": OPERATORS,
                "filters": 4,
                "repeats": 1,
                "patch_size": 8,
            },
            "search": {"strategy": "pnas"},
            "data": {"name": "digits", "train_samples": 200},
        }
    )
    net = "cell[(h-1 sep3x3, h-2 max3x3)]"
    prior = DeepPrior(CellSpace(settings.space).parse(net), 7, settings)
    export_model(prior, tmp_path / "m.safetensors")
    model = nasd.load_model(tmp_path / "m.safetensors")
    images = torch.rand(5, 1, 8, 8)
    with torch.inference_mode():
        assert model(images).shape == (5, prior.architecture.embedding_dim)
        same, _ = fit_statistics(prior, prior.load())
        assert torch.equal(model(images), same.eval()(images))

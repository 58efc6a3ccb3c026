"""A run in a notebook: `nasd.open(RUN)`. Reads the directory, while a daemon works on it too, and changes nothing."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasd import paths, rooms
from nasd.config import Config
from nasd.errors import NasdError
from nasd.runs import changes
from store import Run, Trial

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import nn

    from store.embeddings import Embedding

_MARK = {"star": False, "note": ""}
_COLUMNS = tuple(field.name for field in fields(Trial) if field.name != "facts")
_WHOLE = ("duplicate_of", "seed", "embedding_dim", "micro_batch")  # numbers that not every trial has


class Opened:
    """A run's results. Every call reads what is committed then; nothing is kept open between calls.

    Attributes:
        path: The run's directory.
        config: The configuration that holds now.
        plot: Figures of its search.

    Raises:
        NasdError: There is no such run, or its config cannot be read.
        StoreError: It cannot be opened.
    """

    def __init__(self, run: str | Path) -> None:
        self.path = paths.find_run(str(run))
        with self._run() as opened:
            self.config: Config = changes.config_of(opened)
        self.plot = Plots(self)

    def __repr__(self) -> str:
        return f"nasd.open({str(self.path)!r})"

    def trials(self) -> "pd.DataFrame":
        """All trials in the order in which they were proposed, indexed by number.

        Columns are named as the fields of `store.Trial`; besides, `best_validation`, and a column `facts.KEY` for
        whatever the strategy noted, such as `facts.epsilon`; `star` and `note` are a person's. Accuracies and
        rewards are fractions, times seconds, memory bytes; `finished_at` is in UTC.
        """
        import pandas as pd  # noqa: PLC0415 - half a second

        with self._run() as opened:
            marks = opened.marks()
            rows = [{**_row(trial), **_MARK, **marks.get(trial.number, {})} for trial in opened.trials()]
        table = pd.DataFrame(rows, columns=None if rows else [*_COLUMNS, "best_validation", *_MARK])
        for name in _WHOLE:  # nullable: pandas takes float64 where some have none, and a seed loses its last digits
            table[name] = pd.array([row[name] for row in rows], dtype="Int64")
        table["finished_at"] = pd.to_datetime(table["finished_at"], unit="s", utc=True)
        return table.set_index("number")

    def trial(self, number: int) -> Trial:
        """One trial.

        Raises:
            NasdError: There is none of that number.
        """
        with self._run() as opened:
            found = opened.trial(number)
            if found is None:
                raise NasdError(f"{self.path.name} has no trial {number}: its newest is {opened.count()}")
        return found

    def embedding(self, number: int) -> "Embedding":
        """A trial's embedding: the one that the search keeps, else what `nasd embed` made of it.

        Raises:
            NasdError: There is neither.
        """
        from store.embeddings import Embedding  # noqa: PLC0415

        trial = self._original(number)
        with self._run() as opened:
            if trial.number in opened.embeddings.kept():
                return opened.embeddings.open(trial.number)
        made = self.path / "exports" / f"trial-{number:06}.zarr"
        if made.is_dir():
            return Embedding(made)
        raise NasdError(
            f"{self.path.name} keeps no embedding of trial {number}: make it with nasd embed --trial {number}"
        )

    def model(self, number: int) -> "nn.Module":
        """A trial's deep prior with its batch norms' statistics, in eval mode on the CPU: images in, embeddings out.

        The statistics are computed again from the training images, which takes as long as one pass.

        Raises:
            NasdError: There is no such trial, or its network is trained in full: see `nasd.load_model` for its weights.
            DataMissingError: The images are not there.
        """
        if self.config.evaluation.kind != "deep_prior":
            raise NasdError(
                f"{self.path.name} trains its networks: nasd.load_model reads the files in {self.path}/weights"
            )
        from nasd.export.deep_prior import DeepPrior  # noqa: PLC0415
        from nasd.export.loading import load_model  # noqa: PLC0415
        from nasd.export.model import export_model  # noqa: PLC0415

        trial = self._original(number)
        if trial.seed is None:
            raise NasdError(f"trial {number} of {self.path.name} was not evaluated here: it is {trial.status}")
        architecture = rooms.space(self.config).parse(trial.net)
        prior = DeepPrior(architecture, trial.seed, self.config, trial.micro_batch, "cpu")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.safetensors"
            export_model(prior, file)
            return load_model(file)

    def _original(self, number: int) -> Trial:
        trial = self.trial(number)
        return trial if trial.duplicate_of is None else self.trial(trial.duplicate_of)

    @contextmanager
    def _run(self) -> Iterator[Run]:
        with Run.open(self.path) as opened:
            yield opened


class Plots:
    """Figures of one search, as `nasd plot` draws them. They need nasd[plot]."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def rewards(self) -> "Figure":
        """The reward of each trial that counted, and the mean of the last 20, by stage.

        Raises:
            NasdError: Fewer than 20 trials count, or matplotlib is missing.
        """
        from nasd.pictures import source, style  # noqa: PLC0415
        from nasd.pictures.rewards import draw_rewards  # noqa: PLC0415

        with Run.open(self._opened.path) as run, style.styled():
            search = source.of_run(run)
            source.require_trials(search)
            return draw_rewards([search])


def write_trials(opened: Opened, path: Path, form: str) -> int:
    """Write the table of trials as `csv` or `parquet`; returns the number of rows. Nested values are JSON in CSV.

    Raises:
        NasdError: pyarrow is missing for parquet.
    """
    table = opened.trials()
    if form == "csv":
        nested = [str(name) for name in table if table[name].map(lambda value: isinstance(value, (list, dict))).any()]
        table.assign(**{name: table[name].map(_json) for name in nested}).to_csv(path)
        return len(table)
    if table["metrics"].notna().any():
        table["metrics"] = table["metrics"].map(_json)  # parquet has no mapping whose keys differ from row to row
    try:
        table.to_parquet(path)
    except ImportError as error:
        raise NasdError("parquet needs pyarrow: pip install 'nasd[parquet]'") from error
    return len(table)


def _row(trial: Trial) -> dict[str, Any]:
    row = {name: getattr(trial, name) for name in _COLUMNS}
    for name in ("validation_accuracies", "train_accuracies"):
        row[name] = list(row[name])
    facts = {f"facts.{key}": value for key, value in trial.facts.items()}
    return {**row, "best_validation": trial.best_validation, **facts}


def _json(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (list, dict)) else value

"""TensorBoard's files, written without torch or TensorFlow: rewards, facts, accuracies, curves, hyper-parameters."""

import math
import shutil
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nasd import rooms
from nasd.config import Config
from nasd.errors import NasdError
from nasd.outcome import epoch_in
from nasd.pictures.stripes import stripes
from nasd.pictures.tensorboard_graph import graph_def
from store import Run, Trial

WINDOW = 20  # of the rolling reward


class Board:
    """A folder for `tensorboard --logdir`: the search, and a subfolder for each trial that was the best, with its
    curves and its architecture as a graph.

    Steps are trial numbers. The folder is written anew when a daemon starts, from what the store holds: a search of
    2,500 trials in half a second.

    Raises:
        NasdError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path, config: Config, config_yaml: str) -> None:
        try:
            from tensorboard.summary.writer import event_file_writer  # noqa: F401, PLC0415 - an extra
        except ImportError as error:
            raise NasdError("log.tensorboard is on: pip install 'nasd[tensorboard]', or set it to false") from error
        self._folder, self._config, self._yaml = folder, config, config_yaml
        self._space = rooms.space(config)
        self._writer: Any = None
        self._written = 0
        self._recent: deque[float] = deque(maxlen=WINDOW)
        self._best = 0.0
        self._choices: list[list[float]] = []  # of each epoch of a supernet: how probable each unit's first choice is

    def follow(self, run: Run) -> None:
        """Write every trial that is not there yet. Raises OSError, StoreError."""
        if self._writer is None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._writer = _writer(self._folder)
            self._hyper_parameters()
        for trial in run.observed(self._written + 1):
            self._trial(trial)
            self._written = trial.order
        self._writer.flush()

    def close(self) -> None:
        """End the files."""
        if self._writer is not None:
            self._writer.close()

    def _hyper_parameters(self) -> None:
        from tensorboard.plugins.hparams import summary_v2  # noqa: PLC0415

        self._writer.add_event(_event(0, 0.0, summary_v2.hparams_pb(_flat(self._config.model_dump(mode="json")))))
        indented = "\n".join("    " + line for line in self._yaml.splitlines())  # Markdown for: as it is
        self._writer.add_event(_event(0, 0.0, _text("config", indented)))

    def _trial(self, trial: Trial) -> None:
        if not trial.counted and trial.status != "failed":
            return  # nothing was learned of it that a curve could show
        values = {"search/reward": trial.reward, **_numbers(trial.facts)}
        if trial.counted:
            self._recent.append(trial.reward)
            if len(self._recent) == WINDOW:
                values["search/reward_rolling_20"] = math.fsum(self._recent) / WINDOW
        values["search/best_reward"] = max(self._best, trial.reward)
        for name, value in (
            ("accuracy/best_validation", trial.best_validation),
            ("accuracy/test", trial.test_accuracy),
            ("cost/embedding_dim", trial.embedding_dim),
            ("cost/seconds", trial.seconds or None),
        ):
            if value is not None:
                values[name] = float(value)
        if (epoch := epoch_in(trial.metrics)) is not None:
            values |= {"accuracy/train": trial.train_accuracies[-1], "search/loss": epoch.loss}
            self._choices.append([shares[0] for shares in epoch.probabilities])
            self._writer.add_event(_event(trial.number, trial.finished_at, _picture("choices", self._choices)))
        moment = trial.finished_at
        self._writer.add_event(_event(trial.number, moment, _scalars(values)))
        if trial.reward > self._best:
            self._best = trial.reward
            self._writer.add_event(_event(trial.number, moment, _text("best_architecture", f"`{trial.net}`")))
            self._details(trial)

    def _details(self, trial: Trial) -> None:
        writer = _writer(self._folder / f"trial-{trial.number:06}")
        drawn = graph_def(self._space.graph(self._space.parse(trial.net)))
        writer.add_event(_event(0, trial.finished_at, graph=drawn))
        for name, values in (("validation", trial.validation_accuracies), ("train", trial.train_accuracies)):
            for epoch, value in enumerate(values, 1):
                writer.add_event(_event(epoch, trial.finished_at, _scalars({f"curve/{name}": value})))
        writer.close()


def _numbers(facts: Mapping[str, Any]) -> dict[str, float]:
    """Those of a trial's facts that a curve can show."""
    return {f"search/{name}": float(value) for name, value in facts.items() if type(value) in (int, float)}


def _writer(folder: Path) -> Any:
    from tensorboard.summary.writer.event_file_writer import EventFileWriter  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    return EventFileWriter(str(folder))


def _event(step: int, moment: float, summary: Any = None, graph: bytes | None = None) -> Any:
    from tensorboard.compat.proto.event_pb2 import Event  # noqa: PLC0415

    return Event(step=step, wall_time=moment, summary=summary, graph_def=graph)


def _scalars(values: Mapping[str, float]) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary  # noqa: PLC0415

    return Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])


def _text(tag: str, text: str) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary  # noqa: PLC0415
    from tensorboard.plugins.text import metadata  # noqa: PLC0415
    from tensorboard.util import tensor_util  # noqa: PLC0415

    described = metadata.create_summary_metadata(display_name=tag, description="")
    tensor = tensor_util.make_tensor_proto([text.encode()])
    return Summary(value=[Summary.Value(tag=tag, metadata=described, tensor=tensor)])


def _picture(tag: str, epochs: Sequence[Sequence[float]]) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary  # noqa: PLC0415

    content, width, height = stripes(epochs)
    image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=content)
    return Summary(value=[Summary.Value(tag=tag, image=image)])


def _flat(section: dict[str, Any], prefix: str = "") -> dict[str, str | float | bool]:
    """The config as TensorBoard's table takes it: sections joined by dots, anything long as text."""
    flat: dict[str, str | float | bool] = {}
    for key, value in section.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value if isinstance(value, str | float | bool) else str(value)
    return flat

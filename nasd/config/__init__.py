"""Typed configuration: YAML in, frozen models out, every fault reported at once."""

import json
import reprlib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nasd.errors import ConfigError

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(ge=1)]
Classes = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=2)]
Sizes = Annotated[tuple[Positive, ...], Field(min_length=1)]


class _Section(BaseModel):
    """Frozen, and no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataConfig(_Section):
    """Which images, and from where."""

    name: Literal[
        "digits", "mnist", "fashion_mnist", "cifar10", "cifar100", "image_folder", "codebrim", "image_csv"
    ] = "digits"
    root: Path | None = None  # None: $NASD_DATA, else the user's cache folder
    image_size: Positive | None = None  # resize to this; required by image_folder and image_csv
    validation_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    train_samples: Positive | None = None  # use only the first N of the (shuffled) training split
    csv: str = "images.csv"  # of image_csv: the file in root
    augment: bool = True  # codebrim, image_csv: random crop and mirroring in training
    resident_limit: Annotated[int, Field(ge=0)] = (
        4_000_000_000  # codebrim, image_csv: bytes of decoded images in memory
    )

    @property
    def multi_label(self) -> bool:
        """Whether an image has several labels, or none, instead of one class."""
        return self.name in {"codebrim", "image_csv"}

    @model_validator(mode="after")
    def _image_folder_needs_a_size(self) -> Self:
        if self.name in {"image_folder", "image_csv"} and self.image_size is None:
            raise ValueError(f"{self.name} needs image_size: the side to which every image is scaled, such as 32")
        return self


class SpaceConfig(_Section):
    """The search space (DP-NAS's defaults: arXiv 2104.06788, and its published README)."""

    kind: Literal["layers"] = "layers"
    form: Literal["dp_nas", "codebrim"] = "dp_nas"  # codebrim: no padding, no pooling but the pyramid at the end
    patch_size: Positive = 28  # side of the input image; set from the data set when a run is created
    min_conv: Annotated[int, Field(ge=0)] = 3
    max_conv: Positive = 12
    max_fc: Annotated[int, Field(ge=0)] = 0
    conv_sizes: Sizes = (1, 3, 5, 7, 9, 11)
    conv_features: Sizes = (16, 32, 64, 128, 256, 512, 1024)
    conv_strides: Sizes = (1,)
    large_conv_strides: tuple[Positive, ...] = (2,)  # for sizes from large_conv_size on: besides, in codebrim instead
    large_conv_size: Positive = 7
    wrn: bool = True  # wide-residual blocks
    pool_sizes: tuple[Positive, ...] = (2, 3, 4)
    pool_strides: tuple[Positive, ...] = (2, 3, 4)
    spp_levels: Sizes = (3, 4, 5)  # of spatial pyramid pooling
    fc_sizes: tuple[Positive, ...] = (32, 64, 128)
    max_num_fc_input: Positive = 20000
    max_image_size: Positive = 8
    num_classes: Positive = 10  # as patch_size
    channels: Positive = 1  # as patch_size

    @model_validator(mode="after")
    def _limits_fit(self) -> Self:
        if self.min_conv > self.max_conv:
            raise ValueError(f"min_conv {self.min_conv} is above max_conv {self.max_conv}: lower one, raise the other")
        if self.max_fc > 0 and not self.fc_sizes:
            raise ValueError("max_fc is above 0 but fc_sizes is empty: name at least one size")
        for name in (
            "conv_sizes",
            "conv_features",
            "conv_strides",
            "pool_sizes",
            "pool_strides",
            "fc_sizes",
            "spp_levels",
        ):
            values = getattr(self, name)
            if len(set(values)) != len(values):
                raise ValueError(f"{name} lists a value twice: {list(values)}")
        return self


Phase = tuple[Fraction, Positive]

PUBLISHED_SCHEDULE: tuple[Phase, ...] = (
    (1.0, 1500), (0.9, 100), (0.8, 100), (0.7, 100), (0.6, 100), (0.5, 100),
    (0.4, 100), (0.3, 100), (0.2, 100), (0.1, 100), (0.0, 3),
)  # fmt: skip


class SearchConfig(_Section):
    """Q-learning as in MetaQNN (arXiv 1611.02167), with DP-NAS's numbers."""

    strategy: Literal["qlearning"] = "qlearning"
    epsilon_schedule: Annotated[tuple[Phase, ...], Field(min_length=1)] = PUBLISHED_SCHEDULE
    replay_number: Positive = 50  # updates per trial: the newest row, then this many less one drawn from the buffer
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 0.1
    discount: Fraction = 1.0
    initial_q: float | None = None  # None: training.early_stopping_thresh
    order: Literal["ordered", "async"] = "ordered"
    lookahead: Positive | None = None  # proposals in flight; None: the number of workers when the run is created
    classes: Classes | None = None  # search on these classes of the data set only; None: on all

    @model_validator(mode="after")
    def _classes_once(self) -> Self:
        if self.classes is not None and len(set(self.classes)) != len(self.classes):
            raise ValueError(f"classes lists a class twice: {list(self.classes)}")
        return self


class EncoderConfig(_Section):
    """How the network in front of the classifier is built."""

    init: Literal["kaiming-normal", "kaiming-uniform", "xavier-normal", "xavier-uniform", "orthogonal"] = (
        "kaiming-normal"
    )
    batch_norm: Annotated[float, Field(ge=0.0)] = 1e-4  # epsilon; 0 means no batch normalisation
    batch_norm_statistics: Literal["batch", "population"] = "batch"
    # tf32: on GPUs that have it, else float32. None: settled when a run is created, until then float32.
    precision: Literal["float32", "tf32", "bfloat16"] | None = None


class ScreenConfig(_Section):
    """A quick look at each embedding, after which only the best of them are evaluated fully."""

    probe: Literal["ridge"] = "ridge"
    keep: Annotated[float, Field(gt=0.0, le=1.0)] = 0.3  # share of the quick scores so far
    after: Positive = 20  # trials that are evaluated fully in any case
    samples: Positive = 8192  # training images that the quick look takes


class TrainingConfig(_Section):
    """How the classifier is trained, or the whole network; the last six count only for the latter."""

    epochs: Positive = 70
    batch_size: Annotated[int, Field(ge=2)] = 128
    learning_rate: Annotated[float, Field(gt=0.0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    early_stopping_epoch: Positive = 10
    early_stopping_thresh: Fraction = 0.15
    screen: ScreenConfig | None = None  # None: every trial is evaluated fully
    optimizer: Literal["adam", "sgd"] = "adam"
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.9  # of sgd
    warm_restart_epochs: Positive | None = None  # of the first cosine cycle; None: the learning rate is constant
    warm_restart_factor: Positive = 2  # by which each cycle is longer than the one before
    min_learning_rate: Annotated[float, Field(ge=0.0)] = 1e-5  # at the end of a cycle
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0  # before the last layer


class ExecutorConfig(_Section):
    """Where evaluations run, and how long they may take."""

    devices: tuple[Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")], ...] = ("auto",)
    workers_per_device: Positive = 1
    threads: Positive | None = None  # CPU threads of a worker; None: the cores, shared between the workers
    trial_timeout: Annotated[float, Field(gt=0.0)] = 3600.0  # seconds
    trial_attempts: Positive = 3  # tries at one trial whose worker dies or is late, before it is a failed trial
    memory_limit: Positive | None = None  # bytes per worker; None: what the device has free


class StoreConfig(_Section):
    """What is kept on disk."""

    keep_embeddings: Annotated[int, Field(ge=0)] = 5  # of the best trials
    disk_quota: Positive | None = None  # bytes of a run's directory; embeddings are dropped first


class CheckpointConfig(_Section):
    """Snapshots that the daemon takes by itself. Every trial is safe without: these are for when the disk goes."""

    every: Positive | None = None  # trials; None: never
    keep: Positive = 3  # the newest
    to: Path | None = None  # folder, best on another disk; None: the run's `snapshots`


class LogConfig(_Section):
    """The daemon's log, and what it writes for other people's tools."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    tensorboard: bool = False  # also write TensorBoard's files, in log/tensorboard
    max_bytes: Positive = 5_000_000  # of the log, and of events.jsonl, before it is rotated
    keep: Positive = 5  # older parts


class Config(_Section):
    """One run's whole configuration."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")] = "search"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    evaluation: Literal["deep_prior", "full"] = "deep_prior"  # full: the encoder is trained too
    data: DataConfig = DataConfig()
    space: SpaceConfig = SpaceConfig()
    search: SearchConfig = SearchConfig()
    encoder: EncoderConfig = EncoderConfig()
    training: TrainingConfig = TrainingConfig()
    executor: ExecutorConfig = ExecutorConfig()
    store: StoreConfig = StoreConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    log: LogConfig = LogConfig()

    @model_validator(mode="after")
    def _screen_fits(self) -> Self:
        if self.training.screen is not None and self.evaluation == "full":
            raise ValueError(
                "training.screen: a quick look at a random encoder says nothing of one that is trained; "
                "leave it out, or set evaluation to deep_prior"
            )
        return self

    @model_validator(mode="after")
    def _several_labels_fit(self) -> Self:
        if self.data.multi_label and self.evaluation != "full":
            raise ValueError(
                f"evaluation: {self.data.name} has several labels per image, which a deep prior's classifier cannot "
                "learn; set evaluation to full"
            )
        if self.data.multi_label and self.search.classes is not None:
            raise ValueError(
                f"search.classes: {self.data.name} has no classes to choose from, but labels; leave it out"
            )
        return self

    @property
    def initial_q(self) -> float:
        """The value of every state-action pair that was never updated."""
        return self.training.early_stopping_thresh if self.search.initial_q is None else self.search.initial_q

    @property
    def total_trials(self) -> int:
        """Trials with reward above 0 that the schedule asks for."""
        return sum(count for _, count in self.search.epsilon_schedule)


class _Loader(yaml.SafeLoader):
    """SafeLoader that also refuses a key given twice, which YAML would silently let the last one win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode):
                if key_node.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key_node.value!r} is given twice", key_node.start_mark
                    )
                seen.add(key_node.value)
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        value: int = super().construct_yaml_int(node)
        if value.bit_length() > 64:  # Python itself cannot even show one of some thousand digits
            raise yaml.constructor.ConstructorError(None, None, "a number of more than 64 bits", node.start_mark)
        return value


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def load(path: Path, overrides: tuple[str, ...] = ()) -> Config:
    """Read a YAML file.

    Args:
        path: The file.
        overrides: `section.key=value` each, the value written as YAML; applied over the file in order.

    Raises:
        ConfigError: The file cannot be read, is not YAML, or holds unknown keys or impossible values; the message
            lists every fault with its key, what was given and what is taken.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"cannot read the config {path}: {reason}") from error
    return parse(text, overrides, source=str(path))


def parse(text: str, overrides: tuple[str, ...] = (), source: str = "config") -> Config:
    """Like `load`, from a string; `source` names it in errors."""
    raw = _yaml(text, source)
    raw = {} if raw is None else raw
    if not isinstance(raw, dict):
        raise ConfigError(f"{source} must be a mapping of sections such as 'data:', not {type(raw).__name__}")
    for override in overrides:
        _apply(raw, override)
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        faults = "\n".join(f"  {_fault(e)}" for e in error.errors())
        raise ConfigError(f"{source} has {error.error_count()} fault(s):\n{faults}") from error


def dump(config: Config) -> str:
    """The config as YAML that `parse` reads back to an equal one."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=120)


def rename(config: Config, name: str) -> Config:
    """The same config under another name. Raises ConfigError if it cannot be a run's name."""
    return parse(dump(config), (name_override(name),))


def name_override(name: str) -> str:
    """The override that names a run: text, also where YAML would read a number."""
    return f"name={json.dumps(name)}"


def _apply(raw: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    parts = key.split(".")
    if not equals or not all(parts):
        raise ConfigError(f"--set takes section.key=value, such as training.epochs=5, not {override!r}")
    node = raw
    for part in parts[:-1]:
        child = node.setdefault(part, {})
        if not isinstance(child, dict):
            raise ConfigError(f"--set {override}: {part!r} is not a section")
        node = child
    node[parts[-1]] = _yaml(value, f"the value of --set {override}")


def _yaml(text: str, source: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except Exception as error:  # besides its own errors, PyYAML's constructors raise whatever a wrong tag leads to
        raise ConfigError(f"{source} is not valid YAML: {_one_line(error)}") from error


def _fault(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "config"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        known = _known_keys(error["loc"][:-1])
        return f"{where}: unknown key" + (f"; known here are {', '.join(known)}" if known else "")
    given = error["input"]
    shown = "" if isinstance(given, dict) else f" (got {_clip(reprlib.repr(given))})"
    return f"{where}: {message[:1].lower()}{message[1:]}{shown}"


def _known_keys(location: tuple[Any, ...]) -> list[str]:
    model: Any = Config
    for part in location:
        field = model.model_fields.get(part)
        model = None if field is None else field.annotation
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return []
    return sorted(model.model_fields)


def _clip(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())

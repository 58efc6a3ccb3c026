"""Making a run: what a config leaves open is settled once and frozen, so that every later start finds the same."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasd import __version__, rooms
from nasd import config as configuration
from nasd.box.devices import count_gpus, workers_of
from nasd.box.processor import multiplies_bfloat16
from nasd.config import Config, EncoderConfig, SupernetConfig
from nasd.errors import ConfigError
from store import Delta, Run

if TYPE_CHECKING:
    from nasd.data import Streamed


def settle(config: Config) -> Config:
    """Fill in what depends on the data set and on this box: image size, channels, classes, data folder, lookahead,
    precision, how convolutions are computed, and the latencies of a supernet's choices if they are to be measured.

    Raises:
        DataMissingError: The data set is not here and cannot be downloaded.
        ConfigError: No architecture fits its images, or the config contradicts the data set.
    """
    from nasd import data as datasets  # noqa: PLC0415 - torch, two seconds; only a new run needs it

    datasets.prepare(config.data)
    size, channels, classes = datasets.describe(config.data)
    search = config.search
    if search.classes is not None:
        if max(search.classes) >= classes:
            raise ConfigError(
                f"search.classes: {config.data.name} has no class {max(search.classes)}, only 0 to {classes - 1}"
            )
        classes = len(search.classes)
    _own_shape(config, {"patch_size": size, "channels": channels, "num_classes": classes})
    _fits(config)
    workers = workers_of(config.executor)
    settled = config.model_copy(
        update={
            "data": config.data.model_copy(update={"root": datasets.root(config.data).absolute()}),
            "space": config.space.model_copy(update={"patch_size": size, "channels": channels, "num_classes": classes}),
            "snapshots": config.snapshots.model_copy(update={"to": _absolute(config.snapshots.to)}),
            "search": search.model_copy(update={"lookahead": search.lookahead or len(workers)}),
            "encoder": config.encoder.model_copy(
                update={"precision": config.encoder.precision or _precision(config, {device for device, _ in workers})}
            ),
        }
    )
    if settled.encoder.convolution == "measured":
        settled = settled.model_copy(update={"encoder": _with_table(settled, workers[0][0])})
    if isinstance(settled.space, SupernetConfig) and settled.space.latencies == "measured":
        settled = settled.model_copy(update={"space": _measured(settled, settled.space, *workers[0])})
    rooms.space(settled)
    return settled


def _measured(config: Config, space: SupernetConfig, device: str, threads: int) -> SupernetConfig:
    """The numbers are part of the run: measured again, they would be others, and a resumed search another search."""
    if config.executor.kind != "processes":
        raise ConfigError(
            "space.latencies: they are measured on this box, and evaluations run on others; give numbers, or none"
        )
    from nasd.evaluators.supernet.latency import measure  # noqa: PLC0415 - torch

    return space.model_copy(update={"latencies": measure(space, config.encoder, device, threads)})


def _with_table(config: Config, device: str) -> EncoderConfig:
    """The table is part of the run: with another one, a resumed search would have other bits."""
    encoder = config.encoder
    if config.evaluation.kind != "deep_prior" or config.space.kind != "layers":
        return encoder.model_copy(update={"convolution": "direct"})
    if config.executor.kind != "processes" and device != "cpu" and count_gpus() == 0:  # elsewhere, not here
        return encoder.model_copy(update={"convolution": "direct"})
    from nasd.evaluators.deep_prior.fft_table import of_device  # noqa: PLC0415 - torch

    return encoder.model_copy(update={"convolution": of_device(device, encoder.precision or "float32") or "direct"})


def _absolute(folder: Path | None) -> Path | None:
    """From whichever folder the daemon is started later."""
    return None if folder is None else folder.expanduser().absolute()


def _own_shape(config: Config, own: dict[str, int]) -> None:
    for key, value in own.items():
        given = getattr(config.space, key)
        if key in config.space.model_fields_set and given != value:
            raise ConfigError(
                f"space.{key}: {given} is given, but {config.data.name} has {value}, which is taken: leave it out"
            )


def _fits(config: Config) -> None:
    """Compare with the images what a config says about their number and their memory; they are read only for that."""
    samples, limit = config.data.train_samples, config.executor.memory_limit
    if samples is None and limit is None:
        return
    from nasd import data as datasets  # noqa: PLC0415

    whole = config.data.model_copy(update={"train_samples": None})
    images = datasets.stream(whole, config.seed, config.search.classes)
    there = len(images.train.labels)
    if samples is not None and samples > there:
        raise ConfigError(
            f"data.train_samples: {samples:,} are asked for, but {config.data.name} has {there:,} training images: "
            "leave it out to take all"
        )
    if limit is not None and not config.data.multi_label and (least := _bytes(images, samples or there)) >= limit:
        raise ConfigError(
            f"executor.memory_limit: no architecture fits in {limit:,} bytes, since the images of {config.data.name} "
            f"alone take {least:,}: give more, such as 4GB"
        )


def _bytes(images: "Streamed", training: int) -> int:
    """Of the images of all splits as a worker holds them, 8 bits a value."""
    held = training + len(images.validation.labels) + len(images.test.labels)
    return held * images.channels * images.image_size**2


def _precision(config: Config, devices: set[str]) -> str:
    """bfloat16 where it was measured to be as accurate and faster (docs/performance.md): deep priors on such a CPU."""
    fast = config.evaluation.kind == "deep_prior" and devices == {"cpu"} and multiplies_bfloat16()
    return "bfloat16" if fast else "float32"


def create(config: Config, directory: Path) -> None:
    """Make the run directory of a settled config.

    Raises:
        DataMissingError: The data set is gone meanwhile.
        StoreError: There is a run already, or the disk refuses.
    """
    from nasd import data as datasets  # noqa: PLC0415
    from nasd.runs.data import IDENTITY  # noqa: PLC0415

    identity = datasets.fingerprint(config.data)
    with Run.create(directory, configuration.dump(config), name=config.name, version=__version__) as run:
        run.commit(Delta(flags={IDENTITY: identity.to_json()}))


def differences(config: Config, frozen: Config) -> list[str]:
    """Where a config as a person wrote it contradicts the frozen one of an existing run, a line each."""
    given, kept = _flat(config.model_dump(mode="json")), _flat(frozen.model_dump(mode="json"))
    if config.data.root is not None:
        given["data.root"] = str(_absolute(config.data.root))
    if config.snapshots.to is not None:
        given["snapshots.to"] = str(_absolute(config.snapshots.to))
    settled = {"space.patch_size", "space.channels", "space.num_classes"}
    left_open = {key for key in ("data.root", "search.lookahead", "encoder.precision") if given[key] is None}
    left_open |= {key for key in ("encoder.convolution", "space.latencies") if given.get(key) == "measured"}
    return [
        f"{key}: {kept.get(key, 'nothing')} in the run, {given.get(key, 'nothing')} now"
        for key in given | kept
        if key not in settled | left_open and given.get(key) != kept.get(key)
    ]


def _flat(section: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in section.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat

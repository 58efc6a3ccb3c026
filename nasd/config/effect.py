"""Settings that a config gives and that change nothing: said, so that nobody waits for what they would do."""

from collections.abc import Iterator

from pydantic import BaseModel

from nasd.config.space import LayersConfig
from nasd.config.whole import Config

_FULL_TRAINING = (
    "optimizer", "momentum", "warm_restart_epochs", "warm_restart_factor", "min_learning_rate", "dropout"
)  # fmt: skip


def without_effect(config: Config) -> list[str]:
    """One sentence for every setting that a person gave, other than its default, and that has no effect."""
    return [f"{where} has no effect: {why}" for where, why in _idle(config)]


def _of_layers(space: LayersConfig) -> Iterator[tuple[str, str]]:
    idle = ("pool_sizes", "pool_strides") if space.form == "codebrim" else ("spp_levels",)
    for key in idle:
        if _changed(space, key):
            yield f"space.{key}", f"the form {space.form} has no such layers"
    if _changed(space, "fc_sizes") and space.max_fc == 0:
        yield "space.fc_sizes", "max_fc is 0"


def _changed(section: BaseModel, key: str) -> bool:
    """Whether a key was given with another value than its default."""
    return key in section.model_fields_set and getattr(section, key) != type(section).model_fields[key].default


def _idle(config: Config) -> Iterator[tuple[str, str]]:
    training, data, space = config.training, config.data, config.space
    if config.evaluation.kind == "deep_prior":
        for key in _FULL_TRAINING:
            if _changed(training, key):
                yield f"training.{key}", "only full training uses it, which here are the jobs of nasd retrain --full"
    else:
        if _changed(training, "momentum") and training.optimizer != "sgd":
            yield "training.momentum", f"the optimizer is {training.optimizer}, and only sgd has it"
        if training.warm_restart_epochs is None:
            for key in ("warm_restart_factor", "min_learning_rate"):
                if _changed(training, key):
                    yield f"training.{key}", "the learning rate is constant while warm_restart_epochs is not given"
        if _changed(config.encoder, "batch_norm_statistics"):
            yield "encoder.batch_norm_statistics", "networks that are trained learn their statistics"
    if _changed(training, "early_stopping_epoch") and training.early_stopping_epoch > training.epochs:
        where = f"training.early_stopping_epoch={training.early_stopping_epoch}"
        yield where, f"a trial ends after {training.epochs} epochs, so that none is stopped early"
    if not data.multi_label:
        for key in ("augment", "resident_limit"):
            if _changed(data, key):
                yield f"data.{key}", f"{data.name} has one class per image; only codebrim and image_csv use it"
    if _changed(data, "csv") and data.name != "image_csv":
        yield "data.csv", "only image_csv reads it"
    if isinstance(space, LayersConfig):
        yield from _of_layers(space)
    if config.snapshots.every is None and (_changed(config.snapshots, "keep") or _changed(config.snapshots, "to")):
        yield "snapshots", "none is taken while snapshots.every is not given"
    if not config.notify.command and (_changed(config.notify, "on") or _changed(config.notify, "quiet")):
        yield "notify", "nobody is told anything while notify.command is not given"

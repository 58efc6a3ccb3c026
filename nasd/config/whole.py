"""A run's whole configuration, and what has to fit between its sections."""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from nasd.config.data import DataConfig
from nasd.config.evaluation import AnyEvaluation, DeepPriorConfig, EncoderConfig, RungsConfig, TrainingConfig
from nasd.config.executor import AnyExecutor, ProcessesConfig
from nasd.config.log import LogConfig
from nasd.config.notify import NotifyConfig
from nasd.config.older import modern
from nasd.config.search import AnySearch, QLearningConfig
from nasd.config.section import Section
from nasd.config.snapshots import SnapshotsConfig
from nasd.config.space import AnySpace, LayersConfig
from nasd.config.store import StoreConfig
from nasd.config.units import number


class Config(Section):
    """One run's whole configuration."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")] = "search"
    seed: Annotated[int, Field(ge=0, lt=2**63), BeforeValidator(number)] = 1
    evaluation: AnyEvaluation = DeepPriorConfig()
    data: DataConfig = DataConfig()
    space: AnySpace = LayersConfig()
    search: AnySearch = QLearningConfig()
    encoder: EncoderConfig = EncoderConfig()
    training: TrainingConfig = TrainingConfig()
    executor: AnyExecutor = ProcessesConfig()
    store: StoreConfig = StoreConfig()
    snapshots: SnapshotsConfig = SnapshotsConfig()
    log: LogConfig = LogConfig()
    notify: NotifyConfig = NotifyConfig()

    @property
    def rungs(self) -> RungsConfig | None:
        """Those of deep priors, where there are any."""
        return self.evaluation.rungs if isinstance(self.evaluation, DeepPriorConfig) else None

    @model_validator(mode="before")
    @classmethod
    def _older_forms(cls, raw: Any) -> Any:
        return modern(raw)

    @model_validator(mode="after")
    def _screen_fits(self) -> Self:
        if self.training.screen is not None and self.evaluation.kind == "training":
            raise ValueError(
                "training.screen: a quick look at a random encoder says nothing of one that is trained; "
                "leave it out, or set evaluation to deep_prior"
            )
        return self

    @model_validator(mode="after")
    def _rungs_fit(self) -> Self:
        if self.rungs is None:
            return self
        if self.training.screen is not None:
            raise ValueError(
                "evaluation.rungs and training.screen both end evaluations early: leave one of them out; a rung saves "
                "more, as it looks before everything is encoded"
            )
        if self.encoder.batch_norm_statistics == "population":
            raise ValueError(
                "evaluation.rungs: population statistics are those of all images, so that nothing can be said of the "
                "first ones; leave the rungs out, or set encoder.batch_norm_statistics to batch"
            )
        return self

    @model_validator(mode="after")
    def _space_fits(self) -> Self:
        spaces = {"qlearning": "layers", "pnas": "cells", "enas": "supernet"}
        wanted = spaces.get(self.search.strategy, self.space.kind)
        if self.space.kind != wanted:
            raise ValueError(
                f"search.strategy: {self.search.strategy} searches {wanted}, not {self.space.kind}; "
                f"set space.kind to {wanted}, or name another strategy"
            )
        return self

    @model_validator(mode="after")
    def _evaluation_fits(self) -> Self:
        if (self.evaluation.kind == "supernet") != (self.search.strategy == "enas"):
            raise ValueError(
                f"evaluation: {self.search.strategy} does not go with {self.evaluation.kind}; the strategy enas and "
                "the evaluation supernet need each other"
            )
        if self.space.kind == "supernet" and self.evaluation.kind == "deep_prior":
            raise ValueError("evaluation: a supernet has no deep prior; set evaluation to training or supernet")
        return self

    @model_validator(mode="after")
    def _several_labels_fit(self) -> Self:
        if self.data.multi_label and self.evaluation.kind != "training":
            raise ValueError(
                f"evaluation: {self.data.name} has several labels per image, which a deep prior's classifier cannot "
                "learn; set evaluation to training"
            )
        if self.data.multi_label and self.search.classes is not None:
            raise ValueError(
                f"search.classes: {self.data.name} has no classes to choose from, but labels; leave it out"
            )
        return self

"""Typed configuration: YAML in, frozen models out, every fault reported at once."""

from nasd.config.data import DataConfig
from nasd.config.effect import without_effect
from nasd.config.evaluation import (
    AnyEvaluation,
    DeepPriorConfig,
    EncoderConfig,
    FullTrainingConfig,
    ScreenConfig,
    TrainingConfig,
)
from nasd.config.executor import AnyExecutor, ProcessesConfig, RayConfig
from nasd.config.log import LogConfig
from nasd.config.reading import load, parse
from nasd.config.search import (
    PUBLISHED_SCHEDULE,
    AnySearch,
    DrawingSection,
    EvolutionConfig,
    Phase,
    QLearningConfig,
    RandomConfig,
    SearchSection,
)
from nasd.config.snapshots import SnapshotsConfig
from nasd.config.space import AnySpace, LayersConfig
from nasd.config.store import StoreConfig
from nasd.config.whole import Config
from nasd.config.writing import dump, name_override, rename

__all__ = [
    "PUBLISHED_SCHEDULE",
    "AnyEvaluation",
    "AnyExecutor",
    "AnySearch",
    "AnySpace",
    "Config",
    "DataConfig",
    "DeepPriorConfig",
    "DrawingSection",
    "EncoderConfig",
    "EvolutionConfig",
    "FullTrainingConfig",
    "LayersConfig",
    "LogConfig",
    "Phase",
    "ProcessesConfig",
    "QLearningConfig",
    "RandomConfig",
    "RayConfig",
    "ScreenConfig",
    "SearchSection",
    "SnapshotsConfig",
    "StoreConfig",
    "TrainingConfig",
    "dump",
    "load",
    "name_override",
    "parse",
    "rename",
    "without_effect",
]

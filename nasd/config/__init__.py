"""Typed configuration: YAML in, frozen models out, every fault reported at once."""

from nasd.config.cells import CellsConfig
from nasd.config.data import DataConfig
from nasd.config.effect import without_effect
from nasd.config.enas import ControllerConfig, EnasConfig
from nasd.config.evaluation import (
    AnyEvaluation,
    DeepPriorConfig,
    EncoderConfig,
    FftConfig,
    FullTrainingConfig,
    RungsConfig,
    ScreenConfig,
    TrainingConfig,
)
from nasd.config.executor import AnyExecutor, ProcessesConfig, RayConfig
from nasd.config.log import LogConfig
from nasd.config.notify import NotifyConfig
from nasd.config.pnas import PnasConfig
from nasd.config.reading import load, parse
from nasd.config.search import (
    PUBLISHED_SCHEDULE,
    AnySearch,
    DrawingSection,
    EvolutionConfig,
    Phase,
    QLearningConfig,
    RandomConfig,
)
from nasd.config.search_section import SearchSection
from nasd.config.snapshots import SnapshotsConfig
from nasd.config.space import AnySpace, LayersConfig
from nasd.config.store import StoreConfig
from nasd.config.supernet import SupernetConfig
from nasd.config.supernet_training import SupernetTrainingConfig
from nasd.config.whole import Config
from nasd.config.writing import changed, dump, name_override, rename

__all__ = [
    "PUBLISHED_SCHEDULE",
    "AnyEvaluation",
    "AnyExecutor",
    "AnySearch",
    "AnySpace",
    "CellsConfig",
    "Config",
    "ControllerConfig",
    "DataConfig",
    "DeepPriorConfig",
    "DrawingSection",
    "EnasConfig",
    "EncoderConfig",
    "EvolutionConfig",
    "FftConfig",
    "FullTrainingConfig",
    "LayersConfig",
    "LogConfig",
    "NotifyConfig",
    "Phase",
    "PnasConfig",
    "ProcessesConfig",
    "QLearningConfig",
    "RandomConfig",
    "RayConfig",
    "RungsConfig",
    "ScreenConfig",
    "SearchSection",
    "SnapshotsConfig",
    "StoreConfig",
    "SupernetConfig",
    "SupernetTrainingConfig",
    "TrainingConfig",
    "changed",
    "dump",
    "load",
    "name_override",
    "parse",
    "rename",
    "without_effect",
]

"""The run directory: checkpoint database, embedding arrays, learned files.

Importing it loads neither zarr nor numpy: what needs them imports them when it is used.
"""

from store.conditions import MARK, Condition
from store.errors import (
    DamagedError,
    DiskError,
    DiskFullError,
    EmbeddingError,
    InvalidDeltaError,
    NewerRunError,
    OlderRunError,
    RunExistsError,
    RunLockedError,
    RunMissingError,
    StoreError,
)
from store.lock import is_owned
from store.queries import Rewards, TrialSort
from store.records import (
    Checkpoint,
    Delta,
    Job,
    JobStatus,
    Learned,
    LearnedFile,
    OpenProposal,
    Step,
    Trial,
    TrialStatus,
)
from store.run import Run

__all__ = [
    "MARK",
    "Checkpoint",
    "Condition",
    "DamagedError",
    "Delta",
    "DiskError",
    "DiskFullError",
    "EmbeddingError",
    "InvalidDeltaError",
    "Job",
    "JobStatus",
    "Learned",
    "LearnedFile",
    "NewerRunError",
    "OlderRunError",
    "OpenProposal",
    "Rewards",
    "Run",
    "RunExistsError",
    "RunLockedError",
    "RunMissingError",
    "Step",
    "StoreError",
    "Trial",
    "TrialSort",
    "TrialStatus",
    "is_owned",
]

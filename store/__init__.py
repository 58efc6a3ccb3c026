"""The run directory: checkpoint database, embedding arrays, CSV in and out.

Importing it loads neither zarr nor pandas nor numpy: what needs them imports them when it is used.
"""

from store.errors import (
    CsvError,
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
    OpenProposal,
    QUpdate,
    StateTuple,
    Trial,
    TrialStatus,
)
from store.run import Run

__all__ = [
    "Checkpoint",
    "CsvError",
    "DamagedError",
    "Delta",
    "DiskError",
    "DiskFullError",
    "EmbeddingError",
    "InvalidDeltaError",
    "Job",
    "JobStatus",
    "NewerRunError",
    "OlderRunError",
    "OpenProposal",
    "QUpdate",
    "Rewards",
    "Run",
    "RunExistsError",
    "RunLockedError",
    "RunMissingError",
    "StateTuple",
    "StoreError",
    "Trial",
    "TrialSort",
    "TrialStatus",
    "is_owned",
]

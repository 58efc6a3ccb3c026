"""Every method that a client may call: what it takes and what it answers."""

from nasd.protocol import enas, evolution, pnas, qlearning
from nasd.protocol.insight import Insight, InsightParams
from nasd.protocol.jobs import JobPage, JobParams, JobRow, JobsParams, MoveJobParams, QueueJobParams
from nasd.protocol.log import LogPage, LogParams
from nasd.protocol.machine import MachineHistory, MachineParams
from nasd.protocol.runs import Changes, ConfigText, RunList, SetParams
from nasd.protocol.search import Rewards, RewardsParams, Snapshot, Status
from nasd.protocol.trials import ExportParams, MarkParams, TrialDetail, TrialPage, TrialParams, TrialRow, TrialsParams
from nasd.protocol.wire import Done, Empty, Hello, HelloParams, Method

OF_EVERY_RUN: dict[str, Method] = {
    "hello": Method(HelloParams, Hello),
    "status": Method(Empty, Status),
    "subscribe": Method(Empty, Snapshot),
    "rewards": Method(RewardsParams, Rewards),
    "insight": Method(InsightParams, Insight),
    "machine": Method(MachineParams, MachineHistory),
    "trials": Method(TrialsParams, TrialPage),
    "trial": Method(TrialParams, TrialDetail),
    "mark": Method(MarkParams, TrialRow),
    "jobs": Method(JobsParams, JobPage),
    "queue_job": Method(QueueJobParams, JobRow),
    "cancel_job": Method(JobParams, JobRow),
    "move_job": Method(MoveJobParams, JobRow),
    "log": Method(LogParams, LogPage),
    "runs": Method(Empty, RunList),
    "config": Method(Empty, ConfigText),
    "set": Method(SetParams, Changes),
    "pause": Method(Empty, Done),
    "resume": Method(Empty, Done),
    "stop": Method(Empty, Done),
    "checkpoint": Method(Empty, Done),
    "export": Method(ExportParams, Done),
}
"""What the daemon answers whatever its strategy is."""

OF_STRATEGIES: dict[str, dict[str, Method]] = {
    "enas": enas.METHODS,
    "evolution": evolution.METHODS,
    "pnas": pnas.METHODS,
    "qlearning": qlearning.METHODS,
}
"""What it answers besides, by `Status.strategy`; their names begin with the strategy's and a dot."""

METHODS: dict[str, Method] = {
    **OF_EVERY_RUN,
    **{name: method for methods in OF_STRATEGIES.values() for name, method in methods.items()},
}
"""All of them. A method of another strategy than the run's is known, but refused."""


def strategy_of(method: str) -> str | None:
    """The strategy whose own a method is; None for one that every run answers."""
    return next((strategy for strategy, methods in OF_STRATEGIES.items() if method in methods), None)

"""Strategies: they propose architectures and observe rewards. Pure; no torch, no I/O, no clock."""

from nasd.search.base import Proposal, ProposalKind, SearchFinishedError, Strategy, Update
from nasd.search.qlearning import QLearning
from nasd.search.schedule import SchedulePosition, schedule_position
from nasd.search.screening import Screen

__all__ = [
    "Proposal",
    "ProposalKind",
    "QLearning",
    "SchedulePosition",
    "Screen",
    "SearchFinishedError",
    "Strategy",
    "Update",
    "schedule_position",
]

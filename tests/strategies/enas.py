"""ENAS without a worker: epochs whose outcome is made up."""

from hashlib import sha256
from typing import Any

import msgspec

from nasd.config import Config
from nasd.outcome import Evaluated, Failed, Outcome, SupernetEpoch
from nasd.spaces.supernet import SupernetSpace
from nasd.strategies.base import Proposal
from nasd.strategies.enas.strategy import Enas
from tests.strategies.contract import Case, evaluated

NET = "resnet18[1 1 1 1 1 1 1 1]"


def config(seed: int = 1, **search: Any) -> Config:
    return Config.model_validate(
        {
            "seed": seed,
            "space": {"kind": "supernet", "patch_size": 8},
            "search": {"strategy": "enas", "epochs": 12, **search},
            "evaluation": "supernet",
        }
    )


def make(seed: int = 1, **search: Any) -> Enas:
    made = config(seed, **search)
    assert made.space.kind == "supernet"
    return Enas(made, SupernetSpace(made.space))


def trained(reward: float, net: str = NET) -> Evaluated:
    epoch = SupernetEpoch(
        net=net, steps=10, controller_steps=2, loss=1.0, mean_accuracy=reward, mean_reward=reward, baseline=0.1,
        entropy=0.6, probabilities=((0.6, 0.4),) * 8,
    )  # fmt: skip
    return msgspec.structs.replace(evaluated(reward), supernet=epoch)


def scripted(proposal: Proposal) -> Outcome:
    """One epoch in eight fails, and one is worth nothing; the derived architecture changes."""
    digest = sha256(proposal.net.encode()).digest()
    if digest[0] < 32:
        return Failed(reason="It does not fit.")
    choices = " ".join("1" if byte < 128 else "32" for byte in digest[:8])
    return trained(0.0 if digest[1] < 20 else digest[1] / 256, f"resnet18[{choices}]")


CASE = Case(make, evaluate=scripted, waits=True, draws=False, outcome=trained)

"""ENAS as a fake daemon shows it: the strategy itself, and the views of it, after epochs that are made up."""

import math
from functools import partial

from nasd.outcome import SupernetEpoch
from nasd.strategies.enas import views
from nasd.strategies.enas.strategy import Enas
from tests.strategies.contract import evaluated
from tests.strategies.enas import make


def searched(epochs: int, of: int = 20) -> Enas:
    """After so many epochs: the controller decides for 32 bits in the odd blocks, the accuracy grows."""
    strategy = make(epochs=of)
    strategy.restore(None, [], [])
    for epoch in range(1, epochs + 1):
        (proposal,) = strategy.propose(1)
        sure = [1 / (1 + math.exp((1 if unit % 2 else -1) * (unit + 1) * epoch / 20 - 0.3)) for unit in range(8)]
        net = f"resnet18[{' '.join('1' if share >= 0.5 else '32' for share in sure)}]"
        accuracy = 0.9 - 0.6 / epoch
        made = SupernetEpoch(
            net=net, steps=38, controller_steps=7, loss=1 / epoch, mean_accuracy=accuracy - 0.05,
            mean_reward=accuracy - 0.03, baseline=accuracy - 0.1, entropy=0.69 - 0.02 * epoch,
            probabilities=tuple((share, 1 - share) for share in sure),
        )  # fmt: skip
        outcome = evaluated(accuracy)
        strategy.observe(proposal, type(outcome)(**{**_fields(outcome), "supernet": made}))
    return strategy


def handlers(epochs: int) -> dict:
    """What the daemon answers, by method."""
    strategy = searched(epochs)
    return {name: partial(view, strategy, strategy.space) for name, view in views.METHODS.items()}


def _fields(outcome) -> dict:
    return {name: getattr(outcome, name) for name in outcome.__struct_fields__}

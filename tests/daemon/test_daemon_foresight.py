"""What the trials to come are expected to take."""

import numpy as np
import pytest

from nasd import rooms
from nasd.daemon.foresight import Foresight
from nasd.daemon.history import History
from nasd.strategies.base import Proposal
from store import Trial
from tests.helpers.nasd_harness import configure, living, make, soon, tell

NET = "[C(16,3,1,1,1), SM(10)]"


def looked_at(scores, **rungs):
    metrics = {"rungs": {"scores": scores, "images": [100, 400][: len(scores)], "splits": [800, 100, 100], **rungs}}
    status = "early_stopped" if rungs else "evaluated"
    return Trial(number=1, order=1, net=NET, status=status, reward=0.5, counted=True, metrics=metrics)


async def test_what_rungs_stop_is_expected_to_take_less():
    rungs = {"images": [100, 400], "keep": [0.5, 0.2]}
    config, history = configure(8, evaluation={"kind": "deep_prior", "rungs": rungs}), History()
    foresight = Foresight(rooms.space(config), history)
    foresight.look(config)
    whole = foresight.gflop(NET)
    evaluation = [Proposal(number=2, net=NET, kind="evaluate", stage="e=1")]
    try:
        await soon(lambda: history.expected, "the simulation")
        simulated = {stage: works.copy() for stage, works in history.expected.items()}
        assert foresight.open(evaluation)[0].gflop == whole  # nobody knows yet how many images there are
        assert foresight.gflop_of(looked_at([0.5, 0.6])) == whole
        share = (100 + 0.5 * 300 + 0.1 * 600) / 1000
        assert foresight.open(evaluation)[0].gflop == pytest.approx(share * whole)
        assert list(history.expected) == list(simulated)
        for stage, works in history.expected.items():
            np.testing.assert_allclose(works, simulated[stage] * (1, share))
    finally:
        await foresight.close()
    assert foresight.gflop_of(looked_at([0.5, 0.6], cut=True)) == pytest.approx(0.4 * whole)
    assert foresight.gflop_of(looked_at([0.5], cut=True)) == pytest.approx(0.1 * whole)


async def test_after_a_restart_the_end_is_estimated_by_what_earlier_daemons_left(home):
    directory = make(home, 40)
    tell(directory, seconds=0.05)
    async with living(directory) as live:
        await soon(lambda: live.status.progress.counted >= 10, "ten trials")
    tell(directory, seconds=0.05)
    (directory / "gate").touch()
    async with living(directory) as live:
        await live.busy()
        left = live.status.progress
        assert 0.05 * 20 < left.eta_seconds < 60.0
        assert left.eta_low <= left.eta_seconds <= left.eta_high

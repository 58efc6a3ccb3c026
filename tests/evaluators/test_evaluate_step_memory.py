"""The prediction of a training step's memory against the resident set of a process that takes one."""

import sys

import pytest

from benchmarks.memory import in_own_process, sample

NETS = [
    "[C(64,3,1,1,1), P(2,2,0,0), SM(10)]",  # the gradient reaches the pooling in the other layout
    "[C(32,5,1,2,1), C(64,3,1,1,0), P(3,3,0,0), C(64,3,1,1,1), SM(10)]",
]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_a_step_takes_what_was_predicted():
    rows = in_own_process(NETS, 128, "cpu")
    assert len(rows) == len(NETS)
    for row in rows:
        assert row["step_predicted"] > 1.2 * row["pass_predicted"] > 30e6
        assert 0.95 * row["step_measured"] < row["step_predicted"] < 1.1 * row["step_measured"]
        assert row["step_predicted"] < row["heuristic"]


def test_sampled_architectures_differ_and_are_reproducible():
    assert len(set(sample(5, (16, 32)))) == 5
    assert sample(5, (16, 32)) == sample(5, (16, 32))

"""`nasd plan`."""

import json
from pathlib import Path

import pytest

DIGITS = Path(__file__).parents[2] / "configs" / "digits.yaml"


def test_the_command_says_it_to_people_and_to_programs(nasd):
    digits = ("plan", DIGITS, "--set", "search.epsilon_schedule=[[1.0, 20]]")
    _, out, err = nasd(*digits, "--set", "executor.trial_timeout=0.000001", "--set", "executor.memory_limit=400kB")
    assert err == ""
    for said in ("20 evaluations", "e=1", "conv 3x3", "memory ", "disk ", "time ", "20 evaluations, 100 %", "be split"):
        assert said in out
    values = json.loads(nasd(*digits, "--no-time", "--json")[1])
    assert (values["kinds"]["evaluate"], values["seconds"], values["warnings"]) == (20, None, [])
    assert values["encoder_gflop"] == pytest.approx(sum(values["kernels"].values()))
    assert values["images"] == {"train": 1350, "validation": 150, "test": 297}

"""`nasd plan`."""

import json
from pathlib import Path

import pytest

from nasd.evaluators.deep_prior import fft_table
from nasd.evaluators.supernet import latency

DIGITS = Path(__file__).parents[2] / "configs" / "digits.yaml"
TRAINED = {
    "layers": ["space={min_conv: 1, max_conv: 2, conv_sizes: [3], conv_features: [8], pool_sizes: []}"],
    "fc": [
        "space={form: codebrim, min_conv: 1, max_conv: 2, max_fc: 1, conv_sizes: [3], conv_features: [8]}",
        "encoder={precision: bfloat16, convolution: fft}",
    ],
    "cells": ["space={kind: cells, blocks: 1, operators: [sep3x3], filters: 2, repeats: 1}"],
    "supernet": ["space={kind: supernet, widths: [4, 4, 4, 4, 4]}"],
}


def test_the_command_says_it_to_people_and_to_programs(nasd):
    digits = ("plan", DIGITS, "--set", "search.epsilon_schedule=[[1.0, 20]]")
    _, out, err = nasd(*digits, "--set", "executor.trial_timeout=0.000001", "--set", "executor.memory_limit=400kB")
    assert err == ""
    for said in ("20 evaluations", "e=1", "conv 3x3", "memory ", "disk ", "time ", "20 evaluations, 100 %", "be split"):
        assert said in out
    values = json.loads(nasd(*digits, "--no-time", "--json")[1])
    assert (values["kinds"]["evaluate"], values["seconds"], values["warnings"]) == (20, None, [])
    assert values["passing_all_rungs"] == 20
    assert values["encoder_gflop"] == pytest.approx(sum(values["kernels"].values()))
    assert values["images"] == {"train": 1350, "validation": 150, "test": 297}


@pytest.mark.parametrize("kind", TRAINED)
def test_full_training_is_planned_with_its_linear_layers(nasd, kind):
    settings = ["evaluation=training", "search={strategy: random, trials: 5}", *TRAINED[kind]]
    code, out, err = nasd("plan", DIGITS, "--json", *(word for each in settings for word in ("--set", each)))
    assert (code, err) == (0, "")
    values = json.loads(out)
    assert values["kernels"].keys() == values["seconds_per_gflop"].keys()
    assert {"classifier", *(["fc"] if kind == "fc" else [])} <= values["kernels"].keys()
    assert all(rate > 0 for rate in values["seconds_per_gflop"].values())


@pytest.mark.parametrize("where", [["--no-time"], ["--set", "executor.devices=[cuda:99]"]])
def test_nothing_is_measured_without_times_or_without_the_device(nasd, monkeypatch, tmp_path, where):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for module, name in ((fft_table, "of_device"), (latency, "measure")):
        monkeypatch.setattr(module, name, lambda *_: pytest.fail("this box is measured"))
    few = ("plan", DIGITS, "--json", "--set", "search={strategy: random, trials: 5}", *where)
    code, out, err = nasd(*few, "--set", "encoder.convolution=measured")
    assert (code, err) == (0, "")
    values, direct = json.loads(out), json.loads(nasd(*few)[1])
    (sentence,) = values.pop("warnings")
    assert "the memory is that of direct convolutions" in sentence
    assert (direct.pop("warnings"), values["seconds"]) == ([], None)
    assert values == direct
    supernet = ("--set", "evaluation=training", "--set", "space={kind: supernet, latencies: measured}")
    assert nasd(*few, *supernet)[::2] == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_with_rungs_it_says_how_many_pass_and_which_rung_is_none(nasd):
    plan = ("plan", DIGITS, "--no-time", "--set", "search.epsilon_schedule=[[1.0, 20]]")
    one = json.loads(nasd(*plan, "--set", "evaluation.rungs={images: [200], keep: [0.5]}", "--json")[1])
    rungs = "evaluation.rungs={images: [200, 60000], keep: [0.5, 0.5], after: 10}"
    _, out, _ = nasd(*plan, "--set", rungs)
    assert "about 15 evaluations pass all rungs, the others are stopped" in out
    assert "warning  evaluation.rungs.images: 60,000 is never reached, as 1,350 images train" in out
    values = json.loads(nasd(*plan, "--set", rungs, "--json")[1])
    assert values["passing_all_rungs"] == 15
    assert values["memory"] == one["memory"]

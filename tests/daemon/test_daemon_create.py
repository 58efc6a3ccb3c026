"""What a config leaves open is settled when the run is made."""

import pytest

from nasd import rooms
from nasd.box.processor import multiplies_bfloat16
from nasd.config import Config
from nasd.errors import ConfigError
from nasd.runs import create

SPACE = {"min_conv": 1, "max_conv": 1, "conv_sizes": [3], "conv_features": [8], "large_conv_strides": []}


@pytest.mark.parametrize(
    ("flags", "able"),
    [
        ("flags\t\t: fpu avx512f avx512_bf16 avx512_fp16", True),
        ("flags\t\t: fpu amx_bf16 amx_tile", True),
        ("Features\t: fp asimd bf16 i8mm", True),
        ("flags\t\t: fpu avx512f avx512_vnni", False),
        ("model name\t: bf16000", False),
    ],
)
def test_whether_a_cpu_multiplies_bfloat16(tmp_path, flags, able):
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{flags}\n\n")
    assert multiplies_bfloat16(tmp_path / "cpuinfo") is able
    assert not multiplies_bfloat16(tmp_path / "none")


@pytest.mark.parametrize(
    ("able", "config", "precision"),
    [
        (True, {}, "bfloat16"),
        (False, {}, "float32"),
        (True, {"encoder": {"precision": "float32"}}, "float32"),
        (False, {"encoder": {"precision": "bfloat16"}}, "bfloat16"),
        (True, {"evaluation": "full"}, "float32"),
        (True, {"executor": {"devices": ["cuda:0"]}}, "float32"),
        (True, {"executor": {"devices": ["cpu", "cuda:0"]}}, "float32"),
    ],
)
def test_precision_is_settled_and_then_stays(monkeypatch, able, config, precision):
    monkeypatch.setattr(create, "multiplies_bfloat16", lambda: able)
    given = Config.model_validate({"space": SPACE, "executor": {"devices": ["cpu"]}, **config})
    frozen = create.settle(given)
    assert frozen.encoder.precision == precision
    monkeypatch.setattr(create, "multiplies_bfloat16", lambda: not able)
    assert create.settle(frozen) == frozen
    assert create.differences(given, frozen) == []
    other = given.model_copy(update={"encoder": given.encoder.model_copy(update={"precision": "tf32"})})
    assert create.differences(other, frozen) == [f"encoder.precision: {precision} in the run, tf32 now"]


def supernet(**sections):
    space = {"kind": "supernet", "base": "meliusnet22", "widths": [8, 8, 8, 8], "growth": 8, "latencies": "measured"}
    plain = {"space": space, "search": {"strategy": "enas"}, "evaluation": "supernet"}
    return Config.model_validate({**plain, "data": {"name": "random"}, "executor": {"devices": ["cpu"]}, **sections})


def test_latencies_are_measured_once_and_then_stay():
    given = supernet()
    frozen = create.settle(given)
    pairs = frozen.space.latencies
    assert len(pairs) == 34
    assert all(takes > 0 for pair in pairs for takes in pair)
    improvements = [pair for pair, choices in zip(pairs, rooms.space(frozen).choices, strict=True) if "-" in choices]
    assert sum(on for on, _ in improvements) > 2 * sum(off for _, off in improvements)  # none takes next to no time
    assert create.settle(frozen) == frozen
    assert create.differences(given, frozen) == []
    assert create.differences(frozen, frozen) == []


def test_latencies_are_not_measured_on_a_box_that_evaluates_nothing():
    with pytest.raises(ConfigError, match="evaluations run on others"):
        create.settle(supernet(executor={"kind": "ray"}))

"""What a config leaves open is settled when the run is made."""

import pytest

from nasd import config as configuration
from nasd import rooms
from nasd.box import fft_tables
from nasd.box.processor import multiplies_bfloat16
from nasd.config import Config, FftConfig
from nasd.errors import ConfigError
from nasd.evaluators.deep_prior import fft_table
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


def transformed(**sections):
    return Config.model_validate(
        {"space": SPACE, "executor": {"devices": ["cpu"]}, "encoder": {"convolution": "measured"}, **sections}
    )


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_how_convolutions_are_computed_is_measured_once_and_then_stays(cache, monkeypatch):
    asked = []

    def is_faster(kernel, side, channels, *_):
        asked.append((kernel, side, channels))
        return kernel * channels >= 350 and side > 7

    monkeypatch.setattr(fft_table, "_is_faster", is_faster)
    given = transformed()
    frozen = create.settle(given)
    at_28 = {11: 32, 9: 64, 7: 64, 5: 128, 3: 128}
    wanted = [FftConfig(kernel=k, side=side, channels=c) for side in (28, 14) for k, c in at_28.items()]
    assert list(frozen.encoder.convolution) == wanted
    assert (5, 28, 32) not in asked  # a window of 7 gained nothing there
    assert configuration.parse(configuration.dump(frozen)) == frozen
    assert "7x7 from 64 channels" in fft_tables.in_words(frozen.encoder.convolution)

    asked.clear()
    assert create.settle(given) == frozen
    assert not asked  # the cache knows
    (cache / "nasd" / "convolutions.json").write_text("{]")  # somebody broke it: another measurement
    monkeypatch.setattr(fft_table, "_is_faster", lambda *_: False)
    assert create.settle(given).encoder.convolution == "direct"
    assert create.settle(frozen) == frozen
    assert create.differences(given, frozen) == []
    other = transformed(encoder={"convolution": "direct"})
    assert [line.split(":")[0] for line in create.differences(other, frozen)] == ["encoder.convolution"]


def test_a_small_measurement_of_this_box(cache, monkeypatch):
    for name, values in {"SIDES": (14,), "KERNELS": (11, 3), "CHANNELS": (8,), "IMAGES": 4}.items():
        monkeypatch.setattr(fft_table, name, values)
    found = fft_table.of_device("cpu", "bfloat16")
    assert {(entry.side, entry.channels) for entry in found} <= {(14, 8)}
    assert list(fft_tables.everything().values()) == [found]


@pytest.mark.parametrize(
    "sections",
    [
        {"evaluation": {"kind": "training"}},
        {"space": {"kind": "cells"}, "search": {"strategy": "random"}},
        {"executor": {"kind": "ray", "devices": ["cuda"]}},
    ],
    ids=["training", "cells", "GPUs elsewhere"],
)
def test_where_nothing_is_to_be_measured_convolutions_are_direct(cache, monkeypatch, sections):
    monkeypatch.setattr(fft_table, "_measure", None)
    monkeypatch.setattr(create, "count_gpus", lambda: 0)
    assert create.settle(transformed(**sections)).encoder.convolution == "direct"


def test_a_device_that_is_not_there(cache):
    with pytest.raises(ConfigError, match=r"encoder\.convolution: nothing can be measured on cuda:99"):
        fft_table.of_device("cuda:99", "float32")

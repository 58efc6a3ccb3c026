"""The space of supernets against the golden values; what it counts is what torch counts (test_supernet_networks)."""

import json
from pathlib import Path

import numpy as np
import pytest

from nasd.config import Config, SupernetConfig
from nasd.errors import ConfigError
from nasd.spaces.base import GrammarError
from nasd.spaces.supernet import SupernetSpace

PATH = Path(__file__).parents[3] / "shared" / "golden" / "enas.json"
if not PATH.exists():
    pytest.skip(f"the golden values are not at {PATH}", allow_module_level=True)
GOLDEN = json.loads(PATH.read_text())
BASES = [
    "resnet18", "resnet18v2", "resnet34", "resnet34v2", "meliusnet22", "meliusnet23", "meliusnet29", "meliusnet42",
    "meliusnet59", "meliusneta", "meliusnetb", "meliusnetc",
]  # fmt: skip


def space(base="resnet18", **keys) -> SupernetSpace:
    return SupernetSpace(SupernetConfig(base=base, **keys))


def plain(made: SupernetSpace):
    """The base's own architecture: the first choice of each unit."""
    return made.make((0,) * len(made.choices))


MELIUS = {
    "cifar10_thumbnail": {},
    "cifar100_thumbnail": {"num_classes": 100},
    "imagenet_224": {"num_classes": 1000, "patch_size": 224, "stem": "imagenet"},
}


@pytest.mark.parametrize(
    ("golden", "made"),
    [
        *((GOLDEN["meliusnet22"][name], space("meliusnet22", **keys)) for name, keys in MELIUS.items()),
        (GOLDEN["meliusnet29_cifar10"], space("meliusnet29")),
    ],
)
def test_meliusnets_have_the_published_tables_and_sizes(golden, made):
    size = made.size(plain(made))
    assert (size.binary_weights, size.float_parameters) == (golden["binary_weights"], golden["float_parameters"])
    assert size.bytes / 1e6 == pytest.approx(golden["megabytes"], abs=5e-5)
    _, *nodes = made.graph(plain(made)).nodes
    assert len(nodes) == len(golden["table"])
    for node, (label, channels, side) in zip(nodes, golden["table"], strict=True):
        assert node.text.startswith(label)
        assert node.shape == ((channels, side, side) if node.kind != "classifier" else (channels,))


@pytest.mark.parametrize("golden", GOLDEN["resnet18"], ids=lambda golden: str(golden["bits"]))
def test_resnet18_has_the_published_weights_and_latencies(golden):
    made = space()
    architecture = made.parse(f"resnet18[{' '.join(map(str, golden['bits']))}]")
    paths = [unit.paths[choice] for unit, choice in zip(made.skeleton.units, architecture.choices, strict=True)]
    assert [sum(conv.weights for conv in path.convs) for path in paths] == golden["block_weights"]
    assert [2 * sum(path.norms) for path in paths] == golden["block_norm_parameters"]
    assert made.size(architecture).binary_weights == golden["binary_weights"]
    floats = sum(conv.weights for path in paths for conv in path.convs if not conv.binary)
    assert floats == golden["float_conv_weights"]
    assert made.latency(architecture) == pytest.approx(golden["latency"], abs=1e-12)
    assert made.average_latency == GOLDEN["reward"]["average_latency_resnet18"]


def test_spaces_have_the_published_numbers_of_architectures():
    assert {base: space(base).count for base in GOLDEN["spaces"]} == GOLDEN["spaces"]


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("side", [8, 28, 32])
def test_every_base_is_made_for_small_images(base, side):
    made, random = space(base, patch_size=side), np.random.default_rng(1)
    architecture = made.sample(random)
    for _ in range(20):
        assert made.parse(str(architecture)) == architecture
        assert made.feasible(architecture) is None
        graph = made.graph(architecture)
        assert graph.parameters > 0
        assert min(min(node.shape) for node in graph.nodes) > 0
        other = made.mutate(architecture, random)
        assert sum(a != b for a, b in zip(architecture.choices, other.choices, strict=True)) == 1
        architecture = other


def test_sizes_follow_the_choices():
    made = space("meliusnet22")
    base = plain(made)
    for unit in range(34):
        other = made.make(tuple(int(number == unit) for number in range(34)))
        assert made.size(other).binary_weights < made.size(base).binary_weights
        assert made.latency(other) < made.latency(base)
        assert made.graph(other).operations < made.graph(base).operations


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("resnet34[1]", 0),
        ("resnet18", 8),
        ("resnet18[1 32 2 1 1 1 1 1]", 14),
        ("resnet18[1 1 1 1 1 1 1]", 22),
        ("resnet18[1 1 1 1 1 1 1 1 1]", 25),
        ("resnet18[1 1 1 1 1 1 1 1] x", 26),
        ("resnet18[1 1 1 1 1 1 1 1", 24),
    ],
)
def test_what_is_no_architecture_is_answered_with_its_place(text, position):
    with pytest.raises(GrammarError) as caught:
        space().parse(text)
    assert caught.value.position == position


def test_what_a_person_writes_is_read():
    assert str(space().parse(" resnet18 [1 32  1 1 32 1 1 1 ] ")) == "resnet18[1 32 1 1 32 1 1 1]"


def test_measured_latencies_take_the_place_of_the_table():
    made = space(latencies=((1.0, 2.0),) * 8)
    assert made.latency(plain(made)) == 8
    assert made.average_latency == 12
    with pytest.raises(ConfigError, match="8 units"):
        space(latencies=((1.0, 2.0),))


def test_images_that_are_too_small_are_refused_in_one_sentence():
    with pytest.raises(ConfigError, match="too small"):
        space("meliusnet22", patch_size=8, stem="imagenet")


def test_sections_that_do_not_go_together_are_refused():
    enas = {"space": {"kind": "supernet"}, "search": {"strategy": "enas"}, "evaluation": "supernet"}
    assert Config.model_validate(enas).space.kind == "supernet"
    Config.model_validate({"space": {"kind": "supernet"}, "search": {"strategy": "random"}, "evaluation": "training"})
    for missing in enas:
        with pytest.raises(ValueError, match=r"search\.strategy|evaluation"):
            Config.model_validate({name: value for name, value in enas.items() if name != missing})

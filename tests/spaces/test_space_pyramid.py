"""The search space of CODEBRIM: convolutions without padding, a pyramid, fully connected layers."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nasd.config import Config, LayersConfig, QLearningConfig
from nasd.errors import ConfigError
from nasd.outcome import Evaluated
from nasd.spaces.layers import Architecture, SearchSpace, State
from nasd.strategies.qlearning.strategy import QLearning

torch = pytest.importorskip("torch")

from nasd.config import EncoderConfig  # noqa: E402
from nasd.evaluators.networks.network import Network  # noqa: E402

Walk = Callable[[SearchSpace, int], Architecture]

PUBLISHED = LayersConfig(
    form="codebrim",
    patch_size=224,
    min_conv=3,
    max_conv=10,
    max_fc=1,
    conv_sizes=(3, 5, 7, 9, 11),
    conv_features=(32, 64, 128, 256),
    num_classes=6,
    channels=3,
)
SPACE = SearchSpace(PUBLISHED)


def _types(actions: tuple[State, ...]) -> set[str]:
    return {"end" if action.terminate else action.layer_type for action in actions}


def test_the_first_layer() -> None:
    actions = SPACE.actions(SPACE.start())
    assert len(actions) == 4 * 5 + 4
    assert actions[:5] == (
        ("conv", 1, 32, 3, 1, 0, 222, 0, 0),
        ("conv", 1, 32, 5, 1, 0, 220, 0, 0),
        ("conv", 1, 32, 7, 2, 0, 109, 0, 0),
        ("conv", 1, 32, 9, 2, 0, 108, 0, 0),
        ("conv", 1, 32, 11, 2, 0, 107, 0, 0),
    )
    assert actions[-1] == ("wrn", 2, 256, 3, 1, 1, 224, 0, 0)


def test_the_pyramid_comes_from_the_fewest_layers_on() -> None:
    assert _types(SPACE.actions(State("conv", 2, 32, 3, 1, 0, 100, 0, 0))) == {"conv", "wrn"}
    third = State("conv", 3, 32, 3, 1, 0, 100, 0, 0)
    assert _types(SPACE.actions(third)) == {"conv", "wrn", "spp"}
    assert SPACE.actions(third)[-3:] == (
        ("spp", 4, 32, 3, 0, 0, 14, 0, 0),
        ("spp", 4, 32, 4, 0, 0, 30, 0, 0),
        ("spp", 4, 32, 5, 0, 0, 55, 0, 0),
    )
    assert _types(SPACE.actions(third._replace(layer_depth=10))) == {"spp"}
    assert _types(SPACE.actions(State("wrn", 11, 32, 3, 1, 1, 100, 0, 0))) == {"spp"}


def test_a_convolution_leaves_room_for_the_smallest_pyramid() -> None:
    convolutions = [a for a in SPACE.actions(State("conv", 1, 32, 3, 1, 0, 7, 0, 0)) if a.layer_type == "conv"]
    assert {(a.filter_size, a.image_size) for a in convolutions} == {(3, 5), (5, 3)}
    small = SPACE.actions(State("conv", 4, 32, 3, 1, 0, 4, 0, 0))
    assert [(a.layer_type, a.filter_size) for a in small if a.layer_type == "spp"] == [("spp", 3), ("spp", 4)]


def test_where_nothing_fits_any_more_the_pyramid_comes_early() -> None:
    assert _types(SPACE.actions(State("conv", 1, 32, 3, 1, 0, 3, 0, 0))) == {"spp"}


def test_what_follows_the_pyramid() -> None:
    pyramid = State("spp", 4, 32, 3, 0, 0, 14, 0, 0)
    assert SPACE.actions(pyramid) == (
        ("spp", 5, 32, 3, 0, 0, 14, 0, 1),
        ("fc", 5, 0, 0, 0, 0, 0, 32, 0),
        ("fc", 5, 0, 0, 0, 0, 0, 64, 0),
        ("fc", 5, 0, 0, 0, 0, 0, 128, 0),
    )
    assert _types(SPACE.actions(SPACE.actions(pyramid)[2])) == {"end"}
    without = SearchSpace(PUBLISHED.model_copy(update={"max_fc": 0}))
    assert _types(without.actions(pyramid)) == {"end"}
    two = SearchSpace(PUBLISHED.model_copy(update={"max_fc": 2}))
    assert [a.fc_size for a in two.actions(State("fc", 5, 0, 0, 0, 0, 0, 64, 0)) if not a.terminate] == [32, 64]


def test_the_written_form_has_four_numbers() -> None:
    text = "[C(32,7,2,1), C(64,3,1,0), C(64,4,0,2), FC(32), SM(6)]"
    architecture = SPACE.parse(text)
    assert SPACE.contains(architecture)
    assert str(SPACE.architecture(architecture.states)) == text
    assert [SPACE.text(state) for state in architecture.states] == text[1:-1].split(", ")
    assert [(node.kind, node.shape[1:]) for node in SPACE.graph(architecture).nodes[1:]] == [
        ("conv", (109, 109)), ("wrn", (109, 109)), ("spp", (30,)), ("embedding", ()), ("fc", ()), ("classifier", ()),
    ]  # fmt: skip


def test_images_that_leave_no_room_are_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="spp_levels"):
        SearchSpace(PUBLISHED.model_copy(update={"patch_size": 4, "wrn": False}))


sizes = st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True).map(tuple)


@given(
    limits=st.fixed_dictionaries(
        {
            "patch_size": st.integers(2, 60),
            "min_conv": st.integers(0, 4),
            "max_conv": st.integers(4, 8),
            "max_fc": st.integers(0, 3),
            "conv_sizes": sizes,
            "conv_strides": sizes,
            "large_conv_strides": sizes,
            "large_conv_size": st.integers(1, 9),
            "spp_levels": st.lists(st.integers(1, 6), min_size=1, max_size=3, unique=True).map(tuple),
            "wrn": st.booleans(),
        }
    ),
    seed=st.integers(0, 2**32),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_walk_ends_and_can_be_read_whatever_the_limits(walk: Walk, limits: dict[str, Any], seed: int) -> None:
    try:
        space = SearchSpace(LayersConfig(**limits, form="codebrim", conv_features=(8, 16)))
    except ConfigError:
        return
    architecture = walk(space, seed)
    state = space.start()
    for action in architecture.states:
        actions = space.actions(state)
        assert len(set(actions)) == len(actions)
        state = action
    assert architecture.encoder[-1].layer_type == "spp"
    assert space.contains(architecture)
    again = space.parse(str(architecture))
    assert again == architecture
    assert str(again) == str(architecture)
    assert len([s for s in architecture.layers if s.layer_type == "fc"]) <= limits["max_fc"]


@given(seed=st.integers(0, 2**32), patch=st.integers(24, 224))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_network_has_the_sizes_of_its_states(walk: Walk, seed: int, patch: int) -> None:
    space = SearchSpace(PUBLISHED.model_copy(update={"patch_size": patch}))
    architecture = walk(space, seed)
    with torch.device("meta"):
        network = Network(architecture, 3, EncoderConfig(), 0.5)
        x = torch.empty(2, 3, patch, patch)
    for layer, state in zip(network.encoder.layers, architecture.encoder, strict=True):
        x = layer(x)
        side = (state.image_size,) if state.layer_type == "spp" else (state.image_size, state.image_size)
        assert x.shape == (2, state.filter_depth, *side)
    assert x.flatten(1).shape[1] == architecture.embedding_dim
    logits = network(torch.empty(2, 3, patch, patch, device="meta"))
    assert logits.shape == (2, 6)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_action_leads_where_torch_leads(walk: Walk, seed: int) -> None:
    for state in (SPACE.start(), *walk(SPACE, seed).encoder):
        for action in {(a.filter_size, a.layer_type): a for a in SPACE.actions(state) if not a.terminate}.values():
            if action.layer_type == "conv":
                layer = torch.nn.Conv2d(1, 1, action.filter_size, action.stride, bias=False, device="meta")
                out = layer(torch.empty(1, 1, state.image_size, state.image_size, device="meta"))
                assert out.shape[2:] == (action.image_size, action.image_size)
            elif action.layer_type == "spp":
                bins = [
                    torch.nn.functional.adaptive_max_pool2d(torch.rand(1, 1, *(state.image_size,) * 2), n + 1).numel()
                    for n in range(action.filter_size)
                ]
                assert sum(bins) == action.image_size


def test_q_learning_walks_it_and_learns() -> None:
    space = PUBLISHED.model_copy(update={"patch_size": 32, "conv_features": (8,), "conv_sizes": (3, 5, 7)})
    search = QLearningConfig(epsilon_schedule=((1.0, 60), (0.0, 20)), replay_number=40)
    strategy = QLearning(Config(space=space, search=search), SearchSpace(space))
    found = []
    while not strategy.finished:
        (proposal,) = strategy.propose(1)
        architecture = strategy.space.parse(proposal.net)
        assert strategy.space.contains(architecture)
        outcome = None
        if proposal.kind == "evaluate":
            fc = any(state.layer_type == "fc" for state in architecture.layers)  # what the reward is for
            outcome = Evaluated(
                reward=0.8 if fc else 0.2,
                validation_accuracies=(0.8 if fc else 0.2,),
                train_accuracies=(0.5,),
                test_accuracy=0.5,
                early_stopped=False,
                embedding_dim=architecture.embedding_dim,
                micro_batch=16,
            )
        found.append(strategy.observe(proposal, outcome).reward)
    assert len(found) == 80  # nothing is infeasible here: all count
    assert sum(found[-10:]) > 7.9

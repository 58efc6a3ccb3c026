"""The configuration: read, written, overridden, and every fault of it named."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nasd import config as configuration
from nasd.config import Config
from nasd.errors import ConfigError

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
KEYS = [*Config.model_fields, "epochs", "epsilon_schedule", "conv_sizes", "devices", "root", "colour", "<<"]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.binary(max_size=5) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner),
    max_leaves=8,
)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_shipped_ones_are_read_and_come_back_the_same(path):
    config = configuration.load(path)
    assert configuration.parse(configuration.dump(config)) == config


def test_the_default_is_the_published_schedule():
    assert configuration.parse("").search.total_trials == 2403
    config = configuration.parse("training: {early_stopping_thresh: 0.2}")
    assert config.search.initial_value(config.training) == 0.2


@given(st.text(max_size=80))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_config_or_a_config_error(text):
    read(text)


@given(values)
@settings(max_examples=300, deadline=None)
def test_any_yaml_is_a_config_or_a_config_error(value):
    read(yaml.safe_dump(value, allow_unicode=True))


@given(st.text(max_size=30), st.text(max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_override_is_one_or_a_config_error(key, value):
    read("seed: 1", (f"{key}={value}",))
    read("seed: 1", (f"training.{key}={value}",))
    read("seed: 1", (key,))


def read(text, overrides=()):
    try:
        config = configuration.parse(text, overrides)
    except ConfigError:
        return
    assert configuration.parse(configuration.dump(config)) == config


@pytest.mark.parametrize(
    "text",
    ["!!map [1]", "!!int ''", "!!float x", "!!timestamp x", "!!binary é", "a: &a [*a]", "? [a]\n: b", "!!set {1, 2}",
     "!!python/object/apply:os.system [ls]", "{" * 3000, "a: !!omap [1]", "1: 2", "seed: " + "9" * 5000],
)  # fmt: skip
def test_strange_yaml(text):
    with pytest.raises(ConfigError):
        configuration.parse(text)


def test_an_alias_bomb_is_an_error_of_reasonable_size():
    lines = ["a: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{chr(97 + n)}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 15)]
    with pytest.raises(ConfigError) as caught:
        configuration.parse("\n".join([*lines, "name: *a14"]))
    assert len(str(caught.value)) < 10_000


def test_all_faults_at_once_each_with_its_key():
    with pytest.raises(ConfigError) as caught:
        configuration.parse(
            "seed: -1\ncolour: blue\nname: A B\ndata: {name: imagenet}\ntraining: {epochs: many, rate: 1}\n"
            "search: {epsilon_schedule: [[1.5, 10]]}\nspace: {conv_sizes: [3, 3]}\n"
        )
    text = str(caught.value)
    for fault in (
        "seed: ", "colour: unknown key; known here are data, encoder", "name: ", "data.name: ",
        "training.epochs: ", "(got 'many')", "training.rate: unknown key; known here are batch_size, ",
        "search.epsilon_schedule.0.0: ", "conv_sizes lists a value twice",
    ):  # fmt: skip
        assert fault in text


def test_overrides_in_order():
    config = configuration.parse("seed: 1", ("training.epochs=5", "training.epochs=6", "executor.devices=[cpu]"))
    assert (config.training.epochs, config.executor.devices) == (6, ("cpu",))
    with pytest.raises(ConfigError, match="takes section"):
        configuration.parse("", ("training.epochs",))
    with pytest.raises(ConfigError, match="'seed' is not a section"):
        configuration.parse("seed: 1", ("seed.x=1",))


def test_a_name_is_text_also_where_yaml_sees_a_number():
    assert configuration.parse("", (configuration.name_override("2024"),)).name == "2024"
    assert configuration.rename(configuration.parse(""), "1e5").name == "1e5"


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match="cannot read the config"):
        configuration.load(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot read the config"):
        configuration.load(tmp_path)


def test_on_is_a_key_like_any_other():
    config = configuration.parse("notify: {command: [tell], on: [best], quiet: 1h}")
    assert (config.notify.on, config.notify.quiet) == (("best",), 3600.0)
    assert configuration.parse(configuration.dump(config)) == config
    assert configuration.parse("", ("notify.on=[finished]",)).notify.on == ("finished",)

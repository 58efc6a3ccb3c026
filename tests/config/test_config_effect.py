"""A setting that has no effect is a fault or is said; `nasd config check` shows what was understood."""

import pytest
from click.testing import CliRunner

from nasd import config as configuration
from nasd.cli import cli
from nasd.errors import ConfigError
from nasd.runs import create

DIGITS = "space: {min_conv: 1, max_conv: 3}\nexecutor: {devices: [cpu], threads: 1}\n"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("training.optimizer=sgd", "training.optimizer has no effect: only full training uses it"),
        ("training.dropout=0.3", "training.dropout has no effect: only full training uses it"),
        ("training.warm_restart_epochs=3", "training.warm_restart_epochs has no effect: only full training uses it"),
        ("training.early_stopping_epoch=99", "training.early_stopping_epoch=99 has no effect: a trial ends after 70"),
        ("data.augment=false", "data.augment has no effect: digits has one class per image"),
        ("data.csv=other.csv", "data.csv has no effect: only image_csv reads it"),
        ("space.spp_levels=[2]", "space.spp_levels has no effect: the form dp_nas has no such layers"),
        ("space.fc_sizes=[8]", "space.fc_sizes has no effect: max_fc is 0"),
        ("snapshots.keep=9", "snapshots has no effect: none is taken"),
        ("notify.quiet=1h", "notify has no effect: nobody is told"),
    ],
)
def test_what_has_no_effect_is_said(override, said):
    (sentence,) = configuration.without_effect(configuration.parse("", (override,)))
    assert sentence.startswith(said)


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("training.optimizer=adam", "training.dropout=0.0"),
        ("training.epochs=3",),
        ("evaluation=training", "training.optimizer=sgd", "training.momentum=0.5", "training.warm_restart_epochs=3"),
        ("snapshots.every=5", "snapshots.keep=9"),
    ],
)
def test_what_has_an_effect_or_is_the_default_is_not(overrides):
    assert configuration.without_effect(configuration.parse("", overrides)) == []


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("space.num_classes=7", "space.num_classes: 7 is given, but digits has 10"),
        ("space.channels=3", "space.channels: 3 is given, but digits has 1"),
        ("space.patch_size=30", "space.patch_size: 30 is given, but digits has 8"),
        ("data.train_samples=5000000", "data.train_samples: 5,000,000 are asked for, but digits has 1,"),
        ("executor.memory_limit=5", "executor.memory_limit: no architecture fits in 5 bytes"),
    ],
)
def test_what_contradicts_the_data_is_a_fault(override, fault):
    with pytest.raises(ConfigError, match=fault):
        create.settle(configuration.parse(DIGITS, (override,)))


def test_what_agrees_with_the_data_is_none():
    agreeing = ("space.num_classes=10", "data.train_samples=100", "executor.memory_limit=1GB")
    settled = create.settle(configuration.parse(DIGITS, agreeing))
    assert create.settle(settled) == settled


def test_check_prints_what_was_understood(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("training: {learning_rate: 1e-2, dropout: 0.1}\nexecutor: {trial_timeout: 30m}\nevaluation: full\n")
    done = CliRunner().invoke(cli, ["config", "check", str(file), "--set", "training.momentum=0.5"])
    assert done.exit_code == 0, done.output
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    assert "* training.learning_rate: 0.01 default 0.001" in lines
    assert "* executor.trial_timeout: 1800.0 default 3600.0" in lines
    assert "* evaluation.kind: training default deep_prior" in lines
    assert "training.epochs: 70" in lines
    assert "note: training.momentum has no effect: the optimizer is adam, and only sgd has it" in lines
    file.write_text("training: {epochs: yes, dropout: on}\n")
    done = CliRunner().invoke(cli, ["config", "check", str(file)])
    assert isinstance(done.exception, ConfigError)
    assert "2 fault(s)" in str(done.exception)

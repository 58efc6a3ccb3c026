"""Scalars as people mean them: what is a number, a time, a size, and what is none."""

import pytest

from nasd import config as configuration
from nasd.config import Config
from nasd.errors import ConfigError


def faults(text):
    with pytest.raises(ConfigError) as caught:
        configuration.parse(text)
    return str(caught.value)


def test_switches_are_no_numbers():
    text = faults("name: t\ntraining:\n  epochs: yes\n  dropout: on\nexecutor: {workers_per_device: true}\n")
    for key in ("training.epochs", "training.dropout", "executor.workers_per_device"):
        assert f"{key}: a number is wanted, not a switch" in text
    assert "3 fault(s)" in text


def test_octals_are_no_numbers():
    text = faults("name: t\ntraining:\n  epochs: 010\nsearch:\n  epsilon_schedule: [[1.0, 010]]\n")
    for key in ("training.epochs", "search.epsilon_schedule.0.1"):
        assert f"{key}: a leading zero makes a number octal" in text
    assert "(got '010')" in text
    assert "seed: " in faults("seed: 1:30")
    assert "executor.trial_timeout: a time is wanted" in faults("executor: {trial_timeout: 1:30}")


@pytest.mark.parametrize(
    ("section", "key", "given", "meant"),
    [
        ("training", "learning_rate", "1e-3", 0.001),
        ("training", "learning_rate", "'0.5'", 0.5),
        ("training", "epochs", "1e2", 100),
        ("training", "epochs", "1_000", 1000),
        ("training", "epochs", "0x10", 16),
        ("training", "epochs", "70.0", 70),
        ("executor", "trial_timeout", "90", 90.0),
        ("executor", "trial_timeout", "500ms", 0.5),
        ("executor", "trial_timeout", "30m", 1800.0),
        ("executor", "trial_timeout", "1.5h", 5400.0),
        ("executor", "trial_timeout", "1h30m", 5400.0),
        ("executor", "trial_timeout", "2 d", 172_800.0),
        ("executor", "memory_limit", "50GB", 50_000_000_000),
        ("executor", "memory_limit", "1.5 GiB", 1_610_612_736),
        ("store", "disk_quota", "2T", 2_000_000_000_000),
        ("store", "disk_quota", "1e9", 1_000_000_000),
        ("log", "max_bytes", "512b", 512),
        ("data", "resident_limit", "0", 0),
    ],
)
def test_what_is_meant(section, key, given, meant):
    config = configuration.parse(f"{section}: {{{key}: {given}}}")
    found = getattr(getattr(config, section), key)
    assert found == meant
    assert type(found) is type(meant)
    assert configuration.parse(configuration.dump(config)) == config


@pytest.mark.parametrize(
    ("section", "key", "given"),
    [
        ("training", "epochs", "1.5"),
        ("training", "epochs", "ten"),
        ("training", "epochs", "2001-01-01"),
        ("training", "learning_rate", ".inf"),
        ("training", "learning_rate", "1e999"),
        ("executor", "trial_timeout", "soon"),
        ("executor", "trial_timeout", "0s"),
        ("executor", "trial_timeout", "-5m"),
        ("executor", "trial_timeout", "50GB"),
        ("executor", "memory_limit", "30m5"),
        ("executor", "memory_limit", "1.5B"),
        ("executor", "memory_limit", "0GB"),
        ("executor", "memory_limit", "5 iB"),
        ("executor", "memory_limit", "true"),
    ],
)
def test_what_is_neither(section, key, given):
    assert f"{section}.{key}: " in faults(f"{section}: {{{key}: {given}}}")


def test_text_stays_text():
    assert configuration.parse("name: 010").name == "010"
    assert configuration.parse("name: 1e5").name == "1e5"
    assert configuration.parse(configuration.dump(Config(name="010"))).name == "010"

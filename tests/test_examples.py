"""The examples' configs and pins. The example itself is run by `make example-avalanche`, which CI calls."""

import re
from pathlib import Path

import pytest

from nasd import config as configuration

ROOT = Path(__file__).parent.parent
CONFIGS = sorted(path for path in (ROOT / "examples").glob("*.yaml") if path.stem != "compose")
LOCKS = (ROOT / "examples" / "avalanche.lock", ROOT / "tests" / "results" / "other_tools.lock")


def pins(path: Path) -> dict[str, set[str]]:
    """Package and, if any, marker -> the versions that a lock file names."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9._-]+)==(\S+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_is_valid(path: Path) -> None:
    assert configuration.load(path).name == path.stem


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_the_locks_agree_so_that_one_environment_can_use_the_other(lock: Path) -> None:
    own, base = pins(lock), pins(ROOT / "requirements.lock")
    assert {"numpy", "zarr"} <= set(own) & set(base)
    assert {name: own[name] for name in set(own) & set(base)} == {name: base[name] for name in set(own) & set(base)}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_the_lock_names_no_registry(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert not re.search(r"://|--(extra-)?index|--find-links", text)
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in entry for entry in entries)

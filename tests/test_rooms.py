"""The rooms of the house: each is named in the contracts that keep them apart."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def rooms(seam: str) -> set[str]:
    """The folders of a seam that hold a kind each."""
    folders = (path.parent for path in (ROOT / "nasd" / seam).glob("*/__init__.py"))
    return {f"nasd.{seam}.{folder.name}" for folder in folders} - {"nasd.evaluators.networks"}


@pytest.mark.parametrize("seam", ["strategies", "spaces", "evaluators"])
def test_no_room_knows_another(seam: str) -> None:
    assert rooms(seam) in [set(one["modules"]) for one in CONTRACTS if one["type"] == "independence"]


@pytest.mark.parametrize("seam", ["strategies", "spaces", "evaluators", "executors"])
def test_the_daemon_knows_none(seam: str) -> None:
    (daemon,) = [one for one in CONTRACTS if one.get("source_modules") == ["nasd.daemon"]]
    assert rooms(seam) <= set(daemon["forbidden_modules"])

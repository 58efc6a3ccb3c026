"""The screen Config."""

from pathlib import Path

import pytest

from nasd import config as configuration
from tui.panes.config import lines

PRESETS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_everything_that_differs_has_a_mark_of_its_own(preset: Path) -> None:
    config = configuration.load(preset)
    changed = configuration.changed(config)
    shown = [line.plain for line in lines(configuration.dump(config), changed)]
    marked = [line[2:].split(":")[0] for line in shown[1:] if line.startswith("● ")]
    wanted = [name.rpartition(".")[2] for name in changed]
    assert [key.strip() for key in marked if len(key) - len(key.lstrip()) <= 2] == wanted, "deeper ones belong to these"

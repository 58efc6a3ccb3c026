import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "daemon"))

from nasd_harness import short_folder


@pytest.fixture
def home(monkeypatch):
    """A home for runs, with a short path."""
    with short_folder() as folder:
        monkeypatch.setenv("NASD_HOME", str(folder))
        yield folder

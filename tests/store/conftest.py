from collections.abc import Iterator
from pathlib import Path

import pytest

from store import Run
from tests.helpers import store_samples as samples


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A run of six trials, open for writing."""
    with samples.create(tmp_path / "run", 6) as made:
        yield made

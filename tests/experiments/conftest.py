import pytest

from tests.helpers.nasd_harness import short_folder


@pytest.fixture
def home(monkeypatch):
    """A home for runs, with a short path."""
    with short_folder() as folder:
        monkeypatch.setenv("NASD_HOME", str(folder))
        yield folder

import pytest

from tests.helpers.nasd_harness import Process, make, short_folder


@pytest.fixture
def home(monkeypatch):
    """A home for runs, with a short path."""
    with short_folder() as folder:
        monkeypatch.setenv("NASD_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def finished():
    """A daemon whose search is done, in a process of its own."""
    with short_folder() as home:
        directory = make(home, 8)
        with Process(directory) as daemon:
            daemon.ready().state("finished")
            yield daemon

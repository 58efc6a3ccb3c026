import asyncio

import pytest

from tests.executors.sites import SITES, until
from tests.helpers import cluster


@pytest.fixture(params=SITES)
async def site(request, tmp_path, monkeypatch):
    """A place for an executor of each kind; it is closed, and leaves no process behind, after every test."""
    if request.param == "ray":
        cluster.needed()
    made = SITES[request.param](tmp_path, monkeypatch)
    made.of = None
    yield made
    (tmp_path / "gate").unlink(missing_ok=True)
    if made.of is not None:
        await asyncio.wait_for(made.of.close(), 60)
    await until(lambda: not made.processes(), "the end of its workers")


@pytest.fixture
def gate(tmp_path):
    """While it is there, evaluations wait."""
    path = tmp_path / "gate"
    path.touch()
    return path


@pytest.fixture
def soon():
    return until

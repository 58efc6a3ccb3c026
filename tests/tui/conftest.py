import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

os.environ["TEXTUAL_ANIMATIONS"] = "none"

import pytest

from nasd.client import Target
from nasd.protocol import Empty, RunList
from tests.helpers.fake_daemon import FakeDaemon
from tests.helpers.fake_search import World
from tui.box import Box


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times on the screen are local."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("NO_COLOR", raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(autouse=True)
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The runs of the box are what the fake daemon says, not what lies in the home of who runs the tests; nor are the
    settings.
    """

    async def told(box: Box, target: Target) -> RunList:
        assert FakeDaemon.first is not None
        return FakeDaemon.first.do_runs(Empty())

    FakeDaemon.first = None
    monkeypatch.setattr(Box, "runs", told)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path: a Unix socket's path is at most 107 bytes long."""
    path = Path(tempfile.mkdtemp(prefix="nasd-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
async def daemon(folder: Path) -> AsyncIterator[FakeDaemon]:
    """A fake daemon with some 700 trials."""
    daemon = FakeDaemon(folder / "fashion-mnist", World(700))
    await daemon.start()
    yield daemon
    await daemon.stop()

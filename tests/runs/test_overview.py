"""What a run looks like from outside."""

import os
import shutil

import pytest

from nasd import config as configuration
from nasd.config import Config
from nasd.daemon import home as homes
from nasd.protocol import Empty
from nasd.runs.overview import run_row
from store import Delta, Run

LONG_AGO = 1_700_000_000


@pytest.fixture
def killed(tmp_path):
    """A run as its daemon left it when it was killed long ago: its log is there, and the log's index."""
    with Run.create(tmp_path / "one", configuration.dump(Config()), name="run", version="0") as made:
        made.commit(Delta(flags={"total": 4}))
        directory = shutil.copytree(made.path, tmp_path / "runs" / "run")
    for name in ("run.db", "run.db-wal", "run.db-shm"):
        os.utime(directory / name, (LONG_AGO, LONG_AGO))
    return directory


def test_looking_does_not_change_when_it_changed(killed):
    assert [run_row(killed).modified_at for _ in range(3)] == [LONG_AGO] * 3
    assert (killed / "run.db-shm").stat().st_mtime > LONG_AGO  # readers do write there
    with Run.open(killed, writable=True) as run:
        run.commit(Delta(flags={"total": 5}))
    assert run_row(killed).modified_at > LONG_AGO


async def test_what_has_not_changed_is_not_read_again(killed, monkeypatch):
    looked = []
    monkeypatch.setattr(homes, "run_row", lambda directory: looked.append(directory) or run_row(directory))
    home = homes.Home(killed.parent)
    for _ in range(3):
        await home._runs(Empty())
    assert looked == [killed]
    with Run.open(killed, writable=True) as run:
        run.commit(Delta(flags={"total": 5}))
    (row,) = (await home._runs(Empty())).rows
    assert (row.total, len(looked)) == (5, 2)

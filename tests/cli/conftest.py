import shutil
import sys

import pytest

from tests.helpers.nasd_harness import Process, make, short_folder


@pytest.fixture
def home(monkeypatch):
    """A home for runs, with a short path."""
    with short_folder() as folder:
        monkeypatch.setenv("NASD_HOME", str(folder))
        yield folder


@pytest.fixture
def nasd(monkeypatch, capsys):
    """Run a command in this process: its exit code, what it printed, and its error messages."""
    from nasd.cli import main

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["nasd", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return run


@pytest.fixture(scope="module")
def finished_run():
    """A run of the stub that is done and has no daemon."""
    with short_folder() as folder:
        directory = make(folder, 8)
        with Process(directory) as daemon:
            daemon.ready().state("finished")
            daemon.end()
        yield directory


@pytest.fixture
def run(home, finished_run):
    """A copy of it."""
    shutil.copytree(finished_run, home / "stub")
    return home / "stub"


@pytest.fixture(scope="module")
def live_home():
    """A home with one run, and a daemon that holds its first trial back."""
    with short_folder() as folder:
        directory = make(folder, 30)
        (directory / "gate").touch()
        with Process(directory) as daemon:
            daemon.ready().busy()
            yield folder


@pytest.fixture
def live(live_home, monkeypatch):
    monkeypatch.setenv("NASD_HOME", str(live_home))
    return live_home / "stub"

import shlex
import sys

import pytest

from tests.helpers.nasd_harness import Process, make, short_folder


@pytest.fixture
def home(monkeypatch):
    with short_folder() as folder:
        monkeypatch.setenv("NASD_HOME", str(folder))
        yield folder


@pytest.fixture
def daemon(home):
    """A daemon in a process of its own that holds its first trial back."""
    directory = make(home, 30)
    (directory / "gate").touch()
    with Process(directory) as process:
        process.ready().busy()
        yield process


@pytest.fixture
def remote(home, monkeypatch):
    """`ssh` runs the command on this box, with the same home."""
    script = home / "fake-ssh"
    script.write_text('#!/bin/sh\nwhile [ "$1" != "--" ]; do shift; done\nshift 2\nexec sh -c "$*"\n')
    script.chmod(0o755)
    monkeypatch.setenv("NASD_SSH", shlex.quote(str(script)))
    monkeypatch.setenv("NASD_REMOTE_COMMAND", f"{sys.executable} -m nasd")
    return script

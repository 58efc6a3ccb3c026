"""`nasd attach user@host:RUN` through a real sshd on loopback."""

import getpass
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nasd.client import Client, Target
from nasd.errors import NotRunningError
from tests.helpers.sshd import NASD, Sshd, needs_sshd
from tests.helpers.terminal import Box, counted

pytestmark = [
    *needs_sshd,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
    pytest.mark.timeout(300),
]


@pytest.fixture
def remote(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Box, str]]:
    """A box with a running search, and how it is named from another one."""
    sshd = Sshd(folder)
    box = Box(folder)
    for name, value in (("NASD_SSH", sshd.ssh), ("NASD_REMOTE_COMMAND", NASD)):
        monkeypatch.setenv(name, value)
        box.environment[name] = value
    try:
        box.start()
        yield box, f"{getpass.getuser()}@127.0.0.1:{box.home / 'e2e'}"
    finally:
        box.close()
        sshd.close()


def test_the_ui_of_a_search_behind_ssh(remote: tuple[Box, str]) -> None:
    box, name = remote
    with Client.connect(Target.parse(name), timeout=60) as client:
        assert client.hello.name == "e2e"
    with pytest.raises(NotRunningError, match=r"127\.0\.0\.1: no run at"):
        Client.connect(Target.parse(f"{name}-other"), timeout=60)

    box.attach(name)
    shown = box.until(lambda shown: "● live" in shown and "● running" in shown, "attached")
    assert "127.0.0.1" in shown
    before = max(0, counted(shown))
    box.until(lambda shown: counted(shown) >= before + 2, "more trials")
    box.press("p")
    box.until(lambda shown: "‖ paused" in shown, "paused")
    box.press("q")
    end = time.monotonic() + 20
    while box.tmux("list-sessions"):
        assert time.monotonic() < end, box.screen()
        time.sleep(0.1)
    with Client.connect(box.target) as client:
        assert client.status().state == "paused"

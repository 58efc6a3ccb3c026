"""`nasd attach user@host:RUN` through a real sshd on loopback."""

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nasd.client import Client, Target
from nasd.errors import NotRunningError
from tests.helpers.terminal import Box, counted

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")

pytestmark = [
    pytest.mark.skipif(SSHD is None, reason="sshd is not installed (Debian: apt install openssh-server)"),
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
    pytest.mark.timeout(300),
]


def keygen(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True, timeout=30)
    return path


class Sshd:
    """An sshd of our own on a free port, which lets in whoever has the key in `folder`."""

    def __init__(self, folder: Path) -> None:
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.port = free.getsockname()[1]
        host_key, self.key = keygen(folder / "host_key"), keygen(folder / "user_key")
        settings = folder / "sshd_config"
        settings.write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {host_key}\nAuthorizedKeysFile {self.key}.pub\n"
            "StrictModes no\nPasswordAuthentication no\nUsePAM no\nPidFile none\nPermitRootLogin prohibit-password\n"
        )
        Path("/run/sshd").mkdir(exist_ok=True)  # where it drops its privileges
        assert SSHD is not None
        self.log = (folder / "sshd.log").open("wb")
        self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(settings)], stderr=self.log)
        end = time.monotonic() + 20
        while socket.socket().connect_ex(("127.0.0.1", self.port)) != 0:
            assert time.monotonic() < end, (folder / "sshd.log").read_text()
            time.sleep(0.05)

    @property
    def ssh(self) -> str:
        return (
            f"ssh -p {self.port} -i {self.key} -o IdentitiesOnly=yes -o StrictHostKeyChecking=no "
            "-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        )

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()


@pytest.fixture
def remote(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Box, str]]:
    """A box with a running search, and how it is named from another one."""
    if os.geteuid() != 0:
        pytest.skip("an sshd of one's own needs root")
    sshd = Sshd(folder)
    box = Box(folder)
    for name, value in (("NASD_SSH", sshd.ssh), ("NASD_REMOTE_COMMAND", f"{sys.executable} -m nasd.cli")):
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

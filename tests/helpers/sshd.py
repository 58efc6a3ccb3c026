"""A real sshd on loopback."""

import contextlib
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")

ROOT = Path(__file__).resolve().parents[2]
NASD = f"env PYTHONPATH={shlex.quote(str(ROOT))} {shlex.quote(sys.executable)} -m nasd"
"""This nasd, for who logs in."""

needs_sshd = [
    pytest.mark.skipif(SSHD is None, reason="sshd is not installed (Debian: apt install openssh-server)"),
    pytest.mark.skipif(os.geteuid() != 0, reason="an sshd of one's own needs root"),
]


def keygen(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True, timeout=30)
    return path


class Sshd:
    """An sshd of our own on a free port, which lets in whoever has the key in `folder`."""

    def __init__(self, folder: Path, profile: str = "", environment: tuple[str, ...] = ()) -> None:
        """
        Args:
            folder: For its keys and its log; it is also the account's home where there is a profile.
            profile: The account's ~/.bashrc, which bash reads also for a command that ssh brings.
            environment: NAME=VALUE of the account.
        """
        if profile:
            (folder / ".bashrc").write_text(profile)
            environment = (f"HOME={folder}", *environment)
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.port = free.getsockname()[1]
        host_key, self.key = keygen(folder / "host_key"), keygen(folder / "user_key")
        settings = folder / "sshd_config"
        settings.write_text(
            f'ListenAddress 127.0.0.1:{self.port}\nHostKey "{host_key}"\nAuthorizedKeysFile "{self.key}.pub"\n'
            "StrictModes no\nPasswordAuthentication no\nUsePAM no\nPidFile none\nPermitRootLogin prohibit-password\n"
            + ("SetEnv " + " ".join(f'"{setting}"' for setting in environment) + "\n" if environment else "")
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
            f"ssh -p {self.port} -i {shlex.quote(str(self.key))} -o IdentitiesOnly=yes -o StrictHostKeyChecking=no "
            "-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        )

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()

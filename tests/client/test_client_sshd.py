"""A real sshd whose account prints a banner and has no PATH but the system's."""

import asyncio
import getpass
import os
import pwd
import shlex

import pytest

from nasd.client import Client, Target
from nasd.client.aio import Connection
from nasd.errors import NotRunningError
from tests.helpers.sshd import NASD, Sshd, needs_sshd

pytestmark = [
    *needs_sshd,
    pytest.mark.skipif(
        not any(who.pw_uid == os.geteuid() and who.pw_shell.endswith("bash") for who in pwd.getpwall()),
        reason="the account's shell must be bash",
    ),
]

PROFILE = """\
echo "Welcome to box!  3 updates available"
printf '{"a": 1}\\n'
printf 'no line end'
echo "and to standard error" >&2
"""


@pytest.fixture
def account(daemon, home, tmp_path, monkeypatch):
    """How the daemon's run is named from outside."""
    sshd = Sshd(tmp_path, PROFILE, ("PATH=/usr/bin:/bin", f"NASD_HOME={home}"))
    monkeypatch.setenv("NASD_SSH", sshd.ssh)
    monkeypatch.delenv("NASD_REMOTE_COMMAND", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    yield f"{getpass.getuser()}@127.0.0.1:stub"
    sshd.close()


def test_a_banner_and_no_path(account, daemon, monkeypatch, tmp_path):
    """The way to name nasd is said, and does."""
    for connect in (Client.connect, lambda target: asyncio.run(Connection.open(target, 30))):
        with pytest.raises(NotRunningError, match=r"its shell does not find nasd.*NASD_REMOTE_COMMAND="):
            connect(Target.parse(account))
    (tmp_path / "config" / "nasd").mkdir(parents=True)
    hosts = tmp_path / "config" / "nasd" / "hosts.yaml"
    hosts.write_text(f"127.0.0.1:\n  command: {NASD}\n")
    with Client.connect(Target.parse(account), timeout=30) as client:
        assert client.hello.pid == daemon.pid

    async def status():
        connection = await Connection.open(Target.parse(account), 30)
        answer = await connection.call("status")
        await connection.close()
        return answer

    assert asyncio.run(status()).pid == daemon.pid
    hosts.unlink()
    monkeypatch.setenv("NASD_REMOTE_COMMAND", NASD)
    with Client.connect(Target.parse(account), timeout=30) as client:
        assert client.status().name == "stub"


def test_a_key_that_is_not_known_and_a_host_that_does_not_answer(account, tmp_path, monkeypatch):
    monkeypatch.setenv("NASD_SSH", os.environ["NASD_SSH"].replace("user_key", "host_key"))
    with pytest.raises(NotRunningError, match="it does not let this key in: try `ssh"):
        Client.connect(Target.parse(account), timeout=30)
    monkeypatch.setenv("NASD_SSH", f"ssh -p 1 -o {shlex.quote(f'UserKnownHostsFile={tmp_path}/none')}")
    with pytest.raises(NotRunningError, match="it cannot be reached: is it up"):
        Client.connect(Target.parse(account), timeout=30)


def test_a_host_key_that_is_not_known(account, tmp_path, monkeypatch):
    ssh = os.environ["NASD_SSH"].replace("StrictHostKeyChecking=no", "StrictHostKeyChecking=ask")
    monkeypatch.setenv("NASD_SSH", ssh)
    with pytest.raises(NotRunningError, match=r"its key is not known here: run `ssh root@127\.0\.0\.1` once"):
        asyncio.run(Connection.open(Target.parse(account), 30))

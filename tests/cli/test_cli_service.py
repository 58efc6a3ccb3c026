"""Services: a unit for each run, whatever home it lies in. `systemctl` is a script that writes down what it is told."""

import os
import shutil
import subprocess
import sys

import pytest

from nasd.box import logout
from nasd.cli.service import unit_name
from tests.helpers.nasd_harness import make, short_folder


@pytest.fixture
def systemctl(tmp_path, monkeypatch):
    """What systemctl was told, a line each."""
    told = tmp_path / "told"
    script = tmp_path / "bin" / "systemctl"
    script.parent.mkdir()
    script.write_text('#!/bin/sh\necho "$*" >> "${0%/*}/../told"\n[ "$2" = is-active ] && echo active\nexit 0\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    told.touch()
    return told


def test_two_homes_have_two_units(nasd, systemctl, tmp_path, monkeypatch):
    units = tmp_path / "config" / "systemd" / "user"
    with short_folder() as first, short_folder() as second:
        for home in (first, second):
            make(home)
            monkeypatch.setenv("NASD_HOME", str(home))
            assert nasd("service", "install", "stub")[0] == 0
        assert {f'ExecStart="{sys.executable}" -m nasd.daemon "{home}/stub"' for home in (first, second)} == {
            line for file in units.iterdir() for line in file.read_text().splitlines() if line.startswith("ExecStart")
        }
        listed = nasd("service", "list")[1]
        assert f"{first}/stub" in listed
        assert f"{second}/stub" in listed
        assert nasd("service", "remove", "stub")[0] == 0  # of this home
        assert [file.name for file in units.iterdir()] == [unit_name(first / "stub")]
        assert f"--user disable --now {unit_name(second / 'stub')}" in systemctl.read_text()

        shutil.rmtree(first / "stub")
        assert "run is gone" in nasd("service", "list")[1]
        assert nasd("service", "remove", first / "stub")[0] == 0
        assert "There are no units" in nasd("service", "list")[1]
        assert "there is no unit" in nasd("service", "remove", "stub")[2]


def test_a_unit_whose_run_is_gone_says_so_and_is_not_tried_again(home):
    done = subprocess.run(
        [sys.executable, "-m", "nasd.daemon", home / "gone"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (7, "")
    assert done.stderr.startswith(f"nasd: there is no run at {home}/gone: was it removed or moved?")
    done = subprocess.run(  # of a home on a disk that is not mounted yet
        [sys.executable, "-m", "nasd.daemon", home / "mount" / "run"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1


@pytest.mark.skipif(shutil.which("systemd-escape") is None, reason="there is no systemd")
def test_a_unit_is_named_as_systemd_names_paths(tmp_path):
    path = tmp_path / "a b" / ".nasd" / "é-x"
    done = subprocess.run(["systemd-escape", "--path", path], capture_output=True, text=True, check=True)
    assert unit_name(path) == f"nasd-{done.stdout.strip()}.service"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
def test_systemd_understands_the_unit(nasd, tmp_path, monkeypatch):
    with short_folder() as folder:
        home = folder / "a b é"
        make(home)
        monkeypatch.setenv("NASD_HOME", str(home))
        monkeypatch.setenv("NASD_DATA", "/data of mine")
        unit = tmp_path / "nasd-test.service"
        unit.write_text(nasd("service", "install", "--print")[1])
        assert 'Environment="NASD_DATA=/data of mine"' in unit.read_text()
        done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
        assert "nasd-test" not in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("settings", "killed"),
    [("", False), ("#KillUserProcesses=yes", False), ("KillUserProcesses=yes", True),
     ("KillUserProcesses=yes\nKillUserProcesses=no", False), ("KillUserProcesses=yes\nKillOnlyUsers=a b", False),
     ("KillUserProcesses=yes\nKillExcludeUsers=a me", False), ("KillUserProcesses=yes\nKillOnlyUsers=me", True)],
)  # fmt: skip
def test_a_login_manager_that_kills_at_logout_is_said(nasd, home, tmp_path, monkeypatch, settings, killed):
    script = tmp_path / "systemd-analyze"
    (tmp_path / "logind.conf").write_text(f"[Login]\n{settings}\n")
    script.write_text('#!/bin/sh\ncat "${0%/*}/logind.conf"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(logout, "user_name", lambda: "me")
    assert logout.kills_at_logout() == killed
    code, out, _ = nasd("doctor")
    assert ("KillUserProcesses=yes" in out, code) == (killed, int(killed))

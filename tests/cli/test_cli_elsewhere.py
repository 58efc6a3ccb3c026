"""Reading commands on `user@host:RUN`: the same answer as over there, and files that come here."""

import json
import re
import shlex
import sys

import pytest

PYTHON = shlex.quote(sys.executable)

# What stands before the command of the one who logs in: a shell profile, as it is found in the wild.
BANNER = 'echo "Welcome to box!  3 updates available"'
UNFINISHED = 'printf "no line end"'
JSON = """printf '{"a": 1}\\n'"""


def ssh(folder, monkeypatch, before=":", command=f"{PYTHON} -m nasd"):
    """`ssh` runs the command on this box behind `before`."""
    script = folder / "ssh"
    script.write_text(f'#!/bin/bash\nwhile [ "$1" != "--" ]; do shift; done\n{before}\nexec bash -c "$3"\n')
    script.chmod(0o755)
    monkeypatch.setenv("NASD_SSH", shlex.quote(str(script)))
    if command is None:
        monkeypatch.delenv("NASD_REMOTE_COMMAND", raising=False)
    else:
        monkeypatch.setenv("NASD_REMOTE_COMMAND", command)


@pytest.mark.parametrize("before", [BANNER, UNFINISHED, JSON], ids=["banner", "no line end", "JSON"])
@pytest.mark.parametrize(
    "command",
    [["trials", "--top", "3"], ["trials", "--last", "2", "--json"], ["show", "{}", "2"], ["verify", "--json"],
     ["status"]],
    ids=" ".join,
)  # fmt: skip
def test_the_same_answer_whatever_the_profile_prints(nasd, run, tmp_path, monkeypatch, before, command):
    ssh(tmp_path, monkeypatch, before)

    def answer(name):
        words = [word.format(name) for word in command]
        code, out, err = nasd(*(words if "{}" in command else [*words, name]))
        return code, re.sub(r"[\d.]+ \w+ ago", "", out), err

    assert answer("me@box:stub") == answer("stub")


def test_the_runs_of_another_box(nasd, run, tmp_path, monkeypatch):
    ssh(tmp_path, monkeypatch, BANNER)
    there, here = (
        {**json.loads(nasd("ps", *words, "--json")[1])[0], "modified_at": None} for words in (["me@box:"], [])
    )
    assert there == here
    assert there["name"] == "stub"
    code, out, err = nasd("ps", "stub")
    assert (code, out) == (2, "")
    assert "write it as user@host:" in err


def test_files_come_here(nasd, run, tmp_path, monkeypatch):
    ssh(tmp_path, monkeypatch, BANNER)
    here = tmp_path / "here"
    monkeypatch.chdir(tmp_path)
    assert nasd("export", "csv", "box:stub", "--to", here)[:2] == (
        0, f"wrote {here}/stub-q-values.csv\nwrote {here}/stub-replay-buffer.csv\n",
    )  # fmt: skip
    assert nasd("export", "csv", "stub", "--to", tmp_path / "there")[0] == 0
    for file in here.iterdir():
        assert file.read_bytes() == (tmp_path / "there" / file.name).read_bytes()
    assert nasd("plot", "leaderboard", "box:stub", "-o", here / "r.svg")[::2] == (0, "")
    assert b"<svg" in (here / "r.svg").read_bytes()
    assert nasd("report", "box:")[:2] == (0, "wrote stub.html\n")
    assert (tmp_path / "stub.html").is_file()


def test_what_goes_wrong_over_there_is_said_here(nasd, run, tmp_path, monkeypatch):
    ssh(tmp_path, monkeypatch, BANNER)
    for command in (["trials", "box:nobody"], ["export", "csv", "box:nobody"], ["verify", "box:nobody"]):
        code, out, err = nasd(*command)
        assert (code, out) == (1, "")
        assert "no run at" in err
    code, _, err = nasd("plot", "rewards", "box:stub", "other:stub", "-o", tmp_path / "r.svg")
    assert code == 2
    assert "on one box" in err


@pytest.mark.parametrize(
    ("before", "command", "said"),
    [  # the other box's fault, what stands as nasd, what to do
        (":", "nasd-is-not-there", "say where nasd lies, by NASD_REMOTE_COMMAND="),
        (":", "/etc/passwd", "may not be run"),
        (":", f"{PYTHON} -m nasd_none", "has no nasd: name another one"),
        ("echo hello; exit 3", "nasd", "ended with exit code 3 before nasd spoke, after printing 'hello'"),
        ("echo hello; exec cat", "nasd", "after printing 'hello': does its shell's profile end or replace the shell"),
        ("echo 'me@box: Permission denied (publickey).' >&2; exit 255", "nasd", "try `ssh box`; a password"),
        ("echo 'Host key verification failed.' >&2; exit 255", "nasd", "run `ssh box` once"),
        ("echo '@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @' >&2; exit 255", "nasd", "ssh-keygen -R box"),
        ("echo 'ssh: Could not resolve hostname box: Name or service not known' >&2; exit 255", "nasd", "spelling"),
        ("echo 'ssh: connect to host box port 22: Connection refused' >&2; exit 255", "nasd", "is it up"),
    ],
)  # fmt: skip
def test_each_failure_says_what_to_try(nasd, home, tmp_path, monkeypatch, before, command, said):
    ssh(tmp_path, monkeypatch, before, command)
    for words in (["verify", "box:run"], ["stop", "box:run"]):
        code, out, err = nasd(*words)
        assert (code > 0, out) == (True, "")
        assert said in err
        assert err.startswith("nasd: box: ")
        assert err.count("\n") == 1


def test_the_hosts_file_says_what_nasd_is_called(nasd, run, tmp_path, monkeypatch):
    ssh(tmp_path, monkeypatch, command=None)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert "say where nasd lies" in nasd("trials", "me@box:stub")[2]
    file = tmp_path / "nasd" / "hosts.yaml"
    file.parent.mkdir()
    file.write_text(json.dumps({"box": {"command": f"{PYTHON} -m nasd"}}))
    assert "TRIAL" in nasd("trials", "me@box:stub")[1]
    for text in ("- box", "box: nasd", "box: {command: 1}", "box: {name: nasd}", "{", "\x00"):
        file.write_text(text)
        code, _, err = nasd("trials", "me@box:stub")
        assert code == 3
        assert str(file) in err


def test_a_daemon_is_reached_behind_a_banner(nasd, live, tmp_path, monkeypatch):
    ssh(tmp_path, monkeypatch, JSON)
    assert nasd("pause", "box:stub") == (0, "pausing: the evaluation under way comes to its end\n", "")
    assert nasd("resume", "box:stub") == (0, "running\n", "")

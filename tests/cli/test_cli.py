"""The command line: what it prints, its exit codes, and one sentence for whatever goes wrong."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nasd import config as configuration
from nasd.cli import _COMMANDS
from store import Run, is_owned
from tests.helpers.nasd_harness import Process, configure, make, until

CONFIGS = Path(__file__).parents[2] / "configs"
NET = "[C(16,3,1,1,1), SM(10)]"


class TestWithoutADaemon:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["ps"], "finished"), (["status"], "no daemon runs it"), (["trials"], NET[:3]),
            (["trials", "--top", "3"], "ARCHITECTURE"), (["trials", "--last", "2"], "ARCHITECTURE"),
            (["trials", "--all"], "ARCHITECTURE"), (["show", "1"], "LAYER"), (["show", "stub", "2"], "trial 2"),
            (["verify"], "is sound"), (["doctor"], "libraries"), (["doctor", "stub"], "stub: direct"),
        ],
    )  # fmt: skip
    def test_reading_commands(self, nasd, run, arguments, said):
        code, out, err = nasd(*arguments)
        assert (code, err) == (0, "")
        assert said in out

    @pytest.mark.parametrize(
        "arguments", [["ps"], ["status"], ["trials"], ["trials", "--top", "3"], ["show", "1"], ["verify"], ["doctor"]]
    )
    def test_json_is_json(self, nasd, run, arguments):
        code, out, _ = nasd(*arguments, "--json")
        assert code == 0
        assert json.loads(out)

    def test_a_run_is_named_by_name_or_by_path(self, nasd, run, home):
        shutil.copytree(run, home / "other")
        for name in ("stub", "other", str(run), f"{run}/", f"{run}/../stub"):
            assert nasd("trials", name)[0] == 0
        code, _, err = nasd("trials")
        assert code == 1
        assert err == f"nasd: there are 2 runs in {home}, name one: other, stub\n"

    def test_a_run_that_is_not_there(self, nasd, run, home):
        for name in ("nobody", "./nobody", "x" * 300, "~nobody-here/x", "..", "-"):
            code, out, err = nasd("trials", name)
            assert (code, out) == (1, "")
            assert err.startswith("nasd: ")
            assert err.count("\n") == 1

    def test_no_runs_at_all(self, nasd, home):
        assert "There are no runs" in nasd("ps")[1]
        assert nasd("ps", "--json")[1].strip() == "[]"
        assert "start one with" in nasd("status")[2]

    @pytest.mark.parametrize("command", [["pause"], ["resume"], ["stop"], ["jobs", "--cancel", "1"], ["log"], ["stdio"],
                                         ["retrain", "--trial", "1"]])  # fmt: skip
    def test_commands_that_need_a_daemon_say_so(self, nasd, run, command):
        code, out, err = nasd(*command)
        assert (code, out) == (5, "")
        how = "`nasd start` over there" if command == ["stdio"] else "`nasd start stub`"
        assert err == f"nasd: no daemon runs {run}: start it with {how}\n"

    def test_a_trial_that_is_not_there(self, nasd, run):
        assert nasd("show", "10000")[2].startswith("nasd: stub has no trial 10000: its newest is ")
        assert nasd("show", "99999999999999999999999")[0] == 1
        assert nasd("show", "first")[0] == 2

    @pytest.mark.parametrize(
        "arguments",
        [["frobnicate"], ["trials", "--top", "0"], ["trials", "--top", "1", "--last", "2"], ["fork"],
         ["status", "a", "b"], ["retrain"], ["retrain", "--trial", "1", "--net", NET], ["import", "csv"],
         ["start", "stub", "--set", "seed=2"], ["log", "-n", "x"]],
    )  # fmt: skip
    def test_wrong_usage(self, nasd, run, arguments):
        code, _, err = nasd(*arguments)
        assert code == 2
        assert "Error" in err

    def test_help_of_every_command(self, nasd):
        for command in _COMMANDS:
            code, out, _ = nasd(command, "--help")
            assert code == 0
            assert out.startswith("Usage: ")

    def test_a_finished_run_prints_its_results_again(self, nasd, run):
        code, out, _ = nasd("run", "stub")
        assert code == 0
        assert "Finished after" in out
        assert "validation" in out

    def test_fork(self, nasd, run, home):
        code, out, _ = nasd("fork", "--at", "4", "--name", "2024")  # a name, though YAML would take it for a number
        assert code == 0
        assert "2024 stands after trial 4 of stub" in out
        with Run.open(home / "2024") as forked:
            assert forked.count() == 4
        assert nasd("verify", "2024")[0] == 0
        assert nasd("fork", "--at", "4000", "stub")[0] == 1
        assert nasd("fork", "--at", "4", "--name", "A B", "stub")[0] == 3
        assert nasd("fork", "--at", "4", "--name", "2024", "stub")[0] == 1

    def test_export_csv(self, nasd, run, tmp_path):
        code, _, _ = nasd("export", "csv", "--to", tmp_path)
        assert code == 0
        assert sorted(path.name for path in tmp_path.iterdir()) == ["stub-q-values.csv", "stub-replay-buffer.csv"]
        (tmp_path / "file").write_text("")
        assert nasd("export", "csv", "--to", tmp_path / "file" / "x")[0] == 1

    def test_service_unit(self, nasd, run, home):
        code, out, _ = nasd("service", "install", "--print")
        assert code == 0
        assert f'-m nasd.daemon "{run}"' in out
        assert "RestartPreventExitStatus=2 3 4 7" in out


class TestWithADaemon:
    @pytest.mark.parametrize(
        "arguments",
        [["ps"], ["status"], ["jobs"], ["trials"], ["verify"], ["retrain", "--net", NET], ["jobs", "--cancel", "1"]],
    )
    def test_json_is_json(self, nasd, live, arguments):
        code, out, err = nasd(*arguments, "--json")
        assert (code, err) == (0, "")
        json.loads(out)

    def test_pause_and_resume(self, nasd, live):
        assert nasd("pause") == (0, "pausing: the evaluation under way comes to its end\n", "")
        assert "pausing" in nasd("status")[1]
        assert nasd("resume") == (0, "running\n", "")

    def test_jobs(self, nasd, live):
        assert "queued job" in nasd("retrain", "--net", NET, "--repeats", "2", "--priority", "3")[1]
        assert NET in nasd("jobs")[1]
        assert nasd("jobs", "--cancel", "1000")[2] == "nasd: there is no job 1000: see `nasd jobs`\n"
        assert nasd("retrain", "--net", "[C(16")[0] == 1

    def test_log(self, nasd, live):
        code, out, _ = nasd("log", "-n", "5")
        assert code == 0
        assert "begins stub" in out

    def test_a_running_run_is_not_started_again(self, nasd, live):
        code, _, err = nasd("start", "stub")
        assert (code, err) == (4, "nasd: stub is running already; look at it with `nasd attach stub`\n")
        code, _, err = nasd("run", "stub")
        assert code == 4
        assert "is owned by process" in err

    def test_stop(self, nasd, home):
        directory = make(home, 30)
        (directory / "gate").touch()
        with Process(directory) as daemon:
            daemon.ready().busy()
            code, out, _ = nasd("stop")
            assert code == 0
            assert out.startswith(f"stopped (process {daemon.pid})")
            assert not is_owned(directory)

    def test_a_daemon_that_hangs(self, nasd, home, monkeypatch):
        import signal

        from nasd.client import Client

        connect = Client.connect.__func__
        monkeypatch.setattr(Client, "connect", classmethod(lambda cls, target, _=0: connect(cls, target, 0.5)))
        directory = make(home, 30)
        with Process(directory) as daemon:
            until((directory / "daemon.sock").exists, "the socket")
            daemon.process.send_signal(signal.SIGSTOP)
            code, _, err = nasd("pause")
            assert code == 5
            assert "does not answer: look at its log, or restart it" in err


class TestDamage:
    """One sentence for every command, whatever lies in the run directory."""

    @pytest.mark.parametrize("damage", ["not a database", "cut off", "empty", "flipped", "a folder"])
    @pytest.mark.parametrize(
        "command",
        [["ps"], ["status"], ["trials"], ["trials", "--top", "2"], ["show", "1"], ["verify"], ["start"], ["run"],
         ["fork", "--at", "1"], ["export", "csv", "--to", "/tmp/never"], ["ps", "--json"]],
        ids=" ".join,
    )  # fmt: skip
    def test_a_damaged_database(self, nasd, run, command, damage, tmp_path):
        file = run / "run.db"
        match damage:
            case "not a database":
                file.write_bytes(b"this is no database " * 1000)
            case "cut off":
                file.write_bytes(file.read_bytes()[:5000])
            case "empty":
                file.write_bytes(b"")
            case "flipped":
                data = bytearray(file.read_bytes())
                for position in range(4096, len(data), 97):
                    data[position] ^= 0xFF
                file.write_bytes(data)
            case "a folder":
                file.unlink()
                file.mkdir()
        command = [str(tmp_path) if part == "/tmp/never" else part for part in command]
        code, out, err = nasd(*command)
        assert err.count("\n") <= 1 or command == ["run"]
        if command[0] not in ("ps", "status"):
            assert code == 1
            assert err.startswith("nasd: ") or "wrong: " in out

    def test_a_config_that_was_changed(self, nasd, run):
        (run / "config.yaml").write_text("space: {colour: blue}\n")
        code, out, _ = nasd("verify")
        assert code == 1
        assert "config.yaml" in out
        assert nasd("start", "stub")[0] == 3
        (run / "config.yaml").unlink()
        assert nasd("start", "stub")[0] == 1
        assert nasd("verify")[0] == 1

    @pytest.mark.parametrize(
        ("command", "code"),
        [
            (["compare", "stub"], 3), (["report"], 3), (["fork", "--at", "3"], 3), (["set", "stub", "log.keep=3"], 3),
            (["trials", "--where", "layers<=5"], 3), (["show", "1"], 3), (["export", "csv"], 3),
            (["export", "trials", "--to", "csv"], 3), (["data"], 3), (["start", "stub"], 3),
            (["plot", "architecture", "-o", "a.svg"], 3), (["snapshot", "stub", "file"], 1), (["verify"], 1),
            (["trials"], 0), (["status"], 0), (["ps"], 0),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else None,
    )  # fmt: skip
    def test_a_config_that_reads_well_but_is_not_the_searchs(self, nasd, run, tmp_path, monkeypatch, command, code):
        """What is computed with the config refuses it; what was committed is listed all the same."""
        config = run / "config.yaml"
        config.write_text(config.read_text().replace("seed: ", "seed: 1"))
        monkeypatch.chdir(tmp_path)
        found, out, err = nasd(*command)
        assert found == code
        if code == 3:
            assert re.fullmatch(r"nasd: .*config\.yaml was changed after the run was created: put back .*\n", err)
        elif code == 1:
            assert "config.yaml" in out + err
            assert "was changed after the run was created" in out + err
        assert list(run.parent.iterdir()) == [run]
        assert list(tmp_path.iterdir()) == []


class TestMaking:
    def test_every_fault_of_a_config_at_once(self, nasd, home, tmp_path):
        path = tmp_path / "bad.yaml"
        path.write_text(
            "seed: -1\ncolour: blue\ntraining: {epochs: none, batch_size: 1}\nspace: {min_conv: 9, max_conv: 3}\n"
        )
        for command in ("start", "run"):
            code, _, err = nasd(command, path)
            assert code == 3
            for fault in ("seed: ", "colour: unknown key", "training.epochs: ", "training.batch_size: ", "min_conv 9"):
                assert fault in err
        assert list(home.iterdir()) == []

    @pytest.mark.parametrize(
        ("text", "said"),
        [("a: [", "not valid YAML"), ("- 1", "must be a mapping"), ("\x00", "not valid YAML"),
         ("seed: 1\nseed: 2", "given twice"), ("x: !!python/object:os.system {}", "not valid YAML")],
    )  # fmt: skip
    def test_what_is_no_config(self, nasd, home, tmp_path, text, said):
        path = tmp_path / "bad.yaml"
        path.write_text(text)
        code, _, err = nasd("start", path)
        assert code == 3
        assert said in err

    def test_a_config_that_is_not_there(self, nasd, home, tmp_path):
        assert nasd("start", tmp_path / "no.yaml")[0] == 3
        (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")
        assert "not UTF-8" in nasd("start", tmp_path / "bytes.yaml")[2]
        assert nasd("start", tmp_path / "folder.yaml", "--set", "seed")[0] == 3

    def test_another_config_under_the_same_name_names_the_differences(self, nasd, home, tmp_path):
        make(home, 8)
        path = tmp_path / "config.yaml"
        path.write_text(configuration.dump(configure(9)))
        code, _, err = nasd("start", path, "--set", "training.epochs=3")
        assert code == 3
        assert "the run stub exists and was made with another config" in err
        assert "training.epochs: 70 in the run, 3 now" in err
        assert "search.epsilon_schedule: " in err

    def test_a_socket_path_that_is_too_long(self, nasd, tmp_path, monkeypatch):
        monkeypatch.setenv("NASD_HOME", str(tmp_path / ("x" * 100)))
        code, _, err = nasd("start", CONFIGS / "digits.yaml")
        assert code == 1
        assert "a Unix socket takes 107" in err
        assert not (tmp_path / ("x" * 100)).exists()

    @pytest.mark.parametrize("place", ["/proc/nasd", "file/x", "~nobody-here/x"])
    def test_a_home_that_cannot_be(self, nasd, home, monkeypatch, place):
        (home / "file").write_text("")
        monkeypatch.setenv("NASD_HOME", place if place[0] in "/~" else str(home / place))
        code, _, err = nasd("start", CONFIGS / "digits.yaml")
        assert code == 1
        assert err.startswith("nasd: ")
        assert err.count("\n") == 1

    def test_a_data_set_that_is_not_there(self, nasd, home, tmp_path):
        config = tmp_path / "folder.yaml"
        config.write_text(f"name: a\ndata: {{name: image_folder, image_size: 8, root: {tmp_path}/none}}\n")
        code, _, err = nasd("start", config)
        assert code == 6
        assert f"{tmp_path}/none" in err
        assert list(home.iterdir()) == []


def test_start_detaches_and_stop_ends_it(home, tmp_path):
    """The real thing: a daemon that outlives its terminal, with the real worker."""
    environment = {**os.environ, "NASD_HOME": str(home)}

    def nasd(*arguments):
        command = [sys.executable, "-m", "nasd", *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)

    try:
        started = nasd("start", CONFIGS / "digits.yaml", "--set", "training.epochs=1", "--set", "executor.threads=1")
        assert started.returncode == 0, started.stderr
        assert "digits is running" in started.stdout  # on a busy box a worker may not be set up within the minute
        assert nasd("start", "digits").returncode == 4
        until(lambda: json.loads(nasd("status", "--json").stdout)["progress"]["trials"] >= 1, "a trial")
    finally:
        stopped = nasd("stop")
    assert stopped.returncode == 0, stopped.stderr
    with Run.open(home / "digits") as run:
        assert run.count() >= 1
    assert not is_owned(home / "digits")
    assert nasd("verify").returncode == 0


def test_ctrl_c_ends_a_foreground_run(home):
    import signal

    command = [sys.executable, "-m", "nasd", "run", str(CONFIGS / "digits.yaml"), "--set", "training.batch_size=64"]
    environment = {**os.environ, "NASD_HOME": str(home)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "trials to count" in process.stdout.readline()
    until((home / "digits" / "daemon.sock").exists, "the daemon")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "Stopped after" in out


def test_progress_into_a_pipe_that_closes(run):
    code = f"{sys.executable} -m nasd run stub | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr
    assert "stub on digits" in done.stdout
    assert not is_owned(run)


def test_status_starts_light(live):
    code = (
        "import sys\nsys.argv = ['nasd', 'status']\nfrom nasd.cli import main\nmain()\n"
        "heavy = {'torch', 'torchvision', 'pandas', 'zarr', 'numpy', 'pydantic', 'textual', 'rich', 'store'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "progress" in done.stdout

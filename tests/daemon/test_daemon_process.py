"""Real daemon processes: signals, locks, sockets in the way, orphans, full disks, logs that cannot be written."""

import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from nasd import protocol
from nasd.client import RemoteError
from store import Run
from tests.helpers.nasd_harness import Process, as_the_stub_says, make, rows, sound, tell, until


def held(home, trials=5, **sections):
    directory = make(home, trials, **sections)
    (directory / "gate").touch()
    return directory


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_loses_nothing(home, number):
    directory = held(home)
    with Process(directory) as daemon:
        worker = psutil.Process(daemon.ready().busy())
        assert daemon.end(number) == (0, "")
        worker.wait(30)
        assert not (directory / "daemon.sock").exists()
    sound(directory)
    with Process(directory) as daemon:
        daemon.ready().state("finished")
        daemon.end()
    as_the_stub_says(directory)
    sound(directory)


def test_nohup_is_heeded(home):
    directory = held(home)
    with Process(directory, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as daemon:
        daemon.ready().busy()
        daemon.process.send_signal(signal.SIGHUP)
        daemon.process.send_signal(signal.SIGCONT)
        assert daemon.status() is not None
        assert daemon.process.poll() is None


def test_signals_again_and_again(home):
    directory = held(home)
    with Process(directory) as daemon:
        daemon.ready().busy()
        for _ in range(5):
            with contextlib.suppress(ProcessLookupError):
                daemon.process.send_signal(signal.SIGINT)
        assert daemon.end()[0] == 0


def test_a_second_daemon_is_told(home):
    directory = held(home)
    with Process(directory) as first:
        first.ready()
        with Process(directory) as second:
            code, said = second.end(signal.SIGCONT)
            assert code == 4
            assert said == f"nasd: {directory} is owned by process {first.pid}; stop it first, or attach to it\n"
        assert first.status() is not None


def test_a_dead_daemons_socket_is_removed(home):
    directory = held(home)
    with Process(directory) as daemon:
        daemon.ready().kill()
    assert (directory / "daemon.sock").is_socket()
    with Process(directory) as daemon:
        daemon.ready()


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_what_is_no_socket_stays_where_it_is(home, kind):
    directory = make(home)
    precious, path = home / "precious", directory / "daemon.sock"
    precious.write_text("precious")
    match kind:
        case "file":
            path.write_text("precious")
        case "link":
            path.symlink_to(precious)
        case "folder":
            path.mkdir()
    with Process(directory) as daemon:
        code, said = daemon.end(signal.SIGCONT)
    assert code == 1
    assert said == f"nasd: {path} is in the way of the daemon's socket and is none: move it elsewhere\n"
    assert precious.read_text() == "precious"
    assert path.is_symlink() == (kind == "link")
    assert path.exists()


def test_the_socket_is_the_owners_alone(home):
    directory = held(home)
    with Process(directory) as daemon:
        daemon.ready()
        assert stat.S_IMODE((directory / "daemon.sock").stat().st_mode) == 0o600


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_is_refused(home):
    directory = held(home)
    code = f"""
import contextlib, os, socket
connection = socket.socket(socket.AF_UNIX)
os.setuid(12345)
try:
    connection.connect({str(directory / "daemon.sock")!r})
except PermissionError:
    print("no way in")
else:
    with contextlib.suppress(BrokenPipeError):
        connection.sendall(b'{{"jsonrpc": "2.0", "id": 1, "method": "hello", "params": {{"protocol": 1}}}}\\n')
    print(connection.recv(10000).decode())
"""
    with Process(directory) as daemon:
        daemon.ready()
        home.chmod(0o755)

        def ask():
            return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

        assert "no way in" in ask()
        (directory / "daemon.sock").chmod(0o666)  # should somebody open it: the kernel still says who asks
        assert "this run belongs to another user" in ask()
        assert daemon.status() is not None


@pytest.mark.parametrize("stopped", [False, True])
def test_no_worker_outlives_a_killed_daemon(home, stopped):
    directory = held(home, executor={"workers_per_device": 2}, search={"lookahead": 2})
    with Process(directory) as daemon:
        daemon.ready()
        until(lambda: [w.state for w in daemon.status().workers] == ["busy"] * 2, "two busy workers")
        if stopped:
            for worker in daemon.workers():
                worker.suspend()
        daemon.kill()  # asserts it


def test_nor_does_one_that_was_stopped_before_it_could_ask_for_it(home):
    directory = held(home)
    code = """
import sys
from tests.helpers import stub_daemon
stub_daemon.WORKER = ("sh", "-c", "kill -STOP $$; sleep 600")
stub_daemon.entry._serve = stub_daemon._serve
sys.exit(stub_daemon.entry.main(sys.argv[1:]))
"""
    # In a session of its own, as `nasd start` and systemd begin it.
    command = [sys.executable, "-c", code, str(directory)]
    with Process(directory, command=command, start_new_session=True) as daemon:
        daemon.ready()
        until(lambda: [w.status() for w in daemon.workers()] == [psutil.STATUS_STOPPED], "a stopped worker")
        daemon.kill()  # asserts it


def test_an_outcome_that_arrived_ahead_of_its_turn_outlasts_a_kill(home):
    directory = make(home, 6, executor={"workers_per_device": 2}, search={"lookahead": 2})
    tell(directory, trials={1: "hang"})

    def arrived():
        with Run.open(directory) as run:
            return run.checkpoint().arrived

    with Process(directory) as daemon:
        daemon.ready()
        until(arrived, "the outcome of the second trial")
        daemon.kill()
    assert list(arrived()) == [2]
    tell(directory, trials={2: "raise"})  # if it were evaluated again, it would fail
    with Process(directory) as daemon:
        daemon.ready().state("finished")
    assert [row["status"] for row in rows(directory)][:2] == ["evaluated"] * 2
    assert not arrived()


def test_a_daemon_that_was_stopped_for_a_while_does_not_blame_the_trial(home):
    directory = held(home, 3, executor={"trial_timeout": 4, "trial_attempts": 1})
    with Process(directory) as daemon:
        daemon.ready().busy()
        daemon.process.send_signal(signal.SIGSTOP)
        (directory / "gate").unlink()
        subprocess.run(["sleep", "5.5"], check=True)  # beyond the timeout of the trial that is done meanwhile
        daemon.process.send_signal(signal.SIGCONT)
        daemon.state("finished")
        assert [row["reason"] for row in rows(directory)] == [None] * 3


class TestFullDisk:
    """The daemon may write no file beyond a size, as if the disk ended there; then there is space again."""

    def test_the_search_waits_and_goes_on(self, home):
        directory = make(home, 40)
        with Process(directory, {"committing.RETRY": 0.1}) as daemon:
            daemon.ready()
            until(lambda: daemon.status().progress.trials >= 2, "some trials")
            full = 1 << 16  # less than the database has already
            resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
            until(lambda: daemon.status().problems or daemon.status().state == "finished", "a problem")
            status = daemon.status()
            assert status.state == "running"
            assert "could not commit" in status.problems[0]
            with daemon.client() as client, pytest.raises(RemoteError, match="could not commit"):
                client.call("pause")
            sound(directory)
            resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            assert daemon.state("finished").problems == ()
            daemon.end()
        sound(directory)
        as_the_stub_says(directory)

    def test_a_kill_while_it_waits_loses_nothing(self, home):
        directory = make(home, 10)
        with Process(directory, {"committing.RETRY": 0.1}) as daemon:
            daemon.ready()
            resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (1 << 12, resource.RLIM_INFINITY))
            until(lambda: daemon.status().problems or daemon.status().state == "finished", "a problem")
            daemon.kill()
        before = rows(directory)
        sound(directory)
        with Process(directory) as daemon:
            daemon.ready().state("finished")
            daemon.end()
        assert rows(directory)[: len(before)] == before
        sound(directory)

    @pytest.mark.skipif(os.getuid() != 0, reason="only root can mount")
    def test_a_real_file_system_without_space(self, home):
        place = home / "small"
        place.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], capture_output=True, check=False
        )
        if mounted.returncode != 0:
            pytest.skip("mounting is not allowed here")
        try:
            directory = make(place, 30)
            filler = place / "filler"
            with Process(directory, {"committing.RETRY": 0.1}) as daemon:
                daemon.ready()
                with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                    while True:
                        file.write(bytes(1 << 16))
                until(lambda: any("no space left" in said for said in daemon.status().problems), "the problem")
                filler.unlink()
                left = daemon.state("finished").problems
                assert all("nearly full" in said for said in left), left  # which a disk of 8 MB always is
                daemon.end()
            sound(directory)
        finally:
            subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount")
def test_a_disk_that_goes_read_only_on_an_error(home):
    """As ext4 does when the disk fails under it; checked and mounted again the run goes on."""
    if shutil.which("mkfs.ext4") is None or shutil.which("e2fsck") is None:
        pytest.skip("e2fsprogs is not installed")
    image, place, options = home / "disk", home / "mounted", "loop,errors=remount-ro"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    mounted = subprocess.run(["mount", "-o", options, str(image), str(place)], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        fail = next(
            Path(f"/sys/fs/ext4/{Path(part.device).name}/trigger_fs_error")
            for part in psutil.disk_partitions()
            if part.mountpoint == str(place)
        )
        directory = make(place, 30)
        tell(directory, seconds=0.05)
        with Process(directory, {"committing.RETRY": 0.1}) as daemon:
            daemon.ready()
            until(lambda: daemon.status().progress.trials >= 3, "some trials")
            fail.write_text("a test")
            until(lambda: any("check the disk" in said for said in daemon.status().problems), "the problem")
            status = daemon.status()
            assert (status.state, status.activity) == ("running", "saving a trial")
            sound(directory)
            assert daemon.end()[0] == 0
        subprocess.run(["umount", str(place)], check=True)
        assert subprocess.run(["e2fsck", "-p", str(image)], capture_output=True, check=False).returncode in (0, 1)
        subprocess.run(["mount", "-o", options, str(image), str(place)], check=True)
        tell(directory)  # what the test wrote there was not synced, unlike what the daemon did
        with Process(directory) as daemon:
            daemon.ready().state("finished")
            daemon.end()
        sound(directory)
        as_the_stub_says(directory)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_log_that_cannot_be_written_costs_the_file_alone(home, kind):
    directory = make(home, 3)
    if kind == "file":
        (directory / "log").rmdir()
        (directory / "log").write_text("")
    else:
        (directory / "log" / "daemon.jsonl").mkdir()
    with Process(directory) as daemon:
        daemon.ready().state("finished")
        with daemon.client() as client:
            page = client.call("log", protocol.LogParams(text="in memory only"))
            assert len(page.rows) == 1


def test_the_log_is_rotated_json_lines(home):
    directory = make(home, 12, log={"max_bytes": 500, "keep": 2})
    with Process(directory) as daemon:
        daemon.ready().state("finished")
        daemon.end()
    files = sorted(path.name for path in (directory / "log").glob("daemon.jsonl*"))
    assert files == ["daemon.jsonl", "daemon.jsonl.1", "daemon.jsonl.2"]
    for name in files:
        for line in (directory / "log" / name).read_text().splitlines():
            assert {"time", "level", "source", "message"} <= json.loads(line).keys()


def test_systemd_is_told(home):
    directory = held(home)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(home / "notify"))
        listener.settimeout(60)
        with Process(directory, env={**os.environ, "NOTIFY_SOCKET": str(home / "notify")}) as daemon:
            assert listener.recv(100) == b"READY=1"
            daemon.end()
            assert listener.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize(
    ("damage", "code", "said"),
    [
        ("database", 1, "is damaged"),
        ("missing", 7, "there is no run at"),
        ("config", 3, "fault"),
        ("other space", 1, "does not fit its config"),
    ],
)
def test_a_run_that_cannot_be_served_is_one_sentence(home, damage, code, said):
    directory = make(home, 3)
    with Process(directory) as daemon:
        daemon.ready().state("finished")
        daemon.end()
    config = directory / "config.yaml"
    match damage:
        case "database":
            (directory / "run.db").write_bytes(b"no database" * 1000)
        case "missing":
            directory = home / "elsewhere"
        case "config":
            config.write_text(config.read_text() + "colour: blue\n")
        case "other space":
            config.write_text(config.read_text().replace("[1, 3, 5]", "[7]"))
    with Process(directory) as daemon:
        assert_sentence(*daemon.end(signal.SIGCONT), code, said)


def assert_sentence(found, text, code, said):
    assert found == code, text
    assert text.startswith("nasd: ")
    assert said in text
    assert "Traceback" not in text


def test_usage(home):
    done = subprocess.run([sys.executable, "-m", "nasd.daemon"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage" in done.stderr


def test_the_stub_is_light():
    code = "import sys; from tests.helpers import stub_worker; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

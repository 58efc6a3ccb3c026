"""Kills at any moment, full disks, readers beside a writer. Real processes, real signals."""

import contextlib
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import store
from store import Delta, DiskError, DiskFullError, Run, files, soundness
from store.embeddings import stage
from tests.helpers import store_samples as samples

ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(Path(store.__file__).parent.parent),
}

COMMITTING = """
import sys
from tests.helpers import store_samples as samples
from store import Run
run = Run.open(sys.argv[1], writable=True)
number = run.count() + 1
print("ready", number, flush=True)
while True:
    run.commit(samples.step(number))
    print(number, flush=True)
    number += 1
"""

STAGING = """
import sys, pathlib
from tests.helpers import store_samples as samples
from store.embeddings import stage
stage(pathlib.Path(sys.argv[1]), {"train": samples.split(1)}, {})  # zarr is imported when the kill is timed
print("ready", flush=True)
while True:
    made = stage(pathlib.Path(sys.argv[1]), {"train": samples.split(3000, 200)}, {})
    print(made, flush=True)
"""

CREATING = """
import sys, pathlib
from store import Run
print("ready", flush=True)
for number in range(10_000):
    Run.create(pathlib.Path(sys.argv[1]) / str(number), "seed: 1", name="a", version="1").close()
"""


def killed_after(seconds, code, path):
    """Run code in a process of its own, kill it, and return what it said."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    first = process.stdout.readline()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    said = first + process.stdout.read()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    return said.splitlines()


def test_a_kill_leaves_a_gapless_prefix(tmp_path):
    path = tmp_path / "run"
    samples.create(path).close()
    draw = random.Random(3)
    for _ in range(22):
        said = killed_after(draw.uniform(0.0, 0.12), COMMITTING, path)
        with Run.open(path) as run:  # a reader, before any writer has recovered
            found = run.checkpoint()
            # A kill between a frame's header and its page leaves what a bad last commit would: it is said as one.
            problems = [(one.where, one.what.partition(": ")[2]) for one in soundness.check(run)]
            torn = "the last 1 commits cannot be read; the next start goes on from before them"
            assert problems in ([], [("run.db-wal", torn)])
        confirmed = int(said[-1].split()[-1]) if len(said) > 1 else 0
        assert found.trials >= confirmed
        with Run.open(path) as run:
            assert [trial.number for trial in run.observed()] == list(range(1, found.trials + 1))
            assert list(run.learned()) == [samples.payload(number) for number in range(1, found.trials + 1)]
        assert [proposal.number for proposal in found.open] == [found.trials + 1, found.trials + 2]
        last = samples.step(found.trials).position if found.trials else samples.beginning().position
        assert found.position == last
    assert found.trials > 100
    with samples.create(tmp_path / "straight", found.trials) as straight, Run.open(path, writable=True) as run:
        assert soundness.digest(run) == soundness.digest(straight)


def test_a_killed_embedding_leaves_only_what_is_swept(tmp_path):
    path = tmp_path / "run"
    samples.create(path, 1).close()
    for seconds in (0.0, 0.03, 0.1, 0.3):
        killed_after(seconds, STAGING, path / "embeddings")
    left = list((path / "embeddings").iterdir())
    assert left
    assert all(item.name.startswith(files.TEMPORARY) for item in left)
    with Run.open(path) as run:
        assert {problem.what for problem in soundness.check(run)} == {
            "it was not finished; the next start of the daemon removes it"
        }
    with Run.open(path, writable=True) as run:
        assert list((path / "embeddings").iterdir()) == []
        assert soundness.check(run) == []


def test_a_killed_create_leaves_no_half_run(tmp_path):
    for number, seconds in enumerate((0.0, 0.02, 0.05, 0.1, 0.15)):
        folder = tmp_path / str(number)
        folder.mkdir()
        killed_after(seconds, CREATING, folder)
        for made in folder.iterdir():
            if not made.name.startswith(files.TEMPORARY):
                with Run.open(made) as run:
                    assert soundness.check(run) == []
        Run.create(folder / "next", "", name="a", version="1").close()
        assert not [
            made for made in folder.iterdir() if made.name.startswith(files.TEMPORARY) and (made / "lock").exists()
        ]


def test_a_create_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def refuse(_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(files, "sync_tree", refuse)
    with pytest.raises(DiskError, match=r"create a run in .*: input/output error"):
        Run.create(tmp_path / "run", "", name="a", version="1")
    assert list(tmp_path.iterdir()) == []


def test_readers_beside_a_writer(tmp_path):
    path = tmp_path / "run"
    writer = samples.create(path)
    wrong: list[str] = []
    done = threading.Event()

    def read():
        with Run.open(path) as reader:
            seen = 0
            while not done.is_set():
                found = reader.checkpoint()
                if len(list(reader.learned())) < found.trials or found.trials < seen:
                    wrong.append(f"{found.trials} after {seen}")
                if len(found.open) != 2 or found.open[0].number != found.trials + 1:
                    wrong.append(f"{found.open} after {found.trials}")
                seen = found.trials

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(1, 151):
        writer.commit(samples.step(number))
    done.set()
    for reader in readers:
        reader.join()
    writer.close()
    assert wrong == []


def test_a_writer_is_shared_between_threads(tmp_path):
    with samples.create(tmp_path / "run") as run:
        failed = []

        def read():
            try:
                for _ in range(50):
                    run.checkpoint()
                    run.trials(limit=10)
            except Exception as error:  # noqa: BLE001 - reported by the test
                failed.append(error)

        threads = [threading.Thread(target=read) for _ in range(2)]
        for thread in threads:
            thread.start()
        for number in range(1, 60):
            run.commit(samples.step(number))
        for thread in threads:
            thread.join()
        assert failed == []
        assert run.count() == 59


@pytest.fixture
def small_disk(tmp_path):
    if os.getuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder):
    with (folder / "ballast").open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while True:
            stream.write(bytes(1024))


def test_a_full_disk_is_waited_out(small_disk):
    with samples.create(small_disk / "run", 5) as run:
        fill(small_disk)
        number = 6
        with contextlib.suppress(DiskFullError):
            while True:  # the log may have room for some more
                run.commit(samples.step(number))
                number += 1
        with pytest.raises(DiskFullError, match=r"no space left for .*run\.db.*free some space and try again$"):
            run.commit(samples.step(number))
        assert run.count() == number - 1  # reading goes on
        with pytest.raises(DiskFullError):
            run.commit(samples.step(number))
        (small_disk / "ballast").unlink()
        run.commit(samples.step(number))  # the same delta
        assert soundness.check(run) == []
    with Run.open(small_disk / "run", writable=True) as run:
        assert run.count() == number


def test_an_embedding_on_a_full_disk_leaves_nothing(small_disk):
    with samples.create(small_disk / "run", 1) as run:
        with pytest.raises(DiskFullError, match="write an embedding"):
            stage(run.embeddings.path, {"train": samples.split(20_000, 200)}, {})
        assert list(run.embeddings.path.iterdir()) == []


def test_a_run_is_not_created_on_a_full_disk(small_disk):
    fill(small_disk)
    with pytest.raises(DiskFullError):
        Run.create(small_disk / "run", "", name="a", version="1")
    assert [path.name for path in small_disk.iterdir()] == ["ballast"]


def test_a_commit_that_the_file_limit_stops_changes_nothing(tmp_path):
    """Works without root: no file of this process may grow past its size."""
    with samples.create(tmp_path / "run", 5) as run:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        size = max(path.stat().st_size for path in run.path.iterdir())
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            with pytest.raises((DiskError, DiskFullError), match="nothing was changed"):
                run.commit(samples.step(6, position={"state": "x" * 100_000}))
            assert run.count() == 5
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        run.commit(samples.step(6))
        assert soundness.check(run) == []


def test_a_dropped_embedding_goes_after_its_commit(tmp_path):
    with samples.create(tmp_path / "run") as run:
        run.embeddings.write("1.zarr", {"train": samples.split(10)}, {})
        run.commit(samples.step(1, trial=samples.trial(1, embedding="1.zarr")))
        run.commit(Delta(dropped_embeddings=(1,)))
        assert run.trial(1).embedding is None
        assert list(run.embeddings.path.iterdir()) == []

"""A run in one file and back; files from strangers that call themselves snapshots."""

import io
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

import store
from store import (
    DamagedError,
    Delta,
    DiskError,
    DiskFullError,
    Run,
    RunExistsError,
    StoreError,
    lock,
    snapshot,
    soundness,
)
from tests.helpers import store_samples as samples


def as_it_is(config):
    return "sample", config


@pytest.fixture
def run(tmp_path):
    with samples.create(tmp_path / "run", 6) as made:
        for number in (7, 8):
            made.embeddings.write(f"{number}.zarr", {"train": samples.split(70)}, {"trial": number})
            made.commit(samples.step(number, trial=samples.trial(number, embedding=f"{number}.zarr")))
        made.commit(Delta(flags={"paused": True}, jobs=(store.Job(id=0, kind="embed", params={}),)))
        yield made


@pytest.fixture
def tar(run, tmp_path):
    file = tmp_path / "to" / "run.tar"
    assert snapshot.write(run.path, file) == 8
    return file


def test_there_and_back(run, tar, tmp_path):
    assert sorted(path.name for path in tar.parent.iterdir()) == ["run.tar"]
    directory = snapshot.restore(tar, tmp_path / "home", as_it_is)
    assert directory == tmp_path / "home" / "sample"
    with Run.open(directory, writable=True) as restored:
        assert soundness.check(restored) == []
        assert soundness.digest(restored) == soundness.digest(run)
        assert restored.checkpoint() == run.checkpoint()
        assert (restored.config, restored.created_at) == (run.config, run.created_at)
        assert restored.embeddings.kept() == run.embeddings.kept()
        assert restored.embeddings.open(8).read("train").x.tolist() == run.embeddings.open(8).read("train").x.tolist()
        restored.commit(samples.step(9))
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["sample"]


def test_under_another_name(tar, tmp_path):
    directory = snapshot.restore(tar, tmp_path, lambda config: ("other", config + "name: other\n"))
    with Run.open(directory, writable=True) as restored:
        assert (directory.name, restored.name, restored.config) == ("other", "other", "seed: 1\nname: other\n")
        assert soundness.check(restored) == []


def test_what_is_there_stays(run, tar, tmp_path):
    with pytest.raises(RunExistsError, match=r"run\.tar exists already"):
        snapshot.write(run.path, tar)
    with pytest.raises(RunExistsError, match="run exists already"):
        snapshot.restore(tar, tmp_path, lambda config: ("run", config))
    assert soundness.check(run) == []


def test_an_embedding_that_goes_meanwhile(run, tmp_path, monkeypatch):
    """The search drops one between the copy of the database and that of its folder: the copy is taken again."""
    link, dropped = snapshot.files.link_tree, []

    def drop_first(source, target):
        if not dropped:
            dropped.append(source.name)
            run.commit(Delta(dropped_embeddings=(7,)))
        link(source, target)

    monkeypatch.setattr(snapshot.files, "link_tree", drop_first)
    snapshot.write(run.path, tmp_path / "run.tar")
    with Run.open(snapshot.restore(tmp_path / "run.tar", tmp_path, as_it_is)) as restored:
        assert dropped == ["7.zarr"]
        assert list(restored.embeddings.kept()) == [8]
        assert soundness.check(restored) == []


def test_a_disk_that_refuses_leaves_nothing(run, tmp_path, monkeypatch):
    for error, kind in ((OSError(28, "No space left on device"), DiskFullError), (OSError(5, "I/O error"), DiskError)):

        def refuse(*_, error=error):
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(snapshot.files, "publish", refuse)
            with pytest.raises(kind, match="write a snapshot"):
                snapshot.write(run.path, tmp_path / "to" / "run.tar")
        assert list((tmp_path / "to").iterdir()) == []


KILLED = """
import pathlib, sys
from store import snapshot
source, folder = map(pathlib.Path, sys.argv[1:])
print("ready", flush=True)
for number in range(10_000):
    snapshot.write(source, folder / f"{number}.tar")
    snapshot.restore(folder / f"{number}.tar", folder / "home", lambda config: (str(number), config))
"""


@pytest.mark.parametrize("left", [(), ("lock",), ("lock", "run.db")])
def test_what_a_kill_left_is_swept(run, tmp_path, left):
    """Killed before the folder was locked, after that, or while it was removed: its lock goes last."""
    abandoned = tmp_path / "to" / ".tmp-snapshot-1"
    abandoned.mkdir(parents=True)
    for name in left:
        (abandoned / name).touch()
    snapshot.write(run.path, tmp_path / "to" / "run.tar")
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["run.tar"]


def test_what_is_being_written_is_not_swept(run, tmp_path):
    staged, owned = lock.claim_folder(tmp_path / "to", ".tmp-snapshot-")
    snapshot.write(run.path, tmp_path / "run.tar")
    assert (staged / "lock").exists()
    lock.release_folder(staged, owned)
    assert not staged.exists()


def test_a_kill_leaves_nothing_half(run, tmp_path):
    folder, draw, whole = tmp_path / "to", random.Random(2), 0
    environment = {**os.environ, "PYTHONPATH": str(Path(store.__file__).parent.parent)}
    for number in range(6):
        place = folder / str(number)
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(run.path), str(place)],
            stdout=subprocess.PIPE, env=environment, text=True,
        )  # fmt: skip
        process.stdout.readline()
        time.sleep(draw.uniform(0.1, 0.6))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        for tar in place.glob("*.tar"):
            restored = snapshot.restore(tar, place / "again", lambda config, tar=tar: (tar.stem, config))
            for directory in (restored, place / "home" / tar.stem):
                if directory.exists():
                    with Run.open(directory) as found:
                        assert soundness.check(found) == []
                        whole += 1
        snapshot.write(run.path, place / "after.tar")  # sweeps what the killed one left
        assert {path.suffix for path in place.iterdir()} <= {".tar", ""}
        assert not list(place.glob(".tmp-*"))
    assert whole > 3


# --- from strangers ---------------------------------------------------------------------------------------------------


def rewritten(tar, change):
    """The same tar with its members changed: `change` gives the members that take a member's place."""
    made = tar.with_name("changed.tar")
    with tarfile.open(tar) as source, tarfile.open(made, "w") as target:
        for member in source.getmembers():
            content = source.extractfile(member).read()
            for changed, data in change(member, content):
                target.addfile(changed, io.BytesIO(data))
    return made


def added(name, kind=tarfile.REGTYPE, data=b"evil", **fields):
    def change(member, content):
        yield member, content
        if member.name == "run.db":
            extra = tarfile.TarInfo(name)
            extra.type, extra.size = kind, len(data) if kind == tarfile.REGTYPE else 0
            for field, value in fields.items():
                setattr(extra, field, value)
            yield extra, data if kind == tarfile.REGTYPE else b""

    return change


HOSTILE = {
    "absolute": added("/tmp/evil"),
    "above": added("../evil"),
    "above, inside": added("embeddings/../../evil"),
    "hidden": added("embeddings/.tmp-x/y"),
    "below a learned file": added("learned/a/b"),
    "hidden learned": added("learned/.tmp-x"),
    "a learned file that nothing names": added("learned/x"),
    "elsewhere": added("log/daemon.jsonl"),
    "socket": added("daemon.sock"),
    "symlink": added("embeddings/link", tarfile.SYMTYPE, linkname="/etc"),
    "hard link": added("embeddings/link", tarfile.LNKTYPE, linkname="run.db"),
    "device": added("embeddings/null", tarfile.CHRTYPE, devmajor=1, devminor=3),
    "fifo": added("embeddings/fifo", tarfile.FIFOTYPE),
    "folder": added("embeddings/a", tarfile.DIRTYPE),
    "twice": added("run.db"),
    "long": added("embeddings/" + "x" * 300),
    "odd": added("embeddings/a\x01b"),
    "a file below a file": added("embeddings/8.zarr/zarr.json/x"),
}


@pytest.mark.parametrize("what", sorted(HOSTILE))
def test_a_hostile_tar_is_refused_in_a_sentence(tar, tmp_path, what):
    hostile = rewritten(tar, HOSTILE[what])
    before = {path for path in tmp_path.rglob("*") if path.name != "home"}
    with pytest.raises(StoreError, match=r"snapshot|not written by nasd") as refused:
        snapshot.restore(hostile, tmp_path / "home", as_it_is)
    assert "\n" not in str(refused.value)
    assert {path for path in tmp_path.rglob("*") if path.name != "home"} == before
    assert not Path("/tmp/evil").exists()


def test_sizes_that_do_not_fit_are_refused_before_anything_is_read(tar, tmp_path):
    data = bytearray(tar.read_bytes())
    header = tarfile.TarInfo("embeddings/huge")
    header.size = 1 << 60
    hostile = tmp_path / "huge.tar"
    hostile.write_bytes(header.tobuf(tarfile.GNU_FORMAT) + data)
    with pytest.raises(DamagedError, match=f"has {1 << 60} bytes, which do not fit"):
        snapshot.restore(hostile, tmp_path / "home", as_it_is)


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"x" * 5000, bytes(1024), b"\x1f\x8b" + bytes(2000)])
def test_no_tar_at_all(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(DamagedError, match="snapshot"):
        snapshot.restore(tmp_path / "file", tmp_path / "home", as_it_is)
    with pytest.raises(DiskError, match="no such file"):
        snapshot.restore(tmp_path / "nothing", tmp_path / "home", as_it_is)


def test_cut_and_flipped_it_is_refused_or_the_same(run, tar, tmp_path):
    whole, draw = tar.read_bytes(), random.Random(4)
    damaged, refused = tmp_path / "damaged.tar", 0
    for number in range(60):
        data = bytearray(whole)
        if number % 3 == 0:
            del data[draw.randrange(len(data)) :]
        else:
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        damaged.write_bytes(data)
        try:
            made = snapshot.restore(damaged, tmp_path / str(number), as_it_is)
        except StoreError:
            refused += 1
            continue
        with Run.open(made) as restored:
            assert soundness.digest(restored) == soundness.digest(run)
    assert refused > 20


def test_a_strangers_trigger_is_refused(run, tmp_path):
    run.close()
    with sqlite3.connect(run.path / "run.db") as connection:
        connection.execute("CREATE TRIGGER t AFTER INSERT ON trial BEGIN UPDATE trial SET reward = 1; END")
    connection.close()
    snapshot.write(run.path, tmp_path / "run.tar")
    with pytest.raises(DamagedError, match="triggers that nasd did not make"):
        snapshot.restore(tmp_path / "run.tar", tmp_path / "home", as_it_is)

"""A search as in a container: made of namespaces, with all that is unusual in one at once."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Mounts of a container's own; the process is number 1, without an init; /tmp is small, the home and /dev/shm read-only.
# The checkout stays where it is, also if that is below one of them: the working directory keeps hold of it meanwhile.
CONTAINER = """\
set -e
mount -t tmpfs -o size=64k tmp /tmp
mount -t tmpfs -o ro shm /dev/shm
mount -t tmpfs data /mnt
mount -t tmpfs -o ro home /srv
mkdir -p {root}
mount -c --bind . {root}
cd /
exec unshare --map-user=12345 --map-group=12345 env -i PATH=/usr/bin:/bin LANG=C {home} \
  NASD_HOME='/mnt/runs of é' PYTHONPATH={root} sh -c {command}
"""
NASD = f"{shlex.quote(sys.executable)} -m nasd"


def contain(command, home="HOME=/srv"):
    script = CONTAINER.format(root=shlex.quote(str(ROOT)), command=shlex.quote(command), home=home)
    return subprocess.run(
        ["unshare", "-m", "-p", "--fork", "--mount-proc", "sh", "-c", script],
        capture_output=True, text=True, check=False, timeout=170, cwd=ROOT,
    )  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def namespaces():
    if shutil.which("unshare") is None or contain("exit 0").returncode != 0:
        pytest.skip("namespaces and mounts may not be made here")


@pytest.mark.slow
@pytest.mark.parametrize("home", ["HOME=/srv", ""], ids=["read-only home", "no HOME"])
def test_a_search_and_what_is_made_of_it(home):
    settings = (
        "training.epochs=1 training.early_stopping_epoch=1 executor.threads=1 space.conv_features=[16] space.max_conv=2"
    )
    sets = " ".join(f"--set '{one}'" for one in settings.split())
    run = f"{NASD} run {ROOT}/configs/digits.yaml {sets} --set 'search.epsilon_schedule=[[1.0,2]]'"
    done = contain(
        f"id -u && {run} && {NASD} verify && cd /mnt && {NASD} embed --to /mnt/x.zarr && "
        f"{NASD} export model -o /mnt/m.safetensors && {NASD} doctor", home,
    )  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("12345\n")
    for said in ("Finished after", "is sound", "in /mnt/x.zarr", "in /mnt/m.safetensors"):
        assert said in done.stdout


def test_without_a_home_anywhere_it_is_said():
    done = contain(f"unset NASD_HOME; {NASD} ps; {NASD} start {ROOT}/configs/digits.yaml")
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("nasd: ")

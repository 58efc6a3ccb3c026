"""`nasd start` answers when it knows: a worker is set up, or why none can be, with nothing left running."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from nasd.box import devices
from nasd.client import Client, Target
from store import Run, is_owned

DIGITS = Path(__file__).parents[2] / "configs" / "digits.yaml"


@pytest.fixture
def start(home):
    """`nasd start` on the digits as a person has it; what runs is ended."""

    def run(*words, **environment):
        command = [sys.executable, "-m", "nasd", "start", DIGITS, "--set", "executor.threads=1", *words]
        return subprocess.run(
            command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=150
        )

    yield run
    if is_owned(home / "digits"):
        with Client.connect(Target(directory=home / "digits")) as client:
            client.call("stop")
            list(client.events())


def daemons(home):
    return [p for p in psutil.process_iter(["cmdline"]) if f"{home}/digits" in (p.info["cmdline"] or [])]


def test_a_worker_is_set_up_when_it_answers(start, home):
    done = start()
    assert (done.returncode, done.stderr) == (0, "")
    assert "digits is running on cpu (process " in done.stdout
    with Client.connect(Target(directory=home / "digits")) as client:
        assert client.status().workers[0].state in ("idle", "busy")


def test_where_no_worker_can_be_set_up_it_says_why_and_leaves_nothing(start, home):
    done = start("--set", "executor.devices=[cuda:7]")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("nasd: digits was stopped again: worker 0 does not start: torch finds no cuda:7")
    assert done.stderr.count("\n") == 1
    assert not is_owned(home / "digits")
    assert daemons(home) == []


def test_no_wait(start, home):
    done = start("--no-wait", "--set", "executor.devices=[cuda:7]")
    assert done.returncode == 0
    assert "digits is running (process " in done.stdout


@pytest.mark.parametrize(
    ("visible", "there", "count"),
    [(None, 0, 0), (None, 2, 2), ("0", 0, 0), ("0", 1, 1), ("1,0", 2, 2), ("0,5,1", 2, 1), ("", 2, 0), ("-1", 2, 0),
     ("GPU-1234", 2, 1), ("GPU-1234", 0, 0)],
)  # fmt: skip
def test_gpus_that_are_named_but_not_there_do_not_count(monkeypatch, visible, there, count):
    """CUDA_VISIBLE_DEVICES=0 on a box without a GPU: doctor, daemon and worker agree on the CPU."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(devices, "_driver_gpus", lambda: there)
    assert devices.count_gpus() == count


@pytest.mark.parametrize("evaluation", ["deep_prior", "training"])
def test_a_memory_limit_that_holds_the_images_and_no_architecture(start, home, evaluation):
    """Ten architectures would fail with reward 0, and be learned from."""
    done = start("--set", "executor.memory_limit=150KB", "--set", f"evaluation={evaluation}")
    assert done.returncode == 1
    assert "executor.memory_limit: none of 200 architectures fits in 150,000 bytes" in done.stderr
    assert not is_owned(home / "digits")
    with Run.open(home / "digits") as run:
        assert run.count() == 0

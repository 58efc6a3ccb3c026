"""Full training through the daemon, with the real worker on digits: as a search, as a job, killed and resumed."""

import asyncio
import sys

import pytest

import nasd
from nasd import protocol
from nasd.client import RemoteError
from nasd.config import Config
from nasd.daemon.job_rows import to_row
from nasd.daemon.retrain import Retrain
from nasd.evaluators.training import weight_files as weights
from nasd.evaluators.training.weight_files import WeightFiles
from nasd.runs import create
from store import Job, Run
from tests.helpers.nasd_harness import Process, living, make, soon, until

NET = "[C(8,3,1,1,1), P(2,2,0,0), FC(16), SM(10)]"


def digits(home, name, **sections):
    """A run on a part of digits, with the real worker."""
    plain = {
        "name": name,
        "data": {"train_samples": 300},
        "space": {"min_conv": 1, "max_conv": 2, "max_fc": 1, "fc_sizes": [16], "conv_sizes": [3], "conv_features": [8],
                  "large_conv_strides": [], "pool_sizes": [2], "pool_strides": [2]},
        "search": {"epsilon_schedule": [[1.0, 2]], "lookahead": 1},
        "training": {"epochs": 3, "early_stopping_epoch": 100, "learning_rate": 0.01},
        "executor": {"devices": ["cpu"], "threads": 1},
        "store": {"keep_embeddings": 0},
    }  # fmt: skip
    config = create.settle(Config.model_validate(plain | sections))
    create.create(config, home / name)
    return home / name


def daemon(directory):
    return Process(directory, command=[sys.executable, "-m", "nasd.daemon", str(directory)])


def job(directory):
    with Run.open(directory) as run:
        return run.jobs()[0]


def result(directory):
    """What a job came to, without what is measured."""
    return [
        {name: value for name, value in repeat.items() if name != "seconds"}
        for repeat in job(directory).result["repeats"]
    ]


def train(directory, *, kill):
    """A search of full trainings that is finished, then a job, its daemon killed in the middle."""
    params = protocol.QueueJobParams(net=NET, full=True, epochs=8)
    with daemon(directory) as process:
        process.ready().state("finished")
        with process.client() as client:
            client.call("queue_job", params)
        if not kill:
            until(lambda: job(directory).status == "done", "the end of the job")
            process.end()
            return
        until((directory / "weights" / "job-000001-1-checkpoint.safetensors").exists, "a checkpoint")
        process.kill()
    assert job(directory).status == "running"
    assert (directory / "weights" / "job-000001-1-checkpoint.safetensors").exists()
    with daemon(directory) as process:
        process.ready()
        until(lambda: job(directory).status == "done", "the end of the job")
        process.end()


def test_a_killed_job_ends_with_the_same_weights(home):
    once, killed = digits(home, "once", evaluation="full"), digits(home, "killed", evaluation="full")
    train(once, kill=False)
    train(killed, kill=True)
    (repeat,) = result(once)
    assert result(killed) == [repeat]
    assert len(repeat["validation_accuracies"]) == 8
    assert repeat["weights"] == [f"weights/job-000001-1-{which}.safetensors" for which in ("best", "last")]
    for directory in (once, killed):
        assert sorted(path.name for path in (directory / "weights").iterdir()) == [
            "job-000001-1-best.safetensors", "job-000001-1-last.safetensors"
        ]  # fmt: skip
    for name in repeat["weights"]:
        assert (once / name).read_bytes() == (killed / name).read_bytes()
    assert nasd.load_model(once / repeat["weights"][0]).classifier.weight.shape == (10, 16)
    with Run.open(once) as run:
        trials = run.trials()
    assert len(trials) >= 2
    assert all(trial.status in ("evaluated", "duplicate") for trial in trials)


async def test_a_full_job_keeps_no_embedding(home):
    async with living(make(home, 3)) as live:
        client = await live.connect()
        with pytest.raises(RemoteError, match="ask for one of the two"):
            await client.call("queue_job", protocol.QueueJobParams(net=NET, full=True, store_embedding=True))
        await client.close()


async def test_a_cancelled_job_leaves_no_checkpoint(home):
    directory = make(home, 3)
    checkpoint = directory / "weights" / "job-000001-1-checkpoint.safetensors"
    async with living(directory) as live:
        await live.state("finished")
        (directory / "gate").touch()
        client = await live.connect()
        await client.call("queue_job", protocol.QueueJobParams(net=NET, full=True))
        await live.busy()
        checkpoint.touch()
        row = await client.call("cancel_job", protocol.JobParams(id=1))
        assert (row.full, row.status) == (True, "cancelled")
        await soon(lambda: not checkpoint.exists(), "the checkpoint's end")
        await client.close()


def test_what_will_not_go_on_is_swept(tmp_path, caplog):
    folder = tmp_path / "weights"
    folder.mkdir()
    stays = [
        "trial-000003-checkpoint.safetensors",
        "job-000002-1-checkpoint.safetensors",
        "job-000001-1-last.safetensors",
    ]
    for name in (*stays, "trial-000002-checkpoint.safetensors", "job-000001-2-checkpoint.safetensors", ".tmp-x"):
        (folder / name).touch()
    weights.sweep(tmp_path, [3], [2])
    assert sorted(path.name for path in folder.iterdir()) == sorted(stays)
    blocked = WeightFiles(tmp_path / "missing" / "folder" / "job", keep=True)
    blocked.write("best", b"x")
    assert "job-best.safetensors is not written" in caplog.text
    assert (blocked.read("best"), blocked.names()) == (None, ())


async def test_the_timeout_of_a_full_training_is_each_epochs(home):
    directory = make(home, 3, executor={"trial_timeout": 1.0, "trial_attempts": 1})
    (directory / "stub.json").write_text('{"pace": 0.3}')
    async with living(directory) as live:
        client = await live.connect()
        await client.call("pause")
        await client.call("queue_job", protocol.QueueJobParams(net=NET, full=True, epochs=6))
        await client.call("queue_job", protocol.QueueJobParams(net="[C(8,3,1,1,1), SM(10)]", epochs=6))
        await soon(lambda: live.status.jobs_queued == 0, "the end of the jobs")
        rows = {row.id: row for row in (await client.call("jobs")).rows}
        assert (rows[1].status, rows[2].status) == ("done", "failed")
        assert "took longer than the trial_timeout" in rows[2].reason
        await asyncio.wait_for(client.close(), 10)


@pytest.mark.parametrize(("params", "evaluator"), [({}, "deep_prior"), ({"full": True}, "training")])
def test_a_job_of_before_jobs_named_their_evaluator(params, evaluator):
    job = Job(id=1, kind="retrain", params={"net": NET, "repeats": 1, "epochs": 2, **params}, created_at=0.0)
    assert Retrain.of(job).evaluator == evaluator
    assert to_row(job).full == params.get("full", False)

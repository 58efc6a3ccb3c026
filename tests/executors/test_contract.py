"""What every executor does, whatever its workers are."""

import asyncio
from collections import Counter

import pytest

from nasd.evaluators.base import Answer
from nasd.evaluators.orders import DeepPrior, Think
from nasd.executors.base import Task
from nasd.outcome import Evaluated, Failed
from store.embeddings import Embedding
from tests.executors.sites import NET, outcome, task
from tests.helpers.stub_worker import outcome_of


def busy(executor):
    """The workers that are at a task which has got on."""
    return [status for status in executor.workers if status.state == "busy" and status.stage == "train"]


async def test_each_task_gets_its_own_result(site):
    executor = site.executor(workers=2)
    assert executor.capacity == 2
    tasks = [task(seed, net=f"{NET}{seed % 3}") for seed in range(12)]
    finished = await asyncio.gather(*map(executor.evaluate, tasks))
    assert [outcome(one) for one in finished] == [outcome_of(f"{NET}{seed % 3}", seed) for seed in range(12)]
    assert len(executor.workers) == 2
    assert not any(one.running for one in tasks)


async def test_the_result_does_not_depend_on_the_worker(site):
    executor = site.executor(workers=2)
    finished = await asyncio.gather(*(executor.evaluate(task(7, trial=number)) for number in range(6)))
    assert Counter(one.outcome.reward for one in finished) == {outcome_of(NET, 7).reward: 6}


async def test_jobs_go_before_trials_and_older_ones_before_younger(site, gate, soon):
    executor, begun = site.executor(), []

    def made(name):
        def order():
            begun.append(name)
            return DeepPrior(net=NET, seed=1)

        return order

    first = asyncio.create_task(executor.evaluate(Task(order=made("trial 1"), trial=1)))
    await soon(lambda: busy(executor))
    waiting = [Task(order=made(f"trial {number}"), trial=number) for number in (2, 3)]
    waiting += [Task(order=made(f"job {number}"), job=number) for number in (1, 2)]
    rest = [asyncio.create_task(executor.evaluate(one)) for one in waiting]
    await asyncio.sleep(0.05)
    assert begun == ["trial 1"]  # an order is made when a worker takes it
    gate.unlink()
    await asyncio.gather(first, *rest)
    assert begun == ["trial 1", "job 1", "job 2", "trial 2", "trial 3"]


async def test_progress_is_reported(site):
    executor, steps = site.executor(), []
    await executor.evaluate(task(1, on_step=steps.append))
    curve = outcome_of(NET, 1).validation_accuracies
    assert [(step.stage, step.epoch, step.epochs) for step in steps] == [("train", epoch, 5) for epoch in range(6)]
    assert tuple(step.validation_accuracy for step in steps[1:]) == curve
    shown = [status for status in site.statuses if status.state == "busy" and status.epoch == 5]
    assert (shown[-1].trial, shown[-1].net, shown[-1].validation_accuracies) == (1, NET, curve)


async def test_files_come_back_as_handles(site, tmp_path):
    site.tell(embed=10)
    executor = site.executor()
    order = DeepPrior(net=NET, seed=1, keep_above=-1.0)
    kept, dropped = [(await executor.evaluate(Task(order=lambda: order, trial=n))).files["embedding"] for n in (1, 2)]
    await dropped.discard()
    (await kept.fetch()).rename(site.staging / "kept")
    assert [path.name for path in site.staging.iterdir()] == ["kept"]
    assert Embedding(site.staging / "kept").read("train").x.shape == (10, 64)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    named = DeepPrior(net=NET, seed=1, keep_above=-1.0, staging=str(elsewhere))
    finished = await executor.evaluate(Task(order=lambda: named, job=1))
    assert (await finished.files["embedding"].fetch()).parent == elsewhere
    assert (await executor.evaluate(task(3))).files == {}


async def test_it_thinks(site):
    executor = site.executor()
    request = bytes(range(256)) * 40_000  # 10 MB
    finished = await executor.evaluate(Task(order=lambda: Think(name="ranking 3 cells", request=request)))
    assert finished.result == Answer(payload=request[::-1])
    with pytest.raises(TypeError, match="not an outcome"):
        _ = finished.outcome
    assert "ranking 3 cells" in {status.net for status in site.statuses}


class TestWhatIsToBlame:
    @pytest.mark.parametrize(
        ("behaviour", "reason"),
        [
            ("raise", "the evaluation raised RuntimeError: the stub raises"),
            ("allocate", "the evaluation raised MemoryError"),
            ("unfit", "the stub does not like it"),
            ("exit", "ended by itself with exit code 7; its last words: these are my last words"),
            ("segfault", "was killed by SIGSEGV"),
        ],
    )
    async def test_one_bad_task_is_one_failed_task(self, site, behaviour, reason):
        site.tell(do={"2": behaviour})
        executor = site.executor(trial_attempts=2)
        finished = [await executor.evaluate(task(seed)) for seed in (1, 2, 3)]
        assert [type(one.outcome) for one in finished] == [Evaluated, Failed, Evaluated]
        assert reason in finished[1].outcome.reason

    async def test_it_is_tried_as_often_as_the_config_says(self, site):
        site.tell(every="exit")
        executor, made = site.executor(trial_attempts=3), []

        def order():
            made.append(DeepPrior(net=NET, seed=1))
            return made[-1]

        finished = await executor.evaluate(Task(order=order, trial=1))
        assert (len(made), finished.files) == (3, {})
        assert finished.outcome.reason.endswith("(the last of 3 tries)")

    async def test_a_worker_that_is_lost_once_costs_nothing(self, site):
        site.tell(every="segfault", once=True)
        executor = site.executor(trial_attempts=2)
        assert outcome(await executor.evaluate(task(1))) == outcome_of(NET, 1)

    async def test_a_kill_from_outside_is_nobodys_fault(self, site, gate, soon):
        executor = site.executor(trial_attempts=1)
        evaluation = asyncio.create_task(executor.evaluate(task(1)))
        pids = set()
        for _ in range(2):
            (status,) = await soon(lambda: [one for one in busy(executor) if one.pid not in pids])
            pids.add(status.pid)
            site.kill(status)
        gate.unlink()
        assert outcome(await evaluation) == outcome_of(NET, 1)

    async def test_silence_is_nobodys_fault(self, site):
        site.seconds_of_silence(site.STARTS_IN)
        site.tell(every="stop", once=True)
        executor = site.executor(trial_attempts=1)
        assert outcome(await executor.evaluate(task(1))) == outcome_of(NET, 1)


class TestTimeout:
    async def test_a_hang_ends(self, site):
        site.tell(every="hang")
        executor = site.executor(trial_timeout=0.5, trial_attempts=1)
        assert "took longer than the trial_timeout of 0.5 s" in (await executor.evaluate(task(1))).outcome.reason

    async def test_of_a_task_or_of_each_step(self, site):
        site.tell(pace=0.3, epochs=9)
        executor = site.executor(trial_timeout=2.5, trial_attempts=1)
        assert isinstance((await executor.evaluate(task(1, timeout="step"))).outcome, Evaluated)
        assert isinstance((await executor.evaluate(task(1))).outcome, Failed)


class TestWorkersThatDoNotStart:
    async def test_it_is_trouble_until_they_do(self, site, soon):
        site.tell(setup="fail")
        executor = site.executor()
        evaluation = asyncio.create_task(executor.evaluate(task(1)))
        await soon(lambda: site.problems)
        assert "the data set is on strike" in site.problems[0]
        site.tell()
        assert outcome(await evaluation) == outcome_of(NET, 1)
        assert site.problems == {}


class TestCancelled:
    async def test_while_a_worker_is_at_it(self, site, gate, soon):
        executor, given_up = site.executor(), task(1)
        evaluation = asyncio.create_task(executor.evaluate(given_up))
        await soon(lambda: busy(executor))
        evaluation.cancel()
        await asyncio.wait([evaluation])
        assert evaluation.cancelled()
        assert not given_up.running
        gate.unlink()
        assert outcome(await executor.evaluate(task(2))) == outcome_of(NET, 2)

    async def test_while_it_waits(self, site, gate, soon):
        executor = site.executor()
        evaluations = [asyncio.create_task(executor.evaluate(task(seed))) for seed in (1, 2, 3)]
        await soon(lambda: busy(executor))
        evaluations[1].cancel()
        gate.unlink()
        done = await asyncio.gather(*evaluations, return_exceptions=True)
        assert [outcome(done[0]), outcome(done[2])] == [outcome_of(NET, 1), outcome_of(NET, 3)]
        assert isinstance(done[1], asyncio.CancelledError)

    async def test_while_its_worker_starts(self, site, soon):
        site.tell(setup="hang")
        executor = site.executor()
        evaluation = asyncio.create_task(executor.evaluate(task(1)))
        await soon(lambda: executor.workers[0].state == "starting")
        evaluation.cancel()
        await asyncio.wait([evaluation])
        site.tell()
        assert outcome(await executor.evaluate(task(2))) == outcome_of(NET, 2)


class TestAffinity:
    async def test_the_worker_that_did_the_same_last_is_preferred_when_idle(self, site, gate, soon):
        executor = site.executor(workers=2)
        first = [asyncio.create_task(executor.evaluate(task(n, affinity=name))) for n, name in ((1, "a"), (2, "b"))]
        await soon(lambda: len(busy(executor)) == 2)
        gate.unlink()
        await asyncio.gather(*first)
        did = {status.trial: status.id for status in site.statuses if status.trial is not None}
        for number, name in enumerate("bbabaab", 3):
            await executor.evaluate(task(number, affinity=name))
        done = {status.trial: status.id for status in site.statuses if status.trial is not None}
        assert [done[number] for number in range(3, 10)] == [did[1 if name == "a" else 2] for name in "bbabaab"]

    async def test_it_waits_for_nobody(self, site, gate, soon):
        """Two tasks of the same affinity run side by side, although one worker did the last of it."""
        executor = site.executor(workers=2)
        gate.unlink()
        await executor.evaluate(task(1, affinity="a"))
        gate.touch()
        evaluations = [asyncio.create_task(executor.evaluate(task(n, affinity="a"))) for n in (2, 3)]
        await soon(lambda: len(busy(executor)) == 2)
        gate.unlink()
        await asyncio.gather(*evaluations)


class TestDevices:
    async def test_a_task_with_a_device_gets_a_worker_of_its_own_until_it_is_retired(self, site, gate, soon):
        executor = site.executor()
        search = asyncio.create_task(executor.evaluate(task(1)))
        await soon(lambda: busy(executor))
        job = asyncio.create_task(executor.evaluate(task(2, trial=None, job=1, device="cpu")))
        await soon(lambda: len(busy(executor)) == 2)
        assert [(one.trial, one.job, one.passing) for one in executor.workers] == [(1, None, False), (None, 1, True)]
        assert executor.capacity == 1
        gate.unlink()
        await asyncio.gather(search, job)
        await executor.retire("cpu")
        assert len(executor.workers) == 1
        await soon(lambda: len(site.processes()) == 1)
        assert outcome(await executor.evaluate(task(3, job=2, device="cpu"))) == outcome_of(NET, 3)
        await executor.retire("cpu")
        await executor.retire("cpu")  # there is none


async def test_close_leaves_no_process(site, gate, soon):
    executor = site.executor(workers=2)
    evaluations = [asyncio.create_task(executor.evaluate(task(seed))) for seed in (1, 2)]
    await soon(lambda: len(busy(executor)) == 2)
    for evaluation in evaluations:
        evaluation.cancel()
    await asyncio.gather(*evaluations, return_exceptions=True)
    await executor.close()
    await soon(lambda: not site.processes())

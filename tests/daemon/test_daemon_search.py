"""A search with the stub worker: to its end, paused, disturbed, killed."""

import asyncio
import contextlib
import os
import signal

import psutil
import pytest

from nasd import protocol
from nasd.client import RemoteError
from nasd.daemon import scheduler
from nasd.executors import crew
from nasd.runs.tables import export
from nasd.seeding import trial_seed
from store import Run, soundness
from tests.helpers.nasd_harness import SPACE, Process, as_the_stub_says, living, make, rows, soon, sound, tell, until
from tests.helpers.stub_worker import FAULTS


async def search(home, trials=8, name="stub", **sections):
    """A search, undisturbed and to its end; its directory."""
    directory = make(home, trials, name=name, **sections)
    async with living(directory) as live:
        await live.state("finished")
    return directory


async def test_a_search_comes_to_its_end(home):
    directory = make(home, 12)
    async with living(directory) as live:
        status = await live.state("finished")
        assert status.progress.counted == status.progress.total == 12
        assert status.problems == ()
        assert status.best[0].reward == max(row["reward"] for row in rows(directory))
    sound(directory)
    as_the_stub_says(directory)
    assert not (directory / "daemon.sock").exists()


async def test_a_finished_run_ends_at_once_and_starts_no_worker(home):
    directory = await search(home, 4)
    async with living(directory, exit_when_finished=True) as live:
        assert await asyncio.wait_for(live.task, 30) == 0
        assert all(worker.pid is None for worker in live.daemon.last_status.workers)


async def test_stopped_anywhere_it_is_the_same_run(home):
    whole = await search(home, 10, "whole", search={"lookahead": 3}, executor={"workers_per_device": 2})
    parts = make(home, 10, name="parts", search={"lookahead": 3}, executor={"workers_per_device": 2})
    for trials in (1, 4, 5, 9):
        async with living(parts) as live:
            await soon(lambda live=live, trials=trials: live.trials >= trials, "some trials")
    async with living(parts) as live:
        await live.state("finished")
    assert rows(whole) == rows(parts)
    assert sound(whole) == sound(parts)


def test_killed_anywhere_an_ordered_search_with_three_ahead_is_the_same_run(home):
    sections = {"search": {"lookahead": 3}, "executor": {"workers_per_device": 2}}
    directory = make(home, 25, name="killed", **sections)
    tell(directory, seconds=0.1)
    for trials in (0, 3, 8):
        with Process(directory) as daemon:
            daemon.ready()
            until(lambda daemon=daemon, n=trials: daemon.status().progress.trials >= n, "some trials")
            for worker in until(daemon.workers, "a worker")[:1]:
                worker.kill()
            daemon.kill()
            sound(directory)
    tell(directory)
    with Process(directory) as daemon:
        daemon.ready().state("finished")
        daemon.end()
    whole = asyncio.run(search(home, 25, "whole", **sections))
    assert rows(whole) == rows(directory)
    assert sound(whole) == sound(directory)


def killed_as_undisturbed(home, sections, **orders):
    """A search of forty trials whose daemon was killed three times, after it was compared with an undisturbed one."""
    whole = make(home / "whole", 40, **sections)
    tell(whole, **orders)
    with Process(whole) as daemon:
        daemon.ready().state("finished")
        daemon.end()
    directory = make(home, 40, **sections)
    tell(directory, seconds=0.02, **orders)
    for trials in (4, 12, 25):
        with Process(directory) as daemon:
            daemon.ready()
            until(lambda daemon=daemon, n=trials: daemon.status().progress.trials >= n, "some trials")
            daemon.kill()
    with Process(directory) as daemon:
        daemon.ready().state("finished")
        daemon.end()
    assert rows(whole) == rows(directory)
    assert sound(whole) == sound(directory)
    return directory


def test_only_the_best_of_a_quick_look_are_evaluated_fully_also_after_kills(home):
    """Each trial's floor is what the trials `lookahead` before it and older say, whenever it is evaluated."""
    sections = {
        "search": {"lookahead": 2},
        "executor": {"workers_per_device": 2},
        "training": {"screen": {"keep": 0.3, "after": 5}},
    }
    directory = killed_as_undisturbed(home, sections, screen=True)
    scores, held_back = {}, 0
    for row in rows(directory):
        before = sorted((scores[n] for n in scores if n <= row["number"] - 2), reverse=True)
        if row["status"] not in ("evaluated", "early_stopped"):
            continue
        score = scores[row["number"]] = row["metrics"]["screening"]
        floor = before[max(1, int(0.3 * len(before))) - 1] if len(before) >= 5 else 0.0
        assert row["status"] == ("evaluated" if score >= floor else "early_stopped")
        assert row["reward"] == (score * 2 if score >= floor else score)
        held_back += score < floor
    assert 10 < held_back < len(scores) - 10
    with Run.open(directory) as run:
        assert export(run, "replay_buffer", home / "rows.csv") == len(rows(directory))


def test_what_is_stopped_at_a_rung_is_the_same_after_kills(home):
    """Floors and gains are those of the trials `lookahead` before each one and older, whenever it is evaluated."""
    rungs = {"images": [100, 200], "keep": [0.6, 0.6], "after": 4}
    sections = {
        "search": {"lookahead": 2},
        "executor": {"workers_per_device": 2},
        "evaluation": {"kind": "deep_prior", "rungs": rungs},
    }
    directory = killed_as_undisturbed(home, sections)
    looked = [row["metrics"]["rungs"] for row in rows(directory) if row["status"] in ("evaluated", "early_stopped")]
    cuts = [len(look["scores"]) for look in looked if look["cut"]]
    assert {1, 2} == set(cuts)
    stopped = [row for row in rows(directory) if row["status"] == "early_stopped"]
    assert len(stopped) == len(cuts)
    assert all(row["reason"].endswith("%: its reward is an estimate") for row in stopped)
    assert {row["reason"].partition(" images")[0] for row in stopped} == {"stopped after 100", "stopped after 200"}
    assert len(cuts) < len(looked) - 4


async def test_async_order_is_recorded_and_replayed(home):
    directory = make(home, 10, search={"order": "async", "lookahead": 3}, executor={"workers_per_device": 2})
    tell(directory, trials={1: "stop", 6: "stop"}, epochs=5)  # the sixth holds the end back until the first is in
    async with living(directory) as live:

        def stopped(trial):
            pids = [worker.pid for worker in live.status.workers if worker.trial == trial]
            return next((pid for pid in pids if psutil.Process(pid).status() == psutil.STATUS_STOPPED), None)

        await soon(lambda: live.trials >= 4, "trials that overtake the first")
        os.kill(await soon(lambda: stopped(1), "the worker that stops"), signal.SIGCONT)
        await soon(lambda: live.trials >= 5, "the first trial")
        os.kill(await soon(lambda: stopped(6), "the other worker that stops"), signal.SIGCONT)
        await live.state("finished")
    with Run.open(directory) as run:
        order = {trial.number: trial.order for trial in run.trials()}
    assert order[1] == 5
    assert sorted(order.values()) == list(range(1, len(order) + 1))
    sound(directory)


async def test_the_activity_names_what_workers_are_at_and_not_what_waits(home):
    directory = make(home, 30, search={"lookahead": 6}, executor={"workers_per_device": 2})
    (directory / "gate").touch()
    async with living(directory) as live:
        await soon(lambda: live.status.activity == "evaluating trials 1, 2", "two trials")
        client = await live.connect()
        await client.call("pause")
        assert live.status.activity == "evaluating trials 1, 2, then pausing"
        (directory / "gate").unlink()
        assert (await live.state("paused")).activity == "paused"
        await client.call("resume")
        assert (await live.state("finished")).activity == "the search is finished"
        await client.close()


class TestPause:
    async def test_pause_and_resume(self, home):
        directory = make(home, 30)
        (directory / "gate").touch()
        async with living(directory) as live:
            await live.busy()
            client = await live.connect()
            assert "comes to its end" in (await client.call("pause")).message
            assert live.status.state == "pausing"
            (directory / "gate").unlink()
            status = await live.state("paused")
            assert status.progress.trials == 1
            assert (await client.call("pause")).message == "paused"
            (directory / "gate").touch()
            await client.call("resume")
            await live.busy()
            assert live.status.state == "running"
            await client.close()

    async def test_outlasts_a_restart(self, home):
        directory = make(home, 6)
        (directory / "gate").touch()
        async with living(directory) as live:
            await live.busy()
            client = await live.connect()
            await client.call("pause")
            await client.close()
        async with living(directory) as live:
            await live.state("paused")
            client = await live.connect()
            await client.call("resume")
            await live.state("finished")
            with pytest.raises(RemoteError, match="the search is finished"):
                await client.call("pause")
            await client.close()

    async def test_does_not_start_what_waits_for_a_worker(self, home):
        directory = make(home, 30, search={"lookahead": 3})
        (directory / "gate").touch()
        async with living(directory) as live:
            await live.busy()
            client = await live.connect()
            await client.call("pause")
            (directory / "gate").unlink()
            assert (await live.state("paused")).progress.trials == 1
            await client.call("resume")
            await soon(lambda: live.trials > 4, "more trials")
            await client.close()
        sound(directory)
        as_the_stub_says(directory)

    async def test_pausing_and_resuming_at_random_changes_nothing(self, home):
        whole = await search(home, 12, "whole", search={"lookahead": 2})
        directory = make(home, 12, name="paused", search={"lookahead": 2})
        async with living(directory) as live:
            client = await live.connect()
            for number in range(40):
                if live.status.state == "finished":
                    break
                with contextlib.suppress(RemoteError):
                    await client.call("pause" if number % 2 else "resume")
                await asyncio.sleep(0.003 * (number % 7))
            with contextlib.suppress(RemoteError):
                await client.call("resume")
            await live.state("finished")
            await client.close()
        assert sound(whole) == sound(directory)


class TestBadTrials:
    @pytest.mark.parametrize(
        ("behaviour", "reason"),
        [
            ("raise", "the evaluation raised RuntimeError: the stub raises"),
            ("segfault", "was killed by SIGSEGV"),
        ],
    )
    async def test_one_bad_trial_is_one_failed_trial(self, home, behaviour, reason):
        directory = make(home, 4, executor={"trial_attempts": 2})
        tell(directory, trials={2: behaviour})
        async with living(directory) as live:
            status = await live.state("finished")
        assert status.progress.by_status["failed"] == 1
        row = rows(directory)[1]
        assert (row["status"], row["reward"], row["counted"]) == ("failed", 0.0, False)
        assert reason in row["reason"]
        sound(directory)
        as_the_stub_says(directory)

    async def test_a_lost_worker_that_recovers_costs_nothing(self, home):
        directory = make(home, 4, executor={"trial_attempts": 2})
        tell(directory, every="exit", once=True)
        async with living(directory) as live:
            status = await live.state("finished")
        assert "failed" not in status.progress.by_status
        as_the_stub_says(directory)

    async def test_killed_from_outside_is_nobodys_fault(self, home):
        directory = make(home, 4, executor={"trial_attempts": 1})
        (directory / "gate").touch()
        async with living(directory) as live:
            for _ in range(4):
                (pid,) = await live.busy()
                os.kill(pid, signal.SIGKILL)
                await soon(lambda pid=pid: live.status.workers[0].pid != pid, "another worker")
            (directory / "gate").unlink()
            status = await live.state("finished")
        assert "failed" not in status.progress.by_status
        sound(directory)

    @pytest.mark.parametrize(("behaviour", "said"), [("print", "garbage on standard output"), ("flood", "line 4999")])
    async def test_what_a_worker_prints_goes_to_the_log(self, home, behaviour, said):
        directory = make(home, 3)
        tell(directory, trials={1: behaviour})
        async with living(directory) as live:
            status = await live.state("finished")
            assert "failed" not in status.progress.by_status
            await soon(lambda: said in (directory / "log" / "daemon.jsonl").read_text(), said)
            client = await live.connect()
            page = await client.call("log", protocol.LogParams(text=said))
            assert said in page.rows[-1].message
            await client.close()

    async def test_ten_in_a_row_pause_the_search(self, home):
        directory = make(home, 30)
        tell(directory, every="unfit")
        async with living(directory) as live:
            status = await live.state("paused")
            assert status.progress.by_status == {"failed": scheduler.FAILURES}
            assert "the last 10 evaluations all failed" in status.problems[0]
            assert "the stub does not like it" in status.problems[0]
            tell(directory)
            client = await live.connect()
            await client.call("resume")
            await client.close()
            assert (await live.state("finished")).problems == ()
        sound(directory)

    async def test_ten_in_a_row_end_a_foreground_run(self, home):
        directory = make(home, 30)
        tell(directory, every="unfit")
        async with living(directory, exit_when_finished=True) as live:
            assert await asyncio.wait_for(live.task, 60) == 1

    @pytest.mark.parametrize("strategy", ["qlearning", "random", "evolution"])
    async def test_a_space_in_which_nothing_counts_pauses_the_search(self, home, monkeypatch, strategy):
        monkeypatch.setattr(scheduler, "STANDSTILL", 40)
        directory = make(home, 8, strategy, space={**SPACE, "max_num_fc_input": 1})
        async with living(directory) as live:
            assert "none of the last 40 trials counts" in (await live.state("paused")).problems[0]
            assert live.trials == 40
            live.daemon.pause(False)
            await soon(lambda: live.trials == 80 and live.status.problems, "the next pause")
        sound(directory)


class TestWorkersThatDoNotStart:
    async def test_it_is_a_problem_until_they_do(self, home):
        directory = make(home, 3)
        tell(directory, setup="fail")
        async with living(directory) as live:
            await soon(lambda: live.status.problems, "a problem")
            assert live.status.problems == ("worker 0 does not start: the data set is on strike",)
            assert live.status.state == "running"
            tell(directory)
            status = await live.state("finished")
            assert status.problems == ()
            assert "failed" not in status.progress.by_status

    async def test_it_can_be_paused_meanwhile(self, home):
        directory = make(home, 3)
        tell(directory, setup="fail")
        async with living(directory) as live:
            await soon(lambda: live.status.problems, "a problem")
            client = await live.connect()
            await client.call("pause")
            await live.state("paused")
            await client.close()


class TestEmbeddings:
    async def test_those_of_the_best_are_kept_and_no_other(self, home):
        directory = make(home, 14, store={"keep_embeddings": 3}, search={"lookahead": 2})
        tell(directory, embed=10)
        async with living(directory) as live:
            await live.state("finished")
        with Run.open(directory) as run:
            best = {trial.number: trial.reward for trial in run.best(3)}
            assert run.embeddings.kept() == best
            assert len(list((directory / "embeddings").iterdir())) == 3
            assert soundness.check(run) == []

    async def test_the_quota_drops_the_worst_first(self, home):
        directory = make(home, 8, store={"keep_embeddings": 5, "disk_quota": 2_000_000})
        tell(directory, embed=2000)  # about 500 kB each
        async with living(directory) as live:
            await live.state("finished")
            live.daemon._quota.keep()
            assert live.status.problems == ()
        with Run.open(directory) as run:
            kept = run.embeddings.kept()
            assert 0 < len(kept) < 4
            assert kept == {trial.number: trial.reward for trial in run.best(len(kept))}
            assert run.size_on_disk() <= 2_000_000
            assert soundness.check(run) == []

    async def test_a_quota_that_cannot_be_kept_is_a_problem(self, home):
        directory = make(home, 3, store={"disk_quota": 1000})
        tell(directory, embed=10)
        async with living(directory) as live:
            await soon(lambda: live.status.problems, "the problem")
            assert "its disk_quota is 1000" in live.status.problems[0]
            await live.state("finished")
        with Run.open(directory) as run:
            assert run.embeddings.kept() == {}

    async def test_files_of_epochs_count_and_those_of_old_ones_go(self, home):
        directory = make(home, 6, "enas", search={"derive": 0, "keep": 1}, store={"disk_quota": 20_000})
        async with living(directory) as live:
            await live.state("finished")
            live.daemon._quota.keep()
            assert "its disk_quota is 20000" in live.status.problems[0]
        with Run.open(directory) as run:
            best = max(run.trials(), key=lambda trial: trial.reward).number
            assert len(list((directory / "learned").iterdir())) == len({6, best})  # 20 kB each
            assert run.size_on_disk() > 20_000


async def test_the_seed_of_a_trial_is_its_own(home):
    directory = await search(home, 3)
    evaluated = [row for row in rows(directory) if row["status"] == "evaluated"]
    assert [row["seed"] for row in evaluated] == [trial_seed(1, row["number"]) for row in evaluated]


async def test_faults_of_the_box_are_neither_counted_nor_learned(home, monkeypatch):
    """Each trial meets one, in turn another kind: the search ends as if there had been none."""
    monkeypatch.setattr(crew, "STARTING_AGAIN", (0.01, 0.05))
    undisturbed = make(home, 8, name="undisturbed")
    async with living(undisturbed) as live:
        await live.state("finished")
    directory = make(home, 8)
    kinds = (*FAULTS, "libgomp")
    tell(directory, once=True, trials={number: kinds[number % len(kinds)] for number in range(1, 40)})
    async with living(directory) as live:
        status = await live.state("finished")
    assert status.problems == ()
    assert "failed" not in status.progress.by_status
    assert list(directory.glob("misbehaved-*"))
    assert sound(directory) == sound(undisturbed)

"""The daemon that the UI is tested against says what a real one says: each law here holds for both."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from nasd import protocol as p
from nasd.client import RemoteError, Target
from nasd.client.aio import Connection
from nasd.protocol import pnas
from nasd.protocol.evolution import Population, PopulationParams
from nasd.protocol.qlearning import Neighbours, NeighboursParams, QPage, QParams
from tests.helpers.fake_daemon import FakeDaemon
from tests.helpers.fake_search import World
from tests.helpers.nasd_harness import living, make, soon

TRIALS = 24
NET = "[C(16,3,1,1,1), SM(10)]"
CELL = "cell[(h-1 id, h-1 sep3x3)]"


@contextlib.asynccontextmanager
async def fake(folder: Path, strategy: str) -> AsyncIterator[Connection]:
    daemon = FakeDaemon(folder / "fake", World(TRIALS, strategy=strategy))
    await daemon.start()
    beating = asyncio.create_task(beat(daemon))
    async with asking(daemon.directory) as client:
        yield client
    beating.cancel()
    await daemon.stop()


async def beat(daemon: FakeDaemon) -> None:
    while True:
        await asyncio.sleep(0.05)
        daemon.heartbeat()


@contextlib.asynccontextmanager
async def real(folder: Path, strategy: str) -> AsyncIterator[Connection]:
    """With a search that got as far and is held by its stub worker there."""
    directory: Path = make(folder, 200, strategy)  # type: ignore[no-untyped-call]
    async with living(directory) as live:
        await soon(lambda: live.trials >= TRIALS, "some trials")  # type: ignore[no-untyped-call]
        (directory / "gate").touch()
        await live.busy()
        async with asking(directory) as client:
            yield client


@contextlib.asynccontextmanager
async def asking(directory: Path) -> AsyncIterator[Connection]:
    client = await Connection.open(Target(directory=directory))
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture(params=["fake", "real"])
def daemon(request: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    monkeypatch.setenv("NASD_HOME", str(folder))
    serve = fake if request.param == "fake" else real
    return lambda strategy: serve(folder, strategy)


every_strategy = pytest.mark.parametrize("strategy", ["qlearning", "random", "evolution", "pnas"])


async def refused(client: Connection, method: str, params: p.Params | None = None) -> str:
    with pytest.raises(RemoteError) as caught:
        await client.call(method, params)
    assert caught.value.code == p.ErrorCode.REFUSED
    return str(caught.value)


@every_strategy
async def test_every_method_answers_with_its_type(daemon: Callable[[str], Any], strategy: str) -> None:
    async with daemon(strategy) as client:
        one: p.TrialDetail = await client.call("trial", p.TrialParams(number=1))
        params: dict[str, p.Params] = {
            "trial": p.TrialParams(number=1),
            "queue_job": p.QueueJobParams(net=CELL if strategy == "pnas" else NET),
            "cancel_job": p.JobParams(id=1),
            "move_job": p.MoveJobParams(id=2, priority=3),
            "mark": p.MarkParams(number=1, star=True),
            "set": p.SetParams(settings=("executor.trial_timeout=90",)),
            "qlearning.neighbours": NeighboursParams(net=one.row.net),
        }
        for _ in range(2):  # for those that change a job
            await client.call("queue_job", params["queue_job"])
        names = [*p.OF_EVERY_RUN, *p.OF_STRATEGIES.get(strategy, {})]
        names.remove("hello")
        ending = ("cancel_job", "stop")  # the queued job is no longer queued once the running one is cancelled
        for name in sorted(names, key=lambda name: name in ending):
            answer = await client.call(name, params.get(name))
            assert type(answer) is p.METHODS[name].answer, name


@every_strategy
async def test_another_strategys_methods_are_refused(daemon: Callable[[str], Any], strategy: str) -> None:
    async with daemon(strategy) as client:
        for other in p.OF_STRATEGIES.keys() - {strategy}:
            for name in p.OF_STRATEGIES[other]:
                params = NeighboursParams(net=NET) if name == "qlearning.neighbours" else None
                assert f"this run's strategy is {strategy}" in await refused(client, name, params)


@every_strategy
async def test_status_and_its_stages_fit_together(daemon: Callable[[str], Any], strategy: str) -> None:
    async with daemon(strategy) as client:
        status: p.Status = await client.call("status")
        progress = status.progress
        assert (status.strategy, status.space) == (strategy, "cells" if strategy == "pnas" else "layers")
        assert progress.trials == sum(progress.by_status.values()) >= TRIALS
        assert progress.counted == sum(stage.done for stage in progress.stages)
        assert progress.total == sum(stage.of or 0 for stage in progress.stages)
        here = progress.stages[progress.stage]
        assert here.of is None or here.done < here.of
        assert [row.number for row in status.recent] == list(range(progress.trials, progress.trials - 10, -1))
        assert [row.reward for row in status.best] == sorted((row.reward for row in status.best), reverse=True)
        assert len({row.net for row in status.best}) == len(status.best)
        rewards: p.Rewards = await client.call("rewards", p.RewardsParams(points=10))
        assert [(s.label, s.done, s.of) for s in rewards.stages] == [(s.label, s.done, s.of) for s in progress.stages]
        assert sum(sum(stage.histogram) for stage in rewards.stages) == progress.counted
        assert len(rewards.points) <= 10
        numbers = [point.trial for point in rewards.points]
        assert numbers == sorted(set(numbers))
        newest = next(row for row in status.recent if row.counted)
        assert (numbers[-1], rewards.points[-1].reward) == (newest.number, newest.reward)
        assert rewards.points[-1].mean == pytest.approx(progress.rolling_reward)


@every_strategy
async def test_trials_are_paged_sorted_and_filtered(daemon: Callable[[str], Any], strategy: str) -> None:
    async def page(**asked: Any) -> p.TrialPage:
        found: p.TrialPage = await client.call("trials", p.TrialsParams(**asked))
        return found

    async with daemon(strategy) as client:
        status: p.Status = await client.call("status")
        labels = {stage.label for stage in status.progress.stages}
        every = await page(limit=p.MAX_PAGE)
        assert every.total == len(every.rows) == status.progress.trials
        assert [row.number for row in every.rows] == list(range(every.total, 0, -1))
        assert {row.stage for row in every.rows} <= labels
        assert (await page(offset=5, limit=3)).rows == every.rows[5:8]
        rewards = [row.reward for row in (await page(sort="reward", descending=False, limit=p.MAX_PAGE)).rows]
        assert rewards == sorted(rewards)
        evaluated = await page(status=("evaluated",), limit=p.MAX_PAGE)
        assert list(evaluated.rows) == [row for row in every.rows if row.status == "evaluated"]
        assert (await page(text=every.rows[0].net.lower(), limit=1)).total >= 1
        assert (await page(text="nothing like it")).rows == ()


@every_strategy
async def test_a_trial_has_its_row_and_a_graph(daemon: Callable[[str], Any], strategy: str) -> None:
    async with daemon(strategy) as client:
        rows = (await client.call("trials", p.TrialsParams(limit=10))).rows
        for row in rows:
            detail: p.TrialDetail = await client.call("trial", p.TrialParams(number=row.number))
            assert (detail.row.number, detail.row.net, detail.row.stage, detail.row.facts) == (
                row.number, row.net, row.stage, row.facts,
            )  # fmt: skip
            kinds = [node.kind for node in detail.graph.nodes]
            assert (kinds[0], kinds[-1]) == ("input", "classifier")
            assert all(0 <= a < b < len(kinds) for a, b in detail.graph.edges)
            if row.status == "evaluated":
                assert detail.validation_accuracies
                assert len(detail.validation_accuracies) == len(detail.train_accuracies)
        last = (await client.call("status")).progress.trials
        assert f"there is no trial {last + 7}: the newest is {last}" == await refused(
            client, "trial", p.TrialParams(number=last + 7)
        )


async def test_jobs_are_ordered_moved_and_cancelled(daemon: Callable[[str], Any]) -> None:
    async with daemon("random") as client:
        first, second = [await client.call("queue_job", p.QueueJobParams(net=NET)) for _ in range(2)]
        assert (first.id, second.id) == (1, 2)
        assert (await client.call("move_job", p.MoveJobParams(id=2, priority=3))).priority == 3
        paused = await client.call("move_job", p.MoveJobParams(id=2, priority=None, paused=True))
        assert (paused.status, paused.paused, paused.priority) == ("queued", True, 3)
        assert (await client.call("cancel_job", p.JobParams(id=2))).status == "cancelled"
        page: p.JobPage = await client.call("jobs")
        assert [job.id for job in page.rows] == [1, 2], "what has ended comes last"
        assert "there is no job 9" in await refused(client, "cancel_job", p.JobParams(id=9))


async def test_subscribers_hear_events_in_order(daemon: Callable[[str], Any]) -> None:
    async with daemon("random") as client:
        snapshot = await client.subscribe()
        await client.call("pause")
        expected, states = snapshot.seq, []
        async with asyncio.timeout(30):
            async for event in client.events():
                expected += 1
                assert event.seq == expected
                if isinstance(event, p.StateChanged):
                    states.append(event.state)
                if states and isinstance(event, p.MachineLoad):
                    break
        assert states[-1] in ("pausing", "paused")


async def test_the_log_is_paged_backwards(daemon: Callable[[str], Any]) -> None:
    async with daemon("random") as client:
        page: p.LogPage = await client.call("log", p.LogParams(limit=4))
        ids = [row.id for row in page.rows]
        assert ids == sorted(ids)
        before: p.LogPage = await client.call("log", p.LogParams(limit=4, before=ids[0]))
        assert all(row.id < ids[0] for row in before.rows)
        assert page.first >= 1


async def test_the_q_table_is_walked(daemon: Callable[[str], Any]) -> None:
    async with daemon("qlearning") as client:
        start: QPage = await client.call("qlearning.page", QParams(limit=p.MAX_PAGE))
        assert (start.path, start.depth, start.total) == ((), 0, len(start.actions))
        values = [action.q for action in start.actions]
        assert values == sorted(values, reverse=True)
        assert [action.greedy for action in start.actions] == [value == values[0] for value in values]
        part: QPage = await client.call("qlearning.page", QParams(offset=1, limit=2))
        assert (part.actions, part.total) == (start.actions[1:3], start.total)
        step: QPage = await client.call("qlearning.page", QParams(path=(start.actions[0].text,)))
        assert step.path == (start.actions[0].text,)
        assert "after 0 layers there is no action" in await refused(client, "qlearning.page", QParams(path=("X(1)",)))
        row = (await client.call("trials", p.TrialsParams(limit=1))).rows[0]
        known: Neighbours = await client.call("qlearning.neighbours", NeighboursParams(net=row.net))
        assert f"[{', '.join(one.action for one in known.steps)}]" == row.net
        assert all(1 <= one.rank <= one.alternatives and one.best_q >= one.q for one in known.steps)
        assert row.facts.keys() == {"epsilon"}


async def test_levels_and_their_cells_fit_the_trials(daemon: Callable[[str], Any]) -> None:
    async with daemon("pnas") as client:
        levels: pnas.Levels = await client.call("pnas.levels")
        assert [level.blocks for level in levels.levels] == list(range(1, len(levels.levels) + 1))
        first = levels.levels[0]
        assert 0 < first.done <= first.size
        assert first.correlation is None
        every: pnas.Cells = await client.call("pnas.cells", pnas.CellsParams(blocks=1))
        assert sorted(row.rank for row in every.cells) == list(range(1, every.total + 1))
        page: pnas.Cells = await client.call("pnas.cells", pnas.CellsParams(blocks=1, offset=2, limit=3))
        assert (page.cells, page.offset, page.total) == (every.cells[2:5], 2, every.total)
        for row in every.cells[-3:]:
            assert row.trial is not None
            trial = (await client.call("trial", p.TrialParams(number=row.trial))).row
            assert (trial.net, trial.reward, row.state == "done") == (row.net, row.reward, trial.counted)
        odd: pnas.Cells = await client.call("pnas.cells", pnas.CellsParams(blocks=-4, offset=-5, limit=-1))
        assert (odd.blocks, len(odd.cells)) == (len(levels.levels), 1), "nonsense is not an internal error"
        outcomes: pnas.Outcomes = await client.call("pnas.outcomes", pnas.OutcomesParams(blocks=1))
        assert outcomes.pairs == (), "the first level is not predicted"


async def test_a_population_is_young_before_old(daemon: Callable[[str], Any]) -> None:
    async with daemon("evolution") as client:
        every: Population = await client.call("evolution.population")
        assert [member.age for member in every.members] == list(range(every.total))
        assert 0 < every.total <= every.size
        trials = [member.trial for member in every.members]
        assert trials == sorted(trials, reverse=True)
        page: Population = await client.call("evolution.population", PopulationParams(offset=2, limit=3))
        assert (page.members, page.offset, page.total) == (every.members[2:5], 2, every.total)
        odd: Population = await client.call("evolution.population", PopulationParams(offset=-5, limit=-1))
        assert len(odd.members) <= 1, "nonsense is not an internal error"
        for member in every.members:
            row = (await client.call("trial", p.TrialParams(number=member.trial))).row
            assert (row.net, row.reward, row.facts.get("parent")) == (member.net, member.reward, member.parent)

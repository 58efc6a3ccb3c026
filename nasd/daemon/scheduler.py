"""The search loop: propose, evaluate, observe, commit; in an order that does not depend on how fast anything is."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from nasd.daemon import committing
from nasd.daemon.trial_rows import make_trial
from nasd.evaluators.base import Answer, File, Planner
from nasd.evaluators.orders import Evaluation, Think
from nasd.executors.base import Executor, Finished, Task
from nasd.outcome import Failed, decode_outcome, encode_outcome
from nasd.runs.changing import Prepared
from nasd.runs.opening import stored
from nasd.strategies.base import Learned, Proposal, Strategy, Work
from store import Delta, OpenProposal, Run, StoreError, Trial
from store import Learned as StoredLearned

log = logging.getLogger("nasd.search")

FAILURES = 10  # failed evaluations in a row after which the search pauses
STANDSTILL = 1000  # trials in a row that do not count, after which it pauses too


@dataclass
class Flight:
    """A proposal that has not been observed yet; `task` and `evaluation` once a worker was asked for it."""

    proposal: Proposal
    task: Task | None = None
    evaluation: asyncio.Future[Finished] | None = None


@dataclass
class Scheduler:
    """Owns the strategy. All calls on it are made here, one after the other, in a fixed order."""

    run: Run
    strategy: Strategy
    executor: Executor
    planner: Planner
    seed: int
    order: Literal["ordered", "async"]
    lookahead: int
    keep_embeddings: int
    on_trial: Callable[[Trial, float], None]  # the committed row, seconds since the last one
    on_change: Callable[[], None]  # what `activity` says may have changed
    trouble: Callable[[str | None], None]  # what keeps the search from going on
    on_failures: Callable[[str], None]  # nothing works, or nothing moves: pause, and tell a person
    paused: bool = False
    _not_searching: str | None = "starting"  # what `activity` says then
    _flights: list[Flight] = field(default_factory=list)
    _observed: int = 0
    _failures: int = 0
    _uncounted: int = 0  # trials in a row
    _thinking: Work | None = None  # what a worker thinks for the strategy
    _floor: float = 0.0  # the best reward whose embedding had to go for want of space
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _step: asyncio.Lock = field(default_factory=asyncio.Lock)  # held until all that a step changed is committed
    _last_end: float = field(default_factory=time.monotonic)

    def restore(self, open_proposals: Sequence[Proposal], arrived: Mapping[int, str], observed: int) -> None:
        """Take up where the checkpoint ends: its open proposals, the outcomes that had arrived ahead of their turn, and
        how many trials were observed.
        """
        self._flights = [Flight(proposal) for proposal in open_proposals]
        self._observed = observed
        self.planner.restore(self.run.looks())
        for flight in self._flights:
            if (outcome := arrived.get(flight.proposal.number)) is not None:
                done: asyncio.Future[Finished] = asyncio.get_running_loop().create_future()
                done.set_result(Finished(decode_outcome(outcome)))
                flight.evaluation = done

    def pause(self, paused: bool) -> None:
        """Start no further evaluation, or go on. What a worker is at comes to its end; what waits for one does not
        start.
        """
        self.paused = paused
        self._last_end = time.monotonic()  # a pause is not part of the search's pace
        for flight in self._flights if paused else ():
            if flight.evaluation and flight.task and not flight.task.running and not flight.evaluation.done():
                flight.evaluation.cancel()
                flight.task = flight.evaluation = None
        self._wake.set()

    async def change(self, prepare: Callable[[], Awaitable[Prepared | None]]) -> Prepared | None:
        """Go on under another config, between two steps; what is under way comes to its end.

        Args:
            prepare: Says how, when nothing is half done; None: there is nothing to change.

        Raises:
            StoreError: The disk refuses; nothing is changed. Besides, whatever `prepare` raises.
        """
        async with self._step:
            prepared = await prepare()
            if prepared is None:
                return None
            self.run.commit(prepared.delta)
            self.strategy = prepared.strategy
            self._flights += map(Flight, prepared.opened)
            search, store = prepared.config.search, prepared.config.store
            self.lookahead, self.keep_embeddings = search.lookahead or self.lookahead, store.keep_embeddings
        self._wake.set()
        return prepared

    @property
    def activity(self) -> str:
        """What the search is doing, in words."""
        if self._not_searching:
            return self._not_searching
        numbers = [str(flight.proposal.number) for flight in self._flights if flight.task and flight.task.running]
        if numbers:
            what = f"evaluating trial{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"
            return f"{what}, then pausing" if self.paused else what
        if self._thinking is not None:
            return self._thinking.name
        if self.paused:
            return "paused"
        return "waiting for a worker" if self.busy else "saving a trial"

    @property
    def busy(self) -> bool:
        """Whether an evaluation, or thinking, is under way."""
        return self._thinking is not None or any(
            flight.evaluation is not None and not flight.evaluation.done() for flight in self._flights
        )

    @property
    def open(self) -> tuple[Proposal, ...]:
        """What has not been observed yet."""
        return tuple(flight.proposal for flight in self._flights)

    async def search(self) -> None:
        """Run to the end of the schedule. Cancel to stop: what is not committed will be done again."""
        self._not_searching = None
        try:
            await self._think()
            async with self._step:
                if opened := self._propose():
                    await self._commit(Delta(opened=opened, position=self.strategy.position()))
            while not self.strategy.finished:
                self._dispatch()
                flight = await self._next()
                finished = flight.evaluation.result() if flight.evaluation else None
                async with self._step:
                    trial, seconds = await self._observe(flight, finished)
                self.on_trial(trial, seconds)
                self._watch(trial)
                await asyncio.sleep(0)  # a row of duplicates must not shut out the clients
                await self._think()
        finally:
            await self._drop()
            self._not_searching = "stopped"
        self.run.embeddings.sweep()  # of proposals that were ahead of the end
        self._not_searching = "the search is finished"
        self.on_change()

    async def _think(self) -> None:
        """Have a worker think what the strategy has to know before it goes on, and commit the answer."""
        while (work := self.strategy.work()) is not None:
            self._dispatch()
            await self._until_resumed()
            for name in work.files:  # a flipped bit would be thought on with
                await asyncio.to_thread(self.run.files.check, name)
            self._thinking = work
            self.on_change()
            try:
                finished = await self.executor.evaluate(Task(order=partial(self._thought, work), timeout="step"))
            finally:
                self._thinking = None
            if not isinstance(finished.result, Answer):
                reason = finished.result.reason if isinstance(finished.result, Failed) else "it gave no answer"
                self.on_failures(f"{work.name} failed, the search is paused: {reason}")
                continue
            answer = Learned(finished.result.payload, tuple(finished.files))
            async with self._step:
                if self.strategy.work() != work:  # what is wanted was changed meanwhile
                    continue
                self.strategy.learn(answer)
                learned = await self._stored(answer, finished)
                opened = self._propose()
                await self._commit(Delta(learned=learned, position=self.strategy.position(), opened=opened))
            log.info("%s: done", work.name)

    def _thought(self, work: Work) -> Think:
        """What a worker is asked for a strategy's work."""
        inputs = {name: str(self.run.files.path(name)) for name in work.files}
        return Think(name=work.name, request=work.request, inputs=inputs)

    async def _until_resumed(self) -> None:
        while self.paused:
            self._wake.clear()
            await self._wake.wait()
        self._dispatch()

    def _propose(self) -> tuple[OpenProposal, ...]:
        """Ask for as many proposals as there is room for, unless the strategy has to think first."""
        room = self.lookahead - len(self._flights)
        if room <= 0 or self.strategy.finished or self.strategy.work() is not None:
            return ()
        proposals = self.strategy.propose(room)
        if not proposals and not self._flights:
            raise RuntimeError("the strategy proposes nothing, and nothing is open that it could wait for")
        self._flights += [Flight(proposal) for proposal in proposals]
        return stored(proposals)

    def _dispatch(self) -> None:
        """Ask for the evaluations that the open proposals need, unless paused."""
        if self.paused:
            return
        for flight in self._flights:
            proposal = flight.proposal
            if proposal.kind == "evaluate" and flight.evaluation is None:
                flight.task = Task(
                    order=partial(self._order, proposal), trial=proposal.number, timeout=self.planner.timeout
                )
                evaluation = self._evaluate(flight, flight.task)
                flight.evaluation = asyncio.create_task(evaluation, name=f"trial-{proposal.number}")

    def _order(self, proposal: Proposal) -> Evaluation:
        """What a worker is asked for a proposal."""
        return self.planner.trial(
            proposal.net,
            proposal.number,
            after=proposal.number - self.lookahead,
            keep_above=self._keep_above(),
            facts=proposal.facts,
            file=self.run.files.path,
        )

    async def _evaluate(self, flight: Flight, task: Task) -> Finished:
        """Have a worker do it. What arrives ahead of its turn is committed, so that a kill does not cost it.

        Raises:
            DamagedError: A file of the run that it begins with is not what was committed.
        """
        for name in self.planner.reads(flight.proposal.facts):
            await asyncio.to_thread(self.run.files.check, name)
        finished = await self.executor.evaluate(task)
        early = self.order == "ordered" and self._flights and self._flights[0] is not flight
        if early and not finished.files:  # a file that no row refers to would not outlast a restart
            await self._commit(Delta(arrived={flight.proposal.number: encode_outcome(finished.outcome)}))
        return finished

    async def _next(self) -> Flight:
        """Wait for the flight whose turn it is to be observed, and take it out."""
        while True:
            waiting = self._flights[:1] if self.order == "ordered" else self._flights
            for flight in waiting:
                if self._ready(flight):
                    self._flights.remove(flight)
                    return flight
            evaluations = [flight.evaluation for flight in waiting if flight.evaluation is not None]
            self.on_change()
            self._wake.clear()
            woken = asyncio.create_task(self._wake.wait())
            waited: list[asyncio.Future[Any]] = [woken, *evaluations]
            try:
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            finally:
                woken.cancel()
            self._dispatch()

    def _ready(self, flight: Flight) -> bool:
        if flight.proposal.kind == "evaluate":
            return flight.evaluation is not None and flight.evaluation.done()
        if self.paused:
            return False
        if flight.proposal.kind == "duplicate":
            return not any(  # its original is still under way, in `async` mode
                other.proposal.kind != "duplicate" and other.proposal.net == flight.proposal.net
                for other in self._flights
            )
        return True

    async def _observe(self, flight: Flight, finished: Finished | None) -> tuple[Trial, float]:
        """Returns the committed row, and the seconds since the last one."""
        outcome = finished.outcome if finished else None
        observed = self.strategy.observe(flight.proposal, outcome)
        self._observed += 1
        now = time.monotonic()
        seconds, self._last_end = now - self._last_end, now
        trial = make_trial(flight.proposal, observed, outcome, order=self._observed, seed=self.seed)
        opened = self._propose()
        dropped: tuple[int, ...] = ()
        if finished and (embedding := finished.files.get("embedding")):
            trial, dropped = await self._keep(trial, embedding)
        delta = Delta(
            trial=trial,
            learned=await self._stored(observed.learned, finished),
            position=self.strategy.position(),
            opened=opened,
            dropped_embeddings=dropped,
            dropped_files=self._there(observed.dropped_files),
        )
        await self._commit(delta)
        self.planner.observed(trial.number, self._observed, outcome)
        log.info("trial %d %s: reward %.4f %s", trial.number, trial.status, trial.reward, trial.net)
        return trial, seconds

    def _watch(self, trial: Trial) -> None:
        """Pause when nothing works any more: what is learned from a broken box is not worth learning. And when nothing
        moves: a search ends by trials that count, which a space of infeasible and failed architectures does not have.
        """
        if trial.status == "failed":
            self._failures += 1
            log.warning("trial %d failed: %s", trial.number, trial.reason)
        elif trial.status in ("evaluated", "early_stopped"):
            self._failures = 0
        if self._failures >= FAILURES:
            self._failures = 0
            self.on_failures(
                f"the last {FAILURES} evaluations all failed, the search is paused; the last one: {trial.reason}"
            )
        self._uncounted = 0 if trial.counted else self._uncounted + 1
        if self._uncounted >= STANDSTILL:
            self._uncounted = 0
            self.on_failures(
                f"none of the last {STANDSTILL:,} trials counts, the search is paused: all that it still proposes is "
                "infeasible, or failed before; make another run with a larger space, or resume this one to try on"
            )

    async def _commit(self, delta: Delta) -> None:
        await committing.commit(self.run, delta, self.trouble)

    def embeddings_dropped(self, best_reward: float) -> None:
        """Keep no embedding of a lower reward than one that had to go for want of space."""
        self._floor = max(self._floor, best_reward)

    def _keep_above(self) -> float | None:
        """The reward above which a trial's embedding is worth keeping."""
        if self.keep_embeddings == 0:
            return None
        kept = self.run.embeddings.kept()
        return max(self._floor, min(kept.values()) if len(kept) >= self.keep_embeddings else 0.0)

    async def _stored(self, learned: Learned | None, finished: Finished | None) -> StoredLearned | None:
        """What a strategy learned; the files that came with it are given their place in the run, where the row names
        them by hash, and those that came earlier stay where they are.
        """
        if learned is None:
            return None
        files, come = [], finished.files if finished else {}
        earlier = self.run.files.referred_to() if learned.files else {}
        for name in learned.files:
            if name in come:
                staged = await come[name].fetch()
                files.append(await committing.persist(partial(self.run.files.adopt, staged, name), self.trouble))
            elif name not in earlier:
                raise ValueError(f"what was learned refers to {name}, which neither came with it nor is kept")
        return StoredLearned(learned.payload, tuple(files))

    def _there(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of these files that the run has: one that was forked from another has not all that this one had."""
        kept = self.run.files.referred_to() if names else {}
        return tuple(name for name in names if name in kept)

    async def _keep(self, trial: Trial, embedding: File) -> tuple[Trial, tuple[int, ...]]:
        """Give a staged embedding its name, and say whose goes: the worst reward's, the latest of equals."""
        ranking = {**self.run.embeddings.kept(), trial.number: trial.reward}
        ranked = sorted(ranking, key=lambda number: (-ranking[number], number))
        dropped = ranked[self.keep_embeddings :]
        if trial.number in dropped:  # another worker's trial took the place meanwhile
            await embedding.discard()
            return trial, ()
        try:
            name = self.run.embeddings.adopt(await embedding.fetch(), f"trial-{trial.number:06d}.zarr")
        except (StoreError, OSError) as error:  # the result counts, with or without its embedding
            log.warning("the embedding of trial %d is not kept: %s", trial.number, error)
            return trial, ()
        return replace(trial, embedding=name), tuple(dropped)

    async def _drop(self) -> None:
        """End what is under way."""
        evaluations = [flight.evaluation for flight in self._flights if flight.evaluation is not None]
        for evaluation in evaluations:
            evaluation.cancel()
        await asyncio.gather(*evaluations, return_exceptions=True)
        for flight in self._flights:  # a search that is lengthened goes on with them
            if not (flight.evaluation and _is_kept(flight.evaluation)):
                flight.task = flight.evaluation = None


def _is_kept(evaluation: asyncio.Future[Finished]) -> bool:
    """Whether an evaluation's end outlasts the search's: its result is there, and no file of it that may be swept."""
    if not evaluation.done() or evaluation.cancelled() or evaluation.exception() is not None:
        return False
    return not evaluation.result().files

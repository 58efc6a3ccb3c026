"""`nasd verify`: the run is a pure function of its config, its seed and its rows; replay it and compare."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from nasd import rooms
from nasd.errors import NasdError
from nasd.outcome import Evaluated, Failed, Outcome, epoch_in
from nasd.runs import changes
from nasd.runs.changes import Change
from nasd.runs.changing import goes_on, propose
from nasd.runs.opening import proposal_of
from nasd.strategies.base import Learned, Proposal
from store import DamagedError, Run, Step, Trial, soundness
from store import Learned as StoredLearned
from store.soundness import Problem


@dataclass(frozen=True, slots=True)
class Report:
    """What was found of a run."""

    trials: int  # that were replayed, and agree
    digest: str | None  # None: the database cannot be read
    problems: tuple[Problem, ...]


def examine(run: Run) -> Report:
    """Check every file, and replay every trial. Damage is a problem in the report, not an error.

    Raises:
        DiskError: Something could not be read at all.
    """
    problems, replayed, digest = soundness.check(run), 0, None
    if not any(problem.where == "run.db" for problem in problems):  # else there is nothing to trust a replay with
        try:
            for _ in replay(run):
                replayed += 1
        except NasdError as error:
            problems.append(Problem("replay", str(error)))
    with contextlib.suppress(DamagedError):
        digest = soundness.digest(run)
    return Report(replayed, digest, tuple(problems))


class MismatchError(NasdError):
    """The replay gives something else than what is stored; the message names the first trial where it does."""


def replay(run: Run) -> Iterator[int]:
    """Make all the calls on the strategy that the daemon made, and compare each answer with the stored one bit by bit.

    What a worker thought out is taken from the store: its hash is checked there, and nobody thinks it again. So are the
    rows of another search that were imported, and the proposals that were open behind them.

    Yields:
        The number of each trial that agrees, in the order of observation.

    Raises:
        MismatchError: A trial or the final position does not agree.
        StoreError: The run cannot be read.
    """
    checkpoint = run.checkpoint()
    if checkpoint.position is None:
        return  # nothing was ever proposed
    again = _Replay(run, changes.of_flags(run, checkpoint.flags))
    imported: list[bytes] = []
    begun = False
    for step in run.steps(last=checkpoint.trials, newest=checkpoint.learned):  # the search may go on meanwhile
        if step.trial is not None and step.trial.imported:
            imported += [step.learned.payload] if step.learned else []
            again.count(step)
            yield step.trial.number
            continue
        if not begun:
            again.begin(imported)
            begun = True
        again.change()
        again.count(step)
        if step.trial is None:
            again.learn(step.learned)
        else:
            again.observe(step.trial, step.learned)
            yield step.trial.number
    if not begun:
        again.begin(imported)
    again.change()
    if checkpoint.position != (end := again.strategy.position()):
        raise MismatchError(f"{run.path}: the stored position is {checkpoint.position}, the replay ends at {end}")


class _Replay:
    """A strategy, the proposals that it has open, and the changes of its config that are to come."""

    def __init__(self, run: Run, to_come: tuple[Change, ...]) -> None:
        self.run, self.made, self.to_come = run, tuple[Change, ...](), to_come
        self.observed = self.learned = 0  # trials and payloads so far
        self.open: dict[int, Proposal] = {}
        self.files = set[str]()  # names of those that came so far
        self.config = changes.config_with(run, ())
        self.strategy = rooms.strategy(self.config, rooms.space(self.config))

    def count(self, step: Step) -> None:
        """What a step holds comes to be stored."""
        self.observed += step.trial is not None
        self.learned += step.learned is not None

    def begin(self, imported: list[bytes]) -> None:
        """Stand where the first trial of this search's own is to be observed."""
        proposals = tuple(map(proposal_of, self.run.proposals(after=len(imported)))) if imported else ()
        while self._due(self.observed if imported else changes.BEFORE_ALL):
            self._take()
        self.strategy = rooms.strategy(self.config, rooms.space(self.config))
        if not imported:
            return self.propose()
        self.open = {proposal.number: proposal for proposal in proposals}
        try:
            self.strategy.restore(self.run.position(len(imported)), imported, proposals)
        except ValueError as error:
            raise MismatchError(f"the imported rows cannot have been taken over: {error}") from error

    def change(self) -> None:
        """Go on under the config that was set here, if there is one."""
        while self._due(self.observed):
            self._take()
            try:
                self.strategy = goes_on(self.run, self.config, self.strategy, self.learned, tuple(self.open.values()))
            except ValueError as error:
                raise MismatchError(f"after {self.observed} trials nothing can have been set: {error}") from error
            self.propose()

    def _due(self, observed: int) -> bool:
        return bool(self.to_come) and self.to_come[0].at <= observed and self.to_come[0].learned <= self.learned

    def _take(self) -> None:
        self.made, self.to_come = (*self.made, self.to_come[0]), self.to_come[1:]
        self.config = changes.config_with(self.run, self.made)

    def propose(self) -> None:
        """As the scheduler does."""
        room = (self.config.search.lookahead or 1) - len(self.open)
        self.open |= {p.number: p for p in propose(self.strategy, room)}

    def learn(self, answer: StoredLearned | None) -> None:
        """Take what a worker thought out."""
        taken = _learned(answer)
        self.files.update(taken.files)
        try:
            self.strategy.learn(taken)
        except ValueError as error:
            raise MismatchError(f"an answer of a worker cannot have been taken where it was: {error}") from error
        self.propose()

    def observe(self, trial: Trial, stored: StoredLearned | None) -> None:
        """Observe a trial again, and compare all that comes of it."""
        proposal = self.open.pop(trial.number, None)
        if proposal is None:
            raise MismatchError(f"trial {trial.number} was not open when it was observed")
        try:
            again = self.strategy.observe(proposal, _outcome(trial, proposal))
        except ValueError as error:
            raise MismatchError(f"trial {trial.number} cannot have been observed where it was: {error}") from error
        net = again.net or proposal.net
        if (net, proposal.stage) != (trial.net, trial.stage):
            raise MismatchError(
                f"trial {trial.number} is stored as {trial.net} ({trial.stage}), the replay proposes "
                f"{net} ({proposal.stage})"
            )
        for name, kept, computed in (
            ("reward", trial.reward, again.reward),
            ("count", trial.counted, again.counted),
            ("original", trial.duplicate_of, again.duplicate_of),
            ("facts", trial.facts, {**proposal.facts, **again.facts}),
        ):
            if kept != computed:
                raise MismatchError(f"trial {trial.number} is stored with {name} {kept}, the replay gives {computed}")
        if not self._same(stored, again.learned):
            raise MismatchError(f"trial {trial.number}: what was learned of it differs from what the replay gives")
        self.propose()

    def _same(self, stored: StoredLearned | None, again: Learned | None) -> bool:
        """Whether a payload is the same, and the files that came with it: the store names no file twice."""
        if stored is None or again is None:
            return stored is None and again is None
        come = tuple(name for name in again.files if name not in self.files)
        self.files.update(come)
        return _learned(stored) == Learned(again.payload, come)


def _learned(stored: StoredLearned | None) -> Learned:
    if stored is None:
        raise MismatchError("a step of the run holds neither a trial nor anything that was learned")
    return Learned(stored.payload, tuple(file.name for file in stored.files))


def _outcome(trial: Trial, proposal: Proposal) -> Outcome | None:
    if proposal.kind != "evaluate":
        return None
    if trial.status == "failed":
        return Failed(reason=trial.reason or "")
    return Evaluated(
        reward=trial.reward,
        validation_accuracies=trial.validation_accuracies,
        train_accuracies=trial.train_accuracies,
        test_accuracy=trial.test_accuracy,
        early_stopped=trial.status == "early_stopped",
        embedding_dim=trial.embedding_dim or 0,
        micro_batch=trial.micro_batch or 0,
        supernet=epoch_in(trial.metrics),
    )

"""ENAS as in LightNAS (arXiv 1802.03268): a trial is an epoch, in which shared weights and controller learn.

Both learn in the worker; what they are is the file of an epoch, and the numbers of it are what is learned of a trial.
The strategy says which epoch comes next and from which file, and which files are of no use any more.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nasd.config import Config, EnasConfig
from nasd.outcome import Evaluated, Failed, Outcome
from nasd.spaces.base import GrammarError
from nasd.spaces.supernet import Supernet, SupernetSpace
from nasd.strategies.base import Learned, Observed, Progress, Proposal, Stage, Training, Work
from nasd.strategies.enas.rows import Best, Row, best_derived, decode, encode, file_of, kept

STAGE = "epochs"
DERIVED = "derived"
"""The group of trainings from scratch that holds the controller's architectures."""


class Enas:
    """See `nasd.strategies.base.Strategy`. One epoch is open at a time: each begins where the last one ended.

    An epoch that fails is tried again, with another seed. One whose derived architecture is never right has reward 0:
    it is trained, and does not count.

    Attributes:
        rows: All trials, in the order of observation.
        trained: Those that came to an end, an epoch each.
    """

    def __init__(self, config: Config, space: SupernetSpace) -> None:
        self.config, self.space = config, space
        self.search = EnasConfig.of(config.search)
        self.rows: list[Row] = []
        self.trained: list[Row] = []
        self.open: Proposal | None = None

    @property
    def finished(self) -> bool:
        """Whether all epochs are trained."""
        return len(self.trained) >= self.search.epochs

    @property
    def derived(self) -> tuple[Best, ...]:
        """The best distinct architectures so far, at most `search.derive`."""
        return best_derived(self.trained, self.search.derive)

    def propose(self, room: int) -> tuple[Proposal, ...]:
        """The next epoch, unless there is one open."""
        if room < 1 or self.finished or self.open is not None:
            return ()
        self.open = self._next()
        return (self.open,)

    def observe(self, proposal: Proposal, outcome: Outcome | None) -> Observed:
        """Note what an epoch came to. Raises as `Strategy.observe`."""
        if self.open is None or proposal != self.open:
            raise ValueError(f"proposal {proposal.number} was never made or has been observed already")
        row = self._row(proposal, outcome)
        before = self._kept()
        self._add(row)
        self.open = None
        if row.epoch is None or row.file is None:
            return Observed(0.0, False, None, Learned(encode(row)), net=self._last_net(proposal.number))
        dropped = (before | {row.file}) - self._kept()
        if row.file in dropped:
            raise AssertionError("the newest file is kept")
        return Observed(
            reward=row.reward,
            counted=row.reward > 0,
            duplicate_of=None,
            learned=Learned(encode(row), (row.file,)),
            facts=self._facts(row),
            net=row.epoch.net,
            dropped_files=tuple(sorted(dropped)),
        )

    def work(self) -> Work | None:
        """None: what is heavy is part of an epoch."""
        return None

    def learn(self, answer: Learned) -> None:
        """Never called: there is no work."""
        raise ValueError("this strategy has no work whose answer this could be")

    def progress(self) -> Progress:
        """Epochs that counted, of those that can."""
        worthless = sum(row.reward == 0 for row in self.trained)
        done, of = len(self.trained) - worthless, self.search.epochs - worthless
        return Progress(done, of, 0, (Stage(STAGE, done, of),))

    def trainings(self) -> tuple[Training, ...]:
        """The best derived architectures, with their accuracies by the last epoch's weights, where it judged them all
        (it does not where it came to be the last by a change of `search.epochs`); else each with its own epoch's.
        """
        best, last = self.derived, self.trained[-1].epoch if self.trained else None
        judged = {one.net: one.accuracy for one in last.judged} if last is not None else {}
        comparable = all(one.net in judged for one in best)
        return tuple(
            Training(one.net, one.number, DERIVED, judged[one.net] if comparable else one.reward) for one in best
        )

    def position(self) -> dict[str, Any]:
        """How many trials there were; all else follows from the rows."""
        return {"trials": len(self.rows), "open": self.open is not None}

    def restore(self, position: Mapping[str, Any] | None, learned: Iterable[bytes], open: Sequence[Proposal]) -> None:
        """Take up where a checkpoint ends. Raises as `Strategy.restore`."""
        fresh = type(self)(self.config, self.space)
        for payload in learned:
            row = decode(payload)
            if row.number != len(fresh.rows) + 1:
                raise ValueError(f"trial {row.number} comes where trial {len(fresh.rows) + 1} is due")
            if row.epoch is not None:
                fresh._parse(row.epoch.net)
            fresh._add(row)
        for proposal in open:
            if (due := fresh._next()) != proposal or fresh.open is not None:
                raise ValueError(f"open proposal {proposal.number} is not {due.net}, which comes next")
            fresh.open = proposal
        if position is None and (fresh.rows or fresh.open):
            raise ValueError("the strategy's position is missing though trials have been made")
        if position is not None and dict(position) != fresh.position():
            raise ValueError(f"the strategy's position is {dict(position)}, the rows lead to {fresh.position()}")
        self.__dict__.update(fresh.__dict__)

    def _next(self) -> Proposal:
        number, epoch = len(self.rows) + 1, len(self.trained) + 1
        tries = number - (self.trained[-1].number if self.trained else 0)
        net = f"epoch {epoch}" + (f", try {tries}" if tries > 1 else "")
        begin = self.trained[-1].file if self.trained else None
        facts = {"epoch": epoch, "reads": begin, "writes": file_of(number)}
        return Proposal(number, net, "evaluate", STAGE, facts)

    def _row(self, proposal: Proposal, outcome: Outcome | None) -> Row:
        if outcome is None:
            raise ValueError(f"proposal {proposal.number} of kind 'evaluate' needs an outcome")
        if isinstance(outcome, Failed):
            return Row(proposal.number, 0.0)
        assert isinstance(outcome, Evaluated)
        if outcome.supernet is None:
            raise ValueError(f"the outcome of proposal {proposal.number} is none of an epoch of a supernet")
        self._parse(outcome.supernet.net)
        return decode(encode(Row(proposal.number, outcome.reward, file_of(proposal.number), outcome.supernet)))

    def _add(self, row: Row) -> None:
        self.rows.append(row)
        if row.epoch is not None:
            self.trained.append(row)

    def _kept(self) -> set[str]:
        return kept(self.trained, self.search.keep, self.search.keep_every)

    def _facts(self, row: Row) -> dict[str, Any]:
        """What is to be shown of the derived architecture and of the controller."""
        assert row.epoch is not None
        architecture = self._parse(row.epoch.net)
        return {
            "bytes": self.space.size(architecture).bytes,
            "latency": self.space.latency(architecture),
            "entropy": row.epoch.entropy,
            "mean_reward": row.epoch.mean_reward,
            "baseline": row.epoch.baseline,
        }

    def _last_net(self, number: int) -> str:
        """What a failed epoch's row names: the architecture derived before it, at first that of the first choices."""
        for row in reversed(self.trained):
            if row.epoch is not None and row.number < number:
                return row.epoch.net
        return str(self.space.make((0,) * len(self.space.choices)))

    def _parse(self, net: str) -> Supernet:
        try:
            return self.space.parse(net)
        except GrammarError as error:
            raise ValueError(f"what was derived is none of this space: {error}") from error

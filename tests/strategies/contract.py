"""What every strategy does, whatever it searches: a subclass of `StrategyContract` has a fixture `case`."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from random import Random
from typing import Any

import pytest

from nasd.outcome import Evaluated, Failed, Outcome
from nasd.strategies.base import Learned, Observed, Proposal, Strategy, Work


def evaluated(reward: float) -> Evaluated:
    return Evaluated(
        reward=reward,
        validation_accuracies=(reward,),
        train_accuracies=(reward,),
        test_accuracy=None,
        early_stopped=False,
        embedding_dim=1,
        micro_batch=1,
    )


def scripted(proposal: Proposal) -> Outcome:
    """A reward that depends on the architecture alone; one in eight fails."""
    digest = sha256(proposal.net.encode()).digest()
    return Failed(reason="It does not fit.") if digest[0] < 32 else evaluated((1 + digest[1]) / 256)


@dataclass(frozen=True)
class Case:
    """A strategy under the contract.

    Attributes:
        make: A strategy of this seed before its first trial; the search it makes ends within `longest` observations.
        longest: Observations that a search takes at most.
        evaluate: The outcome of a proposal of kind `evaluate`, the same whenever it is asked.
        think: What a worker does with the strategy's work; None: it has none.
        waits: Whether a room as large as the search makes it wait for what is open.
        draws: Whether proposals depend on the seed.
        outcome: An outcome of this reward, such as the strategy's evaluator gives.
    """

    make: Callable[[int], Strategy]
    longest: int = 200
    evaluate: Callable[[Proposal], Outcome] = scripted
    think: Callable[[Work], Learned] | None = None
    waits: bool = False
    draws: bool = True
    outcome: Callable[[float], Evaluated] = evaluated


@dataclass
class Search:
    """A search as the daemon makes it, and what a store would keep of it: bytes and JSON."""

    case: Case
    strategy: Strategy
    room: int = 1
    learned: list[bytes] = field(default_factory=list)
    position: str | None = None
    open: list[Proposal] = field(default_factory=list)
    trials: list[tuple[Proposal, Observed]] = field(default_factory=list)
    proposed: list[Proposal] = field(default_factory=list)

    @classmethod
    def begin(cls, case: Case, room: int = 1, seed: int = 1) -> "Search":
        strategy = case.make(seed)
        strategy.restore(None, [], [])
        search = cls(case, strategy, room)
        search.think_and_propose()
        return search

    def step(self, pick: Callable[[list[Proposal]], int] = lambda _: 0) -> bool:
        """Observe one of the open proposals and propose again; False at the end."""
        if self.strategy.finished:
            return False
        ready = [p for p in self.open if p.kind != "duplicate" or self.original_is_observed(p)]
        proposal = ready[pick(ready)]
        self.open.remove(proposal)
        outcome = self.case.evaluate(proposal) if proposal.kind == "evaluate" else None
        observed = self.strategy.observe(proposal, outcome)
        if observed.learned is not None:
            self.learned.append(observed.learned.payload)
        self.trials.append((proposal, observed))
        self.think_and_propose()
        return True

    def think_and_propose(self) -> None:
        while (work := self.strategy.work()) is not None:
            assert self.case.think is not None
            assert self.strategy.work() == work
            answer = self.case.think(work)
            self.strategy.learn(answer)
            self.learned.append(answer.payload)
        if not self.strategy.finished and self.room > len(self.open):
            proposals = self.strategy.propose(self.room - len(self.open))
            self.open += proposals
            self.proposed += proposals
        self.position = json.dumps(self.strategy.position())

    def original_is_observed(self, proposal: Proposal) -> bool:
        return any(trial.net == proposal.net for trial, _ in self.trials)

    def resumed(self) -> "Search":
        """The same search in a strategy that knows no more of it than a store does."""
        strategy = self.case.make(1)
        open_ = [Proposal(**json.loads(json.dumps(asdict(proposal)))) for proposal in self.open]
        strategy.restore(None if self.position is None else json.loads(self.position), iter(self.learned), open_)
        return Search(
            self.case,
            strategy,
            self.room,
            list(self.learned),
            self.position,
            open_,
            list(self.trials),
            list(self.proposed),
        )

    def state(self) -> Any:
        return self.strategy.position(), self.strategy.progress(), self.strategy.finished, self.strategy.work()


class StrategyContract:
    """Tests that every strategy passes."""

    @pytest.mark.parametrize(("room", "shuffled"), [(1, False), (3, False), (4, True)])
    def test_a_search_restored_at_any_trial_goes_on_bit_for_bit(self, case: Case, room: int, shuffled: bool) -> None:
        random, again = Random(room), Random(room)

        def pick_by(random: Random) -> Callable[[list[Proposal]], int]:
            return lambda ready: random.randrange(len(ready)) if shuffled else 0

        search, other = Search.begin(case, room), Search.begin(case, room)
        steps = 0
        while search.step(pick_by(random)):
            other = other.resumed()  # every trial is made by a strategy that has just been restored
            assert other.state() == other.resumed().state()
            assert other.step(pick_by(again))
            assert other.state() == search.state()
            steps += 1
            assert steps <= case.longest
        assert other.trials == search.trials
        assert other.learned == search.learned

    def test_the_same_seed_twice_and_another(self, case: Case) -> None:
        searches = [Search.begin(case, seed=seed) for seed in (5, 5, 6)]
        for search in searches:
            while search.step() and len(search.trials) < 30:
                pass
        assert searches[0].trials == searches[1].trials
        if case.draws:
            assert [p.net for p in searches[0].proposed] != [p.net for p in searches[2].proposed]

    @pytest.mark.parametrize("room", [1, 3, 1000])
    def test_proposals_are_numbered_labelled_and_of_the_right_kind(self, case: Case, room: int) -> None:
        search, known, numbers = Search.begin(case, room), set[str](), 0
        labels = {stage.label for stage in search.strategy.progress().stages}
        while True:
            assert len(search.open) <= room
            for proposal in search.proposed[numbers:]:
                numbers += 1
                assert proposal.number == numbers
                assert (proposal.kind == "duplicate") == (proposal.net in known)
                assert (proposal.reason is not None) == (proposal.kind == "infeasible")
                labels |= {stage.label for stage in search.strategy.progress().stages}
                assert proposal.stage in labels
                known.add(proposal.net)
            if not search.step():
                break

    def test_trials_count_as_progress_says(self, case: Case) -> None:
        search = Search.begin(case, room=3)
        first: dict[str, tuple[int, float]] = {}
        while search.step():
            proposal, observed = search.trials[-1]
            number, reward = first.setdefault(proposal.net, (proposal.number, observed.reward))
            assert observed.duplicate_of == (None if number == proposal.number else number)
            assert observed.reward == reward
            assert observed.reward >= 0
            if observed.counted:
                assert observed.reward > 0
            progress = search.strategy.progress()
            assert progress.done == sum(seen.counted for _, seen in search.trials)
            assert sum(stage.done for stage in progress.stages) == progress.done
            assert 0 <= progress.stage < len(progress.stages)

    def test_finished_is_finished(self, case: Case) -> None:
        search = Search.begin(case, room=2)
        while search.step():
            assert len(search.trials) <= case.longest
        for ended in (search, search.resumed()):
            assert ended.strategy.finished
            assert ended.strategy.propose(5) == ()
            assert ended.strategy.work() is None
            progress = ended.strategy.progress()
            assert progress.of is None or progress.done >= progress.of

    def test_it_waits_for_what_is_open_and_not_for_ever(self, case: Case) -> None:
        search, waited = Search.begin(case, room=10_000 if case.waits else 3), False
        while not search.strategy.finished:
            assert search.open, "nothing is open, there is no work, and nothing was proposed"
            before = search.state()
            if case.waits and search.strategy.propose(1) == ():
                waited = True
                assert search.state() == before
            elif case.waits:
                pytest.fail("there was room, but not all of it was taken")
            search.step()
        assert waited == case.waits

    def test_failures_have_no_reward_and_do_not_end_the_search(self, case: Case) -> None:
        search = Search.begin(case, room=2)
        failing = Search(
            Case(case.make, case.longest, lambda _: Failed(reason="No."), case.think), search.strategy, 2,
            open=search.open, proposed=search.proposed,
        )  # fmt: skip
        for _ in range(3):
            if not failing.step():
                break
            _, observed = failing.trials[-1]
            assert (observed.reward, observed.counted) == (0, False)
        assert failing.strategy.progress().done == 0
        failing.case = case
        for _ in range(case.longest):
            if not failing.step():
                break
        assert failing.strategy.progress().done > 0

    def test_what_is_observed_wrongly_is_refused(self, case: Case) -> None:
        search = Search.begin(case)
        while search.open[0].kind != "evaluate":
            search.step()
        (proposal,) = search.open
        before = search.state()
        unknown = Proposal(proposal.number + 1, proposal.net, "evaluate")
        for wrong, outcome in ((proposal, None), (unknown, case.outcome(0.5)), (proposal, case.outcome(float("nan")))):
            with pytest.raises(ValueError, match=r"\w"):
                search.strategy.observe(wrong, outcome)
            assert search.state() == before
        search.strategy.observe(proposal, case.outcome(0.5))
        with pytest.raises(ValueError, match=str(proposal.number)):
            search.strategy.observe(proposal, case.outcome(0.5))

    def test_a_damaged_checkpoint_is_refused_and_changes_nothing(self, case: Case) -> None:
        search = Search.begin(case, room=2)
        for _ in range(5):
            search.step()
        assert search.position is not None
        position, open_ = json.loads(search.position), search.open
        stray = Proposal(10**6, "[C(", "evaluate")
        before = search.state()
        damaged: list[tuple[Any, list[bytes], list[Proposal]]] = [
            (None, search.learned, open_),
            ({}, search.learned, open_),
            ({**position, "random": "x"}, search.learned, open_),
            (position, [*search.learned, b"\x00"], open_),
            (position, [b"", *search.learned], open_),
            (position, search.learned, [*open_, stray]),
        ]
        for checkpoint in damaged:
            with pytest.raises(ValueError, match=r"\w"):
                search.strategy.restore(*checkpoint)
            assert search.state() == before

    def test_positions_and_facts_are_json_and_positions_small(self, case: Case) -> None:
        search = Search.begin(case, room=2)
        while search.step() and len(search.trials) < 50:
            text = json.dumps(search.strategy.position(), allow_nan=False)
            assert json.loads(text) == search.strategy.position()
            assert len(text) < 1000
            assert len(search.learned[-1]) < 20_000
            facts = [dict(search.trials[-1][0].facts), dict(search.trials[-1][1].facts)]
            assert json.loads(json.dumps(facts, allow_nan=False)) == facts

    def test_answers_are_taken_only_for_work(self, case: Case) -> None:
        search = Search.begin(case)
        with pytest.raises(ValueError, match="work"):
            search.strategy.learn(Learned(b""))
        if case.think is None:
            while search.step():
                assert search.strategy.work() is None

"""Tabular Q-learning with an epsilon schedule and a replay buffer: MetaQNN (arXiv 1611.02167, section 4.3)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nasd.config import Config, QLearningConfig
from nasd.errors import NasdError
from nasd.outcome import Outcome
from nasd.spaces.layers import Architecture, SearchSpace, State
from nasd.strategies import stream
from nasd.strategies.base import Learned, Observed, Progress, Proposal, ProposalKind, Stage, Work
from nasd.strategies.ledger import checked_reward, reward_of
from nasd.strategies.qlearning.payload import Update, pack, unpack
from nasd.strategies.qlearning.qtable import Path, QTable
from nasd.strategies.qlearning.schedule import SchedulePosition, schedule_position, stage_label


class QLearning:
    """Proposes by an epsilon-greedy walk through the space, learns from a replay buffer.

    Args:
        config: `search`, `seed` and the initial Q-value are used.
        space: Where architectures come from.
    """

    def __init__(self, config: Config, space: SearchSpace) -> None:
        self._config = config
        self._search = QLearningConfig.of(config.search)
        self._initial = initial_q(config)
        self._total = self._search.total_trials
        self._space = space
        self._reset()

    def _reset(self) -> None:
        self._table = QTable(self._space, self._initial, self._search.learning_rate, self._search.discount)
        self._random = np.random.Generator(np.random.PCG64(self._config.seed))
        self._counted = 0  # trials with reward above 0: the position in the schedule
        self._last_number = 0
        self._open: dict[int, tuple[Proposal, Architecture]] = {}
        # The replay buffer, in the order of observation, and what is looked up in it.
        self._paths: list[Path] = []
        self._rewards: list[float] = []
        self._numbers: list[int] = []
        self._first_row: dict[Path, int] = {}
        self._tried: dict[int, int] = {}

    # The interface of a strategy

    @property
    def finished(self) -> bool:
        """Whether the schedule is used up."""
        return self._counted >= self._total

    def propose(self, room: int) -> tuple[Proposal, ...]:
        """Walk from the start to the end; at each state a random action with probability epsilon, else a best one."""
        return () if self.finished else tuple(self._propose() for _ in range(room))

    def observe(self, proposal: Proposal, outcome: Outcome | None) -> Observed:
        """Append the row to the replay buffer, update with it, then with rows drawn uniformly with replacement."""
        made, architecture = self._open.get(proposal.number, (None, None))
        if architecture is None or made != proposal:
            raise ValueError(f"proposal {proposal.number} was never made or has been observed already")
        reward = reward_of(proposal, outcome, self._first_reward(architecture))
        del self._open[proposal.number]
        path = self._table.number(architecture)
        duplicate_of = self._append(path, reward, proposal.number)
        self._table.back_up(path, reward)
        for row in self._random.integers(len(self._paths), size=self._search.replay_number - 1).tolist():
            self._table.back_up(self._paths[row], self._rewards[row])
        self._counted += reward > 0
        return self._observed(proposal.number, reward, duplicate_of, path)

    def work(self) -> Work | None:
        """None: a Q-table is updated at once."""
        return None

    def learn(self, answer: Learned) -> None:
        """Never called: there is no work."""
        raise ValueError("Q-learning has no work whose answer this could be")

    def progress(self) -> Progress:
        """The phases of the epsilon schedule; phases of the same epsilon are one stage."""
        done, asked, left = dict[str, int](), dict[str, int](), self._counted
        for epsilon, count in self._search.epsilon_schedule:
            label = stage_label(epsilon)
            done[label] = done.get(label, 0) + min(left, count)
            asked[label] = asked.get(label, 0) + count
            left = max(left - count, 0)
        stages = tuple(Stage(label, done[label], of) for label, of in asked.items())
        return Progress(self._counted, self._total, list(asked).index(stage_label(self.epsilon)), stages)

    def position(self) -> dict[str, Any]:
        """Random state, trials counted, last proposal's number; JSON-able."""
        return {
            "random": stream.position(self._random),
            "counted": self._counted,
            "last_number": self._last_number,
        }

    def restore(self, position: Mapping[str, Any] | None, learned: Iterable[bytes], open: Sequence[Proposal]) -> None:
        """Take up where a checkpoint ends.

        Raises:
            ValueError: A part does not fit the search space or another part; the message names it, and the strategy is
                as it was.
        """
        loaded = QLearning(self._config, self._space)
        loaded._load_learned(learned)
        for proposal in open:
            loaded._open[proposal.number] = (proposal, loaded._parsed(proposal))
        if position is not None:
            loaded._load_position(position)
        elif loaded._numbers or loaded._open:
            raise ValueError("the strategy's position is missing though trials have been made")
        self.__dict__.update(loaded.__dict__)

    # What others read

    @property
    def schedule(self) -> SchedulePosition:
        """Where in the epsilon schedule the search stands."""
        return schedule_position(self._search.epsilon_schedule, self._counted)

    @property
    def epsilon(self) -> float:
        """The probability of a random action now."""
        return self.schedule.epsilon

    @property
    def counted(self) -> int:
        """Trials with reward above 0 so far."""
        return self._counted

    @property
    def space(self) -> SearchSpace:
        """Where architectures come from."""
        return self._space

    def actions(self, state: State) -> tuple[State, ...]:
        """The space's actions of a state."""
        return self._space.actions(state)

    def greedy(self, state: State) -> list[State]:
        """The actions with the largest Q-value, in the space's order; none of a terminal state."""
        return list(self._table.best_actions(state))

    def q(self, state: State, action: State) -> float:
        """The Q-value of an action."""
        return self._table.value(state, action)

    def tried(self, state: State, action: State) -> int:
        """How many observed trials took an action, duplicates counted each time."""
        number = self._table.find(state, action)
        return 0 if number is None else self._tried.get(number, 0)

    def written(self) -> Iterator[tuple[State, State, float]]:
        """Every Q-value that was ever written, as (state, action, value), by first update."""
        for number, (start, end) in enumerate(self._table.transitions):
            yield self._table.states[start], self._table.states[end], self._table.value_of(number)

    def values(self) -> Iterator[tuple[State, State, float]]:
        """Every action of every state of which an action was updated, with its Q-value, by the states' first update."""
        for number in dict.fromkeys(start for start, _ in self._table.transitions):
            state = self._table.states[number]
            for action in self._space.actions(state):
                yield state, action, self._table.value(state, action)

    # What others do

    def update(self, architecture: Architecture, reward: float) -> None:
        """One pass of the update rule, without a row in the replay buffer and without draws.

        Raises:
            ValueError: The architecture is not in the search space.
        """
        self._table.back_up(self._table.number(architecture), reward)

    def import_rows(
        self,
        rows: Sequence[tuple[Architecture, float]],
        q_values: Mapping[tuple[State, State], float],
        counted: int | None = None,
    ) -> tuple[Observed, ...]:
        """Go on where another search of the same space stood. Nothing is learned and nothing drawn here.

        Args:
            rows: Its replay buffer in order, each architecture with its reward; they become trials 1, 2, ...
            q_values: Its Q-values by (state, action). Pairs left out have the initial value; pairs with the initial
                value and no row are not stored.
            counted: Its position in the epsilon schedule; None: the rows with reward above 0.

        Returns:
            What each row comes to, to be committed in order. Q-values that belong to no row are in the last.

        Raises:
            ValueError: This search has begun already, a row or Q-value does not fit the space, a reward is impossible,
                or there are Q-values but no rows; the message names it, and the strategy is as it was.
        """
        if self._last_number or self._table.transitions:
            raise ValueError("rows can only be imported before the first trial")
        if q_values and not rows:
            raise ValueError("Q-values can only be imported together with the rows of their replay buffer")
        fresh = QLearning(self._config, self._space)
        observed = tuple(
            fresh._import_row(number, architecture, reward, q_values, number == len(rows))
            for number, (architecture, reward) in enumerate(rows, start=1)
        )
        fresh._last_number = len(rows)
        fresh._counted = sum(row.counted for row in observed) if counted is None else counted
        self.__dict__.update(fresh.__dict__)
        return observed

    def _propose(self) -> Proposal:
        epsilon = self.epsilon
        architecture = self._walk(epsilon)
        self._last_number += 1
        infeasible = self._space.feasible(architecture)
        kind: ProposalKind = "evaluate"
        reason = None
        if self._was_proposed(architecture):
            kind = "duplicate"
        elif infeasible is not None:
            kind, reason = "infeasible", infeasible.reason
        proposal = Proposal(
            self._last_number,
            str(architecture),
            kind,
            stage_label(epsilon),
            {"epsilon": epsilon},
            reason,
        )
        self._open[proposal.number] = (proposal, architecture)
        return proposal

    def _walk(self, epsilon: float) -> Architecture:
        states = []
        state = self._space.start()
        while not state.terminate:
            explores = self._random.random() < epsilon
            choices = self._space.actions(state) if explores else self._table.best_actions(state)
            state = choices[int(self._random.integers(len(choices)))]
            states.append(state)
        return self._space.architecture(tuple(states))

    def _was_proposed(self, architecture: Architecture) -> bool:
        if any(other == architecture for _, other in self._open.values()):
            return True
        return self._table.find_path(architecture) in self._first_row

    def _first_reward(self, architecture: Architecture) -> float | None:
        """Of the architecture when it was observed first; None: it was not yet."""
        path = self._table.find_path(architecture)
        row = None if path is None else self._first_row.get(path)
        return None if row is None else self._rewards[row]

    def _append(self, path: Path, reward: float, number: int) -> int | None:
        """Add a row to the replay buffer; the number of the first trial of the same architecture, if there is one."""
        first = self._first_row.setdefault(path, len(self._paths))
        duplicate_of = self._numbers[first] if first < len(self._paths) else None
        self._paths.append(path)
        self._rewards.append(reward)
        self._numbers.append(number)
        for transition in path:
            self._tried[transition] = self._tried.get(transition, 0) + 1
        return duplicate_of

    def _observed(self, number: int, reward: float, duplicate_of: int | None, path: Path) -> Observed:
        changes = self._table.changes()
        payload = pack(
            Update(
                number,
                reward,
                path,
                changes.states,
                changes.transitions,
                np.asarray(changes.q_ids, np.int32),
                np.asarray(changes.q_values),
            )
        )
        return Observed(reward, reward > 0, duplicate_of, Learned(payload))

    def _import_row(
        self,
        number: int,
        architecture: Architecture,
        reward: float,
        q_values: Mapping[tuple[State, State], float],
        last: bool,
    ) -> Observed:
        try:
            reward = checked_reward(reward)
            known = len(self._table.transitions)
            path = self._table.number(architecture)
        except ValueError as error:
            raise ValueError(f"row {number}, {architecture}: {error}") from error
        for transition in path:
            if transition >= known:
                start, end = self._table.transitions[transition]
                step = (self._table.states[start], self._table.states[end])
                self._table.assign(*step, float(q_values.get(step, self._initial)))
        if last:
            for (state, action), value in q_values.items():
                if value != self._initial and self._table.find(state, action) is None:
                    self._table.assign(state, action, float(value))
        return self._observed(number, reward, self._append(path, reward, number), path)

    def _load_learned(self, learned: Iterable[bytes]) -> None:
        states: list[State] = []
        transitions: list[tuple[int, int]] = []
        values = np.full(1024, np.nan)
        rows: list[tuple[int, float, Path]] = []
        for payload in learned:
            update = unpack(payload)
            states += update.states
            transitions += update.transitions
            if len(transitions) > len(values):
                values = np.concatenate([values, np.full(max(len(values), len(transitions)), np.nan)])
            if len(update.q_ids) and not 0 <= update.q_ids.min() <= update.q_ids.max() < len(transitions):
                raise ValueError(f"what was learned of trial {update.number} names a transition that does not exist")
            values[update.q_ids] = update.q_values
            rows.append((update.number, update.reward, update.path))
        values = values[: len(transitions)]
        if np.isnan(values).any():
            raise ValueError("what was learned numbers a transition without its Q-value")
        try:
            self._table.load(states, transitions, values.tolist())
        except (ValueError, TypeError) as error:
            raise ValueError(f"the states, transitions and Q-values that were learned do not fit: {error}") from error
        for number, reward, path in rows:
            if not self._table.is_path(path):
                raise ValueError(f"what was learned of trial {number} is no path of an architecture: {path}")
            self._append(path, checked_reward(reward), number)

    def _parsed(self, proposal: Proposal) -> Architecture:
        try:
            return self._space.parse(proposal.net)
        except NasdError as error:
            raise ValueError(f"open proposal {proposal.number} is none of this space: {error}") from error

    def _load_position(self, position: Mapping[str, Any]) -> None:
        try:
            self._random = stream.restored(position["random"])
            self._counted = int(position["counted"])
            self._last_number = int(position["last_number"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"the strategy's position is incomplete or damaged: {error}") from error


def initial_q(config: Config) -> float:
    """The value of every state-action pair that was never updated: the early-stopping threshold unless given."""
    return QLearningConfig.of(config.search).initial_value(config.training)

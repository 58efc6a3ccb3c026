"""Tabular Q-learning with an epsilon schedule and a replay buffer: MetaQNN (arXiv 1611.02167, section 4.3)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nasd.config import Config
from nasd.errors import NasdError
from nasd.outcome import Failed, Outcome
from nasd.spaces.layers import Architecture, SearchSpace, State
from nasd.strategies.base import Proposal, SearchFinishedError, Strategy, Update
from nasd.strategies.qlearning.qtable import Path, QTable
from nasd.strategies.qlearning.schedule import SchedulePosition, schedule_position

_PARTS = ("position", "states", "transitions", "q_values", "paths", "rewards", "numbers", "open")


class QLearning(Strategy):
    """Proposes by an epsilon-greedy walk through the space, learns from a replay buffer.

    Args:
        config: `search`, `seed` and `initial_q` are used.
        space: Where architectures come from.
    """

    def __init__(self, config: Config, space: SearchSpace) -> None:
        self._config = config
        self._space = space
        self._reset()

    def _reset(self) -> None:
        self._table = self._empty_table()
        self._random = np.random.Generator(np.random.PCG64(self._config.seed))
        self._counted = 0  # trials with reward above 0: the position in the schedule
        self._last_number = 0
        self._open: dict[int, Proposal] = {}
        # The replay buffer, in the order of observation, and what is looked up in it.
        self._paths: list[Path] = []
        self._rewards: list[float] = []
        self._numbers: list[int] = []
        self._first_row: dict[Path, int] = {}
        self._tried: dict[int, int] = {}

    # The interface of a strategy

    def propose(self) -> Proposal:
        """Walk from the start to the end; at each state a random action with probability epsilon, else a best one."""
        if self.finished:
            raise SearchFinishedError(f"all {self._config.total_trials} trials of the epsilon schedule are done")
        epsilon = self.epsilon
        architecture = self._walk(epsilon)
        self._last_number += 1
        infeasible = self._space.feasible(architecture)
        if self._was_proposed(architecture):
            proposal = Proposal(self._last_number, architecture, epsilon, "duplicate")
        elif infeasible is not None:
            proposal = Proposal(self._last_number, architecture, epsilon, "infeasible", infeasible.reason)
        else:
            proposal = Proposal(self._last_number, architecture, epsilon, "evaluate")
        self._open[proposal.number] = proposal
        return proposal

    def observe(self, proposal: Proposal, outcome: Outcome | None) -> Update:
        """Append the row to the replay buffer, update with it, then with rows drawn uniformly with replacement."""
        if self._open.get(proposal.number) != proposal:
            raise ValueError(f"proposal {proposal.number} was never made or has been observed already")
        reward = self._reward_of(proposal, outcome)
        del self._open[proposal.number]
        path = self._table.number(proposal.architecture)
        duplicate_of = self._append(path, reward, proposal.number)
        self._table.back_up(path, reward)
        for row in self._random.integers(len(self._paths), size=self._config.search.replay_number - 1).tolist():
            self._table.back_up(self._paths[row], self._rewards[row])
        counted = reward > 0
        self._counted += counted
        return Update(proposal.number, reward, counted, duplicate_of, path, *self._table.changes())

    @property
    def finished(self) -> bool:
        """Whether the schedule is used up."""
        return self._counted >= self._config.total_trials

    def position(self) -> dict[str, Any]:
        """Random state (large integers as hexadecimal text), trials counted, last proposal's number; JSON-able."""
        state: Any = self._random.bit_generator.state
        return {
            "random": {
                "state": hex(state["state"]["state"]),
                "inc": hex(state["state"]["inc"]),
                "has_uint32": state["has_uint32"],
                "uinteger": state["uinteger"],
            },
            "counted": self._counted,
            "last_number": self._last_number,
        }

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on, under the names of `store.records.Checkpoint`; plain data, copied."""
        table = self._table
        return {
            "position": self.position(),
            "states": [tuple(state) for state in table.states],
            "transitions": list(table.transitions),
            "q_values": [table.value_of(number) for number in range(len(table.transitions))],
            "paths": list(self._paths),
            "rewards": list(self._rewards),
            "numbers": list(self._numbers),
            "open": [_plain(proposal) for _, proposal in sorted(self._open.items())],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned. Other keys are ignored; `position` None is a search not yet begun.

        Raises:
            ValueError: A part is missing or does not fit the search space; the message names it, and the strategy is
                as it was.
        """
        for part in _PARTS:
            if part not in state:
                raise ValueError(f"the strategy's state lacks {part!r}")
        loaded = QLearning(self._config, self._space)
        loaded._load_table(state)
        loaded._load_rows(state)
        loaded._load_open(state["open"])
        if state["position"] is not None:
            loaded._load_position(state["position"])
        elif loaded._numbers or loaded._open:
            raise ValueError("the strategy's 'position' is missing though trials have been made")
        self.__dict__.update(loaded.__dict__)

    # What others read

    @property
    def schedule(self) -> SchedulePosition:
        """Where in the epsilon schedule the search stands."""
        return schedule_position(self._config.search.epsilon_schedule, self._counted)

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

    def open_proposals(self) -> list[Proposal]:
        """Proposals that have not been observed, by number."""
        return [proposal for _, proposal in sorted(self._open.items())]

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
    ) -> tuple[Update, ...]:
        """Go on where another search of the same space stood. Nothing is learned and nothing drawn here.

        Args:
            rows: Its replay buffer in order, each architecture with its reward; they become trials 1, 2, ...
            q_values: Its Q-values by (state, action). Pairs left out have the initial value; those that have the
                initial value and no row are not stored.
            counted: Its position in the epsilon schedule; None: the rows with reward above 0.

        Returns:
            One update for each row, to be committed in order. Q-values that belong to no row are in the last.

        Raises:
            ValueError: This search has begun already, a row or Q-value does not fit the space, a reward is impossible,
                or there are Q-values but no rows; the message names it, and the strategy is as it was.
        """
        if self._last_number or self._table.transitions:
            raise ValueError("rows can only be imported before the first trial")
        if q_values and not rows:
            raise ValueError("Q-values can only be imported together with the rows of their replay buffer")
        fresh = QLearning(self._config, self._space)
        updates = tuple(
            fresh._import_row(number, architecture, reward, q_values, number == len(rows))
            for number, (architecture, reward) in enumerate(rows, start=1)
        )
        fresh._last_number = len(rows)
        fresh._counted = sum(update.counted for update in updates) if counted is None else counted
        self.__dict__.update(fresh.__dict__)
        return updates

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
        if any(proposal.architecture == architecture for proposal in self._open.values()):
            return True
        return self._table.find_path(architecture) in self._first_row

    def _reward_of(self, proposal: Proposal, outcome: Outcome | None) -> float:
        if (outcome is None) == (proposal.kind == "evaluate"):
            wanted = "needs an outcome" if outcome is None else "takes no outcome"
            raise ValueError(f"proposal {proposal.number} of kind {proposal.kind!r} {wanted}")
        if proposal.kind == "duplicate":
            path = self._table.find_path(proposal.architecture)
            if path not in self._first_row:
                raise ValueError(f"proposal {proposal.number} duplicates one that has not been observed yet")
            return self._rewards[self._first_row[path]]
        if outcome is None or isinstance(outcome, Failed):
            return 0.0
        return _checked_reward(outcome.reward)

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

    def _import_row(
        self,
        number: int,
        architecture: Architecture,
        reward: float,
        q_values: Mapping[tuple[State, State], float],
        last: bool,
    ) -> Update:
        try:
            reward = _checked_reward(reward)
            known = len(self._table.transitions)
            path = self._table.number(architecture)
        except ValueError as error:
            raise ValueError(f"row {number}, {architecture}: {error}") from error
        for transition in path:
            if transition >= known:
                start, end = self._table.transitions[transition]
                step = (self._table.states[start], self._table.states[end])
                self._table.assign(*step, float(q_values.get(step, self._config.initial_q)))
        if last:
            for (state, action), value in q_values.items():
                if value != self._config.initial_q and self._table.find(state, action) is None:
                    self._table.assign(state, action, float(value))
        duplicate_of = self._append(path, reward, number)
        return Update(number, reward, reward > 0, duplicate_of, path, *self._table.changes())

    def _empty_table(self) -> QTable:
        search = self._config.search
        return QTable(self._space, self._config.initial_q, search.learning_rate, search.discount)

    def _load_table(self, state: Mapping[str, Any]) -> None:
        try:
            self._table.load(state["states"], state["transitions"], state["q_values"])
        except (ValueError, TypeError) as error:
            raise ValueError(f"the strategy's states, transitions and q_values do not fit: {error}") from error

    def _load_rows(self, state: Mapping[str, Any]) -> None:
        paths, rewards, numbers = state["paths"], state["rewards"], state["numbers"]
        if not len(paths) == len(rewards) == len(numbers):
            raise ValueError(f"there are {len(paths)} paths, {len(rewards)} rewards and {len(numbers)} numbers")
        for path, reward, number in zip(paths, rewards, numbers, strict=True):
            if not self._table.is_path(path):
                raise ValueError(f"the 'paths' entry of trial {number} is no architecture: {tuple(path)}")
            self._append(tuple(path), float(reward), number)

    def _load_open(self, proposals: Sequence[Any]) -> None:
        for item in proposals:
            proposal = self._proposal(item)
            self._open[proposal.number] = proposal

    def _proposal(self, item: Any) -> Proposal:
        """From a mapping, or an object with such attributes (as `store.records.OpenProposal`)."""
        fields: dict[str, Any] = (
            dict(item) if isinstance(item, Mapping) else {name: getattr(item, name) for name in _OPEN}
        )
        try:
            architecture = self._space.parse(fields["net"])
            return Proposal(fields["number"], architecture, fields["epsilon"], fields["kind"], fields.get("reason"))
        except (AttributeError, KeyError, TypeError, ValueError, NasdError) as error:
            raise ValueError(f"the strategy's 'open' holds no proposal of this space: {item!r} ({error})") from error

    def _load_position(self, position: Mapping[str, Any]) -> None:
        try:
            stream = position["random"]
            self._random.bit_generator.state = {
                "bit_generator": "PCG64",
                "state": {"state": int(stream["state"], 16), "inc": int(stream["inc"], 16)},
                "has_uint32": stream["has_uint32"],
                "uinteger": stream["uinteger"],
            }
            self._counted = int(position["counted"])
            self._last_number = int(position["last_number"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"the strategy's 'position' is incomplete or damaged: {error}") from error


_OPEN = ("number", "net", "epsilon", "kind", "reason")


def _plain(proposal: Proposal) -> dict[str, Any]:
    return {
        "number": proposal.number,
        "net": str(proposal.architecture),
        "epsilon": proposal.epsilon,
        "kind": proposal.kind,
        "reason": proposal.reason,
    }


def _checked_reward(reward: float) -> float:
    if not (math.isfinite(reward) and reward >= 0):
        raise ValueError(f"a reward is a number from 0 up, not {reward}")
    return float(reward)

"""A sparse table of Q-values over a search space's transitions."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import inf
from typing import Any, NamedTuple

from nasd.spaces.layers import Architecture, SearchSpace, State

Path = tuple[int, ...]
"""An architecture as the numbers of its transitions, first layer first."""


class Changes(NamedTuple):
    """What happened to a table since it was last asked; fields as in `payload.Update`."""

    states: tuple[State, ...]
    transitions: tuple[tuple[int, int], ...]
    q_ids: tuple[int, ...]  # ascending
    q_values: tuple[float, ...]


class QTable:
    """Q-values of (state, action) pairs. A pair that was never updated has the initial value and is stored nowhere.

    States and transitions are numbered from 0 when first updated; within one architecture from its first layer to its
    end.

    Args:
        space: What the actions of a state are.
        initial: The value of every pair that was never updated.
        rate: Learning rate.
        discount: Discount of the next state's largest value.
    """

    def __init__(self, space: SearchSpace, initial: float, rate: float, discount: float) -> None:
        self._space = space
        self._initial = initial
        self._rate = rate
        self._discount = discount
        self.states: list[State] = []
        self.transitions: list[tuple[int, int]] = []
        self._state_ids: dict[State, int] = {}
        self._ids: dict[tuple[int, int], int] = {}
        self._slots: list[int] = []  # by transition: its place among those that leave the same state
        self._values: list[list[float]] = []  # by state: the values of its transitions, in order of first update
        self._actions: list[list[int]] = []  # by state: where those transitions lead
        self._best: list[float] = []  # by state: the largest of its values, so that no update looks through them all
        self._untouched: list[int] = []  # by state: how many of its actions were never updated
        self._touched: set[int] = set()
        self._reported = (0, 0)  # states and transitions that `changes` has returned

    def value(self, state: State, action: State) -> float:
        """The Q-value of an action."""
        number = self.find(state, action)
        return self._initial if number is None else self.value_of(number)

    def value_of(self, number: int) -> float:
        """The Q-value of a numbered transition."""
        return self._values[self.transitions[number][0]][self._slots[number]]

    def find(self, state: State, action: State) -> int | None:
        """A transition's number, or None if it was never updated."""
        start, end = self._state_ids.get(state), self._state_ids.get(action)
        return None if start is None or end is None else self._ids.get((start, end))

    def find_path(self, architecture: Architecture) -> Path | None:
        """An architecture's transitions, or None if one of them was never updated."""
        path = []
        for state, action in self._steps(architecture):
            number = self.find(state, action)
            if number is None:
                return None
            path.append(number)
        return tuple(path)

    def is_path(self, path: Sequence[int]) -> bool:
        """Whether numbers of transitions lead from the start to an end without a gap."""
        if not path or not all(0 <= number < len(self.transitions) for number in path):
            return False
        steps = [self.transitions[number] for number in path]
        closed = all(before[1] == after[0] for before, after in pairwise(steps))
        return closed and self.states[steps[0][0]] == self._space.start() and self.states[steps[-1][1]].terminate == 1

    def best_actions(self, state: State) -> tuple[State, ...]:
        """The actions with the largest Q-value, in the space's order; none of a terminal state."""
        actions = self._space.actions(state)
        number = self._state_ids.get(state)
        if number is None or not self._values[number]:
            return actions
        best = self._best_value(number)
        known = zip(self._actions[number], self._values[number], strict=True)
        values = {self.states[action]: value for action, value in known}
        if best > self._initial and len(winners := [action for action, value in values.items() if value == best]) == 1:
            return (winners[0],)
        return tuple(action for action in actions if values.get(action, self._initial) == best)

    def number(self, architecture: Architecture) -> Path:
        """An architecture's transitions, numbering the new ones.

        Raises:
            ValueError: It is not in the search space; nothing was numbered.
        """
        steps = tuple(self._steps(architecture))
        self._check(step for step in steps if self.find(*step) is None)
        return tuple(self._number_of(*step) for step in steps)

    def back_up(self, path: Path, reward: float) -> None:
        """One pass of the Q-learning rule, last transition first (MetaQNN, arXiv 1611.02167, section 4.3)."""
        self._touched.update(path)
        target = reward  # of the last transition: behind it lies nothing
        for number in reversed(path):
            state = self.transitions[number][0]
            value = self._values[state][self._slots[number]]
            self._set(number, value + self._rate * (target - value))
            target = self._discount * self._best_value(state)  # the transitions before it get no reward of their own

    def assign(self, state: State, action: State, value: float) -> None:
        """Set a Q-value, as when a published table is taken over.

        Raises:
            ValueError: The action does not belong to the state.
        """
        if self.find(state, action) is None:
            self._check([(state, action)])
        number = self._number_of(state, action)
        self._set(number, value)
        self._touched.add(number)

    def changes(self) -> Changes:
        """What was numbered and touched since the last call."""
        states, transitions = self._reported
        self._reported = (len(self.states), len(self.transitions))
        touched = tuple(sorted(self._touched))
        self._touched.clear()
        values = tuple(self.value_of(number) for number in touched)
        return Changes(tuple(self.states[states:]), tuple(self.transitions[transitions:]), touched, values)

    def load(
        self, states: Iterable[Sequence[Any]], transitions: Sequence[tuple[int, int]], values: Sequence[float]
    ) -> None:
        """Fill an empty table with what another one's `states`, `transitions` and values were.

        Raises:
            ValueError: They do not fit each other or the search space.
        """
        if len(values) != len(transitions):
            raise ValueError(f"there are {len(values)} q_values for {len(transitions)} transitions")
        for state in states:
            self._add_state(State._make(state))
        if len(self._state_ids) != len(self.states):
            raise ValueError("a state is listed twice")
        for (start, end), value in zip(transitions, values, strict=True):
            if not (0 <= start < len(self.states) and 0 <= end < len(self.states)):
                raise ValueError(f"the transition {(start, end)} names a state that is not listed")
            self._add_transition(start, end, float(value))
        if len(self._ids) != len(self.transitions):
            raise ValueError("a transition is listed twice")
        self._check_all()
        self._reported = (len(self.states), len(self.transitions))

    def _best_value(self, state: int) -> float:
        best = self._best[state]
        return self._initial if self._untouched[state] and best < self._initial else best

    def _set(self, number: int, value: float) -> None:
        state, slot = self.transitions[number][0], self._slots[number]
        values = self._values[state]
        before, values[slot] = values[slot], value
        if value >= self._best[state]:
            self._best[state] = value
        elif before == self._best[state]:
            self._best[state] = max(values)

    def _steps(self, architecture: Architecture) -> Iterable[tuple[State, State]]:
        return pairwise((self._space.start(), *architecture.states))

    def _number_of(self, state: State, action: State) -> int:
        pair = (self._state_id(state), self._state_id(action))
        number = self._ids.get(pair)
        return self._add_transition(*pair, self._initial) if number is None else number

    def _state_id(self, state: State) -> int:
        number = self._state_ids.get(state)
        return self._add_state(state) if number is None else number

    def _add_state(self, state: State) -> int:
        number = len(self.states)
        self.states.append(state)
        self._state_ids[state] = number
        self._values.append([])
        self._actions.append([])
        self._best.append(-inf)
        self._untouched.append(len(self._space.actions(state)))
        return number

    def _add_transition(self, start: int, end: int, value: float) -> int:
        number = len(self.transitions)
        self.transitions.append((start, end))
        self._ids[start, end] = number
        self._slots.append(len(self._values[start]))
        self._values[start].append(value)
        self._actions[start].append(end)
        self._best[start] = max(self._best[start], value)
        self._untouched[start] -= 1
        return number

    def _check(self, steps: Iterable[tuple[State, State]]) -> None:
        for state, action in steps:
            if action not in self._space.actions(state):
                raise ValueError(f"{tuple(action)} may not follow {tuple(state)} in this search space")

    def _check_all(self) -> None:
        for state, reached in zip(self.states, self._actions, strict=True):
            allowed = frozenset(self._space.actions(state)) if reached else frozenset()
            for action in reached:
                if self.states[action] not in allowed:
                    raise ValueError(f"{tuple(self.states[action])} may not follow {tuple(state)} in this search space")

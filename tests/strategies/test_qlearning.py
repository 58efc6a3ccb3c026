"""Q-learning as a strategy: bookkeeping, checkpoints, and that it learns."""

import dataclasses
import hashlib
import json
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasd.config import Config
from nasd.outcome import Evaluated, Failed, Outcome
from nasd.spaces.layers import SearchSpace, State
from nasd.strategies.base import Learned, Observed, Proposal
from nasd.strategies.qlearning.payload import unpack
from nasd.strategies.qlearning.strategy import QLearning

TINY = {
    "patch_size": 8,
    "min_conv": 1,
    "max_conv": 2,
    "conv_sizes": [1, 3],
    "conv_features": [4, 8],
    "large_conv_strides": [],
    "wrn": False,
    "pool_sizes": [2],
    "pool_strides": [2],
}


def _config(schedule: list[list[float]], seed: int = 1, **space: Any) -> Config:
    search = {"epsilon_schedule": schedule, "replay_number": 10}
    return Config.model_validate({"seed": seed, "space": {**TINY, **space}, "search": search})


def _strategy(config: Config) -> QLearning:
    return QLearning(config, SearchSpace(config.space))


def _state(strategy: QLearning) -> dict[str, Any]:
    """All of it, to be compared."""
    table = strategy._table
    return {
        "position": strategy.position(),
        "states": list(table.states),
        "transitions": list(table.transitions),
        "q_values": [table.value_of(number) for number in range(len(table.transitions))],
        "paths": list(strategy._paths),
        "rewards": list(strategy._rewards),
        "numbers": list(strategy._numbers),
        "open": dict(strategy._open),
    }


def _propose(strategy: QLearning) -> Proposal:
    (proposal,) = strategy.propose(1)
    return proposal


def _payloads(observed: list[Observed]) -> list[bytes]:
    return [each.learned.payload for each in observed if each.learned]


def _evaluated(reward: float) -> Evaluated:
    return Evaluated(
        reward=reward,
        validation_accuracies=(reward,),
        train_accuracies=(reward,),
        test_accuracy=None,
        early_stopped=False,
        embedding_dim=1,
        micro_batch=1,
    )


def _outcome(proposal: Proposal, failures: bool = True) -> Outcome | None:
    """A deterministic outcome: a reward that depends on the architecture, one in eight fails."""
    if proposal.kind != "evaluate":
        return None
    digest = hashlib.sha256(proposal.net.encode()).digest()
    if failures and digest[0] < 32:
        return Failed(reason="It does not fit.")
    return _evaluated(digest[1] / 255)


def _run(strategy: QLearning, trials: int, pending: deque[Proposal], lookahead: int) -> list[Observed]:
    """Ordered operation: propose up to `lookahead`, then observe the oldest and propose again."""
    observed = []
    for _ in range(trials):
        pending += strategy.propose(lookahead - len(pending))
        if not pending:
            break
        proposal = pending.popleft()
        observed.append(strategy.observe(proposal, _outcome(proposal)))
    return observed


ENDLESS = [[1.0, 60], [0.5, 60], [0.1, 10_000]]


@given(before=st.integers(0, 150), after=st.integers(1, 60), lookahead=st.sampled_from([1, 3]), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_a_restored_search_goes_on_bit_for_bit(before: int, after: int, lookahead: int, seed: int) -> None:
    config = _config(ENDLESS, seed)
    strategy, pending = _strategy(config), deque[Proposal]()
    learned = _payloads(_run(strategy, before, pending, lookahead))
    position = json.loads(json.dumps(strategy.position()))  # whatever survives JSON survives any store
    restored, restored_pending = _strategy(config), deque(pending)
    restored.restore(position, learned, pending)
    assert _state(restored) == _state(strategy)
    assert _run(restored, after, restored_pending, lookahead) == _run(strategy, after, pending, lookahead)
    assert restored_pending == pending
    assert _state(restored) == _state(strategy)


@given(trials=st.integers(1, 120), lookahead=st.sampled_from([1, 3]))
@settings(max_examples=20, deadline=None)
def test_a_payload_holds_what_one_trial_changed(trials: int, lookahead: int) -> None:
    strategy = _strategy(_config(ENDLESS))
    for payload in _payloads(_run(strategy, trials, deque(), lookahead)):
        update = unpack(payload)
        assert list(update.q_ids) == sorted(set(update.q_ids))
        assert set(update.path) <= set(update.q_ids)


def test_the_same_seed_twice_and_another() -> None:
    nets = [_run(_strategy(_config(ENDLESS, seed)), 100, deque(), 1) for seed in (5, 5, 6)]
    assert nets[0] == nets[1]
    assert nets[0] != nets[2]


def test_bookkeeping_of_every_kind() -> None:
    strategy = _strategy(_config(ENDLESS, max_num_fc_input=300, max_image_size=6))
    first: dict[str, tuple[int, Observed]] = {}
    kinds = set()
    for number in range(1, 200):
        counted = strategy.counted
        proposal = _propose(strategy)
        outcome = _outcome(proposal)
        update = strategy.observe(proposal, outcome)
        earlier = first.get(proposal.net)
        assert proposal.number == number
        assert (proposal.kind == "duplicate") == (earlier is not None)
        assert update.duplicate_of == (earlier[0] if earlier else None)
        match proposal.kind:
            case "duplicate":
                assert earlier is not None
                assert update.reward == earlier[1].reward
            case "infeasible":
                assert update.reward == 0
                assert proposal.reason is not None
            case "evaluate":
                assert update.reward == (outcome.reward if isinstance(outcome, Evaluated) else 0)
        assert update.counted == (update.reward > 0)
        assert strategy.counted == counted + update.counted
        kinds.add((proposal.kind, update.counted))
        first.setdefault(proposal.net, (number, update))
    assert kinds == {
        ("duplicate", True), ("duplicate", False), ("infeasible", False), ("evaluate", True), ("evaluate", False),
    }  # fmt: skip
    assert len(_state(strategy)["paths"]) == 199


def test_failed_and_infeasible_ones_lower_their_value() -> None:
    strategy = _strategy(_config(ENDLESS, max_image_size=1))
    proposal = _propose(strategy)
    while proposal.kind != "infeasible":
        strategy.observe(proposal, _outcome(proposal))
        proposal = _propose(strategy)
    strategy.observe(proposal, None)
    assert strategy.q(*strategy.space.parse(proposal.net).states[-2:]) < 0.15


def test_tried_counts_observed_trials_and_survives_a_checkpoint() -> None:
    config = _config(ENDLESS)
    strategy = _strategy(config)
    learned = _payloads(_run(strategy, 100, deque(), 1))
    restored = _strategy(config)
    restored.restore(strategy.position(), learned, ())
    start = config.space.patch_size
    for each in (strategy, restored):
        actions = each.actions(State("start", 0, 0, 0, 0, 0, start, 0, 0))
        assert sum(each.tried(State("start", 0, 0, 0, 0, 0, start, 0, 0), action) for action in actions) == 100


def test_a_duplicate_waits_for_its_original() -> None:
    strategy = _strategy(_config(ENDLESS))
    originals: dict[Any, Proposal] = {}
    while (proposal := _propose(strategy)).net not in originals:
        originals[proposal.net] = proposal
    original = originals[proposal.net]
    assert proposal.kind == "duplicate"
    before = _state(strategy)
    with pytest.raises(ValueError, match="not been observed yet"):
        strategy.observe(proposal, None)
    assert _state(strategy) == before
    reward = strategy.observe(original, _outcome(original)).reward
    update = strategy.observe(proposal, None)
    assert (update.duplicate_of, update.reward) == (original.number, reward)


def test_observing_in_any_order() -> None:
    strategy = _strategy(_config(ENDLESS))
    proposals = [_propose(strategy) for _ in range(12)]
    waiting = sorted(proposals, key=lambda p: (p.kind == "duplicate", -p.number))
    for proposal in waiting:
        strategy.observe(proposal, _outcome(proposal))
    assert _state(strategy)["numbers"] == [p.number for p in waiting]


def test_wrong_calls_are_refused_and_change_nothing() -> None:
    strategy = _strategy(_config(ENDLESS))
    proposal = _propose(strategy)
    assert proposal.kind == "evaluate"
    before = _state(strategy)
    with pytest.raises(ValueError, match="needs an outcome"):
        strategy.observe(proposal, None)
    with pytest.raises(ValueError, match="never made"):
        strategy.observe(dataclasses.replace(proposal, number=7), _evaluated(0.5))
    for reward in (float("nan"), float("inf"), -0.1):
        with pytest.raises(ValueError, match="reward"):
            strategy.observe(proposal, _evaluated(reward))
    assert _state(strategy) == before
    strategy.observe(proposal, _evaluated(0.5))
    with pytest.raises(ValueError, match="observed already"):
        strategy.observe(proposal, _evaluated(0.5))


def test_the_schedule_is_counted_in_rewards_above_zero_and_ends() -> None:
    strategy = _strategy(_config([[1.0, 3], [0.5, 2]]))
    epsilons = []
    while not strategy.finished:
        proposal = _propose(strategy)
        if strategy.observe(proposal, _outcome(proposal)).counted:
            epsilons.append(proposal.facts["epsilon"])
    assert epsilons == [1.0, 1.0, 1.0, 0.5, 0.5]
    assert strategy.schedule == (1, 0.5, 2)
    assert strategy.propose(3) == ()


def test_progress_goes_by_phase() -> None:
    strategy = _strategy(_config([[1.0, 3], [0.5, 2], [1.0, 1]]))
    seen = []
    while not strategy.finished:
        progress = strategy.progress()
        proposal = _propose(strategy)
        assert proposal.stage == progress.stages[progress.stage].label
        if strategy.observe(proposal, _outcome(proposal)).counted:
            seen.append([(stage.label, stage.done, stage.of) for stage in strategy.progress().stages])
    assert seen[0] == [("e=1", 1, 4), ("e=0.5", 0, 2)]
    assert seen[3] == [("e=1", 3, 4), ("e=0.5", 1, 2)]
    assert seen[-1] == [("e=1", 4, 4), ("e=0.5", 2, 2)]


def _damage(payload: bytes, offset: int, value: int) -> bytes:
    return payload[:offset] + value.to_bytes(4, "little", signed=True) + payload[offset + 4 :]


@pytest.mark.parametrize(
    ("part", "damaged"),
    [
        ("position", lambda _: None),
        ("position", lambda _: {"counted": 1}),
        ("position", lambda position: {**position, "random": {}}),
        ("learned", lambda learned: learned[1:]),
        ("learned", lambda learned: [*learned[:-1], learned[-1][:-1]]),
        ("learned", lambda learned: [*learned[:-1], learned[-1] + b"x"]),
        ("learned", lambda learned: [*learned[:-1], b""]),
        ("learned", lambda learned: [_damage(learned[0], 4, -1), *learned[1:]]),
        ("learned", lambda learned: [_damage(learned[0], 4, 10**9), *learned[1:]]),
        ("learned", lambda learned: [_damage(learned[0], 28, 10**6), *learned[1:]]),
        ("open", lambda open: [dataclasses.replace(open[0], net="[C(")]),
    ],
)
def test_a_damaged_part_is_refused(part: str, damaged: Callable[[Any], Any]) -> None:
    strategy, pending = _strategy(_config(ENDLESS)), deque[Proposal]()
    parts: dict[str, Any] = {"learned": _payloads(_run(strategy, 5, pending, 3))}
    parts |= {"position": strategy.position(), "open": [*pending, *strategy.propose(1)]}
    state = _state(strategy)
    with pytest.raises(ValueError, match=r"\w"):
        strategy.restore(**{**parts, part: damaged(parts[part])})
    assert _state(strategy) == state


def test_a_state_of_another_space_is_refused() -> None:
    strategy = _strategy(_config(ENDLESS))
    learned = _payloads(_run(strategy, 30, deque(), 1))
    with pytest.raises(ValueError, match="may not follow"):
        _strategy(_config(ENDLESS, conv_features=[4])).restore(strategy.position(), learned, ())


def test_it_has_no_work() -> None:
    strategy = _strategy(_config(ENDLESS))
    assert strategy.work() is None
    with pytest.raises(ValueError, match="no work"):
        strategy.learn(Learned(b""))


def test_the_position_fits_any_json_decoder() -> None:
    strategy = _strategy(_config(ENDLESS))
    _run(strategy, 5, deque(), 1)
    text = json.dumps(strategy.position())
    assert len(text) < 400
    assert all(abs(n) < 2**53 for n in [json.loads(text, parse_int=int)["random"]["uinteger"]])
    assert json.loads(text) == strategy.position()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_finds_the_best_architecture_of_a_small_space(seed: int) -> None:
    strategy = _strategy(_config([[1.0, 1500], [0.5, 200], [0.1, 100]], seed))
    space = strategy._space
    while not strategy.finished:
        proposal = _propose(strategy)
        outcome = _evaluated(_reward(space.parse(proposal.net).states[-1])) if proposal.kind == "evaluate" else None
        strategy.observe(proposal, outcome)
    state = space.start()
    while not state.terminate:
        state = strategy.greedy(state)[0]
    assert _reward(state) == max(_reward(end) for end in _ends(space))


def _reward(end: State) -> float:
    """Decided by the last layer alone: what a table over states, which forget how they were reached, can learn."""
    return int(hashlib.sha256(str(tuple(end)).encode()).hexdigest()[:8], 16) / 2**32


def _ends(space: SearchSpace) -> set[State]:
    reached, waiting = set[State](), [space.start()]
    while waiting:
        fresh = set(space.actions(waiting.pop())) - reached
        reached |= fresh
        waiting += fresh
    return {state for state in reached if state.terminate}


def _published(space: SearchSpace) -> tuple[list[tuple[Any, float]], dict[tuple[State, State], float]]:
    nets = ["[C(4,3,1,1,1), SM(10)]", "[C(8,3,1,1,1), P(2,2,0,0), SM(10)]", "[C(4,3,1,1,1), SM(10)]"]
    rows = [(space.parse(net), reward) for net, reward in zip(nets, (0.4, 0.0, 0.4), strict=True)]
    first = rows[0][0].states[0]
    values = {(space.start(), action): 0.15 for action in space.actions(space.start())}
    values |= {(space.start(), first): 0.2, (first, first._replace(layer_depth=2, terminate=1)): 0.3}
    values[space.start(), space.actions(space.start())[0]] = 0.11  # belongs to no row
    return rows, values


def test_a_search_of_the_published_code_goes_on() -> None:
    config = _config(ENDLESS)
    strategy = _strategy(config)
    rows, values = _published(strategy._space)
    observed = strategy.import_rows(rows, values)
    assert [(u.reward, u.counted, u.duplicate_of) for u in observed] == [
        (0.4, True, None), (0.0, False, None), (0.4, True, 1),
    ]  # fmt: skip
    updates = [unpack(payload) for payload in _payloads(list(observed))]
    assert [update.number for update in updates] == [1, 2, 3]
    assert (strategy.counted, strategy.epsilon) == (2, 1.0)
    for (state, action), value in values.items():
        assert strategy.q(state, action) == value
    written = dict(pair for u in updates for pair in zip(u.q_ids, u.q_values, strict=True))
    state = _state(strategy)
    assert [written[number] for number in range(len(written))] == state["q_values"]
    assert [s for u in updates for s in u.states] == state["states"]
    assert [t for u in updates for t in u.transitions] == state["transitions"]
    assert len(state["transitions"]) == 2 + 3 + 1
    proposals = strategy.propose(30)
    assert proposals[0].number == 4
    known = {str(architecture) for architecture, _ in rows}
    assert all(p.kind == "duplicate" for p in proposals if p.net in known)


def test_the_position_of_an_imported_search_can_be_said() -> None:
    strategy = _strategy(_config(ENDLESS))
    rows, values = _published(strategy._space)
    strategy.import_rows(rows, values, counted=100)
    assert strategy.epsilon == 0.5


def test_an_import_that_does_not_fit_changes_nothing() -> None:
    config = _config(ENDLESS)
    strategy = _strategy(config)
    space = strategy._space
    rows, values = _published(space)
    before = _state(strategy)
    with pytest.raises(ValueError, match=r"row 4, \[C\(5,"):
        strategy.import_rows([*rows, (space.parse("[C(5,3,1,1,1), SM(10)]"), 0.5)], values)
    with pytest.raises(ValueError, match="row 4"):
        strategy.import_rows([*rows, (rows[0][0], float("nan"))], values)
    with pytest.raises(ValueError, match="may not follow"):
        strategy.import_rows(rows, {**values, (space.start(), space.start()): 0.5})
    with pytest.raises(ValueError, match="together with"):
        strategy.import_rows([], values)
    assert _state(strategy) == before
    _propose(strategy)
    with pytest.raises(ValueError, match="before the first trial"):
        strategy.import_rows(rows, values)

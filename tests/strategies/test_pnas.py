"""PNAS under the contract of strategies, and what it alone does."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nasd.config import Config
from nasd.errors import ConfigError
from nasd.outcome import Failed
from nasd.spaces.cells import CellSpace
from nasd.strategies.base import Learned, Proposal, Work
from nasd.strategies.pnas import thinking
from nasd.strategies.pnas.strategy import PNAS
from tests.strategies.contract import Case, Search, StrategyContract, evaluated, scripted

OPERATORS = ("id", "sep3x3", "max3x3")


def config(seed: int = 1, space: dict[str, Any] | None = None, **search: Any) -> Config:
    return Config.model_validate(
        {
            "seed": seed,
            "space": {"kind": "cells", "blocks": 3, "operators": OPERATORS, "lookback": 1, **(space or {})},
            "search": {"strategy": "pnas", "k": 8, "surrogate": "ridge", **search},
        }
    )


def strategy(settings: Config) -> PNAS:
    return PNAS(settings, CellSpace(settings.space))


def thinker(settings: Config) -> Any:
    def think(work: Work) -> Learned:
        thought = thinking.think(settings, work.request, lambda step: None, None)
        return Learned(thought.payload, thought.files)

    return think


def case(settings: Config, **options: Any) -> Case:
    return Case(
        lambda seed: strategy(settings.model_copy(update={"seed": seed})),
        think=thinker(settings),
        waits=True,
        **options,
    )


def by_operators(proposal: Proposal) -> Any:
    """The more separable convolutions, the better; the same for equal cells."""
    return evaluated(0.1 + 0.8 * proposal.net.count("sep3x3") / (2 * proposal.net.count("(")))


CASES = {
    "ridge": config(),
    "mlp": config(surrogate="mlp", ensemble=2),
    "all cells of a level": config(space={"blocks": 2}, k=None),
    "one operator": config(space={"operators": ("id",), "lookback": 3}),
    "more wanted than there are": config(space={"blocks": 2, "operators": ("id", "max3x3"), "lookback": 2}, k=1000),
    "flat and concatenated, by an upper bound": config(
        space={"lookforward": 0, "combine": "concat"}, acquisition="ucb"
    ),
}


class TestContract(StrategyContract):
    @pytest.fixture(params=CASES, name="case")
    def _case(self, request: pytest.FixtureRequest) -> Case:
        return case(CASES[request.param])

    def test_the_same_seed_twice_and_another(self, case: Case) -> None:
        pytest.skip("the seed is the surrogate's alone: see test_the_seed_is_that_of_the_surrogate")


def run(settings: Config, evaluate: Any = scripted, room: int = 1) -> Search:
    search = Search.begin(case(settings, evaluate=evaluate), room, settings.seed)
    while search.step():
        pass
    return search


def nets(search: Search) -> list[list[str]]:
    return [[cell.net for cell in level.cells] for level in search.strategy.levels]  # type: ignore[attr-defined]


def test_the_first_level_is_every_cell_and_the_others_the_best_expansions() -> None:
    settings = config()
    space = CellSpace(settings.space)
    first, second, third = nets(run(settings, by_operators))
    assert first == list(space.cells(1))
    assert len(second) == len(third) == 8
    assert len(set(third)) == 8
    assert all(space.canonical(net) == net for net in (*second, *third))
    assert second[0].count("sep3x3") == 4
    assert third[0].count("sep3x3") == 6


def test_the_order_of_arrival_makes_no_difference() -> None:
    settings = config(surrogate="mlp", ensemble=2)
    ordered = run(settings)
    turns = np.random.default_rng(3)
    shuffled = Search.begin(case(settings), 8)
    while shuffled.step(lambda ready: int(turns.integers(len(ready)))):
        pass
    assert nets(shuffled) == nets(ordered)
    assert [trial.number for trial, _ in shuffled.trials] != [trial.number for trial, _ in ordered.trials]
    assert sorted((t.number, t.net) for t, _ in shuffled.trials) == [(t.number, t.net) for t, _ in ordered.trials]


def test_at_the_end_of_a_level_it_waits_however_much_room_there_is() -> None:
    search = Search.begin(case(config()), room=8)
    first = len(nets(search)[0])
    for left in range(first, 0, -1):
        assert len(search.open) == min(8, left)
        search.step()
    assert {proposal.stage for proposal in search.open} == {"b=2"}
    assert len(search.open) == 8


def test_the_seed_is_that_of_the_surrogate() -> None:
    one, same, other = (nets(run(config(seed, surrogate="mlp", ensemble=1))) for seed in (1, 1, 2))
    assert one == same
    assert one[0] == other[0]
    assert one[1] != other[1]


def test_failed_cells_are_neither_learned_from_nor_expanded() -> None:
    def fails(proposal: Proposal) -> Any:
        return Failed(reason="No.") if "max3x3" in proposal.net else by_operators(proposal)

    settings = config(k=None, space={"blocks": 2})
    first, second = nets(run(settings, fails))
    lost = {net for net in first if "max3x3" in net}
    parents = [net.removeprefix("cell[").removesuffix("]") for net in set(first) - lost]
    assert lost
    assert all(any(parent in net for parent in parents) for net in second)


def test_a_level_all_of_whose_trials_failed_ends_the_search_with_a_reason() -> None:
    search = run(config(), lambda proposal: Failed(reason="No."))
    assert search.strategy.finished
    assert search.strategy.ended_early == "No cell of 1 block could be evaluated: there is nothing to expand."  # type: ignore[attr-defined]
    assert search.strategy.progress().of == 0
    last = run(config(space={"blocks": 1}), lambda proposal: Failed(reason="No."))
    assert last.strategy.progress().notes[-1] == "No cell of 1 block could be evaluated."
    assert run(config()).strategy.ended_early is None  # type: ignore[attr-defined]


def test_where_all_rewards_are_equal_cells_come_in_the_order_of_their_text() -> None:
    _, second, third = nets(run(config(), lambda proposal: evaluated(0.5)))
    assert second == sorted(second)
    assert third == sorted(third)


def test_what_is_infeasible_is_not_ranked() -> None:
    settings = config(space={"max_parameters": 45_000, "patch_size": 8})
    space = CellSpace(settings.space)
    search = run(settings)
    _, second, third = nets(search)
    assert all(space.feasible(space.parse(net)) is None for net in (*second, *third))
    assert {trial.kind for trial, _ in search.trials} == {"evaluate", "infeasible"}


def test_predictions_are_facts_of_their_trials() -> None:
    trials = run(config()).trials
    assert dict(trials[0][0].facts) == {"level": 1, "rank": 1}
    facts = trials[-1][0].facts
    assert facts["level"] == 3
    assert facts["rank"] == 8
    assert 0 < facts["prediction"] < 1
    assert facts["spread"] >= 0


def test_progress_knows_how_many_trials_are_to_come() -> None:
    search = Search.begin(case(config()))
    progress = search.strategy.progress()
    assert progress.of == 6 + 8 + 8
    assert [(stage.label, stage.of) for stage in progress.stages] == [("b=1", 6), ("b=2", 8), ("b=3", 8)]


def test_work_says_what_it_is() -> None:
    settings = config()
    search = strategy(settings)
    search.restore(None, [], [])
    for proposal in search.propose(10):
        search.observe(proposal, by_operators(proposal))
    work = search.work()
    assert work is not None
    assert work.name == "ranking 126 cells of 2 blocks"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"space": {"kind": "layers"}, "search": {"strategy": "pnas"}}, "set space.kind to cells"),
        ({"space": {"kind": "cells"}, "search": {"strategy": "qlearning"}}, "set space.kind to layers"),
    ],
)
def test_a_strategy_and_a_space_that_do_not_fit_are_refused(settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Config.model_validate(settings)


def test_the_row_that_closes_a_level_tells_how_well_it_was_predicted() -> None:
    search = run(config(), by_operators)
    told = [(proposal.number, observed.facts) for proposal, observed in search.trials if observed.facts]
    assert [number for number, _ in told] == [6 + 8, 6 + 8 + 8]
    assert all(-1 <= facts["level_correlation"] <= 1 for _, facts in told)
    strategy = search.strategy
    assert isinstance(strategy, PNAS)
    for blocks, (_, facts) in enumerate(told, start=2):
        pairs = strategy.outcomes(blocks)
        assert len(pairs) == 8
        assert facts["level_correlation"] == strategy.correlation(blocks)
    first, second = strategy.progress().notes
    assert first.startswith("level 3 of 3: 8 of 8 trained, ")
    assert first.endswith(f"{CellSpace(config().space).count(3):,} cells of 3 blocks in the space")
    assert second.startswith("rank correlation of prediction and outcome: b=2 ")


def test_an_upper_bound_prefers_what_the_members_disagree_about() -> None:
    mean, bound = (
        run(config(surrogate="mlp", ensemble=3, acquisition=acquisition, ucb_weight=50.0)).strategy
        for acquisition in ("mean", "ucb")
    )
    spreads = [sum(cell.spread or 0 for cell in one.levels[1].cells) for one in (mean, bound)]  # type: ignore[attr-defined]
    assert spreads[1] > spreads[0]


def test_a_search_that_would_not_end_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"search.k is null, and there are 3,147,356,952,080 cells of 5 blocks"):
        strategy(Config.model_validate({"space": {"kind": "cells"}, "search": {"strategy": "pnas", "k": None}}))


# Another search goes on here


def test_rows_of_another_search_are_taken_over_and_only_its_last_level_is_filled_up() -> None:
    settings = config()
    whole = run(settings, by_operators)
    done = [(proposal.net, observed.reward) for proposal, observed in whole.trials]
    begun = done[: 6 + 3]
    taken = strategy(settings)
    observed = taken.import_rows([*begun, begun[0]])
    assert [row.duplicate_of for row in observed] == [None] * 9 + [1]
    work = taken.work()
    assert work is not None
    taken.learn(thinker(settings)(work))
    second = [cell.net for cell in taken.levels[-1].cells]
    assert second[:3] == [net for net, _ in begun[6:]]
    assert len(set(second)) == 8
    proposals = taken.propose(20)
    assert [proposal.number for proposal in proposals] == [11, 12, 13, 14, 15]
    assert {proposal.kind for proposal in proposals} == {"evaluate"}
    again = strategy(settings)
    payloads = [row.learned.payload for row in observed if row.learned]
    answer = thinker(settings)(work).payload
    again.restore(json.loads(json.dumps(taken.position())), [*payloads, answer], proposals)
    assert again.position() == taken.position()
    assert again.progress() == taken.progress()


def test_a_finished_first_level_is_ranked_at_once_and_a_begun_one_goes_on() -> None:
    settings = config()
    first = list(CellSpace(settings.space).cells(1))
    begun = strategy(settings)
    begun.import_rows([(net, 0.5) for net in first[2:4]])
    assert [proposal.net for proposal in begun.propose(10)] == [*first[:2], *first[4:]]
    whole = strategy(settings)
    whole.import_rows([(net, 0.5) for net in first])
    assert whole.propose(10) == ()
    work = whole.work()
    assert work is not None
    assert work.name == "ranking 126 cells of 2 blocks"


def test_rows_that_do_not_fit_are_not_taken_over() -> None:
    settings = config(space={"blocks": 2})
    two = "cell[(h-1 id, h-1 id), (h-1 id, h-1 id)]"
    three = "cell[(h-1 id, h-1 id), (h-1 id, h-1 id), (h-1 id, h-1 id)]"
    for rows, message in (([], "no rows"), ([(two, 0.5)], "none of 1"), ([(three, 0.5)], "space.blocks is 2")):
        with pytest.raises(ValueError, match=message):
            strategy(settings).import_rows(rows)


def test_published_history_is_gone_on_with() -> None:
    path = Path(__file__).parents[3] / "shared" / "golden" / "pnas.json"
    if not path.exists():
        pytest.skip(f"the golden values are not at {path}")
    rows = json.loads(path.read_text())["fixtures"]["history"]["parsed"]
    settings = config(
        space={"operators": ("sep3x3", "conv1x7-7x1", "max3x3"), "lookforward": 0, "blocks": 4}, k=4, surrogate="ridge"
    )
    search = strategy(settings)
    search.import_rows([(net, reward) for reward, net in rows])
    assert [len(level.cells) for level in search.levels] == [6, 3]
    work = search.work()
    assert work is not None
    search.learn(thinker(settings)(work))
    assert len(search.levels[-1].cells) == 4

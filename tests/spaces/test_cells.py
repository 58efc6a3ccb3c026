"""The space of cells: golden values, and brute force against what is enumerated and counted."""

import hashlib
import json
from itertools import combinations_with_replacement, permutations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasd.config.cells import CellsConfig
from nasd.spaces.base import GrammarError
from nasd.spaces.cells import OPERATORS, Cell, CellSpace, Term, count
from nasd.spaces.cells.arrays import canonical_codes, decode, encode_blocks, keys, texts
from nasd.spaces.cells.canonical import canonical
from nasd.spaces.cells.cell import FIRST_BLOCK, blocks_read

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "pnas.json"


@pytest.fixture(scope="module")
def golden():
    if not GOLDEN.exists():
        pytest.skip(f"the golden values are not at {GOLDEN}")
    return json.loads(GOLDEN.read_text())


def space(**config):
    return CellSpace(CellsConfig(**config))


def digest(lines):
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def test_golden_lists_of_small_spaces(golden):
    for entry in golden["nasd_canonical"]["small_spaces"]:
        cells = space(lookback=entry["lookback"], operators=entry["operators"])
        for level in entry["levels"]:
            found = list(cells.cells(level["b"]))
            assert found == level["cells"]
            assert digest(found) == level["sha256_of_lines_joined_by_newline"]


def test_golden_expansions_of_the_papers_space(golden):
    cells = space()
    parents = np.empty((0, 0, 2), np.uint8)
    for level in golden["nasd_canonical"]["paper_space_first_256_parents"]["levels"][:4]:
        children = [cells.choices(1)[:, None]] if level["b"] == 1 else list(cells.expansions(parents))
        assert sum(map(len, children)) == level["expanded"]
        every = np.concatenate([cells.canonical_codes(codes) for codes in children])
        every = every[np.unique(keys(every), return_index=True)[1]]
        assert len(every) == level["unique"]
        assert digest(texts(every)) == level["sha256_of_lines_joined_by_newline"]
        parents = every if level["b"] == 1 else every[:256]


def test_golden_counts(golden):
    for entry in golden["counts"]["spaces"]:
        for level in entry["levels"]:
            assert count(entry["lookback"], entry["operators"], level["b"]) == level["cells_up_to_isomorphism"]
    for flat in golden["counts"]["flat_cells"]:
        for blocks in range(1, 6):
            added = count(1, flat["operators"], blocks, lookforward=0)
            concatenated = count(1, flat["operators"], blocks, lookforward=0, combine="concat")
            assert added == flat["distinct_if_pairs_are_added"][blocks - 1]
            assert concatenated == flat["distinct_if_ops_are_concatenated"][blocks - 1]


def test_golden_pairs_and_pnasnet5(golden):
    cells, pairs = space(), golden["nasd_canonical"]
    for pair in pairs["equal_pairs"]:
        assert cells.canonical(pair["a"]) == cells.canonical(pair["b"]) == pair["canonical"]
    for one, other in pairs["different_pairs"]:
        assert cells.canonical(one) != cells.canonical(other)
    assert cells.canonical(pairs["pnasnet5"]["as_published_by_slim"]) == pairs["pnasnet5"]["canonical"]


@pytest.mark.slow
def test_all_cells_of_three_blocks_are_counted_in_a_stream():
    assert sum(map(len, space().enumerate(3))) == 10_979_688


def every_cell(lookback, operators, blocks, lookforward=None):
    """All lists of blocks with sorted terms in reading order, the plain way."""
    levels = []
    for number in range(blocks):
        sources = [*range(lookback), *(FIRST_BLOCK + block for block in range(number))]
        terms = [Term(source, operator) for source in sources for operator in operators]
        levels.append(list(combinations_with_replacement(terms, 2)))
    for cell in product(*levels):
        if lookforward is None or len(blocks_read(cell)) <= lookforward:
            yield cell


def least_numbering(blocks):
    """Canonical form by trying every numbering."""
    found = []
    for order in permutations(range(len(blocks))):
        number = {old: new for new, old in enumerate(order)}
        cell = tuple(
            tuple(
                sorted(
                    term if term.block is None else Term(FIRST_BLOCK + number[term.block], term.operator)
                    for term in blocks[old]
                )
            )
            for old in order
        )
        if all(term.block is None or term.block < at for at, block in enumerate(cell) for term in block):
            found.append(cell)
    return min(found)


@pytest.mark.parametrize(
    ("lookback", "names", "blocks", "lookforward"),
    [
        (1, ["max3x3"], 4, None),
        (2, ["id"], 3, None),
        (1, ["sep3x3", "id"], 3, None),
        (1, ["id"], 4, 1),
        (1, ["id", "conv3x3"], 3, 1),
        (2, ["id"], 3, 0),
    ],
)
def test_enumerating_counting_and_brute_force_agree(lookback, names, blocks, lookforward):
    operators = [OPERATORS.index(name) for name in names]
    brute = sorted({least_numbering(cell) for cell in every_cell(lookback, operators, blocks, lookforward)})
    cells = space(lookback=lookback, operators=names, lookforward=lookforward)
    assert list(cells.cells(blocks)) == [str(Cell(blocks, cells.config)) for blocks in brute]
    assert cells.count(blocks) == len(brute)


def test_where_all_outputs_are_concatenated_terms_change_places():
    cells = space(lookback=1, operators=["id", "max3x3"], lookforward=0, combine="concat")
    assert cells.canonical("cell[(h-1 max3x3, h-1 id), (h-1 max3x3, h-1 id)]") == (
        "cell[(h-1 id, h-1 id), (h-1 max3x3, h-1 max3x3)]"
    )
    assert [len(list(cells.cells(blocks))) for blocks in (1, 2, 3)] == [3, 5, 7]
    assert [cells.count(blocks) for blocks in (1, 2, 3)] == [3, 5, 7]


@given(st.data())
def test_any_numbering_of_a_cell_has_the_same_canonical_form(data):
    """One by one and as an array."""
    blocks = []
    for number in range(data.draw(st.integers(1, 7))):
        sources = [0, 1, *(FIRST_BLOCK + block for block in range(number))]
        term = st.builds(Term, st.sampled_from(sources), st.integers(0, 1))
        blocks.append((data.draw(term), data.draw(term)))
    canonised = canonical(tuple(blocks))
    assert canonical(canonised) == canonised
    assert decode(canonical_codes(encode_blocks([tuple(blocks)]))) == [canonised]
    if len(blocks) <= 5:
        assert canonised == least_numbering(tuple(blocks))


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("", 0, "'cell'"),
        ("[(h-1 id, h-1 id)]", 0, "'cell'"),
        ("cell[]", 5, "'('"),
        ("cell[(h-1 id, h-1 id)] x", 23, "nothing after"),
        ("cell[(h-1 id, h-1 id)", 21, "',' or ']'"),
        ("cell[(h-1 id)]", 12, "','"),
        ("cell[(h-3 id, h-1 id)]", 6, "at most h-2"),
        ("cell[(h-0 id, h-1 id)]", 6, "a source"),
        ("cell[(b1 id, h-1 id)]", 6, "block 1 has none before it"),
        ("cell[(h-1 id, h-1 id), (h-1 id, b2 id)]", 32, "at most b1"),
        ("cell[(h-1 sep9x9, h-1 id)]", 10, "an operator: id, sep3x3"),
        ("cell[(h-1 idd, h-1 id)]", 10, "an operator"),
        ("cell[" + ", ".join(["(h-1 id, h-1 id)"] * 11) + "]", 185, "at most 10 blocks"),
        ("x" * 20_000, 10_000, "at most 10000 characters"),
    ],
)
def test_what_is_no_cell_is_refused_with_its_place(text, position, expected):
    with pytest.raises(GrammarError) as refused:
        space().parse(text)
    assert refused.value.position == position
    assert expected in refused.value.expected


@given(st.text(alphabet="cell[](),h-b123 idsepx max", max_size=60))
def test_parsing_raises_nothing_else(text):
    try:
        cell = space().parse(text)
    except GrammarError:
        return
    assert space().parse(str(cell)) == cell


def test_space_between_words_is_free():
    assert space().parse(" cell [ ( h-1 id,\th-2\nid ) ] ") == space().parse("cell[(h-1 id, h-2 id)]")


@pytest.mark.parametrize("config", [{}, {"lookforward": 1}, {"lookforward": 0, "combine": "concat"}, {"blocks": 2}])
def test_samples_and_neighbours_are_cells_of_the_space(config):
    cells, random = space(**config), np.random.default_rng(5)
    for _ in range(100):
        cell = cells.sample(random)
        neighbour = cells.mutate(cell, random)
        for one in (cell, neighbour):
            assert cells.parse(str(one)) == one
            assert len(one.blocks) == cells.config.blocks
            assert config.get("lookforward") is None or len(blocks_read(one.blocks)) <= config["lookforward"]
        assert neighbour != cell or "lookforward" in config


def test_a_cell_without_neighbours_stays_what_it_is():
    cells = space(operators=["id"], lookback=1, blocks=1)
    cell = cells.parse("cell[(h-1 id, h-1 id)]")
    assert cells.mutate(cell, np.random.default_rng(0)) == cell


def test_networks_above_a_limit_are_infeasible():
    cell = "cell[(h-1 sep7x7, h-2 sep7x7)]"
    small = space(max_parameters=1000)
    refused = small.feasible(small.parse(cell))
    assert refused is not None
    assert "max_parameters, 1,000" in refused.reason
    slow = space(max_operations=1000)
    assert "max_operations, 1,000" in slow.feasible(slow.parse(cell)).reason
    assert space().feasible(space().parse(cell)) is None

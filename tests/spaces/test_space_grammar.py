"""Reading and writing architectures."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nasd.config import LayersConfig
from nasd.errors import NasdError
from nasd.spaces.base import GrammarError
from nasd.spaces.layers import Architecture, SearchSpace

SPACE = SearchSpace(LayersConfig(max_fc=2))
GOOD = "[C(32,5,1,2,1), P(4,4,0,0), C(32,3,1,1,0), FC(64), SM(10)]"
VALID_PADDING = "[C(32,5,1,1), C(64,3,1,0), C(64,4,0,2), FC(32), SM(10)]"

loosely_written = st.text(alphabet="[]()CPFSM,0123456789 \n", max_size=80)


@given(seed=st.integers(0, 2**32))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_the_search_proposes_survives_writing_and_reading(
    walk: Callable[[SearchSpace, int], Architecture], seed: int
) -> None:
    architecture = walk(SPACE, seed)
    again = SPACE.parse(str(architecture))
    assert again == architecture
    assert hash(again) == hash(architecture)
    assert str(again) == str(architecture)
    assert SPACE.contains(again)


@pytest.mark.parametrize("text", [GOOD, VALID_PADDING, "[C(32,5,1,1), SM(10)]", "[C(8,1,1,0,1), P(2,2,0,0), SM(10)]"])
def test_both_notations_are_written_as_they_were_read(text: str) -> None:
    assert str(SPACE.parse(text)) == text


def test_pyramid_pooling_counts_its_bins() -> None:
    architecture = SPACE.parse(VALID_PADDING)
    assert [tuple(state) for state in architecture.states] == [
        ("conv", 1, 32, 5, 1, 0, 24, 0, 0),
        ("wrn", 3, 64, 3, 1, 1, 24, 0, 0),
        ("spp", 4, 64, 4, 0, 0, 1 + 4 + 9 + 16, 0, 0),
        ("fc", 5, 0, 0, 0, 0, 0, 32, 0),
        ("fc", 6, 0, 0, 0, 0, 0, 32, 1),
    ]
    assert architecture.embedding_dim == 64 * 30
    assert SPACE.feasible(architecture) is None
    assert not SPACE.contains(architecture)


def test_spaces_are_free() -> None:
    assert SPACE.parse(" [ C ( 32 ,5,1,2,1)\n,SM(10)\t]  ") == SPACE.parse("[C(32,5,1,2,1), SM(10)]")


def test_the_notation_does_not_matter_for_equality() -> None:
    assert SPACE.parse("[C(32,5,1,0,1), SM(10)]") == SPACE.parse("[C(32,5,1,1), SM(10)]")


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("", 0, "'['"),
        ("[]", 1, "a layer"),
        ("[SM(10)]", 1, "a convolution"),
        ("[P(2,2,0,0), SM(10)]", 1, "a convolution"),
        ("[FC(2), SM(10)]", 1, "a convolution"),
        ("[D(32,5,1,2,1), SM(10)]", 1, "a layer"),
        ("[C(32,5,1,2,1)]", 14, "SM(10)"),
        ("[C(32,5,1,2,1), SM(10)", 22, "']'"),
        ("[C(32,5,1,2,1), SM(10)] x", 24, "nothing after"),
        ("[C(32,5,1,2,1), SM(10), SM(10)]", 24, "nothing after SM"),
        ("[C(32,5,1,2,1), SM(11)]", 19, "number of classes"),
        ("[C(32,5,1), SM(10)]", 9, "numbers"),
        ("[C(32,5,1,2,1,1), SM(10)]", 13, "')'"),
        ("[C(-32,5,1,2,1), SM(10)]", 3, "a whole number"),
        ("[C(1234567,5,1,2,1), SM(10)]", 3, "6 digits"),
        ("[C(٣,5,1,2,1), SM(10)]", 3, "a whole number"),
        ("[C(0,5,1,2,1), SM(10)]", 3, "1 feature"),
        ("[C(32,33,1,2,1), SM(10)]", 6, "1 to 32"),
        ("[C(32,0,1,0,1), SM(10)]", 6, "1 to 28"),
        ("[C(32,5,0,2,1), SM(10)]", 8, "stride"),
        ("[C(32,5,1,5,1), SM(10)]", 10, "padding"),
        ("[C(32,5,1,2,2), SM(10)]", 12, "0 (wide-residual) or 1"),
        ("[C(32,5,1,1,0), SM(10)]", 6, "3, as in every"),
        ("[C(32,3,1,0,0), SM(10)]", 10, "1, as in every"),
        ("[C(32,3,1,1), C(32,3,1,1,1), SM(10)]", 16, "as many numbers"),
        ("[C(32,4,0,2), SM(10)]", 10, "cannot come first"),
        ("[C(32,3,1,1), C(64,4,0,2), SM(10)]", 16, "32"),
        ("[C(32,27,1,1), C(32,4,0,2), SM(10)]", 20, "1 to 2 levels"),
        ("[C(32,3,1,1), C(32,4,0,2), C(32,3,1,1), SM(10)]", 27, "FC(...) or SM(...)"),
        ("[C(32,5,1,2,1), FC(0), SM(10)]", 19, "1 unit"),
        ("[C(32,5,1,2,1), FC(8), P(2,2,0,0), SM(10)]", 23, "FC(...) or SM(...)"),
        ("[C(32,5,1,2,1), P(29,2,0,0), SM(10)]", 18, "1 to 28"),
        ("[C(32,5,1,2,1), P(2,0,0,0), SM(10)]", 20, "stride"),
        ("[C(32,5,1,2,1), P(2,2,1,0), SM(10)]", 22, "0"),
    ],
)
def test_a_bad_string_is_answered_with_position_and_expectation(text: str, position: int, expected: str) -> None:
    with pytest.raises(GrammarError) as caught:
        SPACE.parse(text)
    assert caught.value.position == position
    assert expected in caught.value.expected
    assert f"character {position + 1} " in str(caught.value)
    assert isinstance(caught.value, NasdError)


@given(st.one_of(st.text(max_size=200), loosely_written))
@example("[" * 100_000)
@example("[C(" + "9" * 5000 + ",1,1,0,1), SM(10)]")
@example("[C(8,1,1,0,1), " * 70_000)
@example(GOOD[:-1] + " " * 1_000_000 + "]")
@example("\0\ud800[")
def test_junk_is_a_grammar_error_and_nothing_else(text: str) -> None:
    with pytest.raises(GrammarError) as caught:
        SPACE.parse(text)
    assert len(str(caught.value)) < 300


@given(at=st.integers(0, len(GOOD)), cut=st.integers(0, 3), put=st.text(alphabet="[](),0123456789CPFSM x", max_size=7))
def test_a_nearly_good_string_is_read_or_refused(at: int, cut: int, put: str) -> None:
    try:
        architecture = SPACE.parse(GOOD[:at] + put + GOOD[at + cut :])
    except GrammarError:
        return
    assert all(state.image_size >= 1 for state in architecture.encoder)
    assert SPACE.parse(str(architecture)) == architecture


def test_the_longest_architectures_of_a_search_are_read() -> None:
    text = f"[{', '.join(['C(999999,1,1,0,1)'] * 500)}, SM(10)]"
    assert len(SPACE.parse(text).states) == 501

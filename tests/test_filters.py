"""The filter language: what is read, and which term is named where it is not."""

import contextlib
from typing import Any
from unittest.mock import MagicMock

import pytest

from nasd.filters import FIELDS, FilterError, Listing, Term, complete, parse
from nasd.protocol import JOB_LISTING, LOG_LISTING, RUN_LISTING
from nasd.protocol.qlearning import ACTION_LISTING


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", ()),
        ("   ", ()),
        ("reward>0.84", ((Term("reward", ">", 0.84),),)),
        ("reward>=84%", ((Term("reward", ">=", 0.84),),)),
        ("layers<=5 C(32,5", ((Term("layers", "<=", 5.0), Term("", "contains", "C(32,5")),)),
        ("status:failed", ((Term("status", "=", "failed"),),)),
        ("status:early", ((Term("status", "=", "early_stopped"),),)),
        ("eps=0.1 params<1e5", ((Term("facts.epsilon", "=", 0.1), Term("params", "<", 1e5)),)),
        ("params<100k", ((Term("params", "<", 1e5),),)),
        ("time>30 | time<2m", ((Term("time", ">", 30.0),), (Term("time", "<", 120.0),))),
        ("dup:no star:yes", ((Term("dup", "=", False), Term("star", "=", True)),)),
        ("!status:failed", ((Term("status", "=", "failed", negated=True),),)),
        ("stage:e=0.1", ((Term("stage", "contains", "e=0.1"),),)),
        ('"e=1 or so"', ((Term("", "contains", "e=1 or so"),),)),
        ('note:"look again"', ((Term("note", "contains", "look again"),),)),
        ("facts.parent=17", ((Term("facts.parent", "=", 17.0),),)),
    ],
)
def test_reads(text: str, terms: object) -> None:
    assert parse(text) == terms


@pytest.mark.parametrize(
    ("text", "wrong", "expected"),
    [
        ("reward>0.84 rewrd<1", "rewrd<1", "reward<"),
        ("layers<=five", "layers<=five", "layers of the architecture"),
        ("dup:maybe", "dup:maybe", "yes or no"),
        ("status:e", "status:e", "evaluated, early_stopped"),
        ("status>failed", "status>failed", "evaluated"),
        ("reward>", "reward>", "a value behind >"),
        ("| reward>1", "|", "a term before |"),
        ("reward>1 |", "|", "a term behind |"),
        ('note:"open', '"open', "a closing"),
    ],
)
def test_names_the_term_that_is_none(text: str, wrong: str, expected: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)
    error = caught.value
    assert text[error.start : error.end] == wrong
    assert expected in error.expected
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    "text", ["\x00", "=" * 900, "a" * 2000, "|" * 50, "!" * 50, "reward>nan", "reward>1e999999", '"', "a:b:c", "😀>1"]
)
def test_never_anything_but_a_filter_error(text: str) -> None:
    with contextlib.suppress(FilterError):
        parse(text)


def test_completes_fields_and_values() -> None:
    assert complete("rew") == "reward"
    assert complete("reward>0.8 sta") == "reward>0.8 status:"
    assert complete("status:du") == "status:duplicate"
    assert complete("dup:") == "dup:yes"
    assert complete("C(32,5") == "C(32,5"
    assert all(complete(name[:-1]).startswith(name[:-1]) for name in FIELDS)


ROWS: Listing[dict[str, str | float | bool | None]] = Listing(
    fields={
        "name": ("text", "a name"),
        "size": ("number", "a size"),
        "state": ("choice", "on, off"),
        "new": ("switch", "yes or no"),
    },
    searched="name",
    values=lambda row: row,
    texts=lambda row: str(row["name"]),
)
A = {"name": "Alpha", "size": 3, "state": "on", "new": True}
B = {"name": "beta", "size": None, "state": "off", "new": False}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [A, B]),
        ("alp", [A]),
        ("!alp", [B]),
        ("name:ALPHA", [A]),
        ("name=alph", []),
        ("size>=3", [A]),
        ("size!=4", [A]),  # a missing value is neither
        ("!size>2", [B]),
        ("state:off", [B]),
        ("state:o size<1k", None),  # both begin so
        ("new:no | size=3", [A, B]),
        ("new:yes state:off", []),
    ],
)
def test_rows_in_memory_are_filtered(text: str, found: list[object] | None) -> None:
    if found is None:
        with pytest.raises(FilterError, match="expected on, off"):
            ROWS.matching(text)
        return
    assert [row for row in (A, B) if ROWS.matching(text)(row)] == found


def test_fields_belong_to_their_list() -> None:
    with pytest.raises(FilterError, match="expected a field"):
        parse("facts.parent=1", ROWS.fields)
    assert complete("sta", ROWS.fields) == "state:"
    assert complete("state:of", ROWS.fields) == "state:off"


@pytest.mark.parametrize("listing", [JOB_LISTING, LOG_LISTING, RUN_LISTING, ACTION_LISTING])
def test_every_list_tells_the_values_of_its_fields(listing: Listing[Any]) -> None:
    row = MagicMock()
    row.problems = ()
    assert set(listing.values(row)) == set(listing.fields)

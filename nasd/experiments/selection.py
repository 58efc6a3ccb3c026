"""Which architectures of a search an experiment takes: some of the worst, of the middle, of the best (arXiv 2104.06788,
section 3.2: six each). A client does this with what it reads from a daemon or a CSV file.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nasd import protocol
from nasd.client import Client
from nasd.errors import NasdError
from nasd.protocol import Selected

GROUPS = ("low", "mid", "top")
_SPEC = re.compile(r"(?P<groups>[a-z]+(,[a-z]+)*):(?P<each>[0-9]{1,3})")


@dataclass(frozen=True)
class Choice:
    """Which groups, and how many architectures of each."""

    groups: tuple[str, ...]
    each: int

    @classmethod
    def parse(cls, text: str) -> "Choice":
        """Read `low,mid,top:6`.

        Raises:
            NasdError: It is written otherwise.
        """
        found = _SPEC.fullmatch(text.replace(" ", ""))
        groups = tuple(dict.fromkeys(found["groups"].split(","))) if found else ()
        if found is None or not set(groups) <= set(GROUPS) or int(found["each"]) == 0:
            raise NasdError(f"a selection is written low,mid,top:6 (groups, then how many of each), not {text!r}")
        return cls(groups, int(found["each"]))


def select(candidates: Iterable[Selected], choice: Choice) -> tuple[Selected, ...]:
    """Take `choice.each` architectures of each group, in the order of the groups, the better ones of a group first.

    Args:
        candidates: With rewards. Of equal strings the best counts; those without reward above 0 do not.
        choice: `low` are the worst, `top` the best, `mid` those around the median.

    Raises:
        NasdError: There are too few different architectures for groups that do not overlap.
    """
    ranked: dict[str, tuple[float, Selected]] = {}
    for one in sorted(candidates, key=lambda one: -(one.reward or 0.0)):
        if one.reward is not None and one.reward > 0:
            ranked.setdefault(one.net, (one.reward, one))
    rows, each = [one for _, one in ranked.values()], choice.each
    alone = len(choice.groups) == 1
    needed = each * (3 if "mid" in choice.groups and not alone else len(choice.groups))
    if len(rows) < needed:
        raise NasdError(
            f"a selection of {each} {', '.join(choice.groups)} needs {needed} different architectures with a reward "
            f"above 0, there are {len(rows)}: wait for more trials, or select fewer"
        )
    middle = (len(rows) - each) // 2
    start = {"top": 0, "mid": middle, "low": len(rows) - each}
    return tuple(
        Selected(net=one.net, trial=one.trial, group=group, reward=one.reward)
        for group in choice.groups
        for one in rows[start[group] : start[group] + each]
    )


def candidates(client: Client) -> Iterator[Selected]:
    """Every evaluated trial with reward above 0, the best first."""
    offset = 0
    while True:
        params = protocol.TrialsParams(
            offset=offset,
            limit=protocol.MAX_PAGE,
            sort="reward",
            descending=True,
            status=("evaluated", "early_stopped"),
        )
        page: protocol.TrialPage = client.call("trials", params)
        for row in page.rows:
            if row.reward <= 0:
                return
            yield Selected(net=row.net, trial=row.number, reward=row.reward)
        offset += len(page.rows)
        if not page.rows or offset >= page.total:
            return

"""The heavy part of PNAS, for a worker: fitting a surrogate and ranking the cells of the next level."""

from typing import cast

from threadpoolctl import threadpool_limits

from nasd.config import Config, PnasConfig
from nasd.config.cells import CellsConfig
from nasd.evaluators.base import Report, Step, Thought, Workspace
from nasd.seeding import derive
from nasd.spaces.cells import CellSpace
from nasd.strategies.pnas.payload import Candidate, Level, decode_request, encode
from nasd.strategies.pnas.ranking import best, children, rows
from nasd.strategies.pnas.surrogates import Tell, make


def think(config: Config, request: bytes, report: Report, workspace: Workspace) -> Thought:
    """Rank a level; see `nasd.evaluators.base.Thinker`. A function of the config and the request alone."""
    wanted, search = decode_request(request), cast(PnasConfig, config.search)
    space = CellSpace(cast(CellsConfig, config.space))
    with threadpool_limits(1, user_api="blas"):  # last bits depend on how many threads share a product
        surrogate = make(
            search,
            rows(space, wanted.rows),
            derive(config.seed, f"surrogate of level {wanted.blocks}"),
            _telling(report, "fit"),
        )
        codes = children(space, wanted.parents, wanted.known)
        ranked = best(search, space, surrogate, codes, wanted.wanted, _telling(report, "rank"))
    known = (Candidate(net) for net in wanted.known)
    cells = (*known, *(Candidate(*each) for each in ranked.best))
    return Thought(encode(Level(wanted.blocks, cells, len(codes), ranked.scores)))


def _telling(report: Report, stage: str) -> Tell:
    return lambda done, of: report(Step(stage=stage, epoch=done, epochs=of))

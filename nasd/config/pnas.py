"""The section `search` of strategy `pnas`."""

from typing import Literal

from nasd.config.search_section import SearchSection
from nasd.config.section import NonNegative, Positive


class PnasConfig(SearchSection):
    """Progressive search over cells (PNAS, arXiv 1712.00559), with its numbers. `space.blocks` is its B."""

    strategy: Literal["pnas"] = "pnas"
    k: Positive | None = 256  # cells of a level that are evaluated, from two blocks on; None: all
    surrogate: Literal["mlp", "lstm", "ridge"] = "mlp"
    ensemble: Positive = 5  # members of mlp and lstm, each of which learns from all rows but its own share
    acquisition: Literal["mean", "ucb"] = "mean"  # ucb: the prediction and `ucb_weight` times its spread
    ucb_weight: NonNegative = 1.0

"""The section `space` of kind `cells`: cells of blocks, stacked into a network (PNAS, arXiv 1712.00559)."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from nasd.config.section import Count, Positive, Section

Operator = Literal["id", "sep3x3", "sep5x5", "sep7x7", "conv1x7-7x1", "avg3x3", "max3x3", "dil3x3", "conv3x3"]

PAPER_OPERATORS: tuple[Operator, ...] = (
    "id", "sep3x3", "sep5x5", "sep7x7", "conv1x7-7x1", "avg3x3", "max3x3", "dil3x3",
)  # fmt: skip


class CellsConfig(Section):
    """What cells there are, and the network that is made of one."""

    kind: Literal["cells"] = "cells"
    blocks: Annotated[Positive, Field(le=10)] = 5  # of a whole cell
    operators: Annotated[tuple[Operator, ...], Field(min_length=1)] = PAPER_OPERATORS
    lookback: Annotated[Positive, Field(le=9)] = 2  # earlier cells that a block may read: h-1, h-2, ...
    lookforward: Count | None = None  # blocks of a cell that later ones may read; 0: none, None: all
    combine: Literal["add", "concat"] = "add"  # of a block's two outputs
    filters: Positive = 24  # of the first cells; twice as many after each reduction
    repeats: Count = 2  # cells of a stage, besides those that reduce
    reductions: Count | None = None  # that halve the image and begin a stage; None: by the size of the image
    reduce: Literal["between", "first"] = "between"  # first: the first of a stage's `repeats` cells does
    stem: Count = 3  # channels of the first convolution, in filters; 0: there is none, cells read the image
    stem_stride: Positive | None = None  # None: by the size of the image
    max_parameters: Positive | None = None  # weights of a network that is worth evaluating
    max_operations: Positive | None = None  # its multiply-adds for one image
    patch_size: Positive = 28  # side of the input image; set from the data set when a run is created
    num_classes: Positive = 10  # as patch_size
    channels: Positive = 1  # as patch_size

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(set(self.operators)) != len(self.operators):
            raise ValueError(f"operators lists one twice: {', '.join(self.operators)}")
        if self.reduce == "first" and self.repeats == 0:
            raise ValueError("repeats is 0, so no cell of a stage could reduce: raise it, or set reduce to between")
        if self.repeats == 0 and self.reductions == 0:
            raise ValueError("repeats and reductions are both 0, so the network has no cell: raise one of them")
        return self

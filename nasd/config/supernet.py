"""The section `space` of kind `supernet`: a published network of which each unit has a choice (LightNAS)."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from nasd.config.section import NonNegative, Positive, PositiveFloat, Section

Base = Literal[
    "resnet18", "resnet18v2", "resnet34", "resnet34v2",
    "meliusnet22", "meliusnet23", "meliusnet29", "meliusnet42", "meliusnet59", "meliusneta", "meliusnetb", "meliusnetc",
]  # fmt: skip


class SupernetConfig(Section):
    """Which network, how wide, and how its binary layers work.

    The base `resnet...` has the choices 1 and 32 bits for each of its basic blocks (He et al., arXiv 1512.03385;
    v2: arXiv 1603.05027), `meliusnet...` a 3x3 or 1x1 dense block and an improvement block or none (arXiv 2001.05936).
    """

    kind: Literal["supernet"] = "supernet"
    base: Base = "resnet18"
    stem: Literal["thumbnail", "imagenet", "grouped"] = "thumbnail"  # thumbnail: 3x3 without stride or pooling
    # Channels of the stem and of the stages after it; for meliusnet: of the stem and after each transition. None: as
    # published. Five numbers for resnet, four for meliusnet.
    widths: Annotated[tuple[Positive, ...], Field(min_length=4, max_length=5)] | None = None
    growth: Positive = 64  # channels that a dense block adds; meliusnet only
    activation: Literal["sign", "approx_sign"] = "sign"  # approx_sign: the gradient of Bi-Real net
    grad_cancel: PositiveFloat = 1.0  # size of an input from which on `sign` passes no gradient
    scaling: Literal["none", "xnor", "bi_real"] = "none"  # by the mean size of the weights; bi_real: with its gradient
    # What each choice of each unit takes: numbers, such as milliseconds; `measured`: on the first of executor.devices
    # when a run is created, which then holds the numbers; None: a table, see `docs/enas.md`.
    latencies: tuple[tuple[NonNegative, ...], ...] | Literal["measured"] | None = None
    patch_size: Positive = 32  # side of the input image; set from the data set when a run is created
    num_classes: Positive = 10  # as patch_size
    channels: Positive = 3  # as patch_size

    @property
    def family(self) -> Literal["resnet", "meliusnet"]:
        """The kind of network that the base is."""
        return "resnet" if self.base.startswith("resnet") else "meliusnet"

    @model_validator(mode="after")
    def _widths_fit(self) -> Self:
        wanted = 5 if self.family == "resnet" else 4
        if self.widths is not None and len(self.widths) != wanted:
            raise ValueError(f"widths: {self.base} takes {wanted} numbers, not {len(self.widths)}")
        return self

"""The section `space`: one class per kind of search space, told apart by `space.kind`."""

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Tag, model_validator

from nasd.config.cells import CellsConfig
from nasd.config.section import Count, Positive, PositiveFloat, Section, Sizes
from nasd.config.supernet import SupernetConfig
from nasd.config.unions import by


class LayersConfig(Section):
    """Chains of layers (DP-NAS's defaults: arXiv 2104.06788, and its published README)."""

    kind: Literal["layers"] = "layers"
    form: Literal["dp_nas", "codebrim"] = "dp_nas"  # codebrim: no padding, no pooling but the pyramid at the end
    patch_size: Positive = 28  # side of the input image; set from the data set when a run is created
    min_conv: Count = 3
    max_conv: Positive = 12
    max_fc: Count = 0
    conv_sizes: Sizes = (1, 3, 5, 7, 9, 11)
    conv_features: Sizes = (16, 32, 64, 128, 256, 512, 1024)
    conv_strides: Sizes = (1,)
    large_conv_strides: tuple[Positive, ...] = (2,)  # for sizes from large_conv_size on: besides, in codebrim instead
    large_conv_size: Positive = 7
    wrn: bool = True  # wide-residual blocks
    pool_sizes: tuple[Positive, ...] = (2, 3, 4)
    pool_strides: tuple[Positive, ...] = (2, 3, 4)
    spp_levels: Sizes = (3, 4, 5)  # of spatial pyramid pooling
    fc_sizes: tuple[Positive, ...] = (32, 64, 128)
    max_num_fc_input: Positive = 20000
    max_image_size: Positive = 8
    max_parameters: Positive | None = None  # weights of the whole network, the classifier's included; None: no limit
    max_gflops: PositiveFloat | None = None  # 10^9 operations for one image: twice the multiply-adds of all layers
    num_classes: Positive = 10  # as patch_size
    channels: Positive = 1  # as patch_size

    @model_validator(mode="after")
    def _limits_fit(self) -> Self:
        if self.min_conv > self.max_conv:
            raise ValueError(f"min_conv {self.min_conv} is above max_conv {self.max_conv}: lower one, raise the other")
        if self.max_fc > 0 and not self.fc_sizes:
            raise ValueError("max_fc is above 0 but fc_sizes is empty: name at least one size")
        for name in (
            "conv_sizes",
            "conv_features",
            "conv_strides",
            "pool_sizes",
            "pool_strides",
            "fc_sizes",
            "spp_levels",
        ):
            values = getattr(self, name)
            if len(set(values)) != len(values):
                raise ValueError(f"{name} lists a value twice: {list(values)}")
        return self


AnySpace = Annotated[
    Annotated[LayersConfig, Tag("layers")]
    | Annotated[CellsConfig, Tag("cells")]
    | Annotated[SupernetConfig, Tag("supernet")],
    Discriminator(by("kind", default="layers")),
]

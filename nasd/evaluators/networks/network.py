"""The whole network: encoder, fully connected layers, classifier; for training all of it (DP-NAS, arXiv 2104.06788)."""

import torch
from torch import Tensor, nn

from nasd.config import EncoderConfig
from nasd.evaluators.networks.encoder import INITS, Buildable, Encoder
from nasd.evaluators.seeding import generator
from nasd.spaces.cells import Cell
from nasd.spaces.layers import Architecture
from nasd.spaces.layers.state import end_state


class Dropout(nn.Module):
    """Dropout that draws from a stream of its own, sample by sample, however many pass at a time.

    Attributes:
        stream: On the CPU, so that every device sees the same numbers; set it before training.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.stream: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(N, D) -> (N, D)."""
        if not self.training or self.share == 0.0:
            return x
        kept = torch.rand(x.shape, generator=self.stream) >= self.share
        return x * (kept.to(x.device) / (1 - self.share))


def _parts(architecture: Buildable) -> tuple[Buildable, list[int]]:
    """What the encoder is built from, and the units of the fully connected layers."""
    if isinstance(architecture, Cell):
        return architecture, []
    encoder = (*architecture.encoder, end_state(architecture.encoder[-1]))
    units = [state.fc_size for state in architecture.layers if state.layer_type == "fc"]
    return Architecture(encoder, architecture.num_classes), units


class Network(nn.Module):
    """Encoder, then linear layer, batch norm and ReLU for each fully connected layer, dropout, linear classifier.

    No biases. Build it on the meta device, move it with `to_empty` and then `initialise` it, as the `Encoder`.

    Args:
        architecture: What to build.
        channels: Of the input images.
        config: Initialisation, batch norm, precision (bfloat16 counts as tf32 here).
        dropout: Share of values that the last layer does not see in training.
    """

    def __init__(self, architecture: Buildable, channels: int, config: EncoderConfig, dropout: float) -> None:
        super().__init__()
        if config.precision == "bfloat16":  # enough for weights that stay; small updates would be rounded away
            config = config.model_copy(update={"precision": "tf32"})
        encoder, units = _parts(architecture)
        self.encoder = Encoder(encoder, channels, config, trained=True, probe=False)
        width = architecture.embedding_dim
        layers: list[nn.Module] = []
        for size in units:
            norm = nn.BatchNorm1d(size, eps=config.batch_norm) if config.batch_norm > 0 else nn.Identity()
            layers += [nn.Linear(width, size, bias=False), norm, nn.ReLU()]
            width = size
        self.fully_connected = nn.Sequential(*layers)
        self.dropout = Dropout(dropout)
        self.classifier = nn.Linear(width, architecture.num_classes, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """(N, channels, H, W) float32 in [0, 1] -> (N, classes) logits."""
        logits: Tensor = self.classifier(self.dropout(self.fully_connected(self.encoder(images))))
        return logits

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """Draw all weights; the encoder's are those of the deep prior with the same seed."""
        self.encoder.initialise(generator(seed, "weights"))
        init, stream = INITS[self.encoder.config.init], generator(seed, "linear weights")
        for module in (*self.fully_connected, self.classifier):
            if isinstance(module, nn.Linear):
                module.weight.copy_(init(torch.empty(module.weight.shape), stream))
            elif isinstance(module, nn.BatchNorm1d):
                module.reset_parameters()

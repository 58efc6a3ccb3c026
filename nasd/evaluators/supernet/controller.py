"""The policy that chooses: an LSTM cell, one choice after the other (ENAS, arXiv 1802.03268; numbers of LightNAS)."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nasd.config import ControllerConfig

_RANGE = 0.1  # of the uniform distribution that weights begin with, as in ENAS


class Sampled(NamedTuple):
    """Architectures that the controller drew. Units are in the order of the network."""

    numbers: tuple[tuple[int, ...], ...]  # of each architecture: the place of each unit's choice
    log_probabilities: Tensor  # (B,)
    entropies: Tensor  # (B,), mean over the units, in nats
    probabilities: tuple[Tensor, ...]  # of each unit: (B, choices)


class Controller(nn.Module):
    """Chooses for each unit, knowing what it chose before. On the CPU, so that every device sees the same choices.

    Args:
        counts: How many choices each unit has.
        config: Its size, temperature and tanh constant.
    """

    def __init__(self, counts: Sequence[int], config: ControllerConfig) -> None:
        super().__init__()
        self.config = config
        self.cell = nn.LSTMCell(config.hidden, config.hidden)
        # What was chosen for a unit is what the next one reads.
        self.start = nn.Parameter(torch.empty(1, config.hidden))
        self.embeddings = nn.ModuleList(nn.Embedding(count, config.hidden) for count in counts[:-1])
        self.decoders = nn.ModuleList(nn.Linear(config.hidden, count) for count in counts)

    @torch.no_grad()
    def initialise(self, stream: torch.Generator) -> None:
        """Draw all weights; biases are 0."""
        for parameter in self.parameters():
            if parameter.dim() > 1:
                parameter.uniform_(-_RANGE, _RANGE, generator=stream)
            else:
                parameter.zero_()

    def sample(self, count: int, stream: torch.Generator) -> Sampled:
        """Draw `count` architectures."""
        return self._choose(count, stream)

    @torch.no_grad()
    def most_probable(self) -> Sampled:
        """The one architecture of each unit's most probable choice, given those before it; the first of equals."""
        return self._choose(1, None)

    def _choose(self, count: int, stream: torch.Generator | None) -> Sampled:
        x, zeros = self.start.expand(count, -1), torch.zeros(count, self.config.hidden)
        state = (zeros, zeros)
        chosen, logs, entropies, probabilities = list[Tensor](), list[Tensor](), list[Tensor](), list[Tensor]()
        for unit, decoder in enumerate(self.decoders):
            state = self.cell(x, state)
            log = torch.log_softmax(self._logits(decoder(state[0])), dim=1)
            share = log.exp()
            if stream is None:
                choice = share.argmax(dim=1)
            else:
                below = share.detach().cumsum(dim=1)[:, :-1]
                choice = (torch.rand(count, 1, generator=stream) >= below).sum(dim=1)
            chosen.append(choice)
            logs.append(log.gather(1, choice[:, None])[:, 0])
            entropies.append(-(share * log).sum(dim=1))
            probabilities.append(share.detach())
            if unit < len(self.embeddings):
                x = self.embeddings[unit](choice)
        numbers = tuple(tuple(row) for row in torch.stack(chosen, dim=1).tolist())
        return Sampled(numbers, torch.stack(logs).sum(dim=0), torch.stack(entropies).mean(dim=0), tuple(probabilities))

    def _logits(self, raw: Tensor) -> Tensor:
        logits = raw / self.config.temperature
        bound = self.config.tanh_constant
        return bound * torch.tanh(logits) if bound > 0 else logits

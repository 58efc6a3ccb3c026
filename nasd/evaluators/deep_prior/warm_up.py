"""What a process does once, done before its first evaluation, whose time is then its own."""

import torch
import torch._dynamo  # a second or three; an operation on the meta device would import it

from nasd.config import Config
from nasd.evaluators.deep_prior.embedding import EmbeddedSplit
from nasd.evaluators.deep_prior.probe_steps import Start
from nasd.evaluators.networks import activations


@torch.inference_mode()
def warm_up(config: Config, device: torch.device) -> None:
    """Compile the loops that deep priors take on a CPU; some four seconds."""
    if device.type != "cpu":
        return
    from nasd.evaluators.deep_prior.probe_cpu import CpuSteps  # noqa: PLC0415 - numba

    dtype = torch.bfloat16 if config.encoder.precision == "bfloat16" else torch.float32
    x = torch.zeros((1, 1, 2, 2), dtype=dtype).contiguous(memory_format=torch.channels_last)
    mean, variance = activations.moments(x)
    activations.rectify_(activations.max_pool(x, 2, 2), mean, variance, mean, mean, 1.0)
    labels = torch.zeros(1, dtype=torch.int64)
    split = EmbeddedSplit(x.flatten(1), labels, labels)
    CpuSteps(Start(split, split, 1, config.training, torch.zeros((1, 4)), [0.0])).epoch(labels)

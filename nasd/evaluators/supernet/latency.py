"""What each choice of each unit takes on a device: measured once, as a run is created (`space.latencies: measured`)."""

import statistics
import time

import torch
from torch import Tensor

from nasd.config import EncoderConfig, SupernetConfig
from nasd.errors import ConfigError
from nasd.evaluators.networks.supernet import SupernetNetwork, UnitModule
from nasd.evaluators.supernet.judging import precision

WARM_UP, PASSES = 3, 15


@torch.no_grad()
def measure(space: SupernetConfig, encoder: EncoderConfig, device: str, threads: int) -> tuple[tuple[float, ...], ...]:
    """Milliseconds that one image takes to pass, the median of several passes, in the order of `Unit.choices`.

    Binary convolutions are computed with float kernels here: what is measured is not what a binary kernel would take.

    Args:
        space: Settled but for its latencies.
        encoder: Batch norm and precision.
        device: Of the first worker.
        threads: Its CPU threads.

    Raises:
        ConfigError: The device is not there.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return _measured(space, encoder, torch.device(device))
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            f"space.latencies: nothing can be measured on {device}: {str(error).splitlines()[0]}"
        ) from error
    finally:
        torch.set_num_threads(before)


def _measured(space: SupernetConfig, encoder: EncoderConfig, device: torch.device) -> tuple[tuple[float, ...], ...]:
    with torch.device("meta"):
        network = SupernetNetwork(space, encoder)
    network = network.to_empty(device=device).eval()
    network.initialise(0)
    units = [step for step in network.steps if isinstance(step, UnitModule)]
    inputs = dict[UnitModule, Tensor]()
    hooks = [unit.register_forward_pre_hook(lambda unit, given: inputs.update({unit: given[0]})) for unit in units]
    with precision(device, encoder):
        image = torch.zeros(1, space.channels, space.patch_size, space.patch_size, device=device)
        network(image, [unit.allowed[0] for unit in units])
        for hook in hooks:
            hook.remove()
        return tuple(tuple(_milliseconds(unit, choice, inputs[unit]) for choice in unit.allowed) for unit in units)


def _milliseconds(unit: UnitModule, choice: str, x: Tensor) -> float:
    taken = []
    for _ in range(WARM_UP + PASSES):
        began = time.perf_counter()
        unit(x, choice)
        if x.is_cuda:
            torch.cuda.synchronize(x.device)
        taken.append(1000 * (time.perf_counter() - began))
    return float(f"{statistics.median(taken[WARM_UP:]):.4g}")

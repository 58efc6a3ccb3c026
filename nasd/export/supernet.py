"""The architecture that an epoch of a supernet derived, with the shared weights of that epoch."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from nasd.config import SupernetConfig
from nasd.errors import NasdError
from nasd.evaluators.networks.supernet import SupernetNetwork
from nasd.evaluators.networks.weights import network_bytes
from nasd.export import packed
from nasd.export.place import unfinished
from nasd.runs import changes
from nasd.spaces.supernet import Supernet, SupernetSpace
from store import Run, Trial

NETWORK = "network/network/"  # of the part `network`, its module (nasd.evaluators.supernet.state)


def export(run: Run, trial: Trial, target: Path, *, pack: bool) -> None:
    """Write a derived architecture as a network that `nasd.load_model` reads, or as a program.

    Args:
        run: A search of a supernet.
        trial: One of its epochs, whose file is still there.
        target: `.safetensors`: to train on, or packed for inference; `.pt2`: a program of torch.export.
        pack: Whether binary weights become bits and batch norms are folded.

    Raises:
        NasdError: The run is of another kind, the epoch's file was dropped, another suffix, or the target exists.
        StoreError: The file is damaged.
    """
    network, architecture, config = derived(run, trial)
    if pack or target.suffix != ".safetensors":
        packed.write(network, architecture, target)
        return
    described = {
        "kind": "network", "architecture": str(architecture), "seed": trial.seed, "trial": trial.number,
        "space": architecture.config.model_dump(mode="json"), "encoder": config.encoder.model_dump(mode="json"),
        "training": config.training.model_dump(mode="json"),
        "data": {
            "name": config.data.name, "image_size": config.space.patch_size, "channels": config.space.channels,
            "classes": [str(number) for number in range(config.space.num_classes)],
        },
    }  # fmt: skip
    with unfinished(target) as whole:
        whole.write_bytes(network_bytes(network, described))


def derived(run: Run, trial: Trial) -> tuple[SupernetNetwork, Supernet, Any]:
    """The network of a trial's architecture, in eval mode; its batch norms have the averages that it was judged with.

    Raises:
        As `export`.
    """
    config = changes.config_of(run)
    name = trial.facts.get("writes")
    if not isinstance(config.space, SupernetConfig) or not isinstance(name, str):
        raise NasdError(f"{run.path.name} is no search of a supernet: nasd export model writes its deep priors")
    if name not in run.files.referred_to():
        kept = ", ".join(sorted(run.files.referred_to()))
        raise NasdError(f"the file of trial {trial.number} was dropped; there are {kept}. search.keep_every keeps more")
    run.files.check(name)
    architecture = SupernetSpace(config.space).parse(trial.net)
    network = SupernetNetwork(config.space, config.encoder, architecture, config.training.dropout)
    try:
        with safe_open(run.files.path(name), framework="pt") as file:
            tensors = {one: file.get_tensor(NETWORK + one) for one in network.state_dict()}
        network.load_state_dict(tensors)
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        raise NasdError(f"{run.files.path(name)} cannot be read: {str(error).splitlines()[0]}") from error
    return network.eval(), architecture, config

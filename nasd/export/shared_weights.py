"""What any architecture of a supernet is worth with the shared weights of its newest epoch, without training it."""

from collections.abc import Sequence

import torch
from safetensors import SafetensorError, safe_open

from nasd import data as datasets
from nasd.config import SupernetConfig, SupernetTrainingConfig
from nasd.errors import NasdError
from nasd.evaluators.networks.supernet import SupernetNetwork
from nasd.evaluators.supernet.images import divide
from nasd.evaluators.supernet.judging import accuracy, precision, recalibrate
from nasd.evaluators.threads import one_thread_each
from nasd.export.supernet import NETWORK
from nasd.outcome import epoch_in
from nasd.runs import changes
from nasd.runs import data as run_data
from nasd.spaces.supernet import Supernet
from store import Run


def shared_accuracies(run: Run, architectures: Sequence[Supernet]) -> list[float]:
    """Validation accuracies, with batch norms of their own for each, as an epoch's derived architecture is judged.

    Raises:
        NasdError: The run is of another kind, no epoch came to its end, or the data are not there.
        StoreError: The file of the newest epoch is damaged.
    """
    config = run_data.located(run, changes.config_of(run))
    training = config.evaluation
    if not isinstance(config.space, SupernetConfig) or not isinstance(training, SupernetTrainingConfig):
        raise NasdError(f"{run.path.name} is no search of a supernet")
    newest = max((t for t in run.observed() if epoch_in(t.metrics)), key=lambda t: t.number, default=None)
    if newest is None:
        raise NasdError(f"{run.path.name} has no epoch that came to its end yet: wait for one")
    name = str(newest.facts["writes"])
    run.files.check(name)
    network = SupernetNetwork(config.space, config.encoder)
    try:
        with safe_open(run.files.path(name), framework="pt") as file:
            network.load_state_dict({one: file.get_tensor(NETWORK + one) for one in network.state_dict()})
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        raise NasdError(f"{run.files.path(name)} cannot be read: {str(error).splitlines()[0]}") from error
    data, batch = datasets.load(config.data, config.seed, config.search.classes), training.batch_size
    images = divide(data.train, training.controller_fraction, config.seed).weights.images[: training.recalibration]
    found = []
    with one_thread_each(), torch.no_grad(), precision(torch.device("cpu"), config.encoder):
        for architecture in architectures:
            recalibrate(network, architecture.choices, images, batch)
            found.append(accuracy(network, architecture.choices, data.validation, batch))
    return found

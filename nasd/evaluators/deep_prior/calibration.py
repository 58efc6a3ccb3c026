"""How fast this box computes the layers of a search, measured in seconds: layers alone, on images that hold noise."""

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import torch
from torch import Tensor, nn

from nasd.config import Config
from nasd.data import Data, ImageSplit
from nasd.evaluators.deep_prior.embedding import EmbeddedSplit
from nasd.evaluators.deep_prior.looks import looking_bytes, rungs_of
from nasd.evaluators.deep_prior.probe import train_classifier
from nasd.evaluators.deep_prior.warm_up import warm_up
from nasd.evaluators.memory import pass_bytes, resident_bytes
from nasd.evaluators.networks.build import TrainableNetwork, network_of
from nasd.evaluators.networks.convolution import Convolution
from nasd.evaluators.networks.encoder import Buildable, Encoder
from nasd.evaluators.networks.network import Network
from nasd.evaluators.networks.supernet import SupernetNetwork
from nasd.evaluators.seeding import generator
from nasd.evaluators.threads import in_order, one_thread_each
from nasd.graph import Graph
from nasd.spaces.base import Space
from nasd.spaces.layers import Architecture

GFLOP = 2.0  # of one timed pass on a CPU, about; a GPU gets a whole mini-batch
TRANSFORMED = 64  # images of one where convolutions are by FFT, which transforms the weights anew for each mini-batch
ROWS = 8192  # of the embedding that the classifier is timed on
SECONDS = 0.25  # of one example, about


@dataclass(frozen=True)
class Rates:
    """Seconds for 10^9 operations."""

    kernels: Mapping[str, float]  # by class of layer
    classifier: float  # 0 where it is trained with the rest


@one_thread_each()
def calibrate(
    space: Space[Any],
    config: Config,
    examples: Mapping[str, Sequence[tuple[str, int]]],
    values: int,
    device: torch.device,
    threads: int,
) -> Rates:
    """Time layers as an evaluation computes them, with batch norm and ReLU.

    Args:
        space: Of the architectures.
        config: The run's.
        examples: Of each class of layers some, as (architecture, place in its graph); each counts the same.
        values: Of a typical embedding.
        device: To be timed.
        threads: That compute at the same time, each a mini-batch of its own; on a GPU one does.

    Raises:
        EvaluationError: An architecture is none that there are layers for.
    """
    untrained = config.evaluation.kind == "deep_prior"
    if untrained:
        warm_up(config, device)
    kernels = {}
    with torch.inference_mode(untrained), torch.no_grad():  # full training does not take the loops of `activations`
        for kernel, chosen in examples.items():
            rates = [_seconds(*_layer(space, config, net, place, device), threads) for net, place in chosen]
            kernels[kernel] = sum(rates) / len(rates)
        return Rates(kernels, _classifier_seconds(config, values, device) if untrained else 0.0)


def peak_bytes(architecture: Buildable, config: Config, data: Data, device: torch.device) -> int:
    """Memory of an evaluation whose mini-batches are not split, the images and the looks at a part of them included.

    Raises:
        EvaluationError: The architecture does not fit the images.
    """
    with torch.device("meta"):
        encoder = Encoder(architecture, data.channels, config.encoder)
    batch = min(config.training.batch_size, len(data.train))
    looking = looking_bytes(data, encoder.embedding_dim, config, rungs_of(config))
    resident = data.images_nbytes + resident_bytes(encoder, data, config)
    return resident + max(pass_bytes(encoder, data, batch, device), looking)


def without_images(config: Config, splits: Sequence[int]) -> Data:
    """Data of the run's shape on the meta device, where nothing takes memory.

    Args:
        config: Settled.
        splits: Images of the training, validation and test split.
    """
    space = config.space
    shape = (space.channels, space.patch_size, space.patch_size)
    train, validation, test = (
        ImageSplit(
            torch.empty((rows, *shape), dtype=torch.uint8, device="meta"),
            torch.empty(rows, dtype=torch.int64, device="meta"),
            torch.empty(rows, dtype=torch.int64, device="meta"),
        )
        for rows in splits
    )
    classes = tuple(map(str, range(space.num_classes)))
    return Data(config.data.name, train, validation, test, classes, ())


def _layer(
    space: Space[Any], config: Config, net: str, place: int, device: torch.device
) -> tuple[nn.Module, Tensor, float]:
    """A layer, its input for some images, and its GFLOP for them; of what is no chain of layers, the whole network."""
    architecture = space.parse(net)
    graph: Graph = space.graph(architecture)
    network: Encoder | TrainableNetwork
    with torch.device("meta"):
        if config.evaluation.kind == "training":
            network = network_of(architecture, graph.nodes[0].shape[0], config.encoder, config.training.dropout)
        else:
            network = Encoder(architecture, graph.nodes[0].shape[0], config.encoder)
    layer: nn.Module = network
    shape, gflop = graph.nodes[0].shape, graph.gflops
    if isinstance(architecture, Architecture) and not isinstance(network, SupernetNetwork):
        layer, shape, gflop = _chain(network)[place - 1], graph.nodes[place - 1].shape, graph.nodes[place].gflops
    layer.to_empty(device=device).train()
    for parameter in layer.parameters():
        if parameter.dim() > 1:
            parameter.fill_(parameter[0].numel() ** -0.5)
    for module in layer.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    convolutions = [module for module in layer.modules() if isinstance(module, Convolution)]
    least = TRANSFORMED if any(each.transforms(*shape[1:]) for each in convolutions) else 1
    samples = 128 if device.type == "cuda" else max(least, min(128, round(GFLOP / gflop)))
    dtype = network.dtype if isinstance(network, Encoder) else torch.float32
    image = torch.rand((samples, *shape), generator=generator(1, "images")).to(device, dtype)
    if image.dim() == 4:
        image = image.contiguous(memory_format=torch.channels_last)
    return layer, image, samples * gflop


def _chain(network: Encoder | Network) -> list[nn.Module]:
    """What computes each node of the graph behind the image."""
    if isinstance(network, Encoder):
        return list(network.layers)
    linear = [module for module in network.fully_connected if isinstance(module, nn.Linear)]
    return [*network.encoder.layers, nn.Flatten(), *linear, network.classifier]


def _seconds(layer: nn.Module, image: Tensor, gflop: float, threads: int) -> float:
    """For 10^9 operations, by all threads together."""
    copies: SimpleQueue[nn.Module] = SimpleQueue()  # of its statistics; the weights are the same
    for _ in range(threads):
        copies.put(copy.deepcopy(layer, {id(parameter): parameter for parameter in layer.parameters()}))

    inference = torch.is_inference_mode_enabled()  # each thread has a mode of its own

    def work(_: int) -> None:
        mine = copies.get()
        with torch.inference_mode(inference), torch.no_grad():
            mine(image.clone())  # in eval mode a layer may work in place
        copies.put(mine)

    def passes(number: int) -> float:
        began = time.perf_counter()
        for _ in in_order(work, range(number), threads if threads > 1 else 0, ahead=2 * threads):
            pass
        if image.is_cuda:
            torch.cuda.synchronize(image.device)
        return (time.perf_counter() - began) / (number * gflop)

    first = passes(threads)
    more = round(SECONDS / (first * gflop))
    return first if more < threads else passes(min(more, 50 * threads))


def _classifier_seconds(config: Config, values: int, device: torch.device) -> float:
    classes, seed = config.space.num_classes, generator(1, "classifier")
    dtype = torch.bfloat16 if config.encoder.precision == "bfloat16" else torch.float32
    labels = torch.randint(classes, (ROWS,), generator=seed).to(device)
    split = EmbeddedSplit(torch.rand((ROWS, values), generator=seed).to(device, dtype), labels, labels)
    few = EmbeddedSplit(split.x[:128], labels[:128], labels[:128])
    training = config.training.model_copy(update={"epochs": 2, "early_stopping_epoch": 3})
    ended: list[float] = []
    with torch.accelerator.device_index(device.index):  # a CUDA graph records what the current GPU does
        train_classifier(split, few, few, classes, training, 1, lambda *_: ended.append(time.perf_counter()))
    return (ended[1] - ended[0]) / (2 * 2 * ROWS * values * classes / 1e9)

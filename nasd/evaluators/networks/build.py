"""The network that is trained, of any architecture."""

from nasd.config import EncoderConfig
from nasd.evaluators.networks.encoder import Buildable
from nasd.evaluators.networks.network import Network
from nasd.evaluators.networks.supernet import SupernetNetwork
from nasd.spaces.supernet import Supernet

Trainable = Buildable | Supernet
"""Architectures that can be trained in full."""
TrainableNetwork = Network | SupernetNetwork


def network_of(architecture: Trainable, channels: int, config: EncoderConfig, dropout: float) -> TrainableNetwork:
    """The network of an architecture, its weights not drawn; arguments as those of `Network`."""
    if isinstance(architecture, Supernet):
        return SupernetNetwork(architecture.config, config, architecture, dropout)
    return Network(architecture, channels, config, dropout)

"""Published networks with a choice for each unit: what ENAS as in LightNAS searches."""

from nasd.spaces.supernet.architecture import Supernet
from nasd.spaces.supernet.cost import Size
from nasd.spaces.supernet.space import SupernetSpace

__all__ = ["Size", "Supernet", "SupernetSpace"]

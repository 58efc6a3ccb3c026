"""Embeddings and models in the formats of other people's tools.

Everything is written beside its target under a hidden name and appears whole or not at all.
"""

from nasd.export.npy_folder import npy_folder
from nasd.export.npz import npz
from nasd.export.parquet import parquet

__all__ = ["npy_folder", "npz", "parquet"]

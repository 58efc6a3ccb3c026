"""Embedding arrays of runs (zarr v3): one folder an embedding, whole or not there, checked when read.

A folder holds `train|val|test/{x,y,index}`: rows sorted by class, so that a continual-learning task is one range, and
`index`, the place of each row in its data set. Rows are written in shards of about 64 MB and read shard by shard into
memory; random rows straight from the files are slow.
"""

from store.embeddings.dataset import EmbeddingDataset, Shuffled
from store.embeddings.draft import Draft
from store.embeddings.folder import Embeddings
from store.embeddings.layout import CHUNK_ROWS, DTYPES, SHARD_BYTES, SPLITS, Split, Unwritten
from store.embeddings.reading import Embedding
from store.embeddings.writing import stage

__all__ = [
    "CHUNK_ROWS",
    "DTYPES",
    "SHARD_BYTES",
    "SPLITS",
    "Draft",
    "Embedding",
    "EmbeddingDataset",
    "Embeddings",
    "Shuffled",
    "Split",
    "Unwritten",
    "stage",
]

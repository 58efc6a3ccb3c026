"""Parquet, for pandas, Polars, DuckDB and their like: a file a split, a row a sample."""

import json
from pathlib import Path
from typing import Any

from nasd.errors import NasdError
from nasd.export.place import unfinished
from store.embeddings import Embedding, Split


def parquet(embedding: Embedding, target: Path) -> None:
    """Write `train.parquet`, `val.parquet` and `test.parquet` into the folder `target`.

    Columns: `x` (a list of fixed length), `y` (the class; for multi-label data a list), `index`. A row group a shard.
    The files' metadata has the embedding's attributes as JSON under `nasd`.

    Raises:
        NasdError: pyarrow is missing, the target exists, or another process writes it.
        EmbeddingError: The embedding is damaged.
        DiskFullError: No space.
        DiskError: The disk refused.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet as pq  # noqa: PLC0415
    except ImportError as error:
        raise NasdError("parquet needs pyarrow: pip install 'nasd[parquet]'") from error

    def table(rows: Split) -> Any:
        arrays = []
        for values in (rows.x, rows.y, rows.index):
            flat = pa.array(values.ravel())
            arrays.append(flat if values.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, values.shape[1]))
        described = {"nasd": json.dumps(embedding.attributes)}
        return pa.table(arrays, names=["x", "y", "index"]).replace_schema_metadata(described)

    with unfinished(target) as whole:
        whole.mkdir()
        for split in embedding.splits:
            writer = None
            for shard in embedding.shards(split):
                rows = table(shard)
                if writer is None:
                    # Floats do not repeat: a dictionary of them only costs.
                    writer = pq.ParquetWriter(
                        whole / f"{split}.parquet", rows.schema, compression="zstd", use_dictionary=False
                    )
                writer.write_table(rows, row_group_size=max(len(shard.y), 1))
            if writer is not None:
                writer.close()

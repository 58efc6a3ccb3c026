"""The section `store`: what is kept on disk."""

from nasd.config.section import Bytes, Count, Section


class StoreConfig(Section):
    """What is kept on disk."""

    keep_embeddings: Count = 5  # of the best trials
    disk_quota: Bytes | None = None  # of a run's directory; embeddings are dropped first

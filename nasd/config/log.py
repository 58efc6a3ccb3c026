"""The section `log`: the daemon's log, and what it writes for other people's tools."""

from typing import Literal

from nasd.config.section import Bytes, Positive, Section


class LogConfig(Section):
    """The daemon's log, and what it writes for other people's tools."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    tensorboard: bool = False  # also write TensorBoard's files, in log/tensorboard
    max_bytes: Bytes = 5_000_000  # of the log, and of events.jsonl, before it is rotated
    keep: Positive = 5  # older parts

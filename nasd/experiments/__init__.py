"""The paper's experiments (arXiv 2104.06788, sections 3.2 and 3.3) on a run: jobs, a table, a figure, a sentence.

A client of the daemon: the jobs go on without it, and the same call takes up those that were queued before.
"""

from nasd.experiments.measuring import Measured, measure, measured, write_csv

__all__ = ["Measured", "measure", "measured", "write_csv"]

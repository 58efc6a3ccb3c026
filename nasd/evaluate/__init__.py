"""Evaluation of architectures: encoder, embedding pass, linear classifier, memory fit.

outcome = evaluate(architecture, data, config, trial_seed(config.seed, number), "cpu")
"""

from nasd.evaluate.embedding import EmbeddedSplit, Embedding, OnHost
from nasd.evaluate.encoder import Encoder
from nasd.evaluate.errors import EvaluationError
from nasd.evaluate.evaluation import Progress, evaluate
from nasd.seeding import trial_seed

__all__ = ["EmbeddedSplit", "Embedding", "Encoder", "EvaluationError", "OnHost", "Progress", "evaluate", "trial_seed"]

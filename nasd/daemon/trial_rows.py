"""The row that a trial ends as."""

import time

from nasd.outcome import Evaluated, Failed, to_metrics
from nasd.seeding import trial_seed
from nasd.strategies.base import Observed, Proposal
from store import Trial, TrialStatus


def make_trial(
    proposal: Proposal, observed: Observed, outcome: Evaluated | Failed | None, *, order: int, seed: int
) -> Trial:
    """The row that a proposal ends as."""
    status: TrialStatus
    match outcome:
        case Evaluated():
            status = "early_stopped" if outcome.early_stopped else "evaluated"
        case Failed():
            status = "failed"
        case None:
            status = "duplicate" if proposal.kind == "duplicate" else "infeasible"
    measured = outcome.measured if outcome else None
    evaluated = outcome if isinstance(outcome, Evaluated) else None
    return Trial(
        number=proposal.number,
        order=order,
        net=observed.net or proposal.net,
        status=status,
        stage=proposal.stage,
        facts={**proposal.facts, **observed.facts},
        reward=observed.reward,
        counted=observed.counted,
        duplicate_of=observed.duplicate_of,
        reason=_reason(outcome) or proposal.reason,
        seed=trial_seed(seed, proposal.number) if outcome else None,
        validation_accuracies=evaluated.validation_accuracies if evaluated else (),
        train_accuracies=evaluated.train_accuracies if evaluated else (),
        test_accuracy=evaluated.test_accuracy if evaluated else None,
        metrics=to_metrics(evaluated) if evaluated else None,
        embedding_dim=evaluated.embedding_dim if evaluated else None,
        micro_batch=evaluated.micro_batch if evaluated else None,
        finished_at=time.time(),
        seconds=measured.seconds if measured else 0.0,
        encode_seconds=measured.encode_seconds if measured else 0.0,
        train_seconds=measured.train_seconds if measured else 0.0,
        peak_memory=measured.peak_memory if measured else 0,
        device=measured.device if measured else "",
    )


def _reason(outcome: Evaluated | Failed | None) -> str | None:
    if isinstance(outcome, Failed):
        return outcome.reason
    if outcome is None or outcome.rungs is None or not outcome.rungs.cut:
        return None
    after = f" after {outcome.rungs.images[-1]:,} images" if outcome.rungs.images else ""
    return f"stopped{after} at {100 * outcome.rungs.scores[-1]:.1f} %: its reward is an estimate"

"""What comes out of one evaluation. Shared by the evaluator, the strategies and the daemon; imports nothing heavy."""

import msgspec


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What an evaluation cost. Differs from run to run; everything else in an outcome does not."""

    seconds: float = 0.0
    encode_seconds: float = 0.0
    train_seconds: float = 0.0
    peak_memory: int = 0  # bytes, as the device reports it; 0 where it cannot tell
    device: str = "cpu"


class Evaluated(msgspec.Struct, frozen=True, kw_only=True, tag="evaluated"):
    """A finished evaluation. Accuracies are fractions in [0, 1], one per epoch."""

    reward: float  # mean of the last five validation accuracies
    validation_accuracies: tuple[float, ...]
    train_accuracies: tuple[float, ...]
    test_accuracy: float | None  # None where the early stop struck
    early_stopped: bool
    embedding_dim: int
    micro_batch: int  # samples per pass; the mini-batch unless memory asked for less
    measured: Measured = Measured()


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """An architecture that could not be evaluated, and why, in one sentence."""

    reason: str
    measured: Measured = Measured()


Outcome = Evaluated | Failed


def encode_outcome(outcome: Outcome) -> str:
    """As JSON, for the checkpoint."""
    return msgspec.json.encode(outcome).decode()


def decode_outcome(text: str) -> Outcome:
    """Raises msgspec.DecodeError."""
    outcome: Outcome = msgspec.json.decode(text, type=Outcome)
    return outcome
